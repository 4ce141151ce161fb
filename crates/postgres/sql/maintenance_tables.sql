SELECT n.nspname::text, c.relname::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
  AND pg_has_role(c.relowner, 'USAGE')
ORDER BY pg_relation_size(c.oid), n.nspname, c.relname
