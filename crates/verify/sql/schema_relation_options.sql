SELECT r.kind, r.schema, r.relname AS name, 'option ' || o.option_name AS attribute, o.option_value AS value
FROM relation r
CROSS JOIN LATERAL pg_options_to_table(r.reloptions) o
UNION ALL
SELECT r.kind, r.schema, r.relname, 'option toast.' || o.option_name, o.option_value
FROM relation r
JOIN pg_class t ON t.oid = r.reltoastrelid
CROSS JOIN LATERAL pg_options_to_table(t.reloptions) o
UNION ALL
SELECT r.kind, r.schema, r.relname, 'foreign server', s.srvname
FROM relation r
JOIN pg_foreign_table f ON f.ftrelid = r.oid
JOIN pg_foreign_server s ON s.oid = f.ftserver
UNION ALL
SELECT r.kind, r.schema, r.relname, 'option ' || o.option_name, o.option_value
FROM relation r
JOIN pg_foreign_table f ON f.ftrelid = r.oid
CROSS JOIN LATERAL pg_options_to_table(f.ftoptions) o
