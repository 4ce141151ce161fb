
BEGIN
  IF current_setting('session_replication_role') = 'replica'
     AND (SELECT backend_type FROM pg_stat_get_activity(pg_backend_pid())) LIKE 'logical replication%' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'this database is not open yet: it still receives the changes of the one that it replaces'
    USING ERRCODE = 'read_only_sql_transaction', HINT = 'Use the present connection settings until the upgrade is over.';
END
