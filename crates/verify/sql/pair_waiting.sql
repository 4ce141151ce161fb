-- Whether an apply worker waits for each of the barriers ($1: their names).
SELECT count(DISTINCT l.relation) = cardinality($1::text[])
FROM pg_locks l
JOIN pg_stat_subscription s ON s.pid = l.pid
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT l.granted AND l.locktype = 'relation'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND n.nspname = 'pgupgrade' AND c.relname = ANY ($1::text[])
