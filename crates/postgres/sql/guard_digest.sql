SELECT COALESCE(hashtextextended(string_agg(
  concat_ws(':', c.oid, c.relfilenode, c.relnatts, i::text), ',' ORDER BY c.oid, i.inhseqno
), 0), 0)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
