-- What tells that a table's rows have not been written anew, or given other values, without any change that is decoded:
-- its file; its columns with the values that rows from before ADD COLUMN … DEFAULT have, and where their types are a
-- user's, what rows and labels those are made of; and its place in the publication $2, by which changes are decoded.
-- In the order of $1.
WITH types AS MATERIALIZED (
  SELECT md5(COALESCE(string_agg(part, ', ' ORDER BY part COLLATE "C"), '')) AS digest
  FROM (
    SELECT format(
      '%s %s %I %s %s', t.oid::regtype, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attisdropped
    ) AS part
    FROM pg_type AS t
      JOIN pg_class AS c ON c.oid = t.typrelid
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE t.oid >= 16384 AND (
        c.relkind = 'c' OR EXISTS (
          SELECT FROM pg_attribute AS u
          WHERE u.atttypid IN (t.oid, t.typarray) AND u.attnum > 0 AND NOT u.attisdropped
        )
      )
    UNION ALL
    SELECT format('%s %s %L', enumtypid::regtype, enumsortorder, enumlabel)
    FROM pg_enum
  ) AS parts
)
SELECT
  c.oid,
  pg_relation_filenode(c.oid)::oid,
  (
    SELECT md5(string_agg(
      format(
        '%s %I %s %s %s %L %s',
        a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated, a.atthasmissing, a.attmissingval,
        CASE WHEN a.atttypid >= 16384 THEN types.digest END
      ),
      ', ' ORDER BY a.attnum
    ))
    FROM pg_attribute AS a, types
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ),
  (
    SELECT p.xmin::text || ' ' || r.xmin::text
    FROM pg_publication AS p
      JOIN pg_publication_rel AS r ON r.prpubid = p.oid
    WHERE p.pubname = $2::text AND r.prrelid = c.oid
  )
FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, number)
  LEFT JOIN pg_class AS c ON c.oid = t.oid
ORDER BY t.number
