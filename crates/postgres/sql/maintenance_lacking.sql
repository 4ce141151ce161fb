WITH relation AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
    AND pg_has_role(c.relowner, 'USAGE')
    -- An empty table has none after ANALYZE either; -1 is unknown.
    AND c.reltuples <> 0
)
SELECT r.nspname::text, r.relname::text
FROM relation r
WHERE EXISTS (
    SELECT FROM pg_attribute a
    WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND COALESCE(a.attstattarget, -1) <> 0 AND a.attgenerated <> 'v'
      AND NOT EXISTS (
        SELECT FROM pg_stats s
        WHERE s.schemaname = r.nspname AND s.tablename = r.relname AND s.attname = a.attname
          AND s.inherited = (r.relkind = 'p')
      )
  )
  OR EXISTS (
    SELECT FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_attribute a ON a.attrelid = x.oid AND a.attnum > 0
    JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, place) ON k.place = a.attnum AND k.attnum = 0
    WHERE i.indrelid = r.oid AND r.relkind <> 'p' AND COALESCE(a.attstattarget, -1) <> 0
      AND NOT EXISTS (
        SELECT FROM pg_stats s
        WHERE s.schemaname = r.nspname AND s.tablename = x.relname AND s.attname = a.attname
      )
  )
  OR EXISTS (
    SELECT FROM pg_statistic_ext e
    JOIN pg_namespace n ON n.oid = e.stxnamespace
    WHERE e.stxrelid = r.oid AND COALESCE(e.stxstattarget, -1) <> 0
      AND NOT EXISTS (
        SELECT FROM pg_stats_ext s
        WHERE s.statistics_schemaname = n.nspname AND s.statistics_name = e.stxname
      )
  )
ORDER BY pg_relation_size(r.oid), r.nspname, r.relname
