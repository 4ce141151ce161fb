SELECT a.pid,
  'VACUUM to prevent wraparound' AS command,
  COALESCE(v.relid::regclass::text, '?') AS table_name
FROM pg_stat_activity a
LEFT JOIN pg_stat_progress_vacuum v ON v.pid = a.pid
-- src/backend/postmaster/autovacuum.c, autovac_report_activity
WHERE a.backend_type = 'autovacuum worker' AND a.datname = current_database() AND a.query LIKE '%(to prevent wraparound)'
UNION ALL
SELECT pid, command, relid::regclass::text
FROM pg_stat_progress_create_index
WHERE datname = current_database() AND command LIKE '%CONCURRENTLY'
ORDER BY pid
