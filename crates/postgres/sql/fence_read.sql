SELECT state, uid, attempt, cutover, epoch, deadline, target, at, lsn
FROM pgupgrade.fence
