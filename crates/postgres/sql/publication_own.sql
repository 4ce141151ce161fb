SELECT pubname::text FROM pg_publication WHERE starts_with(pubname, $1::text) ORDER BY pubname
