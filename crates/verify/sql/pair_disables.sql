-- A subscription that an error would disable, and the timeout that its apply worker has. Workers of logical replication
-- take the settings of server, database and owner (src/backend/replication/logical/worker.c, InitializeLogRepWorker).
SELECT s.subname::text, t.name
FROM pg_subscription s
CROSS JOIN LATERAL (
  SELECT name FROM pg_settings
  WHERE name IN ('lock_timeout', 'statement_timeout') AND reset_val <> '0'
  UNION ALL
  SELECT split_part(setting, '=', 1)
  FROM pg_db_role_setting r, unnest(r.setconfig) AS setting
  WHERE r.setdatabase IN (0, s.subdbid) AND r.setrole IN (0, s.subowner)
    AND setting ~ '^(lock_timeout|statement_timeout)=' AND split_part(setting, '=', 2) <> '0'
) AS t
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.subenabled AND s.subdisableonerr
LIMIT 1
