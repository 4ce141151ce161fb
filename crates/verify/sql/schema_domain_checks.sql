SELECT 'type' AS kind,
  s.name AS schema,
  t.typname AS name,
  'check ' || c.conname AS attribute,
  pg_get_constraintdef(c.oid) AS value
FROM pg_constraint c
JOIN pg_type t ON t.oid = c.contypid
JOIN space s ON s.oid = t.typnamespace
WHERE c.contype = 'c'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
