SELECT 'type' AS kind,
  s.name AS schema,
  t.typname AS name,
  CASE t.typtype
    WHEN 'b' THEN 'base type' WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' WHEN 'c' THEN 'composite type'
    WHEN 'm' THEN 'multirange' ELSE 'shell type'
  END AS "kind of type",
  pg_get_userbyid(t.typowner) AS owner,
  CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS "base type",
  t.typnotnull::text AS "not null",
  CASE WHEN t.typdefaultbin IS NULL THEN t.typdefault ELSE pg_get_expr(t.typdefaultbin, 0) END AS "default",
  (
    SELECT n.nspname || '.' || l.collname
    FROM pg_collation l
    JOIN pg_namespace n ON n.oid = l.collnamespace
    WHERE l.oid = t.typcollation AND t.typtype IN ('b', 'd')
  ) AS collation,
  (SELECT string_agg(e.enumlabel::text, chr(31) ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
  CASE WHEN t.typtype = 'b' THEN concat_ws(', ', t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze) END AS functions,
  CASE WHEN t.typtype = 'b' THEN concat_ws(', ', t.typlen, t.typbyval, t.typalign, t.typcategory, t.typispreferred, t.typdelim, format_type(NULLIF(t.typelem, 0), NULL)) END AS layout,
  CASE WHEN t.typtype = 'b' THEN t.typstorage::text END AS storage,
  CASE WHEN t.typtype = 'b' THEN NULLIF(t.typsubscript::oid, 0)::regproc::text END AS subscripting, -- from 14
  format_type(r.rngsubtype, NULL) AS subtype,
  NULLIF(r.rngcanonical::oid, 0)::regprocedure::text AS "canonical function",
  NULLIF(r.rngsubdiff::oid, 0)::regprocedure::text AS "difference function",
  (SELECT o.opcname FROM pg_opclass o WHERE o.oid = r.rngsubopc) AS "operator class",
  (SELECT l.collname FROM pg_collation l WHERE l.oid = r.rngcollation) AS "collation of the subtype",
  format_type(r.rngmultitypid, NULL) AS multirange -- from 14
FROM pg_type t
JOIN space s ON s.oid = t.typnamespace
LEFT JOIN pg_range r ON r.rngtypid = t.oid
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
  -- Row types of tables, arrays and multiranges come with what they are for.
  AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'i' AND t.typtype IN ('b', 'm'))
