SELECT r.kind,
  r.schema,
  r.relname AS name,
  CASE r.relkind
    WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
    WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'composite type'
  END AS "kind of relation",
  CASE r.relpersistence WHEN 'p' THEN 'permanent' WHEN 'u' THEN 'unlogged' ELSE r.relpersistence::text END AS persistence,
  pg_get_userbyid(r.relowner) AS owner,
  r.relrowsecurity::text AS "row security",
  r.relforcerowsecurity::text AS "forced row security",
  CASE
    WHEN r.relkind NOT IN ('r', 'p', 'm') THEN NULL
    WHEN r.relreplident = 'd' THEN 'default' WHEN r.relreplident = 'f' THEN 'full' WHEN r.relreplident = 'n' THEN 'nothing'
    ELSE 'index ' || COALESCE(
      (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = r.oid AND i.indisreplident),
      'that is not there')
  END AS "replica identity",
  (SELECT amname FROM pg_am a WHERE a.oid = r.relam AND r.relkind IN ('r', 'p', 'm')) AS "access method", -- from 12
  (SELECT spcname FROM pg_tablespace t WHERE t.oid = r.reltablespace) AS tablespace,
  CASE WHEN r.relispartition THEN pg_get_expr(r.relpartbound, r.oid) END AS "partition bound",
  CASE WHEN r.relkind = 'p' THEN pg_get_partkeydef(r.oid) END AS "partition key",
  (
    SELECT string_agg(
      i.inhparent::regclass::text
      || CASE WHEN i.inhdetachpending THEN ' (detach pending)' ELSE '' END -- from 14
      , ', ' ORDER BY i.inhseqno)
    FROM pg_inherits i
    WHERE i.inhrelid = r.oid
  ) AS parents,
  CASE WHEN r.relkind = 'm' THEN r.relispopulated::text END AS populated,
  CASE WHEN r.reloftype <> 0 THEN format_type(r.reloftype, NULL) END AS "row type",
  CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END AS definition,
  (
    SELECT string_agg(a.attname::text, chr(31) ORDER BY a.attnum)
    FROM pg_attribute a
    WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'
  ) AS "order of columns"
FROM relation r
