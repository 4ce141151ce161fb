-- For each table with rows: statements of which each damages a row if the table's constraints let it, the least
-- visible first. None of them changes a column of a unique index.
SELECT n.nspname::text, c.relname::text,
  COALESCE(array_agg(format('UPDATE ONLY %s SET %I = %s WHERE ctid = (SELECT min(ctid) FROM ONLY %1$s)', c.oid::regclass, a.attname,
      CASE t.typcategory WHEN 'S' THEN format('COALESCE(%I, '''') || ''?''', a.attname) WHEN 'B' THEN format('%I IS NOT TRUE', a.attname)
        ELSE format('COALESCE(%I, 0) + 1', a.attname) END)
    ORDER BY a.attnum DESC) FILTER (WHERE a.attname IS NOT NULL), '{}')
  || format('DELETE FROM ONLY %s WHERE ctid = (SELECT max(ctid) FROM ONLY %1$s)', c.oid::regclass)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
LEFT JOIN (pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    AND (t.typcategory IN ('S', 'B') OR t.typname IN ('int2', 'int4', 'int8', 'numeric', 'float8')))
  ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey))
WHERE c.relkind = 'r'
GROUP BY c.oid, n.nspname, c.relname
ORDER BY 1, 2
