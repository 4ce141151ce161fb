-- What tells that a table's rows have not been written anew, or given other values, without any change that is decoded:
-- its file, and its columns with the values that rows from before ADD COLUMN … DEFAULT have. In the order of $1.
SELECT
  c.oid,
  pg_relation_filenode(c.oid)::oid,
  (
    SELECT md5(string_agg(
      format(
        '%s %I %s %s %s %L',
        a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated, a.atthasmissing, a.attmissingval
      ),
      ', ' ORDER BY a.attnum
    ))
    FROM pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  )
FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, number)
  LEFT JOIN pg_class AS c ON c.oid = t.oid
ORDER BY t.number
