SELECT confirmed_flush_lsn, txid_snapshot_xmax(txid_current_snapshot())
FROM pg_replication_slots
WHERE slot_name = $1
