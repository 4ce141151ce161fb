INSERT INTO odd VALUES
  (2, -('NaN'::float8), -('NaN'::real), '{1,2}', ('{1,2,3,NULL}'::int[])[1:3], ('{NULL,1}'::int[])[2:2], NULL, point(-('NaN'::float8), 1)),
  (1, 'NaN', 'NaN', '{NaN,1}', '{1,5}', '{1,5}', ROW(1, 'x', '{1,5}')::pair, '(NaN,0)');
UPDATE odd SET d = '{1}' WHERE id = 2;
