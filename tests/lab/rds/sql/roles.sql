-- The roles of an RDS instance. Run again after an upgrade it adds what the new version has more.
DO $$
DECLARE
    version int := current_setting('server_version_num')::int;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rds_superuser', 'rds_replication', 'rds_password', 'rds_iam'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
    END LOOP;
    GRANT pg_monitor, pg_signal_backend, pg_read_all_data, rds_replication, rds_password TO rds_superuser
        WITH ADMIN OPTION;
    IF version >= 150000 THEN
        GRANT pg_checkpoint TO rds_superuser WITH ADMIN OPTION;
        EXECUTE 'GRANT SET ON PARAMETER session_replication_role TO rds_superuser WITH GRANT OPTION';
    END IF;
    IF version >= 160000 THEN
        GRANT pg_create_subscription TO rds_superuser WITH ADMIN OPTION;
    END IF;
END
$$;
