-- What differs on Aurora: functions of its own, and WAL functions that refuse. A built-in function cannot be replaced,
-- since it is called by its number; so it is renamed and one of the old name is made.
SET allow_system_table_mods = on;

CREATE OR REPLACE FUNCTION pg_catalog.aurora_version() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT split_part(current_setting('server_version'), ' ', 1) || '.0' $$;

CREATE OR REPLACE FUNCTION pg_catalog.aurora_volume_logical_start_lsn() RETURNS pg_lsn LANGUAGE sql STABLE
AS $$ SELECT nullif(current_setting('aurora.volume_logical_start_lsn', true), '')::pg_lsn $$;

UPDATE pg_catalog.pg_proc SET proname = 'rdsadmin_' || proname
WHERE pronamespace = 'pg_catalog'::regnamespace AND oid < 16384 AND proname IN
    ('pg_last_wal_receive_lsn', 'pg_last_wal_replay_lsn', 'pg_current_wal_lsn', 'pg_current_wal_insert_lsn',
     'pg_current_wal_flush_lsn');

DO $do$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['pg_last_wal_receive_lsn', 'pg_last_wal_replay_lsn'] LOOP
        EXECUTE format($sql$
            CREATE OR REPLACE FUNCTION pg_catalog.%1$I() RETURNS pg_lsn LANGUAGE plpgsql AS $body$
            BEGIN
                RAISE EXCEPTION 'Function %1$s() is currently not supported for Aurora'
                    USING ERRCODE = 'feature_not_supported';
            END
            $body$ $sql$, name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['pg_current_wal_lsn', 'pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn'] LOOP
        EXECUTE format($sql$
            CREATE OR REPLACE FUNCTION pg_catalog.%1$I() RETURNS pg_lsn LANGUAGE plpgsql AS $body$
            BEGIN
                IF current_setting('wal_level') <> 'logical' THEN
                    RAISE EXCEPTION 'wal_level must be set to ''logical'' to use %1$s()'
                        USING ERRCODE = 'object_not_in_prerequisite_state';
                END IF;
                RETURN pg_catalog.rdsadmin_%1$s();
            END
            $body$ $sql$, name);
    END LOOP;
END
$do$;

RESET allow_system_table_mods;
