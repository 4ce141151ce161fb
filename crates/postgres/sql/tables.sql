SELECT c.oid,
  n.nspname,
  c.relname,
  c.relkind::text,
  c.relpersistence::text,
  c.relispartition,
  pg_get_userbyid(c.relowner)::text AS owner,
  pg_has_role(c.relowner, 'USAGE') AS may_act_as_owner,
  c.relreplident::text,
  identity.relname AS identity_index,
  EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate
  ) AS has_primary_key,
  -- Under REPLICA IDENTITY FULL the subscriber compares whole rows; these types have no equality.
  EXISTS (
    SELECT FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_type b ON b.oid = t.typbasetype
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      AND COALESCE(NULLIF(b.typelem, 0), b.oid, NULLIF(t.typelem, 0), t.oid) IN ('json'::regtype, 'xml'::regtype,
        'point'::regtype, 'box'::regtype, 'path'::regtype, 'polygon'::regtype, 'line'::regtype, 'lseg'::regtype,
        'circle'::regtype)
  ) AS without_equality,
  ARRAY(
    SELECT x.relname::text
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (
        SELECT FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE k.place <= i.indnkeyatts AND (a.attnotnull IS NOT TRUE OR a.attgenerated <> '')
      )
    ORDER BY i.indnkeyatts, x.relname
  ) AS identity_candidates,
  ARRAY(
    SELECT a.attname::text
    FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
    ORDER BY a.attnum
  ) AS generated_columns,
  ARRAY(
    SELECT a.attname::text
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND k.place <= i.indnkeyatts AND a.attgenerated <> ''
      AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
    ORDER BY k.place
  ) AS generated_key_columns
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index r ON r.indrelid = c.oid AND r.indisreplident AND r.indisvalid AND r.indislive
LEFT JOIN pg_class identity ON identity.oid = r.indexrelid
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
  -- Tables of extensions that belong to the provider can be neither published nor guarded.
  AND NOT (NOT pg_has_role(c.relowner, 'USAGE') AND (
    pg_get_userbyid(c.relowner) = 'rdsadmin'
    OR EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
    )
  ))
ORDER BY n.nspname, c.relname
