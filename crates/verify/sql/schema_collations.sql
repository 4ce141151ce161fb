SELECT 'collation' AS kind,
  s.name AS schema,
  c.collname AS name,
  pg_get_userbyid(c.collowner) AS owner,
  c.collprovider::text AS provider,
  pg_encoding_to_char(c.collencoding) AS encoding,
  c.collcollate AS locale, -- before 15
  COALESCE(c.collcollate, c.colliculocale) AS locale, -- 15 to 16
  COALESCE(c.collcollate, c.colllocale) AS locale, -- from 17
  CASE c.collprovider WHEN 'c' THEN c.collctype END AS "character classification",
  c.collisdeterministic::text AS deterministic, -- from 12
  c.collicurules AS rules -- from 16
  NULL AS rules -- before 16
FROM pg_collation c
JOIN space s ON s.oid = c.collnamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_collation'::regclass AND m.objid = c.oid)
