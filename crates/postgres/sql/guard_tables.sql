SELECT c.oid,
  n.nspname,
  c.relname,
  t.oid IS NOT NULL AS present,
  COALESCE(t.tgenabled <> 'D', false) AS enabled,
  -- tgtype 62: BEFORE, statement level, INSERT, UPDATE, DELETE and TRUNCATE (src/include/catalog/pg_trigger.h)
  COALESCE(
    t.tgenabled = 'A' AND t.tgtype = 62 AND t.tgqual IS NULL AND t.tgattr::text = ''
      AND t.tgfoid = to_regprocedure('pgupgrade.guard()'),
    false
  ) AS guarded,
  NOT pg_has_role(c.relowner, 'USAGE') AND (
    pg_get_userbyid(c.relowner) = 'rdsadmin'
    OR EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
    )
  ) AS skipped
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = 'pgupgrade_guard'
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
ORDER BY c.oid
