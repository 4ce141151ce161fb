-- One of everything that a database may hold beside rows; the same on 14 to 18.
ALTER SCHEMA public OWNER TO postgres;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO PUBLIC;

CREATE ROLE app_owner LOGIN CREATEDB CONNECTION LIMIT 40 PASSWORD 'SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$q6/EOUHHVUDuBOPMwsMNaVXZ3MD1dTOnbKOrGBSBAVI=:sYW9Zy2pmBxQ1jZLrdA9qJHsO3RxPbAyKi0dWqJGyKo=';
CREATE ROLE app_reader NOINHERIT;
CREATE ROLE "Odd ""role""" LOGIN VALID UNTIL '2040-01-01 00:00:00+00';
GRANT app_reader TO app_owner WITH ADMIN OPTION;
GRANT pg_monitor TO app_owner, app_reader;
GRANT app_reader TO "Odd ""role""";
ALTER ROLE app_owner SET statement_timeout = '33s';
COMMENT ON ROLE app_owner IS 'owns the application';
ALTER DATABASE postgres SET work_mem = '7MB';
ALTER ROLE app_owner IN DATABASE postgres SET search_path = app, public;
ALTER DATABASE postgres CONNECTION LIMIT 90;
GRANT TEMPORARY ON DATABASE postgres TO app_reader;
GRANT app_owner TO postgres;

CREATE SCHEMA app AUTHORIZATION app_owner;
CREATE SCHEMA "Weird ""S"" ';--";
CREATE SCHEMA ext;
GRANT USAGE ON SCHEMA app TO app_reader;
COMMENT ON SCHEMA app IS 'the application''s';
CREATE EXTENSION hstore WITH SCHEMA ext;
CREATE EXTENSION pg_trgm WITH SCHEMA ext;
CREATE EXTENSION btree_gist WITH SCHEMA ext;
CREATE EXTENSION postgres_fdw WITH SCHEMA ext;
CREATE EXTENSION pg_stat_statements WITH SCHEMA ext;
GRANT SELECT ON ext.pg_stat_statements TO app_reader WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO app_reader;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer) FROM PUBLIC;

-- Types
CREATE TYPE app.mood AS ENUM ('sad', 'it''s ok', 'Very "happy"');
CREATE DOMAIN app.percent AS numeric(5, 2) DEFAULT 0 NOT NULL CONSTRAINT up_to_all CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN app.checked AS text COLLATE "C";
ALTER DOMAIN app.checked ADD CONSTRAINT not_empty CHECK (VALUE <> '') NOT VALID;
CREATE TYPE app.point3 AS (x double precision, y double precision, "Z z" numeric(8, 3));
CREATE TYPE app.price_range AS RANGE (subtype = double precision, subtype_diff = float8mi);
CREATE TYPE app.word;
CREATE FUNCTION app.word_in(cstring) RETURNS app.word LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION app.word_out(app.word) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE app.word (INPUT = app.word_in, OUTPUT = app.word_out, LIKE = text);
CREATE TYPE app.unfinished;
REVOKE USAGE ON TYPE app.mood FROM PUBLIC;
GRANT USAGE ON TYPE app.mood TO app_reader;
COMMENT ON TYPE app.mood IS 'how it feels';

