-- What earlier runs left. A run that is under way has a session that is called like its slot.
WITH found AS (
  SELECT 1 AS turn, slot_name::text AS run,
    format('slot %s, which keeps %s of WAL', slot_name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))) AS what,
    format('SELECT pg_drop_replication_slot(%L)', slot_name) AS remedy
  FROM pg_replication_slots
  WHERE slot_name ~ '^pgupgrade_verify_' AND database = current_database() AND NOT active
  UNION ALL
  SELECT 2, pubname::text, format('publication %s', pubname), format('DROP PUBLICATION %I', pubname)
  FROM pg_publication
  WHERE pubname ~ '^pgupgrade_verify_'
  UNION ALL
  SELECT 3, 'pgupgrade_' || substring(c.relname::text, '_(verify_[a-z0-9]+)_'), format('table pgupgrade.%s', c.relname),
    format('DROP TABLE pgupgrade.%I', c.relname)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'pgupgrade' AND c.relkind = 'r' AND c.relname ~ '^(marker|barrier)_verify_[a-z0-9]+_[0-9]+$'
)
SELECT what, remedy
FROM found
WHERE NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = run)
ORDER BY turn, what
