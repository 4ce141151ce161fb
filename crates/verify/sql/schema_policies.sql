SELECT 'policy' AS kind,
  r.schema,
  r.relname AS name,
  p.polname AS part,
  CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END AS type,
  CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
  (
    SELECT string_agg(n.name, ', ' ORDER BY n.name COLLATE "C")
    FROM unnest(p.polroles) AS u (oid)
    CROSS JOIN LATERAL (SELECT CASE u.oid WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(u.oid)::text END) n (name)
  ) AS roles,
  pg_get_expr(p.polqual, p.polrelid) AS "using",
  pg_get_expr(p.polwithcheck, p.polrelid) AS "check"
FROM relation r
JOIN pg_policy p ON p.polrelid = r.oid
