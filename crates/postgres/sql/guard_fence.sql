
DECLARE
  f pgupgrade.fence;
BEGIN
  IF current_setting('session_replication_role') = 'replica'
     AND (SELECT backend_type FROM pg_stat_get_activity(pg_backend_pid())) LIKE 'logical replication%' THEN
    RETURN NULL;
  END IF;
  SELECT * INTO f FROM pgupgrade.fence;
  IF f.state = 'closing' AND clock_timestamp() >= f.deadline THEN
    -- The row lock keeps the commit point out until this transaction is over.
    SELECT * INTO f FROM pgupgrade.fence FOR SHARE;
    IF f.state = 'closing' AND clock_timestamp() >= f.deadline THEN
      -- A sequence, because no rollback and no step of the clock may undo that a write has passed.
      IF NOT (SELECT is_called FROM pgupgrade.lapsed) THEN
        PERFORM setval('pgupgrade.lapsed', 1, true);
      END IF;
      RETURN NULL;
    END IF;
  END IF;
  RAISE EXCEPTION 'this database has been upgraded and moved to %', COALESCE(f.target, 'another server')
    USING ERRCODE = 'read_only_sql_transaction', HINT = 'Reconnect with the current connection settings.';
END
