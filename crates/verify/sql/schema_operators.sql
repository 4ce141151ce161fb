SELECT 'operator' AS kind,
  o.oid::regoperator::text AS described,
  pg_get_userbyid(o.oprowner) AS owner,
  format_type(o.oprresult, NULL) AS result,
  NULLIF(o.oprcode::oid, 0)::regprocedure::text AS function,
  NULLIF(o.oprcom, 0)::regoperator::text AS commutator,
  NULLIF(o.oprnegate, 0)::regoperator::text AS negator,
  NULLIF(o.oprrest::oid, 0)::regprocedure::text AS "restriction estimator",
  NULLIF(o.oprjoin::oid, 0)::regprocedure::text AS "join estimator",
  o.oprcanmerge::text AS "merge joins",
  o.oprcanhash::text AS "hash joins"
FROM pg_operator o
JOIN space s ON s.oid = o.oprnamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_operator'::regclass AND m.objid = o.oid)
