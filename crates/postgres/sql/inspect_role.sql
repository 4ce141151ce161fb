SELECT r.rolsuper,
  r.rolreplication,
  r.rolcreaterole,
  member.of @> ARRAY['rds_superuser'] AS rds_superuser,
  member.of @> ARRAY['rds_replication'] AS rds_replication,
  member.of @> ARRAY['pg_create_subscription'] AS create_subscription,
  member.of @> ARRAY['pg_monitor'] AS monitor,
  member.of @> ARRAY['pg_signal_backend'] AS signal_backend,
  has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'EXECUTE')
    AND has_function_privilege('pg_replication_origin_progress(text, boolean)', 'EXECUTE') AS replication_origins
FROM pg_roles r,
  LATERAL (SELECT COALESCE(array_agg(m.rolname::text), '{}') AS of FROM pg_roles m WHERE pg_has_role(m.oid, 'USAGE')) member
WHERE r.rolname = current_user
