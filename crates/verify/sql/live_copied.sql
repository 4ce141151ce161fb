SELECT n.nspname::text, c.relname::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND EXISTS (
  SELECT FROM pg_subscription_rel r
  WHERE r.srsubstate <> 'r'
    AND (r.srrelid = c.oid OR r.srrelid IN (SELECT a.relid FROM pg_partition_ancestors(c.oid) a))
)
