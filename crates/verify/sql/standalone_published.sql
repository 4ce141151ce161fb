-- What a subscription to these publications asks for (src/backend/commands/subscriptioncmds.c, fetch_table_list).
SELECT n.nspname::text, c.relname::text
FROM (
  SELECT (pg_get_publication_tables(VARIADIC array_agg(p.pubname::text))).relid FROM pg_publication p WHERE p.pubname = ANY ($1)
) t
JOIN pg_class c ON c.oid = t.relid
JOIN pg_namespace n ON n.oid = c.relnamespace
