UPDATE pgupgrade.fence
SET state = 'closing', uid = $1, attempt = $2, cutover = $3, epoch = $4, target = $5,
  deadline = clock_timestamp() + make_interval(secs => $6), at = clock_timestamp(),
  lsn = pg_current_wal_insert_lsn(), tables = pgupgrade.guard_digest()
RETURNING state, uid, attempt, cutover, epoch, deadline, target, at, lsn
