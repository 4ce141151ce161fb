SELECT 'default privileges' AS kind,
  concat_ws(' ',
    'of', pg_get_userbyid(d.defaclrole), 'for',
    CASE d.defaclobjtype
      WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas'
      WHEN 'L' THEN 'large objects' ELSE d.defaclobjtype::text
    END,
    CASE WHEN n.oid IS NULL THEN NULL ELSE 'in schema ' || n.nspname END
  ) AS name,
  'grant ' || g.privilege_type || ' to '
    || CASE g.grantee WHEN 0 THEN 'PUBLIC' WHEN d.defaclrole THEN 'its owner' ELSE pg_get_userbyid(g.grantee)::text END AS attribute,
  CASE WHEN bool_or(g.is_grantable) THEN 'with grant option' ELSE 'given' END AS value
FROM pg_default_acl d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
-- An entry may have taken everything away.
CROSS JOIN LATERAL (
  SELECT grantee, privilege_type, is_grantable FROM aclexplode(d.defaclacl)
  UNION ALL
  SELECT 0, 'nothing more', false
) g
WHERE COALESCE(n.nspname, '') <> 'pgupgrade' AND (g.grantee = 0 OR pg_get_userbyid(g.grantee) !~ '^pgupgrade_')
GROUP BY d.oid, d.defaclrole, d.defaclobjtype, n.oid, n.nspname, g.grantee, g.privilege_type
