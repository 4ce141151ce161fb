SELECT 'role' AS kind, r.rolname AS name, v.attribute, v.value
FROM pg_roles r
CROSS JOIN LATERAL (
  SELECT 'superuser', r.rolsuper::text
  UNION ALL SELECT 'inherits', r.rolinherit::text
  UNION ALL SELECT 'creates roles', r.rolcreaterole::text
  UNION ALL SELECT 'creates databases', r.rolcreatedb::text
  UNION ALL SELECT 'may log in', r.rolcanlogin::text
  UNION ALL SELECT 'replication', r.rolreplication::text
  UNION ALL SELECT 'bypasses row security', r.rolbypassrls::text
  UNION ALL SELECT 'connection limit', r.rolconnlimit::text
  UNION ALL SELECT 'password valid until', r.rolvaliduntil::text
  UNION ALL
  SELECT 'member of ' || g.rolname, concat_ws(', ', 'member'
      , CASE WHEN bool_or(m.admin_option) THEN 'may grant it' END
      , CASE WHEN r.rolinherit THEN 'inherits' END -- before 16
      , CASE WHEN bool_or(m.inherit_option) THEN 'inherits' END -- from 16
      , CASE WHEN bool_or(m.set_option) THEN 'may set role' END -- from 16
      , 'may set role' -- before 16
    )
  FROM pg_auth_members m
  JOIN pg_roles g ON g.oid = m.roleid
  WHERE m.member = r.oid AND g.rolname !~ '^pgupgrade_'
  GROUP BY g.rolname
  UNION ALL
  SELECT 'comment', d.description FROM pg_shdescription d WHERE d.classoid = 'pg_authid'::regclass AND d.objoid = r.oid
) v (attribute, value)
WHERE r.rolname !~ '^(pg_|pgupgrade_)' AND v.value IS NOT NULL
UNION ALL
SELECT 'tablespace', t.spcname, v.attribute, v.value
FROM pg_tablespace t
CROSS JOIN LATERAL (
  SELECT 'owner', pg_get_userbyid(t.spcowner)::text
  UNION ALL SELECT 'option ' || o.option_name, o.option_value FROM pg_options_to_table(t.spcoptions) o
  UNION ALL
  SELECT 'grant ' || g.privilege_type || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' WHEN t.spcowner THEN 'its owner' ELSE pg_get_userbyid(g.grantee)::text END,
    CASE WHEN bool_or(g.is_grantable) THEN 'with grant option' ELSE 'given' END
  FROM aclexplode(COALESCE(t.spcacl, acldefault('t', t.spcowner))) g
  GROUP BY g.privilege_type, g.grantee
) v (attribute, value)
UNION ALL -- from 15
SELECT 'configuration parameter', p.parname, -- from 15
  'grant ' || g.privilege_type || ' to ' || CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END, -- from 15
  CASE WHEN bool_or(g.is_grantable) THEN 'with grant option' ELSE 'given' END -- from 15
FROM pg_parameter_acl p -- from 15
CROSS JOIN LATERAL aclexplode(p.paracl) g -- from 15
-- The bootstrap superuser owns them. -- from 15
WHERE g.grantee = 0 OR (g.grantee <> 10 AND pg_get_userbyid(g.grantee) !~ '^pgupgrade_') -- from 15
GROUP BY p.parname, g.privilege_type, g.grantee -- from 15
