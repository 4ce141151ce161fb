SELECT pid,
  usename::text,
  application_name,
  state,
  (EXTRACT(epoch FROM clock_timestamp() - xact_start) * 1000000)::bigint AS age
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database() AND xact_start IS NOT NULL
  AND application_name <> $1 AND pid <> pg_backend_pid()
ORDER BY xact_start
LIMIT 1
