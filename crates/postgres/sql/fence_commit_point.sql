CREATE OR REPLACE FUNCTION pgupgrade.commit_point(
  p_uid text, p_attempt integer, p_cutover integer, p_epoch bigint, p_margin_ms bigint, p_body text
) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
DECLARE
  f pgupgrade.fence;
  o pgupgrade.owner;
  named text;
  latest timestamptz;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'the commit point needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
  END IF;
  PERFORM FROM pgupgrade.owner FOR SHARE;
  PERFORM FROM pgupgrade.fence FOR UPDATE;
  -- From here on in statements of their own: their snapshots are younger than the locks.
  SELECT * INTO STRICT o FROM pgupgrade.owner;
  SELECT * INTO STRICT f FROM pgupgrade.fence;
  IF f.uid IS DISTINCT FROM p_uid OR f.attempt IS DISTINCT FROM p_attempt OR f.cutover IS DISTINCT FROM p_cutover THEN
    RETURN format('the fence is of uid %s, attempt %s, cutover %s', f.uid, f.attempt, f.cutover);
  END IF;
  IF f.state = 'closed' THEN
    RETURN 'closed';
  END IF;
  IF f.state <> 'closing' THEN
    RETURN format('the fence is %s', f.state);
  END IF;
  IF o.uid IS DISTINCT FROM p_uid OR o.epoch IS DISTINCT FROM p_epoch OR f.epoch IS DISTINCT FROM p_epoch THEN
    RETURN format('uid %s with epoch %s owns this database, the fence has epoch %s', o.uid, o.epoch, f.epoch);
  END IF;
  latest := f.deadline - make_interval(secs => p_margin_ms / 1000.0);
  IF (SELECT prosrc IS DISTINCT FROM p_body FROM pg_proc WHERE oid = 'pgupgrade.guard()'::regprocedure) THEN
    RETURN 'the guard function does not deny writes';
  END IF;
  SELECT string_agg(format('%I.%I', nspname, relname), ', ') INTO named
  FROM (SELECT nspname, relname FROM pgupgrade.guard_tables() WHERE NOT guarded AND NOT skipped LIMIT 5) t;
  IF named IS NOT NULL THEN
    RETURN format('tables without an enabled guard: %s', named);
  END IF;
  IF f.tables IS DISTINCT FROM pgupgrade.guard_digest() THEN
    RETURN 'tables were created, dropped, attached, detached or rewritten behind the fence';
  END IF;
  IF (SELECT is_called FROM pgupgrade.lapsed) THEN
    RETURN 'the deadline has passed and a write went through';
  END IF;
  IF clock_timestamp() >= latest THEN
    RETURN format('the deadline %s is too near or has passed', f.deadline);
  END IF;
  UPDATE pgupgrade.fence SET state = 'closed';
  RETURN 'closed';
END
$body$
