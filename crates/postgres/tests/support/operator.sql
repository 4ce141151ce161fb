CREATE ROLE app_owner;
CREATE ROLE stranger;
CREATE ROLE op LOGIN REPLICATION CREATEROLE PASSWORD {password};
GRANT app_owner, pg_monitor, pg_signal_backend, pg_read_all_data TO op;
GRANT CREATE ON DATABASE app TO op;
GRANT EXECUTE ON FUNCTION pg_replication_origin_advance(text, pg_lsn), pg_replication_origin_progress(text, boolean) TO op;
