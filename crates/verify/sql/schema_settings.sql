SELECT 'setting' AS kind,
  concat_ws(' in ', CASE WHEN s.setrole <> 0 THEN 'role ' || pg_get_userbyid(s.setrole) END, 'this database') AS name,
  split_part(c, '=', 1) AS attribute,
  substr(c, strpos(c, '=') + 1) AS value
FROM pg_db_role_setting s
CROSS JOIN LATERAL unnest(s.setconfig) AS c
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (s.setrole = 0 OR pg_get_userbyid(s.setrole) !~ '^pgupgrade_')
