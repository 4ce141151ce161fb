-- A hash of (key, xmin) of each row; of pg_class what DDL changes, and not what TRUNCATE, VACUUM or a guard's trigger do.
WITH foreign_space AS MATERIALIZED (
  SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast|temp)' OR nspname = 'pgupgrade'
),
mine AS MATERIALIZED (
  SELECT c.oid, c.relnamespace, c.relkind
  FROM pg_class c
  WHERE c.oid >= 16384 AND c.relnamespace NOT IN (SELECT oid FROM foreign_space)
),
row_hash (catalog, hash) AS (
  SELECT 'pg_class', hashtextextended(
    concat_ws(' ', c.oid, c.relname, c.relnamespace, c.reloftype, c.relowner, c.relam, c.reltablespace, c.relkind, c.relpersistence,
      c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relispartition, c.relacl, c.reloptions,
      CASE c.relkind WHEN 'm' THEN c.relispopulated END), 0)
  FROM pg_class c
  WHERE c.relnamespace NOT IN (SELECT oid FROM foreign_space)
  UNION ALL
  SELECT 'options of toast tables', hashint8extended(t.oid::int8, hashtextextended(t.reloptions::text, 0))
  FROM pg_class t
  WHERE t.relkind = 't' AND t.reloptions IS NOT NULL
  UNION ALL
  SELECT 'pg_attribute', hashint8extended(a.attrelid::int8, hashtextextended(a.xmin::text, a.attnum))
  FROM pg_attribute a JOIN mine ON mine.oid = a.attrelid
  WHERE a.attnum > 0
  UNION ALL
  SELECT 'pg_attrdef', hashint8extended(d.adrelid::int8, hashtextextended(d.xmin::text, d.adnum))
  FROM pg_attrdef d JOIN mine ON mine.oid = d.adrelid
  UNION ALL
  SELECT 'pg_index', hashint8extended(i.indexrelid::int8, hashtextextended(i.xmin::text, 0))
  FROM pg_index i JOIN mine ON mine.oid = i.indexrelid
  UNION ALL
  SELECT 'pg_inherits', hashint8extended(i.inhrelid::int8, hashtextextended(i.xmin::text, i.inhparent::int8))
  FROM pg_inherits i JOIN mine ON mine.oid = i.inhrelid
  UNION ALL
  SELECT 'pg_constraint', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_constraint
  WHERE connamespace NOT IN (SELECT oid FROM foreign_space)
  UNION ALL
  SELECT 'pg_trigger', hashint8extended(t.oid::int8, hashtextextended(t.xmin::text, 0))
  FROM pg_trigger t JOIN mine ON mine.oid = t.tgrelid
  WHERE t.tgname !~ '^pgupgrade_'
  UNION ALL
  SELECT 'pg_rewrite', hashint8extended(w.oid::int8, hashtextextended(w.xmin::text, 0))
  FROM pg_rewrite w JOIN mine ON mine.oid = w.ev_class
  UNION ALL
  SELECT 'pg_sequence', hashint8extended(q.seqrelid::int8, hashtextextended(q.xmin::text, 0))
  FROM pg_sequence q JOIN mine ON mine.oid = q.seqrelid
  UNION ALL
  SELECT 'pg_foreign_table', hashint8extended(ftrelid::int8, hashtextextended(xmin::text, 0))
  FROM pg_foreign_table
  UNION ALL
  SELECT 'pg_partitioned_table', hashint8extended(partrelid::int8, hashtextextended(xmin::text, 0))
  FROM pg_partitioned_table
  UNION ALL
  SELECT 'pg_proc', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_proc
  WHERE pronamespace NOT IN (SELECT oid FROM foreign_space)
  UNION ALL
  SELECT 'pg_type', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_type
  WHERE typnamespace NOT IN (SELECT oid FROM foreign_space) AND typtype <> 'c' AND typcategory <> 'A'
  UNION ALL
  SELECT 'pg_namespace', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_namespace
  WHERE oid NOT IN (SELECT oid FROM foreign_space)
  UNION ALL
  SELECT 'pg_range', hashint8extended(rngtypid::int8, hashtextextended(xmin::text, 0))
  FROM pg_range
  UNION ALL
  SELECT 'pg_aggregate', hashint8extended(aggfnoid::oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_aggregate
  UNION ALL
  SELECT 'pg_am', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_am
  UNION ALL
  SELECT 'pg_amop', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_amop
  UNION ALL
  SELECT 'pg_amproc', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_amproc
  UNION ALL
  SELECT 'pg_cast', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_cast
  UNION ALL
  SELECT 'pg_collation', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_collation
  UNION ALL
  SELECT 'pg_conversion', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_conversion
  UNION ALL
  SELECT 'pg_default_acl', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_default_acl
  UNION ALL
  SELECT 'pg_enum', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_enum
  UNION ALL
  SELECT 'pg_extension', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_extension
  UNION ALL
  SELECT 'pg_foreign_data_wrapper', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_foreign_data_wrapper
  UNION ALL
  SELECT 'pg_foreign_server', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_foreign_server
  UNION ALL
  SELECT 'pg_language', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_language
  UNION ALL
  SELECT 'pg_largeobject_metadata', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_largeobject_metadata
  UNION ALL
  SELECT 'pg_opclass', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_opclass
  UNION ALL
  SELECT 'pg_operator', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_operator
  UNION ALL
  SELECT 'pg_opfamily', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_opfamily
  UNION ALL
  SELECT 'pg_policy', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_policy
  UNION ALL
  SELECT 'pg_statistic_ext', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_statistic_ext
  UNION ALL
  SELECT 'pg_transform', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_transform
  UNION ALL
  SELECT 'pg_ts_config', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_ts_config
  UNION ALL
  SELECT 'pg_ts_dict', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_ts_dict
  UNION ALL
  SELECT 'pg_ts_parser', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_ts_parser
  UNION ALL
  SELECT 'pg_ts_template', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_ts_template
  UNION ALL
  SELECT 'pg_ts_config_map', hashint8extended(mapcfg::int8, hashtextextended(xmin::text, maptokentype * 1000 + mapseqno))
  FROM pg_ts_config_map
  UNION ALL
  SELECT 'pg_description', hashint8extended(objoid::int8, hashtextextended(xmin::text, objsubid))
  FROM pg_description
  UNION ALL
  SELECT 'pg_seclabel', hashint8extended(objoid::int8, hashtextextended(xmin::text, objsubid))
  FROM pg_seclabel
  UNION ALL
  SELECT 'pg_init_privs', hashint8extended(objoid::int8, hashtextextended(xmin::text, objsubid))
  FROM pg_init_privs
  UNION ALL
  SELECT 'pg_event_trigger', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_event_trigger
  WHERE evtname !~ '^pgupgrade_'
  UNION ALL
  SELECT 'pg_publication', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_publication
  WHERE pubname !~ '^pgupgrade_'
  UNION ALL
  SELECT 'pg_publication_rel', hashint8extended(r.oid::int8, hashtextextended(r.xmin::text, 0))
  FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
  WHERE p.pubname !~ '^pgupgrade_'
  UNION ALL -- from 15
  SELECT 'pg_publication_namespace', hashint8extended(r.oid::int8, hashtextextended(r.xmin::text, 0)) -- from 15
  FROM pg_publication_namespace r JOIN pg_publication p ON p.oid = r.pnpubid -- from 15
  WHERE p.pubname !~ '^pgupgrade_' -- from 15
  UNION ALL
  SELECT 'pg_db_role_setting', hashint8extended(setrole::int8, hashtextextended(xmin::text, setdatabase::int8))
  FROM pg_db_role_setting
  WHERE setrole = 0 OR pg_get_userbyid(setrole) !~ '^pgupgrade_'
  UNION ALL
  SELECT 'pg_database', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_database
  WHERE datname = current_database()
  UNION ALL
  SELECT 'pg_tablespace', hashint8extended(oid::int8, hashtextextended(xmin::text, 0))
  FROM pg_tablespace
  UNION ALL
  SELECT 'pg_auth_members', hashint8extended(roleid::int8, hashtextextended(xmin::text, member::int8))
  FROM pg_auth_members
  WHERE pg_get_userbyid(roleid) !~ '^pgupgrade_' AND pg_get_userbyid(member) !~ '^pgupgrade_'
  UNION ALL -- from 15
  SELECT 'pg_parameter_acl', hashint8extended(oid::int8, hashtextextended(xmin::text, 0)) -- from 15
  FROM pg_parameter_acl -- from 15
  UNION ALL
  SELECT 'pg_roles', hashint8extended(oid::int8, hashtextextended(concat_ws(' ', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, EXTRACT(epoch FROM rolvaliduntil))::text, 0))
  FROM pg_roles
  WHERE rolname !~ '^pgupgrade_'
  UNION ALL
  SELECT 'pg_user_mappings', hashint8extended(umid::int8, hashtextextended(concat_ws(' ', srvid, umuser, umoptions)::text, 0))
  FROM pg_user_mappings
  UNION ALL
  SELECT 'pg_subscription', hashint8extended(oid::int8, hashtextextended(concat_ws(' ', subname, subowner, subenabled, subslotname, subsynccommit, subpublications)::text, 0))
  FROM pg_subscription
  WHERE subname !~ '^pgupgrade_'
)
SELECT encode(sha256(convert_to(string_agg(concat_ws(' ', catalog, rows, sum), ', ' ORDER BY catalog COLLATE "C"), 'UTF8')), 'hex')
FROM (SELECT catalog, count(*) AS rows, sum(hash) AS sum FROM row_hash GROUP BY catalog) s
