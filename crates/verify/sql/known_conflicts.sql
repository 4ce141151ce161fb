-- Conflicts that the subscriptions named in $1 have met: what was applied then is not what was sent.
SELECT format('subscription %I met conflicts while applying', s.subname)
FROM pg_stat_subscription_stats AS s
WHERE s.subname = ANY ($1) AND (
    s.confl_insert_exists + s.confl_update_origin_differs + s.confl_update_exists + s.confl_update_missing
    + s.confl_delete_origin_differs + s.confl_delete_missing + s.confl_multiple_unique_conflicts
  ) > 0
ORDER BY 1
LIMIT 1
