-- The sequences that tables take values from: of a column of theirs, or of a table that they are partitions of, or named
-- in a default.
WITH RECURSIVE related AS (
  SELECT c.oid
  FROM unnest($1::text[], $2::text[]) AS wanted (nspname, relname)
  JOIN pg_namespace n ON n.nspname = wanted.nspname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname
  UNION
  SELECT i.inhparent FROM related JOIN pg_inherits i ON i.inhrelid = related.oid
)
SELECT n.nspname::text, s.relname::text
FROM pg_class s
JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE s.relkind = 'S' AND (
  EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass
      AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND d.refobjid IN (SELECT oid FROM related)
  )
  OR EXISTS (
    SELECT FROM pg_depend d
    JOIN pg_attrdef f ON f.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
      AND f.adrelid IN (SELECT oid FROM related)
  )
)
