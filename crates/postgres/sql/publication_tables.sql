SELECT n.nspname::text, c.relname::text
FROM pg_publication p
JOIN pg_publication_rel r ON r.prpubid = p.oid
JOIN pg_class c ON c.oid = r.prrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = $1 AND n.nspname <> 'pgupgrade'
ORDER BY n.nspname, c.relname
