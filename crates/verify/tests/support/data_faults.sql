CREATE SCHEMA x;
CREATE TABLE x.v (
  id int PRIMARY KEY, bool bool, small int2, big int8, num numeric, real float4, double float8, txt text, chr char(5),
  vc varchar, bytes bytea, dt date, ts timestamp, tz timestamptz, iv interval, js json, jb jsonb, ints int[],
  floats float8[], texts text[], id2 uuid, net inet, bits varbit, rng int4range, toast text, vec tsvector, xid8 xid8
);
CREATE FUNCTION x.row(id int) RETURNS SETOF x.v LANGUAGE sql AS $$
  SELECT id, true, 1::int2, 9007199254740993, 1.0, 0::float4, 0::float8, 'word', 'ab'::char(5), NULL::varchar, '\x00ff'::bytea,
    '2024-02-29'::date, '2024-01-01'::timestamp, '2024-01-01 00:00Z'::timestamptz, '1 mon'::interval,
    '{"a": 1, "b": 2}'::json, '{"a": 1, "b": 2}'::jsonb, '{1,NULL,3}'::int[], '{0,1}'::float8[], '{a,""}'::text[],
    '6b2f0c1e-58aa-4f7e-9d5f-0123456789ab'::uuid, '10.1.2.3/8'::inet, B'101'::varbit, '[1,5)'::int4range,
    (SELECT string_agg(md5((g::bigint * id)::text), '') FROM generate_series(1, 2000) g), 'a:1A b:2'::tsvector, '7'::xid8 $$;
INSERT INTO x.v SELECT r.* FROM generate_series(1, 50) g, x.row(g) r;
ALTER TABLE x.v ALTER toast SET STORAGE EXTERNAL;
CREATE TABLE x."Weird "" T" ("Z z" text, pay int, "a'b" int, PRIMARY KEY ("a'b", "Z z"));
INSERT INTO x."Weird "" T" SELECT 'key ' || g, g, g % 7 FROM generate_series(1, 100) g;
CREATE TABLE x.twins (a int, b text);
INSERT INTO x.twins SELECT g, 'b' || g FROM generate_series(1, 20) g;
CREATE TABLE x.parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE x.parts_1 PARTITION OF x.parts FOR VALUES FROM (0) TO (100);
CREATE TABLE x.parts_2 PARTITION OF x.parts FOR VALUES FROM (100) TO (200);
INSERT INTO x.parts SELECT generate_series(0, 199);
CREATE TABLE x.big (id int PRIMARY KEY, v int);
INSERT INTO x.big SELECT g, g FROM generate_series(1, 150000) g;
CREATE PUBLICATION x FOR TABLE x.v, x."Weird "" T", x.twins, x.parts, x.big WITH (publish = 'insert');
