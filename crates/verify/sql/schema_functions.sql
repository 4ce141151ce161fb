SELECT 'function' AS kind,
  s.name AS schema,
  p.proname AS name,
  COALESCE((SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place) FROM unnest(p.proargtypes) WITH ORDINALITY a (type, place)), '') AS arguments,
  CASE p.prokind WHEN 'f' THEN 'function' WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'window function' END AS "kind of function", -- from 11
  l.lanname AS language,
  pg_get_function_result(p.oid) AS returns,
  pg_get_function_arguments(p.oid) AS parameters,
  encode(sha256(textsend(p.prosrc)), 'hex') AS source,
  pg_get_function_sqlbody(p.oid) AS body, -- from 14
  p.probin AS library,
  CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
  p.proisstrict::text AS strict,
  p.prosecdef::text AS "security definer",
  p.proleakproof::text AS leakproof,
  CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel,
  p.procost::text AS cost,
  p.prorows::text AS rows,
  NULLIF(p.prosupport::oid, 0)::regprocedure::text AS "support function", -- from 12
  (SELECT string_agg(format_type(t, NULL), ', ') FROM unnest(p.protrftypes) t) AS transforms,
  pg_get_userbyid(p.proowner) AS owner
FROM pg_proc p
JOIN space s ON s.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  -- Functions that a range type brings along.
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
