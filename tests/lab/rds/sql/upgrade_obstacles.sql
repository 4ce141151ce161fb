-- Why RDS would refuse a major upgrade; $1 is whether logical replication slots stand in the way.
SELECT 'The instance could not be upgraded because one or more databases have logical replication slots. '
    || 'Please drop all logical replication slots and try again. ('
    || string_agg(slot_name, ', ' ORDER BY slot_name) || ')'
FROM pg_catalog.pg_replication_slots WHERE slot_type = 'logical' AND $1 HAVING count(*) > 0
UNION ALL
SELECT 'The instance could not be upgraded because it has uncommitted prepared transactions. '
    || 'Please commit or rollback all prepared transactions and try again. ('
    || string_agg(gid, ', ' ORDER BY gid) || ')'
FROM pg_catalog.pg_prepared_xacts HAVING count(*) > 0
UNION ALL
SELECT 'The instance could not be upgraded because one or more databases do not allow connections. '
    || 'Please allow connections and try again. (' || string_agg(datname, ', ' ORDER BY datname) || ')'
FROM pg_catalog.pg_database
WHERE datname <> 'template0' AND (NOT datallowconn OR datconnlimit = -2) HAVING count(*) > 0
