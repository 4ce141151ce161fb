SELECT 'function' AS kind,
  s.name AS schema,
  p.proname AS name,
  COALESCE((SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place) FROM unnest(p.proargtypes) WITH ORDINALITY a (type, place)), '') AS arguments,
  'setting ' || split_part(c, '=', 1) AS attribute,
  substr(c, strpos(c, '=') + 1) AS value
FROM pg_proc p
JOIN space s ON s.oid = p.pronamespace
CROSS JOIN LATERAL unnest(p.proconfig) AS c
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
