WITH RECURSIVE base (oid, base) AS (
  SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
  UNION ALL
  SELECT d.oid, b.base FROM base b JOIN pg_type d ON d.typtype = 'd' AND d.typbasetype = b.oid
)
SELECT n.nspname,
  c.relname,
  c.relpersistence = 'u' AS unlogged,
  COALESCE(k.columns, '{}') AS key_columns,
  COALESCE(l.names, '{}') AS names,
  COALESCE(l.types, '{}') AS types,
  COALESCE(l.encodings, '{}') AS encodings
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names,
    array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
    array_agg(
      CASE
        WHEN t.typsend = 0 OR t.typtype IN ('c', 'p') THEN 'text'
        WHEN t.typtype IN ('r', 'm') AND t.oid >= 16384 THEN 'text'
        WHEN s.typname ~ '^reg' AND s.typnamespace = 'pg_catalog'::regnamespace THEN 'text'
        WHEN s.oid IN (600, 601, 602, 603, 604, 628, 718) THEN 'text'
        WHEN t.typcategory = 'A' AND (s.oid >= 16384 OR s.typsend = 0 OR s.typtype <> 'b') THEN
          CASE WHEN s.oid < 16384 AND s.typsend <> 0 AND s.typtype IN ('r', 'm') THEN 'array' ELSE 'text' END
        WHEN t.typcategory = 'A' AND s.oid IN (700, 701) THEN 'float array'
        WHEN t.typcategory = 'A' THEN 'array'
        WHEN t.oid IN (700, 701) THEN 'float'
        ELSE 'verbatim'
      END ORDER BY a.attnum) AS encodings
  FROM pg_attribute a
  JOIN base b ON b.oid = a.atttypid
  JOIN pg_type t ON t.oid = b.base
  -- The type itself, or the type of an array's elements.
  JOIN pg_type s ON s.oid = CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
) l ON true
LEFT JOIN LATERAL (
  SELECT (
      SELECT array_agg(a.attname::text ORDER BY p.place)
      FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS p (attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.attnum
      WHERE p.place <= i.indnkeyatts
    ) AS columns
  FROM pg_index i
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (
      SELECT FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS p (attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.attnum
      WHERE p.place <= i.indnkeyatts AND NOT a.attnotnull
    )
  ORDER BY i.indisprimary DESC, i.indisreplident DESC, i.indexrelid
  LIMIT 1
) k ON true
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
ORDER BY c.oid
