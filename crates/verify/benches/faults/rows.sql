-- Faults are made in rows up to 200, and in the lowest; writers write from 1000 on.
INSERT INTO faults.kinds
SELECT g, true, 1, g, g * 1000000007, 0.5, 1.5, 1.5, 12.34, 'text ' || g, 'varchar ' || g, 'c' || g, 'blank ' || g,
  'Ci ' || g, sha256(g::text::bytea), B'10101010', B'101', '2026-01-01', '2026-01-01 12:00:00.5',
  '2026-01-01 12:00:00+00', '12:00', '12:00+01', '1 day', '{"a": 1, "b": [1, 2]}', '{"a": 1, "b": [1, 2]}', '<a>1</a>',
  md5(g::text)::uuid, '10.0.0.1/24', '08:00:2b:01:02:03', '{1,2,3}', '{a,NULL,c}', '{0.5,NaN}', '[1,5)', '[1.0,2.0)',
  '{[1,2),[5,7)}', 'ok', 50, '(1,x)', '(1,2)', 'fat:1A cat:2', repeat(md5(g::text), 100)
FROM (SELECT generate_series(1::bigint, 200) UNION ALL SELECT generate_series(1000::bigint, 1099)) s (g);
INSERT INTO faults.kinds (id, n, t) VALUES (-9223372036854775808, 1, 'lowest');
INSERT INTO faults."Weird ""T""" SELECT 'key ' || g, g FROM generate_series(0, 2999) g;
INSERT INTO faults.by_uuid SELECT md5(g::text)::uuid, g FROM generate_series(0, 299) g;
INSERT INTO faults.by_uuid VALUES ('00000000-0000-4000-8000-000000000010', -1);
INSERT INTO faults.by_pair SELECT g, 'b''' || g, g FROM generate_series(0, 299) g;
INSERT INTO faults.by_index SELECT 'c' || g, g FROM generate_series(0, 299) g;
INSERT INTO faults.full_keyed SELECT g, 'v' || g FROM generate_series(0, 299) g;
INSERT INTO faults.by_numeric SELECT g + 0.0, g FROM generate_series(0, 299) g;
INSERT INTO faults.by_citext SELECT 'Key ' || g, g FROM generate_series(0, 299) g;
INSERT INTO faults.log SELECT '2026-01-01'::timestamptz + g * interval '1 s', nullif('line ' || g, 'line 9')
  FROM generate_series(1, 300) g;
INSERT INTO faults.bag SELECT g / 2, 'thing ' || g / 2 FROM generate_series(0, 399) g;
INSERT INTO faults.parts SELECT g, CASE WHEN g % 2 = 0 THEN 'eu' ELSE 'us' END, g FROM generate_series(0, 199) g;
INSERT INTO faults.parts SELECT g, CASE WHEN g % 2 = 0 THEN 'eu' ELSE 'us' END, g FROM generate_series(1000, 1099) g;
INSERT INTO faults.parts SELECT g, 'old', g FROM generate_series(0, 99) g;
INSERT INTO faults.quiet SELECT g, g FROM generate_series(1, 300) g;
INSERT INTO faults.child SELECT g, g FROM generate_series(1, 200) g;
INSERT INTO faults.applied SELECT g, g, repeat(md5(g::text), 100) FROM generate_series(1, 100) g;
