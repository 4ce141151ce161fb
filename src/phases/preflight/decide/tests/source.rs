//! What is found on the source server, in its databases and tables.
use super::*;

#[test]
fn wal_level_may_only_be_changed_with_leave_to_restart() {
    use LogicalReplicationPolicy::{Enable, Require};
    use RestartPolicy::{Immediately, Never};
    const REFUSED: &[Expected] = &[(
        "Blocking WalLevelNotLogical",
        "spec.source.logicalReplication",
        "wal_level is replica",
    )];
    check(&[
        ("Require", |case| case.logical_replication(Require, Never), REFUSED),
        (
            "Require with restart",
            |case| case.logical_replication(Require, Immediately),
            REFUSED,
        ),
        (
            "Enable without restart",
            |case| case.logical_replication(Enable, Never),
            REFUSED,
        ),
        (
            "Enable with restart",
            |case| case.logical_replication(Enable, Immediately),
            &[],
        ),
    ]);
}

#[test]
fn the_source_server() {
    check(&[
        (
            "fsync",
            |case| case.source().fsync = false,
            &[("Blocking FsyncOff", "source", "fsync is off")],
        ),
        ("just enough slots", |case| case.source().slots = (10, 7), &[]),
        (
            "one slot too few",
            |case| case.source().slots = (10, 8),
            &[(
                "Blocking NotEnoughSlots",
                "source",
                "max_replication_slots is 10 and 8 are in use, 3 more needed",
            )],
        ),
        (
            "just enough WAL senders",
            |case| case.source().wal_senders = (5, 4),
            &[],
        ),
        (
            "one WAL sender too few",
            |case| case.source().wal_senders = (5, 5),
            &[(
                "Blocking NotEnoughSlots",
                "source",
                "max_wal_senders is 5 and 5 are in use, 1 more needed",
            )],
        ),
        (
            "slots time out",
            |case| case.source().idle_slot_timeout = 1,
            &[("Blocking IdleSlotTimeout", "source", "idle_replication_slot_timeout")],
        ),
        (
            "no CREATEROLE",
            |case| case.source().may_create_roles = false,
            &[("Blocking PermissionDenied", "source", "CREATEROLE")],
        ),
        (
            "no rds_replication",
            |case| case.source().may_replicate = false,
            &[("Blocking PermissionDenied", "source", "GRANT rds_replication")],
        ),
        (
            "no subscriptions",
            |case| case.source().subscribing_denied = true,
            &[("Blocking PermissionDenied", "source", "pg_create_subscription")],
        ),
        (
            "others' slots",
            |case| case.source().other_slots = vec!["cdc".to_owned(), "dwh".to_owned()],
            &[
                ("Warning OtherSlots", "slot cdc", "its consumer"),
                ("Warning OtherSlots", "slot dwh", "its consumer"),
            ],
        ),
        (
            "prepared",
            |case| case.source().prepared = vec!["xa-1".to_owned(), "xa-2".to_owned()],
            &[
                ("Blocking PreparedTransaction", "source", "prepared transaction xa-1"),
                ("Blocking PreparedTransaction", "source", "prepared transaction xa-2"),
            ],
        ),
        (
            "a subscriber",
            |case| case.source().subscriptions = vec!["feed".to_owned()],
            &[("Blocking SourceIsSubscriber", "source", "subscription feed writes")],
        ),
        (
            "ddl is logged",
            |case| case.source().log_statement = "ddl".to_owned(),
            &[("Warning StatementsLogged", "source", "log_statement is ddl")],
        ),
        (
            "mod is logged",
            |case| case.source().log_statement = "mod".to_owned(),
            &[("Warning StatementsLogged", "source", "log_statement is mod")],
        ),
        (
            "all is logged",
            |case| case.source().log_statement = "all".to_owned(),
            &[("Warning StatementsLogged", "source", "log_statement is all")],
        ),
    ]);
}

