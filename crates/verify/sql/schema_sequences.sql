SELECT 'sequence' AS kind,
  r.schema,
  r.relname AS name,
  format_type(q.seqtypid, NULL) AS type,
  q.seqstart::text AS start,
  q.seqincrement::text AS increment,
  q.seqmin::text AS minimum,
  q.seqmax::text AS maximum,
  q.seqcache::text AS cache,
  q.seqcycle::text AS cycle,
  (
    SELECT d.refobjid::regclass::text || ', column ' || a.attname || CASE d.deptype WHEN 'i' THEN ' (identity)' ELSE '' END
    FROM pg_depend d
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    LIMIT 1
  ) AS "owned by"
FROM relation r
JOIN pg_sequence q ON q.seqrelid = r.oid
