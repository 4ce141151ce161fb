-- Roles whose REPLICATION attribute does not follow their membership in rds_replication.
SELECT rolname, pg_catalog.pg_has_role(oid, 'rds_replication', 'member')
FROM pg_catalog.pg_roles
WHERE NOT rolsuper AND rolname !~ '^(pg_|rds)'
  AND rolreplication <> pg_catalog.pg_has_role(oid, 'rds_replication', 'member')
