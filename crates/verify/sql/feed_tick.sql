BEGIN;
SET LOCAL statement_timeout = '300ms';
SELECT pg_create_logical_replication_slot('pgupgrade_tick_' || pg_backend_pid(), 'pgoutput', true);
SELECT pg_drop_replication_slot('pgupgrade_tick_' || pg_backend_pid());
COMMIT
