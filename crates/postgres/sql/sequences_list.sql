SELECT n.nspname, c.relname, has_sequence_privilege(q.seqrelid, 'SELECT') AS readable, d.last_value, d.is_called,
  q.seqincrement
FROM pg_sequence q
JOIN pg_class c ON c.oid = q.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL {source} AS d (last_value, is_called)
WHERE c.relpersistence <> 't'
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
  AND (has_sequence_privilege(q.seqrelid, 'SELECT') OR NOT EXISTS (
    SELECT FROM pg_depend e
    WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.objsubid = 0 AND e.deptype = 'e'
  ))
ORDER BY n.nspname, c.relname
