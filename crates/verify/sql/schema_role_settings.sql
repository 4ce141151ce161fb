SELECT 'setting' AS kind,
  CASE s.setrole WHEN 0 THEN 'all databases' ELSE 'role ' || pg_get_userbyid(s.setrole) END AS name,
  split_part(c, '=', 1) AS attribute,
  substr(c, strpos(c, '=') + 1) AS value
FROM pg_db_role_setting s
CROSS JOIN LATERAL unnest(s.setconfig) AS c
WHERE s.setdatabase = 0 AND (s.setrole = 0 OR pg_get_userbyid(s.setrole) !~ '^pgupgrade_')
