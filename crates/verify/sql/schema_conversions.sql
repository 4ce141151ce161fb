SELECT 'conversion' AS kind,
  s.name AS schema,
  c.conname AS name,
  pg_get_userbyid(c.conowner) AS owner,
  pg_encoding_to_char(c.conforencoding) || ' to ' || pg_encoding_to_char(c.contoencoding) AS encodings,
  c.conproc::regproc::text AS function,
  c.condefault::text AS "default"
FROM pg_conversion c
JOIN space s ON s.oid = c.connamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_conversion'::regclass AND m.objid = c.oid)
