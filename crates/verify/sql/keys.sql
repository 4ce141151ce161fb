-- One row for each index that tells the rows of a table apart: the columns of a key, and what finds them again.
SELECT i.indrelid AS relation,
  CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident WHEN 'f' THEN true ELSE false END
    AS identity,
  array_agg(a.attname::text ORDER BY p.place) AS columns,
  array_agg(a.atttypid ORDER BY p.place) AS kinds,
  -- Equality as the index has it: that of citext is not in pg_catalog.
  array_agg(format('OPERATOR(%I.%s)', s.nspname, o.oprname) ORDER BY p.place) AS operators,
  array_agg(
    CASE WHEN p.collid IN (0, a.attcollation) THEN '' ELSE format(' COLLATE %I.%I', ls.nspname, ln.collname) END
    ORDER BY p.place) AS collations
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class x ON x.oid = i.indexrelid AND x.relam = 403
CROSS JOIN ROWS FROM (unnest(i.indkey::smallint[]), unnest(i.indclass::oid[]), unnest(i.indcollation::oid[]))
  WITH ORDINALITY AS p (attnum, class, collid, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
JOIN pg_opclass k ON k.oid = p.class
JOIN pg_amop e ON e.amopfamily = k.opcfamily AND e.amopstrategy = 3
  AND e.amoplefttype = k.opcintype AND e.amoprighttype = k.opcintype
JOIN pg_operator o ON o.oid = e.amopopr
JOIN pg_namespace s ON s.oid = o.oprnamespace
LEFT JOIN pg_collation ln ON ln.oid = p.collid
LEFT JOIN pg_namespace ls ON ls.oid = ln.collnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
  AND n.nspname NOT IN ('pgupgrade', 'information_schema') AND n.nspname !~ '^pg_'
GROUP BY i.indrelid, i.indexrelid, c.relreplident, i.indisprimary, i.indisreplident, i.indnkeyatts
HAVING bool_and(a.attnotnull) AND count(*) = i.indnkeyatts
ORDER BY i.indrelid, i.indisprimary DESC, i.indisreplident DESC, i.indexrelid
