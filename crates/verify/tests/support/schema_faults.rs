//! Faults of a schema, made and undone on a target that holds `schema_rich.sql`.

/// A fault that the comparison has to find.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Makes it.
    pub make: &'static str,
    /// Undoes it.
    pub undo: &'static str,
    /// All that is found: kind, object, and the beginning of the detail.
    pub found: &'static [(&'static str, &'static str, &'static str)],
    /// The first major version of a target that can have it.
    pub from: u16,
}

impl Fault {
    /// Whether it changes what no catalog tells of that everybody may read.
    pub fn escapes_the_stamp(&self) -> bool {
        self.make.starts_with("SELECT lo_put") || self.make.contains("PASSWORD")
    }
}

const fn fault(
    make: &'static str,
    undo: &'static str,
    found: &'static [(&'static str, &'static str, &'static str)],
) -> Fault {
    Fault {
        make,
        undo,
        found,
        from: 14,
    }
}

/// Every fault.
pub const FAULTS: &[Fault] = &[
    // Sequences
    fault(
        "ALTER SEQUENCE app.tickets INCREMENT 6",
        "ALTER SEQUENCE app.tickets INCREMENT 5",
        &[("sequence", "app.tickets", "increment: 5 on the source, 6")],
    ),
    fault(
        "ALTER SEQUENCE app.tickets MAXVALUE 99999 NO CYCLE",
        "ALTER SEQUENCE app.tickets MAXVALUE 100000 CYCLE",
        &[
            ("sequence", "app.tickets", "cycle: true"),
            ("sequence", "app.tickets", "maximum: 100000"),
        ],
    ),
    fault(
        "ALTER SEQUENCE app.tickets OWNED BY NONE",
        "ALTER SEQUENCE app.tickets OWNED BY app.orders.ticket",
        &[(
            "sequence",
            "app.tickets",
            "owned by: app.orders, column ticket on the source, none",
        )],
    ),
    fault(
        "REVOKE USAGE ON SEQUENCE app.tickets FROM app_reader",
        "GRANT USAGE ON SEQUENCE app.tickets TO app_reader",
        &[(
            "sequence",
            "app.tickets",
            "grant USAGE to app_reader: by its owner on the source, none",
        )],
    ),
    // Indexes
    fault(
        "ALTER INDEX app.orders_note RENAME TO gone",
        "ALTER INDEX app.gone RENAME TO orders_note",
        &[
            ("index", "app.gone", "only on the target"),
            ("index", "app.orders_note", "missing on the target"),
            ("comment", "index app.gone", "only on the target"),
            ("comment", "index app.orders_note", "missing on the target"),
        ],
    ),
    fault(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.orders_note'::regclass",
        "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'app.orders_note'::regclass",
        &[(
            "index",
            "app.orders_note",
            "valid: true on the source, false on the target",
        )],
    ),
    fault(
        "UPDATE pg_index SET indisready = false WHERE indexrelid = 'app.orders_note'::regclass",
        "UPDATE pg_index SET indisready = true WHERE indexrelid = 'app.orders_note'::regclass",
        &[("index", "app.orders_note", "ready: true")],
    ),
    fault(
        "DROP INDEX \"Weird \"\"S\"\" ';--\".\"in.dex\"",
        "CREATE INDEX \"in.dex\" ON \"Weird \"\"S\"\" ';--\".\"Weird \"\"T\"\"\" (\"'\")",
        &[("index", "\"Weird \"\"S\"\" ';--\".\"in.dex\"", "missing on the target")],
    ),
    fault(
        "DROP INDEX \"Weird \"\"S\"\" ';--\".\"in.dex\"; CREATE INDEX \"in.dex\" ON \"Weird \"\"S\"\" ';--\".\"Weird \"\"T\"\"\" (\"'\" DESC)",
        "DROP INDEX \"Weird \"\"S\"\" ';--\".\"in.dex\"; CREATE INDEX \"in.dex\" ON \"Weird \"\"S\"\" ';--\".\"Weird \"\"T\"\"\" (\"'\")",
        &[("index", "\"Weird \"\"S\"\" ';--\".\"in.dex\"", "definition: ")],
    ),
    fault(
        "CREATE INDEX extra ON app.ordered (c)",
        "DROP INDEX app.extra",
        &[("index", "app.extra", "only on the target")],
    ),
    fault(
        "ALTER INDEX app.\"Orders by lower \"\"code\"\"\" ALTER COLUMN 1 SET STATISTICS 301",
        "ALTER INDEX app.\"Orders by lower \"\"code\"\"\" ALTER COLUMN 1 SET STATISTICS 300",
        &[(
            "index",
            "app.\"Orders by lower \"\"code\"\"\"",
            "statistics targets: 1: 300 on the source, 1: 301",
        )],
    ),
    fault(
        "ALTER TABLE app.orders SET WITHOUT CLUSTER",
        "ALTER TABLE app.orders CLUSTER ON orders_pkey",
        &[("index", "app.orders_pkey", "used by CLUSTER: true")],
    ),
    // Constraints
    fault(
        "ALTER TABLE app.event_notes DROP CONSTRAINT of_event",
        "ALTER TABLE app.event_notes ADD CONSTRAINT of_event FOREIGN KEY (event, region) REFERENCES app.events (id, region)",
        &[("constraint", "of_event on app.event_notes", "missing on the target")],
    ),
    fault(
        "ALTER TABLE app.event_notes DROP CONSTRAINT of_event; \
         ALTER TABLE app.event_notes ADD CONSTRAINT of_event FOREIGN KEY (event, region) REFERENCES app.events (id, region) ON DELETE CASCADE",
        "ALTER TABLE app.event_notes DROP CONSTRAINT of_event; \
         ALTER TABLE app.event_notes ADD CONSTRAINT of_event FOREIGN KEY (event, region) REFERENCES app.events (id, region)",
        &[("constraint", "of_event on app.event_notes", "definition: ")],
    ),
    fault(
        "ALTER TABLE app.orders VALIDATE CONSTRAINT positive",
        "ALTER TABLE app.orders DROP CONSTRAINT positive; ALTER TABLE app.orders ADD CONSTRAINT positive CHECK (total >= 0) NOT VALID",
        &[(
            "constraint",
            "positive on app.orders",
            "validated: false on the source, true",
        )],
    ),
    fault(
        "UPDATE pg_constraint SET convalidated = false WHERE conname = 'of_customer'",
        "UPDATE pg_constraint SET convalidated = true WHERE conname = 'of_customer'",
        &[(
            "constraint",
            "of_customer on app.orders",
            "validated: true on the source, false",
        )],
    ),
    fault(
        "ALTER TABLE app.orders ALTER CONSTRAINT of_customer NOT DEFERRABLE",
        "ALTER TABLE app.orders ALTER CONSTRAINT of_customer DEFERRABLE INITIALLY DEFERRED",
        &[("constraint", "of_customer on app.orders", "definition: ")],
    ),
    fault(
        "ALTER TABLE app.customers DROP CONSTRAINT mail_has_at; ALTER TABLE app.customers ADD CONSTRAINT mail_has_at CHECK (mail LIKE '%@%')",
        "ALTER TABLE app.customers DROP CONSTRAINT mail_has_at; ALTER TABLE app.customers ADD CONSTRAINT mail_has_at CHECK (mail LIKE '%@%') NO INHERIT",
        &[("constraint", "mail_has_at on app.customers", "definition: ")],
    ),
    fault(
        "ALTER TABLE app.orders DISABLE TRIGGER ALL; ALTER TABLE app.orders ENABLE TRIGGER USER; \
         ALTER TABLE app.orders ENABLE ALWAYS TRIGGER always; ALTER TABLE app.orders DISABLE TRIGGER \"is off\"",
        "ALTER TABLE app.orders ENABLE TRIGGER ALL; ALTER TABLE app.orders ENABLE ALWAYS TRIGGER always; \
         ALTER TABLE app.orders DISABLE TRIGGER \"is off\"",
        &[
            (
                "constraint",
                "not_at_once on app.orders",
                "enforced by triggers: origin on the source, disabled",
            ),
            (
                "constraint",
                "of_customer on app.orders",
                "enforced by triggers: origin on the source, disabled, origin",
            ),
        ],
    ),
    fault(
        "ALTER TABLE app.orders DROP CONSTRAINT orders_code_key",
        "ALTER TABLE app.orders ADD CONSTRAINT orders_code_key UNIQUE (code)",
        &[
            ("constraint", "orders_code_key on app.orders", "missing on the target"),
            ("index", "app.orders_code_key", "missing on the target"),
        ],
    ),
    // Columns
    fault(
        "ALTER TABLE app.ordered ADD d integer",
        "ALTER TABLE app.ordered DROP d",
        &[("column", "app.ordered.d", "only on the target")],
    ),
    fault(
        "ALTER TABLE app.scratch DROP v",
        "ALTER TABLE app.scratch ADD v text",
        &[("column", "app.scratch.v", "missing on the target")],
    ),
    fault(
        "ALTER TABLE app.\"json_table\" RENAME \"keep\" TO kept",
        "ALTER TABLE app.\"json_table\" RENAME kept TO \"keep\"",
        &[
            ("column", "app.json_table.keep", "missing on the target"),
            ("column", "app.json_table.kept", "only on the target"),
            ("relation", "app.words", "definition: "),
        ],
    ),
    fault(
        "ALTER TABLE app.ordered DROP c, ADD c timestamp",
        "ALTER TABLE app.ordered DROP c, ADD c date",
        &[(
            "column",
            "app.ordered.c",
            "type: date on the source, timestamp without time zone",
        )],
    ),
    fault(
        "ALTER TABLE app.scratch DROP v, ADD v varchar(7)",
        "ALTER TABLE app.scratch DROP v, ADD v text",
        &[(
            "column",
            "app.scratch.v",
            "type: text on the source, character varying(7)",
        )],
    ),
    fault(
        "ALTER TABLE app.of_type NOT OF; ALTER TABLE app.of_type DROP x, ADD x double precision",
        "DROP TABLE app.of_type; CREATE TABLE app.of_type OF app.point3",
        &[
            (
                "relation",
                "app.of_type",
                "order of columns: x, y, Z z on the source, y, Z z, x",
            ),
            ("relation", "app.of_type", "row type: app.point3 on the source, none"),
        ],
    ),
    fault(
        "ALTER TABLE app.orders ALTER total SET DEFAULT 1",
        "ALTER TABLE app.orders ALTER total SET DEFAULT 0",
        &[("column", "app.orders.total", "default: 0 on the source, 1")],
    ),
    fault(
        "ALTER TABLE app.orders ALTER ticket DROP DEFAULT",
        "ALTER TABLE app.orders ALTER ticket SET DEFAULT nextval('app.tickets')",
        &[(
            "column",
            "app.orders.ticket",
            "default: nextval('app.tickets'::regclass) on the source, none",
        )],
    ),
    fault(
        "ALTER TABLE app.customers ALTER since DROP NOT NULL",
        "ALTER TABLE app.customers ALTER since SET NOT NULL",
        &[("column", "app.customers.since", "not null: true")],
    ),
    fault(
        "ALTER TABLE app.customers ALTER full_name DROP EXPRESSION",
        "ALTER TABLE app.customers DROP full_name, DROP place, DROP tags, DROP since, DROP seen; ALTER TABLE app.customers \
         ADD full_name text GENERATED ALWAYS AS (name || ' <' || mail || '>') STORED, ADD place app.point3, ADD tags ext.hstore, \
         ADD since timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, ADD seen timestamptz DEFAULT '2020-02-03 04:05:06+00'",
        &[
            ("column", "app.customers.full_name", "default: "),
            (
                "column",
                "app.customers.full_name",
                "generated: stored on the source, none",
            ),
        ],
    ),
    fault(
        "ALTER TABLE app.customers ALTER id SET GENERATED BY DEFAULT",
        "ALTER TABLE app.customers ALTER id SET GENERATED ALWAYS",
        &[(
            "column",
            "app.customers.id",
            "identity: always on the source, by default",
        )],
    ),
    fault(
        "ALTER TABLE app.\"Weird \"\"T\"\"\" ALTER \"ü ß\" TYPE text COLLATE \"C\"",
        "ALTER TABLE app.\"Weird \"\"T\"\"\" ALTER \"ü ß\" TYPE text COLLATE \"default\"",
        &[(
            "column",
            "app.\"Weird \"\"T\"\"\".\"ü ß\"",
            "collation: none on the source, pg_catalog.C",
        )],
    ),
    fault(
        "ALTER TABLE app.orders ALTER note SET STORAGE extended",
        "ALTER TABLE app.orders ALTER note SET STORAGE external",
        &[("column", "app.orders.note", "storage: external on the source, extended")],
    ),
    fault(
        "ALTER TABLE app.orders ALTER note SET COMPRESSION default",
        "ALTER TABLE app.orders ALTER note SET COMPRESSION pglz",
        &[("column", "app.orders.note", "compression: pglz on the source, default")],
    ),
    fault(
        "ALTER TABLE app.orders ALTER note SET STATISTICS -1",
        "ALTER TABLE app.orders ALTER note SET STATISTICS 500",
        &[(
            "column",
            "app.orders.note",
            "statistics target: 500 on the source, none",
        )],
    ),
    fault(
        "ALTER TABLE app.orders ALTER total SET (n_distinct = -0.6)",
        "ALTER TABLE app.orders ALTER total SET (n_distinct = -0.5)",
        &[(
            "column",
            "app.orders.total",
            "option n_distinct: -0.5 on the source, -0.6",
        )],
    ),
    fault(
        "REVOKE UPDATE (note) ON app.orders FROM app_reader",
        "GRANT UPDATE (note) ON app.orders TO app_reader",
        &[(
            "column",
            "app.orders.note",
            "grant UPDATE to app_reader: by its owner on the source, none",
        )],
    ),
    fault(
        "ALTER TABLE app.child NO INHERIT app.parent",
        "ALTER TABLE app.child INHERIT app.parent; UPDATE pg_attribute SET attislocal = false WHERE attrelid = 'app.child'::regclass AND attname IN ('id', 'v'); \
         UPDATE pg_constraint SET conislocal = false WHERE conrelid = 'app.child'::regclass",
        &[
            ("column", "app.child.id", "defined locally: false on the source, true"),
            ("column", "app.child.id", "parents that have it: 1 on the source, 0"),
            ("column", "app.child.v", "defined locally: false on the source, true"),
            ("column", "app.child.v", "parents that have it: 1 on the source, 0"),
            (
                "constraint",
                "short on app.child",
                "defined locally: false on the source, true",
            ),
            (
                "constraint",
                "short on app.child",
                "parents that have it: 1 on the source, 0",
            ),
            ("relation", "app.child", "parents: app.parent on the source, none"),
        ],
    ),
    // Relations
    fault(
        "ALTER TABLE app.ordered RENAME TO \"not here\"",
        "ALTER TABLE app.\"not here\" RENAME TO ordered",
        &[
            ("relation", "app.\"not here\"", "only on the target"),
            ("relation", "app.ordered", "missing on the target"),
        ],
    ),
    fault(
        "ALTER TABLE app.orders OWNER TO app_owner",
        "ALTER TABLE app.orders OWNER TO postgres",
        &[
            ("relation", "app.orders", "owner: postgres on the source, app_owner"),
            (
                "sequence",
                "app.orders_id_seq",
                "owner: postgres on the source, app_owner",
            ),
            ("sequence", "app.tickets", "owner: postgres on the source, app_owner"),
        ],
    ),
    fault(
        "ALTER TABLE app.ordered SET UNLOGGED",
        "ALTER TABLE app.ordered SET LOGGED",
        &[(
            "relation",
            "app.ordered",
            "persistence: permanent on the source, unlogged",
        )],
    ),
    fault(
        "ALTER TABLE app.ordered REPLICA IDENTITY FULL",
        "ALTER TABLE app.ordered REPLICA IDENTITY DEFAULT",
        &[(
            "relation",
            "app.ordered",
            "replica identity: default on the source, full",
        )],
    ),
    fault(
        "ALTER TABLE app.orders SET (fillfactor = 70)",
        "ALTER TABLE app.orders SET (fillfactor = 80)",
        &[("relation", "app.orders", "option fillfactor: 80 on the source, 70")],
    ),
    fault(
        "ALTER TABLE app.orders RESET (toast.autovacuum_enabled)",
        "ALTER TABLE app.orders SET (toast.autovacuum_enabled = false)",
        &[(
            "relation",
            "app.orders",
            "option toast.autovacuum_enabled: false on the source, none",
        )],
    ),
    fault(
        "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap') WHERE oid = 'app.in_heap_too'::regclass",
        "UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname = 'heap_too') WHERE oid = 'app.in_heap_too'::regclass",
        &[(
            "relation",
            "app.in_heap_too",
            "access method: heap_too on the source, heap",
        )],
    ),
    fault(
        "REVOKE INSERT ON app.orders FROM app_reader",
        "GRANT INSERT ON app.orders TO app_reader",
        &[(
            "relation",
            "app.orders",
            "grant INSERT to app_reader: by its owner on the source, none",
        )],
    ),
    fault(
        "GRANT DELETE ON app.ordered TO PUBLIC",
        "REVOKE DELETE ON app.ordered FROM PUBLIC",
        &[(
            "relation",
            "app.ordered",
            "grant DELETE to PUBLIC: none on the source, by its owner",
        )],
    ),
    fault(
        "GRANT SELECT ON app.orders TO app_reader WITH GRANT OPTION",
        "REVOKE GRANT OPTION FOR SELECT ON app.orders FROM app_reader",
        &[(
            "relation",
            "app.orders",
            "grant SELECT to app_reader: by its owner on the source, by its owner with grant option",
        )],
    ),
    Fault {
        make: "GRANT MAINTAIN ON app.orders TO app_reader",
        undo: "REVOKE MAINTAIN ON app.orders FROM app_reader",
        found: &[(
            "relation",
            "app.orders",
            "grant MAINTAIN to app_reader: none on the source, by its owner",
        )],
        from: 17,
    },
    fault(
        "ALTER TABLE app.events DETACH PARTITION app.attached",
        "ALTER TABLE app.events ATTACH PARTITION app.attached FOR VALUES IN ('us')",
        &[
            (
                "column",
                "app.attached.at",
                "defined locally: false on the source, true",
            ),
            ("column", "app.attached.at", "parents that have it: 1"),
            (
                "column",
                "app.attached.id",
                "defined locally: false on the source, true",
            ),
            ("column", "app.attached.id", "parents that have it: 1"),
            (
                "column",
                "app.attached.region",
                "defined locally: false on the source, true",
            ),
            ("column", "app.attached.region", "parents that have it: 1"),
            ("constraint", "attached_pkey on app.attached", "defined locally: false"),
            ("constraint", "attached_pkey on app.attached", "parents that have it: 1"),
            ("index", "app.attached_at_idx", "attached to: app.events_at"),
            ("index", "app.attached_pkey", "attached to: app.events_pkey"),
            ("relation", "app.attached", "parents: app.events on the source, none"),
            ("relation", "app.attached", "partition bound: FOR VALUES IN ('us')"),
            ("trigger", "on_partitions on app.attached", "missing on the target"),
        ],
    ),
    fault(
        "ALTER TABLE app.hashed DETACH PARTITION app.hashed_0; ALTER TABLE app.hashed ATTACH PARTITION app.hashed_0 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "DROP TABLE app.hashed_0; CREATE TABLE app.hashed_0 PARTITION OF app.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        &[(
            "relation",
            "app.hashed_0",
            "partition bound: FOR VALUES WITH (modulus 2, remainder 0) on the source, FOR VALUES WITH (modulus 2, remainder 1)",
        )],
    ),
    fault(
        "DROP TABLE app.visits_2024",
        "CREATE TABLE app.visits_2024 PARTITION OF app.visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        &[("relation", "app.visits_2024", "missing on the target")],
    ),
    // Row security
    fault(
        "ALTER TABLE app.orders DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY",
        &[("relation", "app.orders", "row security: true")],
    ),
    fault(
        "ALTER TABLE app.orders NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE app.orders FORCE ROW LEVEL SECURITY",
        &[("relation", "app.orders", "forced row security: true")],
    ),
    fault(
        "ALTER POLICY small ON app.orders WITH CHECK (total < 1000001)",
        "ALTER POLICY small ON app.orders WITH CHECK (total < 1000000)",
        &[("policy", "small on app.orders", "check: ")],
    ),
    fault(
        "ALTER POLICY own ON app.orders TO app_reader",
        "ALTER POLICY own ON app.orders TO app_reader, \"Odd \"\"role\"\"\"",
        &[(
            "policy",
            "own on app.orders",
            "roles: Odd \"role\", app_reader on the source, app_reader",
        )],
    ),
    fault(
        "DROP POLICY small ON app.orders",
        "CREATE POLICY small ON app.orders AS RESTRICTIVE FOR INSERT WITH CHECK (total < 1000000)",
        &[("policy", "small on app.orders", "missing on the target")],
    ),
    // Triggers and rules
    fault(
        "DROP TRIGGER later ON app.orders",
        "CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON app.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.touch()",
        &[("trigger", "later on app.orders", "missing on the target")],
    ),
    fault(
        "ALTER TABLE app.orders DISABLE TRIGGER touch",
        "ALTER TABLE app.orders ENABLE TRIGGER touch",
        &[(
            "trigger",
            "touch on app.orders",
            "enabled: origin on the source, disabled",
        )],
    ),
    fault(
        "ALTER TABLE app.orders ENABLE REPLICA TRIGGER touch",
        "ALTER TABLE app.orders ENABLE TRIGGER touch",
        &[(
            "trigger",
            "touch on app.orders",
            "enabled: origin on the source, replica",
        )],
    ),
    fault(
        "ALTER TABLE app.attached DISABLE TRIGGER on_partitions",
        "ALTER TABLE app.attached ENABLE TRIGGER on_partitions",
        &[(
            "trigger",
            "on_partitions on app.attached",
            "enabled: origin on the source, disabled",
        )],
    ),
    fault(
        "CREATE TRIGGER extra AFTER INSERT ON app.ordered FOR EACH ROW EXECUTE FUNCTION app.touch()",
        "DROP TRIGGER extra ON app.ordered",
        &[("trigger", "extra on app.ordered", "only on the target")],
    ),
    fault(
        "DROP RULE told ON app.ordered",
        "CREATE RULE told AS ON INSERT TO app.ordered DO ALSO NOTIFY told",
        &[("rule", "told on app.ordered", "missing on the target")],
    ),
    fault(
        "CREATE OR REPLACE RULE keep AS ON DELETE TO app.ordered WHERE OLD.a > 11 DO INSTEAD UPDATE app.ordered SET b = 'kept' WHERE ordered.a = OLD.a",
        "CREATE OR REPLACE RULE keep AS ON DELETE TO app.ordered WHERE OLD.a > 10 DO INSTEAD UPDATE app.ordered SET b = 'kept' WHERE ordered.a = OLD.a",
        &[("rule", "keep on app.ordered", "definition: ")],
    ),
    fault(
        "ALTER TABLE app.ordered DISABLE RULE keep",
        "ALTER TABLE app.ordered ENABLE RULE keep",
        &[("rule", "keep on app.ordered", "enabled: origin on the source, disabled")],
    ),
    // Views
    fault(
        "CREATE OR REPLACE VIEW app.updatable AS SELECT id, total FROM app.orders WHERE total < 101 WITH LOCAL CHECK OPTION",
        "CREATE OR REPLACE VIEW app.updatable AS SELECT id, total FROM app.orders WHERE total < 100 WITH LOCAL CHECK OPTION",
        &[("relation", "app.updatable", "definition: ")],
    ),
    fault(
        "CREATE OR REPLACE VIEW app.words AS SELECT j.\"merge_action\" AS \"system_user\", j.\"merge_action\", j.\"json_scalar\", j.\"absent\", j.\"keep\" FROM app.\"json_table\" j WHERE j.\"system_user\" <> ''",
        "CREATE OR REPLACE VIEW app.words AS SELECT j.\"system_user\", j.\"merge_action\", j.\"json_scalar\", j.\"absent\", j.\"keep\" FROM app.\"json_table\" j WHERE j.\"system_user\" <> ''",
        &[("relation", "app.words", "definition: ")],
    ),
    fault(
        "CREATE OR REPLACE VIEW app.updatable AS SELECT id, total FROM app.orders WHERE total < 100",
        "CREATE OR REPLACE VIEW app.updatable AS SELECT id, total FROM app.orders WHERE total < 100 WITH LOCAL CHECK OPTION",
        &[(
            "relation",
            "app.updatable",
            "option check_option: local on the source, none",
        )],
    ),
    fault(
        "ALTER VIEW app.updatable ALTER COLUMN total DROP DEFAULT",
        "ALTER VIEW app.updatable ALTER COLUMN total SET DEFAULT 1",
        &[("column", "app.updatable.total", "default: 1 on the source, none")],
    ),
    fault(
        "ALTER VIEW app.joined RESET (security_barrier)",
        "ALTER VIEW app.joined SET (security_barrier)",
        &[(
            "relation",
            "app.joined",
            "option security_barrier: true on the source, none",
        )],
    ),
    fault(
        "REFRESH MATERIALIZED VIEW app.summary WITH NO DATA",
        "REFRESH MATERIALIZED VIEW app.summary",
        &[("relation", "app.summary", "populated: true on the source, false")],
    ),
    fault(
        "DROP MATERIALIZED VIEW app.empty_summary; CREATE MATERIALIZED VIEW app.empty_summary AS SELECT id FROM app.orders WHERE id > 0 WITH NO DATA",
        "DROP MATERIALIZED VIEW app.empty_summary; CREATE MATERIALIZED VIEW app.empty_summary AS SELECT id FROM app.orders WITH NO DATA",
        &[("relation", "app.empty_summary", "definition: ")],
    ),
    // Functions
    fault(
        "CREATE OR REPLACE PROCEDURE app.\"Do \"\"it\"\"\"(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 2; END'",
        "CREATE OR REPLACE PROCEDURE app.\"Do \"\"it\"\"\"(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 1; END'",
        &[("function", "app.\"Do \"\"it\"\"\"(integer)", "source: differs")],
    ),
    fault(
        "CREATE OR REPLACE FUNCTION app.atomic(x bigint) RETURNS SETOF bigint LANGUAGE sql BEGIN ATOMIC SELECT o.id FROM app.orders o WHERE o.customer = x ORDER BY o.code; END",
        "CREATE OR REPLACE FUNCTION app.atomic(x bigint) RETURNS SETOF bigint LANGUAGE sql BEGIN ATOMIC SELECT o.id FROM app.orders o WHERE o.customer = x ORDER BY o.id; END",
        &[("function", "app.atomic(bigint)", "body: ")],
    ),
    fault(
        "ALTER FUNCTION app.total_of VOLATILE",
        "ALTER FUNCTION app.total_of STABLE",
        &[(
            "function",
            "app.total_of(bigint, text[])",
            "volatility: stable on the source, volatile",
        )],
    ),
    fault(
        "ALTER FUNCTION app.total_of PARALLEL UNSAFE COST 51 CALLED ON NULL INPUT",
        "ALTER FUNCTION app.total_of PARALLEL SAFE COST 50 STRICT",
        &[
            ("function", "app.total_of(bigint, text[])", "cost: 50 on the source, 51"),
            (
                "function",
                "app.total_of(bigint, text[])",
                "parallel: safe on the source, unsafe",
            ),
            ("function", "app.total_of(bigint, text[])", "strict: true"),
        ],
    ),
    fault(
        "ALTER FUNCTION app.touch SECURITY INVOKER",
        "ALTER FUNCTION app.touch SECURITY DEFINER",
        &[("function", "app.touch()", "security definer: true")],
    ),
    fault(
        "ALTER FUNCTION app.touch RESET search_path",
        "ALTER FUNCTION app.touch SET search_path = app, pg_temp",
        &[(
            "function",
            "app.touch()",
            "setting search_path: app, pg_temp on the source, none",
        )],
    ),
    fault(
        "CREATE OR REPLACE FUNCTION app.modern(a integer, b integer DEFAULT 3) RETURNS integer LANGUAGE sql IMMUTABLE RETURN a + b",
        "CREATE OR REPLACE FUNCTION app.modern(a integer, b integer DEFAULT 2) RETURNS integer LANGUAGE sql IMMUTABLE RETURN a + b",
        &[("function", "app.modern(integer, integer)", "parameters: ")],
    ),
    fault(
        "GRANT EXECUTE ON FUNCTION app.modern TO PUBLIC",
        "REVOKE EXECUTE ON FUNCTION app.modern FROM PUBLIC",
        &[(
            "function",
            "app.modern(integer, integer)",
            "grant EXECUTE to PUBLIC: none on the source, by its owner",
        )],
    ),
    fault(
        "ALTER FUNCTION app.listed() RENAME TO lost",
        "ALTER FUNCTION app.lost() RENAME TO listed",
        &[
            ("function", "app.listed()", "missing on the target"),
            ("function", "app.lost()", "only on the target"),
            ("relation", "app.functions", "definition: "),
        ],
    ),
    fault(
        "DROP AGGREGATE app.product(numeric); CREATE AGGREGATE app.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '2', PARALLEL = safe)",
        "DROP AGGREGATE app.product(numeric); CREATE AGGREGATE app.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1', PARALLEL = safe)",
        &[("function", "app.product(numeric)", "initial value: 1 on the source, 2")],
    ),
    // Types
    fault(
        "ALTER TYPE app.mood ADD VALUE 'new' BEFORE 'sad'",
        "DELETE FROM pg_enum WHERE enumlabel = 'new'",
        &[(
            "type",
            "app.mood",
            "labels: sad, it's ok, Very \"happy\" on the source, new, sad",
        )],
    ),
    fault(
        "UPDATE pg_enum SET enumsortorder = -enumsortorder WHERE enumtypid = 'app.mood'::regtype",
        "UPDATE pg_enum SET enumsortorder = -enumsortorder WHERE enumtypid = 'app.mood'::regtype",
        &[(
            "type",
            "app.mood",
            "labels: sad, it's ok, Very \"happy\" on the source, Very \"happy\", it's ok, sad",
        )],
    ),
    fault(
        "ALTER DOMAIN app.percent DROP CONSTRAINT up_to_all; ALTER DOMAIN app.percent ADD CONSTRAINT up_to_all CHECK (VALUE BETWEEN 0 AND 101)",
        "ALTER DOMAIN app.percent DROP CONSTRAINT up_to_all; ALTER DOMAIN app.percent ADD CONSTRAINT up_to_all CHECK (VALUE BETWEEN 0 AND 100)",
        &[("type", "app.percent", "check up_to_all: ")],
    ),
    fault(
        "ALTER DOMAIN app.percent DROP NOT NULL",
        "ALTER DOMAIN app.percent SET NOT NULL",
        &[("type", "app.percent", "not null: true")],
    ),
    fault(
        "ALTER DOMAIN app.percent SET DEFAULT 1",
        "ALTER DOMAIN app.percent SET DEFAULT 0",
        &[("type", "app.percent", "default: ")],
    ),
    fault(
        "ALTER TYPE app.price_range OWNER TO app_owner",
        "ALTER TYPE app.price_range OWNER TO postgres",
        &[("type", "app.price_range", "owner: postgres on the source, app_owner")],
    ),
    fault(
        "GRANT USAGE ON TYPE app.mood TO PUBLIC",
        "REVOKE USAGE ON TYPE app.mood FROM PUBLIC",
        &[(
            "type",
            "app.mood",
            "grant USAGE to PUBLIC: none on the source, by its owner",
        )],
    ),
    fault(
        "DROP TYPE app.unfinished",
        "CREATE TYPE app.unfinished",
        &[("type", "app.unfinished", "missing on the target")],
    ),
    // Schemas, extensions, privileges
    fault(
        "ALTER SCHEMA app OWNER TO postgres",
        "ALTER SCHEMA app OWNER TO app_owner",
        &[("schema", "app", "owner: app_owner on the source, postgres")],
    ),
    fault(
        "REVOKE USAGE ON SCHEMA app FROM app_reader",
        "GRANT USAGE ON SCHEMA app TO app_reader",
        &[(
            "schema",
            "app",
            "grant USAGE to app_reader: by its owner on the source, none",
        )],
    ),
    fault(
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        &[(
            "schema",
            "public",
            "grant CREATE to PUBLIC: none on the source, by its owner",
        )],
    ),
    fault(
        "DROP EXTENSION btree_gist CASCADE",
        "CREATE EXTENSION btree_gist WITH SCHEMA ext; ALTER TABLE app.orders ADD CONSTRAINT not_at_once EXCLUDE USING gist (customer WITH =, during WITH &&) DEFERRABLE",
        &[
            ("constraint", "not_at_once on app.orders", "missing on the target"),
            ("comment", "extension btree_gist", "missing on the target"),
            ("extension", "btree_gist", "missing on the target"),
            ("index", "app.not_at_once", "missing on the target"),
        ],
    ),
    fault(
        "UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'hstore'",
        "UPDATE pg_extension SET extversion = '1.8' WHERE extname = 'hstore'",
        &[("extension", "hstore", "version: 1.8 on the source, 1.0")],
    ),
    fault(
        "ALTER EXTENSION hstore SET SCHEMA public",
        "ALTER EXTENSION hstore SET SCHEMA ext",
        &[
            (
                "column",
                "app.customers.tags",
                "type: ext.hstore on the source, public.hstore",
            ),
            (
                "extension",
                "hstore",
                "schema of its objects: ext on the source, public",
            ),
        ],
    ),
    fault(
        "REVOKE SELECT ON ext.pg_stat_statements FROM app_reader",
        "GRANT SELECT ON ext.pg_stat_statements TO app_reader WITH GRANT OPTION",
        &[(
            "system grant",
            "view ext.pg_stat_statements",
            "grant SELECT to app_reader: given with grant option on the source, none",
        )],
    ),
    fault(
        "GRANT EXECUTE ON FUNCTION pg_catalog.lo_creat(integer) TO PUBLIC",
        "REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer) FROM PUBLIC",
        &[(
            "system grant",
            "function pg_catalog.lo_creat(integer)",
            "grant EXECUTE to PUBLIC: revoked on the source, none",
        )],
    ),
    fault(
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app REVOKE INSERT ON TABLES FROM app_reader",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app GRANT INSERT ON TABLES TO app_reader",
        &[(
            "default privileges",
            "of app_owner for tables in schema app",
            "grant INSERT to app_reader: given on the source, none",
        )],
    ),
    fault(
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        &[(
            "default privileges",
            "of app_owner for functions",
            "missing on the target",
        )],
    ),
    fault(
        "CREATE SCHEMA extra",
        "DROP SCHEMA extra",
        &[("schema", "extra", "only on the target")],
    ),
    // Statistics and comments
    fault(
        "DROP STATISTICS app.orders_expression",
        "CREATE STATISTICS app.orders_expression ON (lower(code)) FROM app.orders",
        &[("statistics object", "app.orders_expression", "missing on the target")],
    ),
    fault(
        "ALTER STATISTICS app.orders_stats SET STATISTICS -1",
        "ALTER STATISTICS app.orders_stats SET STATISTICS 400",
        &[(
            "statistics object",
            "app.orders_stats",
            "statistics target: 400 on the source, none",
        )],
    ),
    fault(
        "COMMENT ON COLUMN app.orders.note IS 'what he said'",
        "COMMENT ON COLUMN app.orders.note IS 'what they said'",
        &[(
            "comment",
            "table column app.orders.note",
            "text: what they said on the source, what he said",
        )],
    ),
    // Text search, operators, casts, languages, collations
    fault(
        "ALTER TEXT SEARCH CONFIGURATION app.ours ALTER MAPPING FOR asciiword WITH simple, app.english",
        "ALTER TEXT SEARCH CONFIGURATION app.ours ALTER MAPPING FOR asciiword WITH app.english, simple",
        &[(
            "text search configuration",
            "app.ours",
            "dictionaries for asciiword: app.english, simple on the source, simple, app.english",
        )],
    ),
    fault(
        "ALTER TEXT SEARCH DICTIONARY app.english (StopWords = german)",
        "ALTER TEXT SEARCH DICTIONARY app.english (StopWords = english)",
        &[("text search dictionary", "app.english", "options: ")],
    ),
    fault(
        "DROP CAST (app.point3 AS text)",
        "CREATE CAST (app.point3 AS text) WITH INOUT",
        &[("cast", "app.point3 as text", "missing on the target")],
    ),
    fault(
        "DROP CAST (app.word AS text); CREATE CAST (app.word AS text) WITH FUNCTION app.word_text(app.word) AS IMPLICIT",
        "DROP CAST (app.word AS text); CREATE CAST (app.word AS text) WITH FUNCTION app.word_text(app.word) AS ASSIGNMENT",
        &[("cast", "app.word as text", "conversion: in assignments, by function")],
    ),
    fault(
        "ALTER OPERATOR app.=== (app.word, app.word) SET (RESTRICT = NONE)",
        "ALTER OPERATOR app.=== (app.word, app.word) SET (RESTRICT = eqsel)",
        &[("operator", "app.===(app.word,app.word)", "restriction estimator: ")],
    ),
    fault(
        "ALTER OPERATOR CLASS app.word_ops USING btree OWNER TO app_owner",
        "ALTER OPERATOR CLASS app.word_ops USING btree OWNER TO postgres",
        &[(
            "operator class",
            "app.word_ops for btree",
            "owner: postgres on the source, app_owner",
        )],
    ),
    fault(
        "ALTER OPERATOR FAMILY app.words USING btree ADD OPERATOR 1 pg_catalog.< (text, text)",
        "ALTER OPERATOR FAMILY app.words USING btree DROP OPERATOR 1 (text, text)",
        &[(
            "operator family",
            "app.words for btree",
            "operator 1 (text, text): none on the source",
        )],
    ),
    fault(
        "DROP TRANSFORM FOR app.word LANGUAGE plother",
        "CREATE TRANSFORM FOR app.word LANGUAGE plother (FROM SQL WITH FUNCTION app.word_from_sql(internal))",
        &[("transform", "app.word for plother", "missing on the target")],
    ),
    fault(
        "GRANT USAGE ON LANGUAGE plother TO app_reader",
        "REVOKE USAGE ON LANGUAGE plother FROM app_reader",
        &[(
            "language",
            "plother",
            "grant USAGE to app_reader: none on the source, by its owner",
        )],
    ),
    fault(
        "DROP COLLATION app.plain; CREATE COLLATION app.plain (locale = 'POSIX')",
        "DROP COLLATION app.plain; CREATE COLLATION app.plain (locale = 'C')",
        &[
            (
                "collation",
                "app.plain",
                "character classification: C on the source, POSIX",
            ),
            ("collation", "app.plain", "locale: C on the source, POSIX"),
        ],
    ),
    fault(
        "DROP CONVERSION app.latin",
        "CREATE CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
        &[("conversion", "app.latin", "missing on the target")],
    ),
    // Foreign data
    fault(
        "ALTER SERVER far OPTIONS (SET host 'near.example')",
        "ALTER SERVER far OPTIONS (SET host 'far.example')",
        &[(
            "foreign server",
            "far",
            "option host: far.example on the source, near.example",
        )],
    ),
    fault(
        "ALTER USER MAPPING FOR app_owner SERVER far OPTIONS (SET password 'other')",
        "ALTER USER MAPPING FOR app_owner SERVER far OPTIONS (SET password 'secret')",
        &[(
            "user mapping",
            "of app_owner for server far",
            "option password: differs (not shown)",
        )],
    ),
    fault(
        "DROP USER MAPPING FOR PUBLIC SERVER far",
        "CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'anybody', password 'known')",
        &[("user mapping", "of public for server far", "missing on the target")],
    ),
    fault(
        "ALTER FOREIGN TABLE app.remote ALTER id OPTIONS (SET column_name 'id')",
        "ALTER FOREIGN TABLE app.remote ALTER id OPTIONS (SET column_name 'ID')",
        &[("column", "app.remote.id", "option column_name: ID on the source, id")],
    ),
    fault(
        "ALTER FOREIGN TABLE app.remote OPTIONS (SET table_name 'u')",
        "ALTER FOREIGN TABLE app.remote OPTIONS (SET table_name 't')",
        &[("relation", "app.remote", "option table_name: t on the source, u")],
    ),
    fault(
        "ALTER FOREIGN DATA WRAPPER bare OPTIONS (SET debug 'false')",
        "ALTER FOREIGN DATA WRAPPER bare OPTIONS (SET debug 'true')",
        &[(
            "foreign data wrapper",
            "bare",
            "option debug: true on the source, false",
        )],
    ),
    // The database and its server
    fault(
        "ALTER EVENT TRIGGER watch ENABLE",
        "ALTER EVENT TRIGGER watch DISABLE",
        &[("event trigger", "watch", "enabled: disabled on the source, origin")],
    ),
    fault(
        "DROP EVENT TRIGGER watch",
        "CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION app.seen(); ALTER EVENT TRIGGER watch DISABLE",
        &[("event trigger", "watch", "missing on the target")],
    ),
    fault(
        "ALTER PUBLICATION theirs SET (publish = 'insert')",
        "ALTER PUBLICATION theirs SET (publish = 'insert, update')",
        &[("publication", "theirs", "actions: insert, update on the source, insert")],
    ),
    fault(
        "ALTER PUBLICATION theirs DROP TABLE app.customers",
        "ALTER PUBLICATION theirs ADD TABLE app.customers",
        &[(
            "publication",
            "theirs",
            "table app.customers: published on the source, none",
        )],
    ),
    Fault {
        make: "ALTER PUBLICATION theirs SET TABLE app.customers, app.orders (id, customer) WHERE (id > 0)",
        undo: "ALTER PUBLICATION theirs SET TABLE app.customers, app.orders",
        found: &[(
            "publication",
            "theirs",
            "table app.orders: published on the source, published columns id, customer where (id > 0)",
        )],
        from: 15,
    },
    fault(
        "SELECT lo_unlink(4712)",
        "SELECT lo_from_bytea(4712, 'small'); ALTER LARGE OBJECT 4712 OWNER TO app_owner",
        &[("large object", "4712", "missing on the target")],
    ),
    fault(
        "SELECT lo_put(4711, 9000, '\\x01')",
        "SELECT lo_put(4711, 9000, '\\x00')",
        &[("large object", "4711", "content: differs")],
    ),
    fault(
        "SELECT lo_put(4711, 15000, '\\x00')",
        "SELECT lo_truncate(lo_open(4711, 131072), 15000)",
        &[("large object", "4711", "bytes: 15000 on the source, 15001")],
    ),
    fault(
        "REVOKE SELECT ON LARGE OBJECT 4711 FROM app_reader",
        "GRANT SELECT ON LARGE OBJECT 4711 TO app_reader",
        &[("large object", "4711", "privileges: ")],
    ),
    fault(
        "ALTER DATABASE postgres SET work_mem = '8MB'",
        "ALTER DATABASE postgres SET work_mem = '7MB'",
        &[("setting", "this database", "work_mem: 7MB on the source, 8MB")],
    ),
    fault(
        "ALTER ROLE app_owner IN DATABASE postgres RESET search_path",
        "ALTER ROLE app_owner IN DATABASE postgres SET search_path = app, public",
        &[(
            "setting",
            "role app_owner in this database",
            "search_path: app, public on the source, none",
        )],
    ),
    fault(
        "ALTER DATABASE postgres CONNECTION LIMIT 80",
        "ALTER DATABASE postgres CONNECTION LIMIT 90",
        &[("database", "this database", "connection limit: 90 on the source, 80")],
    ),
    fault(
        "REVOKE TEMPORARY ON DATABASE postgres FROM app_reader",
        "GRANT TEMPORARY ON DATABASE postgres TO app_reader",
        &[(
            "database",
            "this database",
            "grant TEMPORARY to app_reader: by its owner on the source, none",
        )],
    ),
    fault(
        "ALTER ROLE app_owner NOCREATEDB",
        "ALTER ROLE app_owner CREATEDB",
        &[("role", "app_owner", "creates databases: true")],
    ),
    fault(
        "ALTER ROLE app_owner PASSWORD 'another'",
        "ALTER ROLE app_owner PASSWORD 'SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$q6/EOUHHVUDuBOPMwsMNaVXZ3MD1dTOnbKOrGBSBAVI=:sYW9Zy2pmBxQ1jZLrdA9qJHsO3RxPbAyKi0dWqJGyKo='",
        &[("role", "app_owner", "password: differs (not shown)")],
    ),
    fault(
        "REVOKE app_reader FROM app_owner",
        "GRANT app_reader TO app_owner WITH ADMIN OPTION",
        &[(
            "role",
            "app_owner",
            "member of app_reader: member, may grant it, inherits, may set role on the source, none",
        )],
    ),
    fault(
        "ALTER ROLE app_owner RESET statement_timeout",
        "ALTER ROLE app_owner SET statement_timeout = '33s'",
        &[(
            "setting",
            "role app_owner",
            "statement_timeout: 33s on the source, none",
        )],
    ),
    fault(
        "CREATE ROLE extra",
        "DROP ROLE extra",
        &[("role", "extra", "only on the target")],
    ),
    Fault {
        make: "GRANT SET ON PARAMETER log_statement TO app_owner",
        undo: "REVOKE SET ON PARAMETER log_statement FROM app_owner",
        found: &[(
            "configuration parameter",
            "log_statement",
            "grant SET to app_owner: none on the source, given",
        )],
        from: 15,
    },
];
