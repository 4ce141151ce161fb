SELECT 'trigger' AS kind,
  r.schema,
  r.relname AS name,
  t.tgname AS part,
  pg_get_triggerdef(t.oid) AS definition,
  CASE t.tgenabled
    WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE t.tgenabled::text
  END AS enabled
FROM relation r
JOIN pg_trigger t ON t.tgrelid = r.oid
LEFT JOIN pg_constraint c ON c.oid = t.tgconstraint
WHERE t.tgname !~ '^pgupgrade_'
  AND (
    NOT t.tgisinternal
    -- Until 14 a partition's copy of its parent's trigger counts as internal.
    OR (t.tgparentid <> 0 AND COALESCE(c.contype, 't') = 't') -- from 13
  )