#[test]
fn databases_and_tables() {
    const LISTED: &str = "spec.databases[].replicaIdentities";
    check(&[
        (
            "two databases with tables",
            |case| case.source().databases.push(database("stock")),
            &[("Blocking SeveralDatabases", "source", "orders, stock have tables")],
        ),
        (
            "no tables",
            |case| case.database().tables.clear(),
            &[("Blocking NoTables", "source", "no database")],
        ),
        (
            "no such database",
            |case| case.spec.databases[0].name = "order".to_owned(),
            &[(
                "Blocking DatabaseNotFound",
                "spec.databases",
                "database order does not exist",
            )],
        ),
        (
            "no schema may be made",
            |case| case.database().may_create = false,
            &[("Blocking PermissionDenied", "orders", "GRANT CREATE ON DATABASE")],
        ),
        (
            "a publication of everything",
            |case| case.database().publications_for_all_tables = vec!["cdc".to_owned()],
            &[(
                "Blocking PublicationForAllTables",
                "orders: publication cdc",
                "marker tables",
            )],
        ),
        (
            "an event trigger",
            |case| case.database().event_triggers = vec!["audit_ddl".to_owned()],
            &[("Warning EventTrigger", "orders: event trigger audit_ddl", "it fires")],
        ),
        (
            "an invalid index",
            |case| case.database().invalid_indexes = vec!["public.i".to_owned()],
            &[("Warning InvalidIndex", "orders: index public.i", "drop or rebuild it")],
        ),
        (
            "large objects",
            |case| case.database().large_objects = 3,
            &[("Blocking LargeObjects", "orders", "3 large objects")],
        ),
        (
            "an unknown table is listed",
            |case| case.list("public.lines", IdentityKind::Full, None),
            &[(
                "Blocking TableNotFound",
                LISTED,
                "table public.lines does not exist in orders",
            )],
        ),
        (
            "another's table",
            |case| case.table().owned = false,
            &[(
                "Blocking PermissionDenied",
                "orders.public.line",
                "owner shop; GRANT shop TO it",
            )],
        ),
        (
            "unlogged, which needs no identity",
            |case| {
                case.table().unlogged = true;
                case.table().identity_usable = false;
            },
            &[("Warning UnloggedTables", "orders.public.line", "not replicated")],
        ),
        (
            "partitioned, which needs no identity",
            |case| {
                case.table().partitioned = true;
                case.table().identity_usable = false;
            },
            &[],
        ),
    ]);
}

const NONE: &[Expected] = &[(
    "Blocking NoReplicaIdentity",
    "orders.public.line",
    "no primary key or other replica identity",
)];
const NOT_FULL: &[Expected] = &[("Blocking ReplicaIdentityFull", "orders.public.line", "no equality")];

#[test]
fn replica_identities_by_policy() {
    use ReplicaIdentityPolicy::{Require, SetIndex, SetIndexOrFull};
    check(&[
        ("Require", |case| _ = case.without_identity(Require, &[]), NONE),
        (
            "Require sets no index",
            |case| _ = case.without_identity(Require, &["u"]),
            NONE,
        ),
        ("SetIndex", |case| _ = case.without_identity(SetIndex, &["u"]), &[]),
        (
            "SetIndex without one that fits",
            |case| _ = case.without_identity(SetIndex, &[]),
            NONE,
        ),
        (
            "SetIndexOrFull",
            |case| _ = case.without_identity(SetIndexOrFull, &[]),
            &[],
        ),
        (
            "SetIndexOrFull without equality",
            |case| {
                case.without_identity(SetIndexOrFull, &[]).without_equality = true;
            },
            NOT_FULL,
        ),
        (
            "SetIndexOrFull takes the index first",
            |case| {
                case.without_identity(SetIndexOrFull, &["u"]).without_equality = true;
            },
            &[],
        ),
        (
            "a usable identity stays",
            |case| case.table().without_equality = true,
            &[],
        ),
    ]);
}

