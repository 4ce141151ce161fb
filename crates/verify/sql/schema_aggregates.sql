SELECT 'function' AS kind,
  s.name AS schema,
  p.proname AS name,
  COALESCE((SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place) FROM unnest(p.proargtypes) WITH ORDINALITY a (type, place)), '') AS arguments,
  v.attribute,
  v.value
FROM pg_aggregate g
JOIN pg_proc p ON p.oid = g.aggfnoid
JOIN space s ON s.oid = p.pronamespace
CROSS JOIN LATERAL (VALUES
  ('kind of aggregate', g.aggkind::text),
  ('direct arguments', g.aggnumdirectargs::text),
  ('transition function', g.aggtransfn::regprocedure::text),
  ('final function', NULLIF(g.aggfinalfn::oid, 0)::regprocedure::text),
  ('combine function', NULLIF(g.aggcombinefn::oid, 0)::regprocedure::text),
  ('serialization function', NULLIF(g.aggserialfn::oid, 0)::regprocedure::text),
  ('deserialization function', NULLIF(g.aggdeserialfn::oid, 0)::regprocedure::text),
  ('moving transition function', NULLIF(g.aggmtransfn::oid, 0)::regprocedure::text),
  ('moving inverse function', NULLIF(g.aggminvtransfn::oid, 0)::regprocedure::text),
  ('moving final function', NULLIF(g.aggmfinalfn::oid, 0)::regprocedure::text),
  ('final function gets more', g.aggfinalextra::text || ', ' || g.aggmfinalextra),
  ('final function modifies', g.aggfinalmodify::text || ', ' || g.aggmfinalmodify::text), -- from 11
  ('sort operator', NULLIF(g.aggsortop, 0)::regoperator::text),
  ('transition type', format_type(g.aggtranstype, NULL)),
  ('transition space', g.aggtransspace::text),
  ('moving transition type', CASE WHEN g.aggmtranstype <> 0 THEN format_type(g.aggmtranstype, NULL) END),
  ('moving transition space', g.aggmtransspace::text),
  ('initial value', g.agginitval),
  ('moving initial value', g.aggminitval)
) v (attribute, value)
WHERE v.value IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
