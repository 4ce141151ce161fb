-- What decides how values of a type are read. Composite types and arrays of them are not listed: each table has both.
SELECT t.oid,
  t.typname,
  t.typnamespace = 'pg_catalog'::regnamespace AS built_in,
  t.typtype,
  CASE WHEN t.typsend <> 0 THEN format('%I.%I', fn.nspname, f.proname) END AS send,
  t.typlen = -1 AS of_any_length,
  t.typreceive <> 0 AS receives,
  t.typarray AS array_type,
  -- What a domain, an array, a range or a multirange is made of.
  CASE t.typtype
    WHEN 'd' THEN t.typbasetype
    WHEN 'r' THEN r.rngsubtype
    WHEN 'm' THEN m.rngsubtype
    ELSE CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END
  END AS part
FROM pg_type t
LEFT JOIN pg_proc f ON f.oid = t.typsend
LEFT JOIN pg_namespace fn ON fn.oid = f.pronamespace
LEFT JOIN pg_type e ON e.oid = t.typelem
LEFT JOIN pg_range r ON r.rngtypid = t.oid
LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
WHERE t.typtype NOT IN ('c', 'p') AND (e.typtype IS NULL OR e.typtype <> 'c')
