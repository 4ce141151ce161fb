SELECT m.oid,
  pg_get_userbyid(m.lomowner)::text AS owner,
  (
    SELECT string_agg(g::text, ', ' ORDER BY g::text COLLATE "C")
    FROM unnest(COALESCE(m.lomacl, acldefault('L', m.lomowner))) g
  ) AS privileges,
  false AS readable
FROM pg_largeobject_metadata m
