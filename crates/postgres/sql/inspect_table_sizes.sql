SELECT nspname, relname, bytes, total_bytes
FROM (
  SELECT n.nspname::text,
    c.relname::text,
    pg_relation_size(c.oid) AS bytes,
    pg_total_relation_size(c.oid) AS total_bytes
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
) s
WHERE bytes IS NOT NULL AND total_bytes IS NOT NULL
ORDER BY bytes DESC, nspname, relname
