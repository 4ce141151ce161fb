SELECT gid,
  database::text,
  owner::text,
  (EXTRACT(epoch FROM clock_timestamp() - prepared) * 1000000)::bigint AS age
FROM pg_prepared_xacts
ORDER BY prepared
