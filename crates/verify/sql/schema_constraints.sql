SELECT 'constraint' AS kind,
  r.schema,
  r.relname AS name,
  c.conname AS part,
  CASE c.contype
    WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique'
    WHEN 'x' THEN 'exclusion' WHEN 'n' THEN 'not null' ELSE c.contype::text
  END AS type,
  regexp_replace(pg_get_constraintdef(c.oid), ' NOT VALID$', '') AS definition,
  c.convalidated::text AS validated,
  c.conislocal::text AS "defined locally",
  c.coninhcount::text AS "parents that have it",
  -- A constraint whose own triggers are switched off is not enforced.
  (
    SELECT string_agg(DISTINCT
      CASE t.tgenabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' ELSE 'always' END, ', ')
    FROM pg_trigger t
    WHERE t.tgconstraint = c.oid AND t.tgisinternal
  ) AS "enforced by triggers"
FROM relation r
JOIN pg_constraint c ON c.conrelid = r.oid AND c.contype <> 't'
-- A foreign key that refers to a partitioned table has one row more for each partition referred to.
WHERE NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = c.conparentid AND p.conrelid = c.conrelid) -- from 11
