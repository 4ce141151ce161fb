SELECT 'column' AS kind,
  r.schema,
  r.relname AS name,
  a.attname AS part,
  r.kind AS parent_kind,
  format_type(a.atttypid, a.atttypmod) AS type,
  a.attnotnull::text -- before 18
  a.attnotnull::text || COALESCE( -- from 18
    (SELECT CASE WHEN n.convalidated THEN '' ELSE ', not validated' END || CASE WHEN n.connoinherit THEN ', not inherited' ELSE '' END -- from 18
     FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum]), '') -- from 18
    AS "not null",
  pg_get_expr(d.adbin, d.adrelid) AS "default",
  CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,
  CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END AS generated, -- from 12
  (
    SELECT n.nspname || '.' || l.collname
    FROM pg_collation l
    JOIN pg_namespace n ON n.oid = l.collnamespace
    WHERE l.oid = a.attcollation AND l.oid <> t.typcollation
  ) AS collation,
  CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END AS storage,
  CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'default' END AS compression, -- from 14
  NULLIF(a.attstattarget, -1)::text AS "statistics target",
  a.attislocal::text AS "defined locally",
  a.attinhcount::text AS "parents that have it"
FROM relation r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind <> 'S'
