-- Ordinary tables and their columns; what a virtual generated column has is nowhere stored.
WITH RECURSIVE above (oid, above) AS (
  SELECT i.inhrelid, i.inhparent
  FROM pg_inherits i
  JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
  UNION ALL
  SELECT i.inhrelid, a.above FROM above a JOIN pg_inherits i ON i.inhparent = a.oid
),
ancestors (oid, schemas, names) AS (
  SELECT a.oid, array_agg(n.nspname::text ORDER BY c.oid), array_agg(c.relname::text ORDER BY c.oid)
  FROM above a
  JOIN pg_class c ON c.oid = a.above
  JOIN pg_namespace n ON n.oid = c.relnamespace
  GROUP BY a.oid
),
listed (relation, names, types, kinds) AS (
  SELECT a.attrelid,
    array_agg(a.attname::text ORDER BY a.attnum),
    array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum),
    array_agg(a.atttypid ORDER BY a.attnum)
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
  WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
  GROUP BY a.attrelid
)
SELECT n.nspname,
  c.relname,
  c.oid,
  COALESCE(pg_relation_filenode(c.oid), 0::oid) AS filenode,
  CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS tuples,
  COALESCE(pg_relation_size(c.oid), 0) AS bytes,
  COALESCE(pg_relation_size(NULLIF(c.reltoastrelid, 0)), 0) AS toast_bytes,
  c.relpersistence = 'u' AS unlogged,
  COALESCE(r.schemas, '{}') AS ancestor_schemas,
  COALESCE(r.names, '{}') AS ancestor_names,
  COALESCE(l.names, '{}') AS names,
  COALESCE(l.types, '{}') AS types,
  COALESCE(l.kinds, '{}') AS kinds
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN listed l ON l.relation = c.oid
LEFT JOIN ancestors r ON r.oid = c.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
ORDER BY c.oid