-- Sequences and tables
CREATE SEQUENCE app.tickets AS integer START 10 INCREMENT 5 MINVALUE 10 MAXVALUE 100000 CACHE 20 CYCLE;
GRANT USAGE ON SEQUENCE app.tickets TO app_reader;
CREATE TABLE app.customers (
  id bigint GENERATED ALWAYS AS IDENTITY (START 100) PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  mail text NOT NULL DEFAULT 'none' || '@example.com',
  mood app.mood DEFAULT 'sad',
  share app.percent,
  full_name text GENERATED ALWAYS AS (name || ' <' || mail || '>') STORED,
  place app.point3,
  tags ext.hstore,
  since timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  seen timestamptz DEFAULT '2020-02-03 04:05:06+00',
  CONSTRAINT mail_has_at CHECK (mail LIKE '%@%') NO INHERIT
);
ALTER TABLE app.customers OWNER TO app_owner;
CREATE TABLE app.orders (
  id serial PRIMARY KEY,
  customer bigint NOT NULL CONSTRAINT of_customer REFERENCES app.customers ON DELETE CASCADE ON UPDATE RESTRICT DEFERRABLE INITIALLY DEFERRED,
  code varchar(20) UNIQUE,
  note text,
  total numeric(12, 2) NOT NULL DEFAULT 0,
  during tstzrange,
  ticket integer DEFAULT nextval('app.tickets'),
  CONSTRAINT not_at_once EXCLUDE USING gist (customer WITH =, during WITH &&) DEFERRABLE
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_enabled = false);
ALTER SEQUENCE app.tickets OWNED BY app.orders.ticket;
ALTER TABLE app.orders ADD CONSTRAINT positive CHECK (total >= 0) NOT VALID;
ALTER TABLE app.orders ALTER note SET STORAGE external, ALTER note SET COMPRESSION pglz, ALTER note SET STATISTICS 500;
ALTER TABLE app.orders ALTER total SET (n_distinct = -0.5);
CREATE INDEX orders_note ON app.orders USING gin (note ext.gin_trgm_ops);
CREATE INDEX "Orders by lower ""code""" ON app.orders (lower(code) COLLATE "C" DESC NULLS LAST, total) INCLUDE (note) WHERE total > 0;
ALTER INDEX app."Orders by lower ""code""" ALTER COLUMN 1 SET STATISTICS 300;
CREATE UNIQUE INDEX orders_identity ON app.orders (id, customer);
ALTER TABLE app.orders REPLICA IDENTITY USING INDEX orders_identity;
ALTER TABLE app.orders CLUSTER ON orders_pkey;
CREATE STATISTICS app.orders_stats (ndistinct, dependencies) ON customer, code FROM app.orders;
ALTER STATISTICS app.orders_stats SET STATISTICS 400;
CREATE STATISTICS app.orders_expression ON (lower(code)) FROM app.orders;
GRANT SELECT, INSERT ON app.orders TO app_reader;
GRANT ALL ON app.orders TO "Odd ""role""" WITH GRANT OPTION;
GRANT UPDATE (note, total) ON app.orders TO app_reader;
COMMENT ON TABLE app.orders IS 'every order';
COMMENT ON COLUMN app.orders.note IS 'what they said';
COMMENT ON CONSTRAINT of_customer ON app.orders IS 'kept';
COMMENT ON INDEX app.orders_note IS 'for searching';
CREATE TABLE app.ordered (a integer, b text, c date);
CREATE TABLE app."Weird ""T""" ("Column.1" integer, "a""b" text, "user" text, "ü ß" text, "select" integer DEFAULT 1);
CREATE TABLE "Weird ""S"" ';--"."Weird ""T""" ("Ä" integer PRIMARY KEY, "'" text CHECK ("'" <> '"'));
CREATE INDEX "in.dex" ON "Weird ""S"" ';--"."Weird ""T""" ("'");
-- Key words of newer versions.
CREATE TABLE app."json_table" ("system_user" text, "merge_action" text, "json_scalar" text, "absent" text, "keep" integer,
  CONSTRAINT of_words CHECK ("system_user" <> "merge_action"));
CREATE VIEW app.words AS SELECT j."system_user", j."merge_action", j."json_scalar", j."absent", j."keep" FROM app."json_table" j WHERE j."system_user" <> '';
CREATE UNLOGGED TABLE app.scratch (id integer GENERATED BY DEFAULT AS IDENTITY, v text);
ALTER TABLE app.scratch REPLICA IDENTITY FULL;
CREATE TABLE app.silent (id integer);
ALTER TABLE app.silent REPLICA IDENTITY NOTHING;
CREATE TABLE app.of_type OF app.point3;
CREATE TABLE app.nothing ();

