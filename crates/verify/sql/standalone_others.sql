-- Slots of others ($1: not these) that may send what is published by publications with tables of ours ($2, and all that
-- publish every table), to somebody who does not have those tables. A walsender shows its command with the names of its
-- publications (src/backend/replication/libpqwalreceiver/libpqwalreceiver.c, libpqrcv_startstreaming).
WITH carrying AS (
  SELECT '"' || replace(replace(p.pubname::text, '"', '""'), '''', '''''') || '"' AS quoted
  FROM pg_publication p
  WHERE p.pubname = ANY ($2) OR p.puballtables
    OR EXISTS (SELECT FROM pg_publication_namespace x JOIN pg_namespace n ON n.oid = x.pnnspid WHERE x.pnpubid = p.oid AND n.nspname = 'pgupgrade') -- from 15
)
SELECT string_agg(s.slot_name::text, ', ' ORDER BY s.slot_name)
FROM pg_replication_slots s
LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
WHERE s.plugin = 'pgoutput' AND s.database = current_database() AND NOT s.temporary
  -- Slots by which a subscription copies a table end with that; its own slot is here too.
  AND s.slot_name !~ '^pg_[0-9]+_sync_[0-9]+_[0-9]+$'
  AND s.slot_name <> ALL ($1) AND s.slot_name !~ '^pgupgrade_'
  AND EXISTS (
    SELECT FROM carrying
    WHERE a.query IS NULL OR strpos(a.query, 'publication_names') = 0 OR strpos(a.query, quoted) > 0
      OR octet_length(a.query) + 1 >= pg_size_bytes(current_setting('track_activity_query_size'))
  )
