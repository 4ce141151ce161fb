-- One row a subscription. There is no view of errors in 14, where another stands in, and it has no conflicts before
-- 18: read as JSON, it gives the columns that it has.
SELECT s.subname::text,
  s.subenabled,
  s.subslotname::text,
  s.subpublications,
  w.pid,
  w.received_lsn,
  w.latest_end_lsn,
  w.latest_end_time,
  (t.facts ->> 'apply_error_count')::bigint AS apply_errors,
  (t.facts ->> 'sync_error_count')::bigint AS sync_errors,
  (
    SELECT sum(value::bigint)::bigint FROM jsonb_each_text(t.facts) WHERE starts_with(key, 'confl_')
  ) AS conflicts
FROM pg_subscription s
JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
LEFT JOIN LATERAL (
  SELECT pid, received_lsn, latest_end_lsn, latest_end_time
  FROM pg_stat_subscription
  WHERE subid = s.oid AND relid IS NULL
  -- Parallel workers have no positions of their own.
  ORDER BY received_lsn IS NULL
  LIMIT 1
) w ON true
LEFT JOIN LATERAL (
  SELECT to_jsonb(x) AS facts FROM {statistics} x WHERE x.subid = s.oid LIMIT 1
) t ON true
ORDER BY s.subname