-- Inheritance and partitions
CREATE TABLE app.parent (id integer NOT NULL, v text DEFAULT 'p', CONSTRAINT short CHECK (length(v) < 1000));
CREATE TABLE app.child (extra integer) INHERITS (app.parent);
ALTER TABLE app.child ALTER v SET DEFAULT 'c';
CREATE TABLE app.events (id bigint NOT NULL, region text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE app.events_eu PARTITION OF app.events FOR VALUES IN ('de', 'fr') PARTITION BY RANGE (id);
CREATE TABLE app.events_eu_1 PARTITION OF app.events_eu FOR VALUES FROM (0) TO (1000);
CREATE TABLE app.events_eu_2 PARTITION OF app.events_eu FOR VALUES FROM (1000) TO (MAXVALUE);
CREATE TABLE app.events_other PARTITION OF app.events DEFAULT;
CREATE TABLE app.attached (at timestamptz NOT NULL, region text NOT NULL, id bigint NOT NULL);
ALTER TABLE app.events ATTACH PARTITION app.attached FOR VALUES IN ('us');
CREATE INDEX events_at ON app.events (at);
CREATE TABLE app.hashed (k integer, v text) PARTITION BY HASH (k, lower(v));
CREATE TABLE app.hashed_0 PARTITION OF app.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.event_notes (event bigint, region text, note text,
  CONSTRAINT of_event FOREIGN KEY (event, region) REFERENCES app.events (id, region));
CREATE TABLE app.visits (id bigint, day date NOT NULL, customer bigint REFERENCES app.customers) PARTITION BY RANGE (day);
CREATE TABLE app.visits_2024 PARTITION OF app.visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');

-- Functions
CREATE FUNCTION app.total_of(customer_id bigint, VARIADIC rest text[] DEFAULT '{}') RETURNS numeric
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 50 AS 'SELECT sum(total) FROM app.orders WHERE customer = customer_id';
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
  NEW.note := coalesce(NEW.note, 'touched');
  RETURN NEW;
END $$;
CREATE FUNCTION app.listed(OUT a integer, OUT b app.mood) RETURNS SETOF record LANGUAGE sql ROWS 7 AS $$ SELECT 1, 'sad'::app.mood $$;
CREATE FUNCTION app.modern(a integer, b integer DEFAULT 2) RETURNS integer LANGUAGE sql IMMUTABLE RETURN a + b;
CREATE FUNCTION app.atomic(x bigint) RETURNS SETOF bigint LANGUAGE sql
BEGIN ATOMIC
  SELECT o.id FROM app.orders o WHERE o.customer = x ORDER BY o.id;
END;
CREATE PROCEDURE app."Do ""it"""(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 1; END';
REVOKE EXECUTE ON FUNCTION app.modern FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.modern TO app_reader;
ALTER FUNCTION app.modern OWNER TO app_owner;
COMMENT ON FUNCTION app.modern IS 'adds';
CREATE AGGREGATE app.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1', PARALLEL = safe);
CREATE AGGREGATE app.last_of(anyelement ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = mode_final);
CREATE FUNCTION app.word_equal(app.word, app.word) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'texteq';
CREATE FUNCTION app.word_less(app.word, app.word) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'text_lt';
CREATE FUNCTION app.word_compare(app.word, app.word) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'bttextcmp';
CREATE FUNCTION app.word_text(app.word) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE OPERATOR app.=== (LEFTARG = app.word, RIGHTARG = app.word, FUNCTION = app.word_equal, COMMUTATOR = OPERATOR(app.===), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR app.<<< (LEFTARG = app.word, RIGHTARG = app.word, FUNCTION = app.word_less);
CREATE OPERATOR FAMILY app.words USING btree;
CREATE OPERATOR CLASS app.word_ops FOR TYPE app.word USING btree FAMILY app.words AS
  OPERATOR 1 app.<<<, OPERATOR 3 app.===, FUNCTION 1 app.word_compare(app.word, app.word);
CREATE CAST (app.word AS text) WITH FUNCTION app.word_text(app.word) AS ASSIGNMENT;
CREATE CAST (app.point3 AS text) WITH INOUT;
CREATE FUNCTION app.plother_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE TRUSTED LANGUAGE plother HANDLER app.plother_handler;
CREATE FUNCTION app.word_from_sql(internal) RETURNS internal LANGUAGE internal IMMUTABLE STRICT AS 'numeric_support';
CREATE TRANSFORM FOR app.word LANGUAGE plother (FROM SQL WITH FUNCTION app.word_from_sql(internal));
CREATE COLLATION app.phonebook (LC_COLLATE = 'C.UTF-8', LC_CTYPE = 'C');
CREATE COLLATION app.plain (locale = 'C');
CREATE CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE app.in_heap_too (id integer) USING heap_too;

-- Triggers, rules, policies
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF note ON app.orders FOR EACH ROW WHEN (NEW.total > 0) EXECUTE FUNCTION app.touch();
CREATE TRIGGER always AFTER DELETE ON app.orders REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION app.touch();
ALTER TABLE app.orders ENABLE ALWAYS TRIGGER always;
CREATE TRIGGER "is off" AFTER INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.touch('a', 'it''s');
ALTER TABLE app.orders DISABLE TRIGGER "is off";
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON app.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER on_partitions AFTER INSERT ON app.events FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE RULE keep AS ON DELETE TO app.ordered WHERE OLD.a > 10 DO INSTEAD UPDATE app.ordered SET b = 'kept' WHERE ordered.a = OLD.a;
CREATE RULE told AS ON INSERT TO app.ordered DO ALSO NOTIFY told;
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.orders FOR SELECT TO app_reader, "Odd ""role""" USING (customer = length(CURRENT_USER) AND EXISTS (SELECT FROM app.customers c WHERE c.id = orders.customer));
CREATE POLICY small ON app.orders AS RESTRICTIVE FOR INSERT WITH CHECK (total < 1000000);

-- Views
CREATE VIEW app.simple AS SELECT id, note, total * 2 AS double FROM app.orders WHERE total > 1 AND note <> 'orders.id' ORDER BY total DESC, id LIMIT 10;
CREATE VIEW app.joined WITH (security_barrier) AS
  SELECT o.id, c.name, count(*) OVER (PARTITION BY c.id ORDER BY o.total) AS nth, (SELECT max(x.total) FROM app.orders x WHERE x.customer = o.customer)
  FROM app.orders o JOIN app.customers c ON c.id = o.customer LEFT JOIN LATERAL (SELECT o.total AS most) l ON l.most > 1;
CREATE VIEW app.grouped AS SELECT customer, date_trunc('day', now()) AS day, sum(total) FILTER (WHERE note IS NOT NULL) AS total, array_agg(code ORDER BY code)
  FROM app.orders GROUP BY customer HAVING count(*) > 1 ORDER BY customer;
CREATE VIEW app.grouping_sets AS SELECT customer, code, sum(total), GROUPING(customer) FROM app.orders GROUP BY ROLLUP (customer, code);
CREATE VIEW app.united AS SELECT id FROM app.orders UNION ALL SELECT id FROM app.customers EXCEPT SELECT 1;
CREATE VIEW app.recursive_one AS WITH RECURSIVE t (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT n FROM t;
CREATE VIEW app.whole AS SELECT o, o.note COLLATE "C", EXTRACT(year FROM o.during::text::date), o.total::integer IN (1, 2, 3), CASE WHEN o.id = 1 THEN 'a' ELSE 'b' END AS c,
  o.note LIKE 'a%' AS is_like, (o.code || 'x') ~ '^[a-z]+$' AS is_match, substring(o.note FROM 2 FOR 3) AS part, o.note IS DISTINCT FROM o.code AS d, COALESCE(o.note, '') AS e
  FROM app.orders o;
CREATE VIEW app.updatable AS SELECT id, total FROM app.orders WHERE total < 100 WITH LOCAL CHECK OPTION;
CREATE VIEW app.functions AS SELECT f.a, g.n FROM app.listed() f, generate_series(1, 3) WITH ORDINALITY AS g (n, at);
CREATE VIEW "Weird ""S"" ';--"."a.b" AS SELECT "Ä" AS "'" FROM "Weird ""S"" ';--"."Weird ""T""" WHERE "'" <> 'x"y.z';
CREATE VIEW app.of_view AS SELECT id, "double" FROM app.simple;
ALTER VIEW app.updatable ALTER COLUMN total SET DEFAULT 1;
CREATE MATERIALIZED VIEW app.summary AS SELECT customer, sum(total) AS total FROM app.orders GROUP BY customer;
CREATE UNIQUE INDEX summary_key ON app.summary (customer);
CREATE MATERIALIZED VIEW app.empty_summary AS SELECT id FROM app.orders WITH NO DATA;
GRANT SELECT ON app.simple TO app_reader;
COMMENT ON VIEW app.simple IS 'simple';

-- Privileges by default
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app GRANT SELECT, INSERT ON TABLES TO app_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT ALL ON SEQUENCES TO app_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT ALL ON TABLES TO app_reader;

-- Foreign data
CREATE FOREIGN DATA WRAPPER bare OPTIONS (debug 'true');
CREATE SERVER far TYPE 'postgres' VERSION '9' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example', dbname 'shop', fetch_size '500');
CREATE USER MAPPING FOR app_owner SERVER far OPTIONS (user 'them', password 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'anybody', password 'known');
CREATE FOREIGN TABLE app.remote (id integer OPTIONS (column_name 'ID'), v text) SERVER far OPTIONS (schema_name 's', table_name 't');
GRANT USAGE ON FOREIGN SERVER far TO app_reader;

-- Text search
CREATE TEXT SEARCH DICTIONARY app.english (TEMPLATE = snowball, Language = english, StopWords = english);
CREATE TEXT SEARCH CONFIGURATION app.ours (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION app.ours ALTER MAPPING FOR asciiword, word WITH app.english, simple;
CREATE TEXT SEARCH PARSER app.parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE app.template (INIT = dsimple_init, LEXIZE = dsimple_lexize);

-- Event triggers, publications, large objects
CREATE FUNCTION app.seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION app.seen();
ALTER EVENT TRIGGER watch DISABLE;
CREATE PUBLICATION theirs FOR TABLE app.orders, app.customers WITH (publish = 'insert, update');
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root);
SELECT lo_from_bytea(4711, decode(repeat('00ff10', 5000), 'hex'));
SELECT lo_from_bytea(4712, 'small');
SELECT lo_from_bytea(4713, '');
GRANT SELECT ON LARGE OBJECT 4711 TO app_reader;
ALTER LARGE OBJECT 4712 OWNER TO app_owner;
COMMENT ON LARGE OBJECT 4711 IS 'large';
