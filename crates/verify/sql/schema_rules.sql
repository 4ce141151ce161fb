SELECT 'rule' AS kind,
  r.schema,
  r.relname AS name,
  w.rulename AS part,
  pg_get_ruledef(w.oid) AS definition,
  CASE w.ev_enabled
    WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' ELSE w.ev_enabled::text
  END AS enabled
FROM relation r
JOIN pg_rewrite w ON w.ev_class = r.oid
WHERE w.rulename <> '_RETURN'
