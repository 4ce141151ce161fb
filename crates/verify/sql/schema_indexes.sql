SELECT 'index' AS kind,
  r.schema,
  x.relname AS name,
  r.relname AS parent,
  r.relname AS "table",
  pg_get_indexdef(i.indexrelid) AS definition,
  i.indisvalid::text AS valid,
  i.indisready::text AS ready,
  i.indislive::text AS live,
  i.indisprimary::text AS "primary",
  i.indisunique::text AS "unique",
  i.indimmediate::text AS immediate,
  i.indisclustered::text AS "used by CLUSTER",
  i.indisreplident::text AS "replica identity",
  (SELECT spcname FROM pg_tablespace t WHERE t.oid = x.reltablespace) AS tablespace,
  (SELECT p.inhparent::regclass::text FROM pg_inherits p WHERE p.inhrelid = x.oid) AS "attached to",
  (
    SELECT string_agg(a.attnum || ': ' || a.attstattarget, ', ' ORDER BY a.attnum)
    FROM pg_attribute a
    WHERE a.attrelid = x.oid AND a.attstattarget >= 0
  ) AS "statistics targets"
FROM relation r
JOIN pg_index i ON i.indrelid = r.oid
JOIN pg_class x ON x.oid = i.indexrelid
