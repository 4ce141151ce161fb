SELECT name, setting, unit
FROM pg_settings
WHERE name IN (
  'server_version', 'wal_level', 'max_replication_slots', 'max_wal_senders', 'max_logical_replication_workers',
  'max_worker_processes', 'max_active_replication_origins', 'idle_replication_slot_timeout',
  'max_prepared_transactions', 'max_slot_wal_keep_size', 'fsync', 'log_statement', 'track_counts',
  'track_commit_timestamp'
)
