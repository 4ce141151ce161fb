-- What rds_superuser may do in each database beyond a plain role.
GRANT EXECUTE ON FUNCTION
    pg_catalog.pg_replication_origin_create(text),
    pg_catalog.pg_replication_origin_drop(text),
    pg_catalog.pg_replication_origin_oid(text),
    pg_catalog.pg_replication_origin_advance(text, pg_lsn),
    pg_catalog.pg_replication_origin_progress(text, boolean),
    pg_catalog.pg_replication_origin_session_is_setup(),
    pg_catalog.pg_replication_origin_session_progress(boolean),
    pg_catalog.pg_replication_origin_session_setup,
    pg_catalog.pg_replication_origin_session_reset(),
    pg_catalog.pg_replication_origin_xact_setup(pg_lsn, timestamptz),
    pg_catalog.pg_replication_origin_xact_reset(),
    pg_catalog.pg_show_replication_origin_status
TO rds_superuser;
GRANT SELECT ON pg_catalog.pg_subscription, pg_catalog.pg_replication_origin_status TO rds_superuser;
