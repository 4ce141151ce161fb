-- What belongs to the application; every statement of the fingerprint begins with this. Left out: what the server was
-- made with, members of extensions, temporary objects, and what this program makes.
WITH space AS (
  SELECT oid, nspname AS name, nspowner AS owner, nspacl AS acl
  FROM pg_namespace
  WHERE nspname NOT IN ('pgupgrade', 'information_schema') AND nspname !~ '^pg_'
),
member AS (
  SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
),
relation AS (
  SELECT c.*,
    s.name AS schema,
    CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE 'relation' END AS kind
  FROM pg_class c
  JOIN space s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
