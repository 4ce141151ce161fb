SELECT pg_replication_slot_advance(slot_name, $2)
FROM pg_replication_slots
WHERE slot_name = $1 AND confirmed_flush_lsn < $2
