SELECT slot_name::text,
  plugin::text,
  database::text,
  active,
  active_pid,
  restart_lsn,
  confirmed_flush_lsn,
  wal_status,
  COALESCE(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint AS retained_bytes,
  GREATEST(COALESCE(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0), 0)::bigint AS lag_bytes
FROM pg_replication_slots
