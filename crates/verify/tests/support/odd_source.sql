INSERT INTO odd VALUES
  (1, -('NaN'::float8), -('NaN'::real), ARRAY[-('NaN'::float8), 1], array_replace('{1,NULL}'::int[], NULL, 5),
   array_replace('{1,NULL}'::int[], NULL, 5), ROW(1, 'x', array_replace('{1,NULL}'::int[], NULL, 5))::pair, point(-('NaN'::float8), 0)),
  (2, 'NaN', 'NaN', array_replace('{1,NULL}'::float8[], NULL, 2), '{1,2,3}', '{1}', NULL, '(NaN,1)');
