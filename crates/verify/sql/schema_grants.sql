, holder (kind, schema, name, part, arguments, owner, acl) AS (
  SELECT r.kind, r.schema, r.relname, NULL::name, NULL::text, r.relowner,
    COALESCE(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner))
  FROM relation r
  WHERE r.relkind <> 'c'
  UNION ALL
  SELECT 'column', r.schema, r.relname, a.attname, NULL, r.relowner, a.attacl
  FROM relation r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL
  UNION ALL
  SELECT 'function', s.name, p.proname, NULL,
    COALESCE((SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place) FROM unnest(p.proargtypes) WITH ORDINALITY a (type, place)), ''),
    p.proowner, COALESCE(p.proacl, acldefault('f', p.proowner))
  FROM pg_proc p
  JOIN space s ON s.oid = p.pronamespace
  WHERE NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')
  )
  UNION ALL
  SELECT 'type', s.name, t.typname, NULL, NULL, t.typowner, COALESCE(t.typacl, acldefault('T', t.typowner))
  FROM pg_type t
  JOIN space s ON s.oid = t.typnamespace
  WHERE (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
    AND NOT EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid
        AND (d.deptype = 'e' OR (d.deptype = 'i' AND t.typtype IN ('b', 'm')))
    )
  UNION ALL
  SELECT 'schema', NULL, s.name, NULL, NULL, s.owner, COALESCE(s.acl, acldefault('n', s.owner))
  FROM space s
  WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = s.oid)
  UNION ALL
  SELECT 'language', NULL, l.lanname, NULL, NULL, l.lanowner, COALESCE(l.lanacl, acldefault('l', l.lanowner))
  FROM pg_language l
  WHERE l.oid >= 16384 AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_language'::regclass AND m.objid = l.oid)
  UNION ALL
  SELECT 'foreign data wrapper', NULL, f.fdwname, NULL, NULL, f.fdwowner, COALESCE(f.fdwacl, acldefault('F', f.fdwowner))
  FROM pg_foreign_data_wrapper f
  WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_foreign_data_wrapper'::regclass AND m.objid = f.oid)
  UNION ALL
  SELECT 'foreign server', NULL, f.srvname, NULL, NULL, f.srvowner, COALESCE(f.srvacl, acldefault('S', f.srvowner))
  FROM pg_foreign_server f
  UNION ALL
  SELECT 'database', NULL, 'this database', NULL, NULL, d.datdba, COALESCE(d.datacl, acldefault('d', d.datdba))
  FROM pg_database d
  WHERE d.datname = current_database()
)
SELECT h.kind,
  h.schema,
  h.name,
  h.part,
  h.arguments,
  'grant ' || g.privilege_type || ' to ' || e.grantee AS attribute,
  string_agg(
    'by ' || e.grantor || CASE WHEN g.is_grantable THEN ' with grant option' ELSE '' END, ', ' ORDER BY e.grantor COLLATE "C"
  ) AS value
FROM holder h
CROSS JOIN LATERAL aclexplode(h.acl) g
CROSS JOIN LATERAL (
  SELECT
    CASE WHEN g.grantee = h.owner THEN 'its owner' WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END AS grantee,
    CASE WHEN g.grantor = h.owner THEN 'its owner' ELSE pg_get_userbyid(g.grantor)::text END AS grantor
) e
WHERE e.grantee !~ '^pgupgrade_'
GROUP BY h.kind, h.schema, h.name, h.part, h.arguments, g.privilege_type, e.grantee
