CREATE TABLE own.forms (id int PRIMARY KEY, f float8, r real, fs float8[], ints int[], ms own.mood[], hs ext.hstore[],
  d own.ages, p own."Pair ""é""", pt point, t own.temperatures, h ext.hstore, b varbit, v tsvector, x xml, n numeric, i interval, j jsonb, c "char");
INSERT INTO own.forms VALUES
  (2, -('NaN'::float8), -('NaN'::real), '{1,2}', ('{1,2,3,NULL}'::int[])[1:3],
   ('{NULL,sad}'::own.mood[])[2:2], array_remove(ARRAY['a=>1'::ext.hstore, NULL], NULL), '{1}', NULL,
   point(-('NaN'::float8), 1), own.temperatures(0, -('NaN'::float8)), 'a=>1'::ext.hstore OPERATOR(ext.||) 'b=>2,a=>3'::ext.hstore,
   B'1111101' >> 3, setweight('b a:1'::tsvector, 'A'), '<?xml version="1.0"?><a/>', 1.10 * 2.20, '1 mon'::interval + '1 day', jsonb_build_object('n', 1.10::numeric), (-56)::"char"),
  (1, 'NaN', 'NaN', '{NaN,1}', '{1,5}', '{sad,ok}', ARRAY['a=>1'::ext.hstore], '{1,5}', ROW(1, 'x', '{1,5}', 'ok')::own."Pair ""é""",
   '(NaN,0)', '[0,NaN)', 'b=>2,a=>3', B'0001111', 'b a:1A', '<a/>', 2.4200, '1 mon 1 day', '{"n": 1.10}', (-56)::"char");
