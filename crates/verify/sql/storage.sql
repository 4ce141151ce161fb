-- How each of the tables $1 is stored, in the same order; NULL for one that is not there.
SELECT c.relfilenode AS filenode,
  pg_relation_size(c.oid) / current_setting('block_size')::bigint AS blocks,
  pg_relation_size(c.oid) AS main_bytes,
  pg_table_size(c.oid) AS bytes
FROM unnest($1::oid[]) WITH ORDINALITY AS o (oid, place)
LEFT JOIN pg_class c ON c.oid = o.oid
ORDER BY o.place
