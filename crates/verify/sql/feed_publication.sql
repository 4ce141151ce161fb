-- One row without a table where the publication names none.
SELECT n.nspname::text, c.relname::text
FROM pg_publication p
LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid
LEFT JOIN pg_class c ON c.oid = r.prrelid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = $1
