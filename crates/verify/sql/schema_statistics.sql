SELECT 'statistics object' AS kind,
  s.name AS schema,
  x.stxname AS name,
  pg_get_statisticsobjdef(x.oid) AS definition,
  NULLIF(x.stxstattarget, -1)::text AS "statistics target", -- from 13
  pg_get_userbyid(x.stxowner) AS owner
FROM pg_statistic_ext x
JOIN space s ON s.oid = x.stxnamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_statistic_ext'::regclass AND m.objid = x.oid)
