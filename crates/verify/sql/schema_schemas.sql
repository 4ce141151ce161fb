SELECT 'schema' AS kind, s.name, pg_get_userbyid(s.owner) AS owner
FROM space s
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = s.oid)
