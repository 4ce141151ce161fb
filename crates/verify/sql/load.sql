-- How busy a server is, without the sessions that call themselves $1. A lag is measured while there is something to
-- replay only.
SELECT
  (SELECT count(*) FROM pg_stat_activity
    WHERE state = 'active' AND backend_type = 'client backend' AND application_name <> $1) AS active_sessions,
  (SELECT COALESCE(max(extract(epoch FROM replay_lag)), 0)::float8 FROM pg_stat_replication
    WHERE application_name <> $1) AS replication_lag
