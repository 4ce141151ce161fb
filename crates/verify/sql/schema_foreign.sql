SELECT 'foreign data wrapper' AS kind, f.fdwname::text AS name, v.attribute, v.value
FROM pg_foreign_data_wrapper f
CROSS JOIN LATERAL (
  SELECT 'owner', pg_get_userbyid(f.fdwowner)::text
  UNION ALL SELECT 'handler', NULLIF(f.fdwhandler::oid, 0)::regprocedure::text
  UNION ALL SELECT 'validator', NULLIF(f.fdwvalidator::oid, 0)::regprocedure::text
  UNION ALL SELECT 'option ' || o.option_name, shown.value FROM pg_options_to_table(f.fdwoptions) o, LATERAL (SELECT CASE WHEN o.option_name ~* 'password|secret|token|key' THEN encode(sha256(textsend(o.option_value)), 'hex') ELSE o.option_value END) shown (value)
) v (attribute, value)
WHERE v.value IS NOT NULL
  AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_foreign_data_wrapper'::regclass AND m.objid = f.oid)
UNION ALL
SELECT 'foreign server', f.srvname, v.attribute, v.value
FROM pg_foreign_server f
JOIN pg_foreign_data_wrapper w ON w.oid = f.srvfdw
CROSS JOIN LATERAL (
  SELECT 'owner', pg_get_userbyid(f.srvowner)::text
  UNION ALL SELECT 'foreign data wrapper', w.fdwname::text
  UNION ALL SELECT 'type', f.srvtype
  UNION ALL SELECT 'version', f.srvversion
  UNION ALL SELECT 'option ' || o.option_name, shown.value FROM pg_options_to_table(f.srvoptions) o, LATERAL (SELECT CASE WHEN o.option_name ~* 'password|secret|token|key' THEN encode(sha256(textsend(o.option_value)), 'hex') ELSE o.option_value END) shown (value)
) v (attribute, value)
WHERE v.value IS NOT NULL
UNION ALL
-- As the view pg_user_mappings shows options.
SELECT 'user mapping', 'of ' || u.usename || ' for server ' || u.srvname, v.attribute, v.value
FROM pg_user_mappings u
JOIN pg_foreign_server s ON s.oid = u.srvid
CROSS JOIN LATERAL (
  SELECT 'user', u.usename::text
  UNION ALL SELECT 'option ' || o.option_name, shown.value FROM pg_options_to_table(u.umoptions) o, LATERAL (SELECT CASE WHEN o.option_name ~* 'password|secret|token|key' THEN encode(sha256(textsend(o.option_value)), 'hex') ELSE o.option_value END) shown (value)
  UNION ALL SELECT 'not readable', 'options of user mappings are shown to the mapped user, to the server''s owner (for PUBLIC) and to superusers'
  WHERE u.umoptions IS NULL AND NOT (
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    OR (u.umuser = 0 AND pg_has_role(s.srvowner, 'USAGE'))
    OR (u.usename = current_user AND (pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')))
  )
) v (attribute, value)
