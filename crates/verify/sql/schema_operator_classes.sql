SELECT 'operator class' AS kind, format('%I.%I for %I', s.name, c.opcname, a.amname) AS described, v.attribute, v.value
FROM pg_opclass c
JOIN space s ON s.oid = c.opcnamespace
JOIN pg_am a ON a.oid = c.opcmethod
JOIN pg_opfamily f ON f.oid = c.opcfamily
JOIN pg_namespace n ON n.oid = f.opfnamespace
CROSS JOIN LATERAL (VALUES
  ('owner', pg_get_userbyid(c.opcowner)::text),
  ('family', n.nspname || '.' || f.opfname),
  ('type', format_type(c.opcintype, NULL)),
  ('default', c.opcdefault::text),
  ('stored type', CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END)
) v (attribute, value)
WHERE v.value IS NOT NULL
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_opclass'::regclass AND m.objid = c.oid)
UNION ALL
SELECT 'operator family', format('%I.%I for %I', n.nspname, f.opfname, a.amname), v.attribute, v.value
FROM pg_opfamily f
JOIN pg_namespace n ON n.oid = f.opfnamespace
JOIN pg_am a ON a.oid = f.opfmethod
CROSS JOIN LATERAL (
  SELECT 'owner', pg_get_userbyid(f.opfowner)::text
  WHERE f.oid >= 16384
  UNION ALL
  SELECT 'operator ' || m.amopstrategy || ' (' || format_type(m.amoplefttype, NULL) || ', ' || format_type(m.amoprighttype, NULL) || ')'
      || CASE m.amoppurpose WHEN 'o' THEN ' for ordering' ELSE '' END,
    m.amopopr::regoperator::text
  FROM pg_amop m
  WHERE m.amopfamily = f.oid AND m.oid >= 16384
    AND NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_amop'::regclass AND e.objid = m.oid)
  UNION ALL
  SELECT 'function ' || p.amprocnum || ' (' || format_type(p.amproclefttype, NULL) || ', ' || format_type(p.amprocrighttype, NULL) || ')',
    p.amproc::regprocedure::text
  FROM pg_amproc p
  WHERE p.amprocfamily = f.oid AND p.oid >= 16384
    AND NOT EXISTS (SELECT FROM member e WHERE e.classid = 'pg_amproc'::regclass AND e.objid = p.oid)
) v (attribute, value)
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_opfamily'::regclass AND m.objid = f.oid)
UNION ALL
SELECT 'access method', a.amname, 'handler', a.amhandler::regproc::text || ', type ' || a.amtype::text
FROM pg_am a
WHERE a.oid >= 16384 AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_am'::regclass AND m.objid = a.oid)
