SELECT c.relname
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'pgupgrade' AND c.relkind = 'r' AND c.relname ~ '^(marker|barrier)_'
ORDER BY c.relname
