SELECT 'comment' AS kind, i.type || ' ' || i.identity AS described, d.description AS text
FROM pg_description d
CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
WHERE (d.objoid >= 16384 OR (d.classoid = 'pg_namespace'::regclass AND i.identity = 'public'))
  AND i.schema IS DISTINCT FROM 'pgupgrade' AND COALESCE(i.schema, '') !~ '^pg_(temp|toast)'
  AND i.identity !~ '^pgupgrade[._]'
  AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.classoid AND m.objid = d.objoid AND m.deptype = 'e')
UNION ALL
SELECT 'security label', i.type || ' ' || i.identity || ' for ' || l.provider, l.label
FROM pg_seclabel l
CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) i
UNION ALL
SELECT 'comment', 'this database', d.description
FROM pg_shdescription d
WHERE d.classoid = 'pg_database'::regclass AND d.objoid = (SELECT oid FROM pg_database WHERE datname = current_database())
