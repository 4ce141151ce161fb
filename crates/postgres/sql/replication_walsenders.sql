SELECT pid,
  usename::text,
  application_name,
  state,
  sent_lsn,
  flush_lsn,
  (EXTRACT(epoch FROM replay_lag) * 1000000)::bigint AS replay_lag
FROM pg_stat_replication
ORDER BY pid
