-- Depth: the longest chain of views below a materialized one.
WITH RECURSIVE uses AS (
  SELECT DISTINCT w.ev_class AS view, d.refobjid AS relation
  FROM pg_rewrite w
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
  WHERE d.refobjid <> w.ev_class
), chain AS (
  SELECT c.oid AS view, 0 AS depth FROM pg_class c WHERE c.relkind IN ('v', 'm')
  UNION
  SELECT u.view, chain.depth + 1 FROM chain JOIN uses u ON u.relation = chain.view
)
SELECT n.nspname::text, c.relname::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN chain ON chain.view = c.oid
WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname !~ '^pg_'
GROUP BY n.nspname, c.relname
ORDER BY max(chain.depth), n.nspname, c.relname
