SELECT 'column' AS kind, r.schema, r.relname AS name, a.attname AS part, 'option ' || o.option_name AS attribute, o.option_value AS value
FROM relation r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL (
  SELECT * FROM pg_options_to_table(a.attoptions)
  UNION ALL
  SELECT * FROM pg_options_to_table(a.attfdwoptions)
) o
WHERE r.relkind <> 'S' AND (a.attoptions IS NOT NULL OR a.attfdwoptions IS NOT NULL)
