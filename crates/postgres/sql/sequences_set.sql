SELECT count(setval(format('%I.%I', s.nspname, s.relname)::regclass, s.last_value, s.is_called))
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[]) AS s (nspname, relname, last_value, is_called)
