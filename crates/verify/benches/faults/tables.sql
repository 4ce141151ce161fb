-- Tables whose rows are made wrong on one side. Writers of the bench keep off rows that faults are made in.
CREATE SCHEMA faults;
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE TYPE faults.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN faults.percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE faults.spot AS (x integer, label text);

-- A value of every kind.
CREATE TABLE faults.kinds (
  id bigint PRIMARY KEY,
  flag boolean,
  small smallint,
  n integer,
  large bigint,
  r real,
  d double precision,
  num numeric,
  cash money,
  t text,
  v varchar(50),
  c char(10),
  blank bpchar,
  ci public.citext,
  b bytea,
  bits bit(8),
  vbits bit varying(20),
  day date,
  at timestamp,
  tz timestamptz,
  clock time,
  clock_tz timetz,
  span interval,
  j json,
  jb jsonb,
  markup xml,
  u uuid,
  net inet,
  mac macaddr,
  ints integer[],
  words text[],
  floats double precision[],
  whole int4range,
  exact numrange,
  many int4multirange,
  mood faults.mood,
  share faults.percent,
  spot faults.spot,
  place point,
  lexemes tsvector,
  toasted text
);
ALTER TABLE faults.kinds ALTER toasted SET STORAGE EXTERNAL;

CREATE TABLE faults."Weird ""T""" ("Ke""y" text PRIMARY KEY, v integer);
CREATE TABLE faults.by_uuid (id uuid PRIMARY KEY, v integer);
CREATE TABLE faults.by_pair (a integer, b text, v integer, PRIMARY KEY (b, a));
CREATE TABLE faults.by_index (gone integer, code varchar(20) NOT NULL, v integer);
CREATE UNIQUE INDEX by_code ON faults.by_index (code);
ALTER TABLE faults.by_index REPLICA IDENTITY USING INDEX by_code;
ALTER TABLE faults.by_index DROP gone;
CREATE TABLE faults.full_keyed (id integer PRIMARY KEY, v text);
ALTER TABLE faults.full_keyed REPLICA IDENTITY FULL;
CREATE TABLE faults.by_numeric (id numeric PRIMARY KEY, v integer);
CREATE TABLE faults.by_citext (id public.citext PRIMARY KEY, v integer);
-- Without a key: one only ever grows, the other has rows changed and removed.
CREATE TABLE faults.log (at timestamptz, what text);
CREATE TABLE faults.bag (n integer, what text);
ALTER TABLE faults.bag REPLICA IDENTITY FULL;
CREATE TABLE faults.parts (id integer, region text, v integer, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE faults.parts_eu PARTITION OF faults.parts FOR VALUES IN ('eu');
CREATE TABLE faults.parts_us PARTITION OF faults.parts FOR VALUES IN ('us');
CREATE TABLE faults.parts_old PARTITION OF faults.parts FOR VALUES IN ('old');
CREATE TABLE faults.quiet (id bigint PRIMARY KEY, v integer);
CREATE TABLE faults.child (id integer PRIMARY KEY, kind bigint REFERENCES faults.kinds);
CREATE TABLE faults.applied (id integer PRIMARY KEY, v integer, toasted text);
ALTER TABLE faults.applied ALTER toasted SET STORAGE EXTERNAL;

-- What is not replicated.
CREATE UNLOGGED TABLE faults.brief (id integer PRIMARY KEY);
INSERT INTO faults.brief VALUES (1);
CREATE TABLE faults.unpublished (id integer PRIMARY KEY);
INSERT INTO faults.unpublished VALUES (1);
CREATE MATERIALIZED VIEW faults.summary AS SELECT count(*) AS n FROM faults.unpublished;
CREATE SEQUENCE faults.tickets;
SELECT setval('faults.tickets', 42);
SELECT lo_from_bytea(4711, convert_to(repeat('large object ', 500), 'UTF8')), lo_from_bytea(4712, 'small');
