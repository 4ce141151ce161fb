CREATE SCHEMA app;
CREATE TABLE app.accounts (
  id bigint PRIMARY KEY,
  balance numeric(12, 2) NOT NULL,
  note text,
  changed timestamptz NOT NULL DEFAULT '2026-01-01 00:00:00+00'
);
CREATE TABLE app."Key Values" ("Key" text PRIMARY KEY, value text);
CREATE TABLE app.pairs (a integer, b uuid, v integer, PRIMARY KEY (b, a));
-- Without a key: rows are only ever added.
CREATE TABLE app.events (at timestamptz NOT NULL, what text NOT NULL);
CREATE TABLE app.by_index (code varchar(20) NOT NULL, v integer, gone integer);
CREATE UNIQUE INDEX by_code ON app.by_index (code);
ALTER TABLE app.by_index REPLICA IDENTITY USING INDEX by_code;
ALTER TABLE app.by_index DROP gone;
CREATE TABLE app.full_keyed (id integer PRIMARY KEY, v text);
ALTER TABLE app.full_keyed REPLICA IDENTITY FULL;
CREATE TABLE app.parts (id integer, k integer, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE app.parts_low PARTITION OF app.parts FOR VALUES FROM (0) TO (50);
CREATE TABLE app.parts_high PARTITION OF app.parts FOR VALUES FROM (50) TO (100) PARTITION BY LIST (k);
CREATE TABLE app.parts_high_rest PARTITION OF app.parts_high DEFAULT;
CREATE TABLE app.wide (id integer PRIMARY KEY, doc jsonb, tags text[], price double precision, big text);
CREATE TABLE app.staging (id bigint PRIMARY KEY, v text);

INSERT INTO app.accounts (id, balance, note) SELECT g, g, 'account ' || g FROM generate_series(0, 1999) g;
INSERT INTO app."Key Values" SELECT 'key ' || g, g FROM generate_series(0, 999) g;
INSERT INTO app.pairs SELECT g, md5(g::text)::uuid, 0 FROM generate_series(0, 299) g;
INSERT INTO app.events SELECT '2026-01-01'::timestamptz + g * interval '1 s', 'event ' || g FROM generate_series(1, 500) g;
INSERT INTO app.by_index SELECT 'c' || g, 0 FROM generate_series(0, 499) g;
INSERT INTO app.full_keyed SELECT g, 'v' FROM generate_series(0, 399) g;
INSERT INTO app.parts SELECT g, g % 100, 'p' FROM generate_series(0, 399) g;
INSERT INTO app.wide SELECT g, '{"n": 0, "a": [1, 2]}', ARRAY['x', NULL], g / 3.0, repeat('big', 3000)
  FROM generate_series(0, 149) g;
INSERT INTO app.staging SELECT g, 'first' FROM generate_series(1, 50) g
