-- The tables on which a publication would forbid UPDATE and DELETE, and no other one does so already.
SELECT n.nspname::text, c.relname::text,
  CASE c.relreplident WHEN 'f' THEN 'FULL with a virtual generated column' ELSE 'none it can use' END
FROM unnest($1::text[], $2::text[]) AS wanted (nspname, relname)
JOIN pg_namespace n ON n.nspname = wanted.nspname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname
WHERE CASE c.relreplident
    WHEN 'f' THEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v')
    ELSE pg_get_replica_identity_index(c.oid) IS NULL
  END
  AND NOT COALESCE((
    SELECT bool_or(p.pubupdate) AND bool_or(p.pubdelete)
    FROM pg_publication p, pg_get_publication_tables(p.pubname::text) t
    WHERE p.pubname <> $3 AND t.relid IN (SELECT c.oid UNION SELECT relid FROM pg_partition_ancestors(c.oid) a (relid))
  ), false)
ORDER BY 1, 2
