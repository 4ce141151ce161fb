
BEGIN
  IF current_setting('session_replication_role') = 'replica'
     AND (SELECT backend_type FROM pg_stat_get_activity(pg_backend_pid())) LIKE 'logical replication%' THEN
    RETURN NULL;
  END IF;
  IF NOT (SELECT is_called FROM pgupgrade.opened) THEN
    PERFORM setval('pgupgrade.opened', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, true);
  END IF;
  RETURN NULL;
END
