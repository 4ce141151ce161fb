-- Only the walsender of this slot, and only where it serves one of this operator's roles or this role itself.
SELECT pg_terminate_backend(a.pid)
FROM pg_stat_activity a
JOIN pg_replication_slots s ON s.active_pid = a.pid
WHERE a.pid = $1 AND s.slot_name = $2 AND (starts_with(a.usename, 'pgupgrade_') OR a.usename = current_user)
