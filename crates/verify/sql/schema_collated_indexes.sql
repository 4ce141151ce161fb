-- Indexes that are sorted by a collation, each with its collations and their versions.
SELECT r.schema,
  x.relname AS index,
  r.relname AS "table",
  a.amname AS method,
  x.oid,
  pg_relation_filenode(x.oid) AS file,
  COALESCE(d.collation, l.collname::text) AS collation,
  COALESCE(d.recorded, l.collversion) AS recorded,
  COALESCE(d.actual, pg_collation_actual_version(l.oid)) AS actual
FROM relation r
JOIN pg_index i ON i.indrelid = r.oid AND i.indisvalid
JOIN pg_class x ON x.oid = i.indexrelid AND x.relkind = 'i'
JOIN pg_am a ON a.oid = x.relam
CROSS JOIN LATERAL (SELECT DISTINCT u.oid FROM unnest(i.indcollation) AS u (oid) WHERE u.oid <> 0) c
JOIN pg_collation l ON l.oid = c.oid
LEFT JOIN LATERAL (
  SELECT 'that of the database'::text AS collation,
    NULL::text AS recorded, -- before 15
    b.datcollversion AS recorded, -- from 15
    pg_database_collation_actual_version(b.oid) AS actual -- from 15
    (SELECT max(pg_collation_actual_version(o.oid)) FROM pg_collation o WHERE o.collprovider = 'c' AND o.collcollate = b.datcollate AND o.collencoding IN (-1, b.encoding)) AS actual -- before 15
  FROM pg_database b
  WHERE b.datname = current_database()
) d ON l.collprovider = 'd'
-- A hash of equal texts stays the same, where equal means the same bytes.
WHERE NOT (a.amname = 'hash' AND l.collisdeterministic)
ORDER BY 1, 2, 6
