-- What was granted on, or revoked from, objects of the server and of extensions since they were made.
, touched (classid, objid, type, owner, acl, initial) AS (
  SELECT 'pg_class'::regclass::oid, c.oid, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner, c.relacl, i.initprivs
  FROM pg_class c
  LEFT JOIN pg_init_privs i ON i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = 0
  WHERE c.relkind <> 'c' AND (c.oid < 16384 OR EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid))
    AND c.relacl IS DISTINCT FROM i.initprivs
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid, 'f', p.proowner, p.proacl, i.initprivs
  FROM pg_proc p
  LEFT JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid
  WHERE (p.oid < 16384 OR EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid))
    AND p.proacl IS DISTINCT FROM i.initprivs
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid, 'T', t.typowner, t.typacl, i.initprivs
  FROM pg_type t
  LEFT JOIN pg_init_privs i ON i.classoid = 'pg_type'::regclass AND i.objoid = t.oid
  WHERE (t.oid < 16384 OR EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid))
    AND t.typacl IS DISTINCT FROM i.initprivs
  UNION ALL
  SELECT 'pg_namespace'::regclass, n.oid, 'n', n.nspowner, n.nspacl, i.initprivs
  FROM pg_namespace n
  LEFT JOIN pg_init_privs i ON i.classoid = 'pg_namespace'::regclass AND i.objoid = n.oid
  WHERE (n.nspname IN ('pg_catalog', 'information_schema')
      OR EXISTS (SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = n.oid))
    AND n.nspacl IS DISTINCT FROM i.initprivs
  UNION ALL
  SELECT 'pg_language'::regclass, l.oid, 'l', l.lanowner, l.lanacl, i.initprivs
  FROM pg_language l
  LEFT JOIN pg_init_privs i ON i.classoid = 'pg_language'::regclass AND i.objoid = l.oid
  WHERE (l.oid < 16384 OR EXISTS (SELECT FROM member m WHERE m.classid = 'pg_language'::regclass AND m.objid = l.oid))
    AND l.lanacl IS DISTINCT FROM i.initprivs
  UNION ALL
  SELECT 'pg_foreign_data_wrapper'::regclass, f.oid, 'F', f.fdwowner, f.fdwacl, i.initprivs
  FROM pg_foreign_data_wrapper f
  LEFT JOIN pg_init_privs i ON i.classoid = 'pg_foreign_data_wrapper'::regclass AND i.objoid = f.oid
  WHERE EXISTS (SELECT FROM member m WHERE m.classid = 'pg_foreign_data_wrapper'::regclass AND m.objid = f.oid)
    AND f.fdwacl IS DISTINCT FROM i.initprivs
),
held AS (
  SELECT t.classid, t.objid, t.owner, g.grantee, g.privilege_type AS privilege, bool_or(g.is_grantable) AS grantable
  FROM touched t
  CROSS JOIN LATERAL aclexplode(COALESCE(t.acl, acldefault(t.type, t.owner))) g
  GROUP BY 1, 2, 3, 4, 5
),
original AS (
  SELECT t.classid, t.objid, t.owner, g.grantee, g.privilege_type AS privilege, bool_or(g.is_grantable) AS grantable
  FROM touched t
  CROSS JOIN LATERAL aclexplode(COALESCE(t.initial, acldefault(t.type, t.owner))) g
  GROUP BY 1, 2, 3, 4, 5
)
SELECT 'system grant' AS kind,
  o.type || ' ' || o.identity AS described,
  'grant ' || privilege || ' to '
    || CASE grantee WHEN 0 THEN 'PUBLIC' WHEN owner THEN 'its owner' ELSE pg_get_userbyid(grantee)::text END AS attribute,
  CASE
    WHEN h.grantable IS NULL THEN 'revoked' WHEN h.grantable THEN 'given with grant option' ELSE 'given'
  END AS value
FROM held h
FULL JOIN original i USING (classid, objid, owner, grantee, privilege)
CROSS JOIN LATERAL pg_identify_object(classid, objid, 0) o
WHERE h.grantable IS DISTINCT FROM i.grantable
  AND (grantee = 0 OR pg_get_userbyid(grantee) !~ '^pgupgrade_')