#[test]
fn replica_identities_by_table() {
    use IdentityKind::{Full, Index, InsertOnly};
    use ReplicaIdentityPolicy::{Require, SetIndexOrFull};
    const TABLE: &str = "public.line";
    check(&[
        (
            "an index that fits",
            |case| {
                case.without_identity(Require, &["a", "b"]);
                case.list(TABLE, Index, Some("b"));
            },
            &[],
        ),
        (
            "an index that does not",
            |case| {
                case.without_identity(SetIndexOrFull, &["a", "b"]);
                case.list(TABLE, Index, Some("c"));
            },
            &[(
                "Blocking ReplicaIdentityIndex",
                "orders.public.line",
                "index c can't be its replica identity",
            )],
        ),
        (
            "those that fit are named",
            |case| {
                case.without_identity(Require, &["a", "b"]);
                case.list(TABLE, Index, Some("c"));
            },
            &[("Blocking ReplicaIdentityIndex", "orders.public.line", "fit: a, b")],
        ),
        (
            "none fits",
            |case| case.list(TABLE, Index, Some("c")),
            &[("Blocking ReplicaIdentityIndex", "orders.public.line", "fit: none")],
        ),
        (
            "Full",
            |case| {
                case.without_identity(Require, &[]);
                case.list(TABLE, Full, None);
            },
            &[],
        ),
        (
            "Full without equality",
            |case| {
                case.without_identity(Require, &[]).without_equality = true;
                case.list(TABLE, Full, None);
            },
            NOT_FULL,
        ),
        (
            "InsertOnly",
            |case| {
                case.without_identity(Require, &[]).without_equality = true;
                case.list(TABLE, InsertOnly, None);
            },
            &[],
        ),
        (
            "listed for a table of the same name elsewhere",
            |case| {
                case.without_identity(Require, &[]);
                case.database().tables.push(Table {
                    name: "archive.line".to_owned(),
                    ..database("").tables.remove(0)
                });
                case.list("archive.line", InsertOnly, None);
            },
            NONE,
        ),
    ]);
}

#[test]
fn generated_columns_in_replica_identities() {
    use IdentityKind::{Full, Index, InsertOnly};
    use ReplicaIdentityPolicy::{Require, SetIndex, SetIndexOrFull};
    const TABLE: &str = "public.line";
    const OBJECT: &str = "orders.public.line";
    const GENERATED: &[Expected] = &[(
        "Blocking ReplicaIdentityGenerated",
        OBJECT,
        "generated columns (total), which are not replicated",
    )];
    check(&[
        (
            "what fits is named",
            |case| case.generated(Require, &["a", "b"]),
            &[("Blocking ReplicaIdentityGenerated", OBJECT, "fit: a, b")],
        ),
        (
            "nothing fits",
            |case| case.generated(SetIndex, &[]),
            &[("Blocking ReplicaIdentityGenerated", OBJECT, "fit: none")],
        ),
        ("an index is set instead", |case| case.generated(SetIndex, &["a"]), &[]),
        (
            "an index is set before FULL",
            |case| case.generated(SetIndexOrFull, &["a"]),
            &[],
        ),
        ("FULL is no way", |case| case.generated(SetIndexOrFull, &[]), GENERATED),
        (
            "FULL is set for a table without a key",
            |case| {
                let table = case.without_identity(SetIndexOrFull, &[]);
                table.generated_against_full = vec!["total".to_owned()];
            },
            GENERATED,
        ),
        (
            "FULL is listed",
            |case| {
                case.table().generated_against_full = vec!["total".to_owned()];
                case.list(TABLE, Full, None);
            },
            GENERATED,
        ),
        (
            "an index is listed",
            |case| {
                case.generated(Require, &["a"]);
                case.list(TABLE, Index, Some("a"));
            },
            &[],
        ),
        (
            "an index with the generated column is listed",
            |case| {
                case.generated(Require, &["a"]);
                case.list(TABLE, Index, Some("by_total"));
            },
            &[(
                "Blocking ReplicaIdentityIndex",
                OBJECT,
                "columns that are not generated); fit: a",
            )],
        ),
        (
            "nothing is updated",
            |case| {
                case.generated(Require, &[]);
                case.list(TABLE, InsertOnly, None);
            },
            &[],
        ),
        (
            "generated columns beside a usable identity",
            |case| case.table().generated_against_full = vec!["total".to_owned()],
            &[],
        ),
    ]);
}
