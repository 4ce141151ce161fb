//! One row for each finding: what is changed in an observation without fault, and exactly what is found then.
use super::super::observation::{Application, Database};
use super::*;
use crate::api::ReplicaIdentitySpec;

mod source;

const OWNER: &str = "shop/shop/6b2f0c1e";

const SPEC: &str = r#"
source: {identifier: shop-prod, credentials: {secretRef: {name: shop-db-admin}}}
target: {engineVersion: "18"}
databases: [{name: orders}]
application:
  connections: [{name: shop-db}]
  workloads: [{name: shop-api}]
"#;

/// What is wished and what is seen.
struct Case {
    spec: PostgresUpgradeSpec,
    seen: Observation,
}

impl Case {
    fn cluster(&mut self) -> &mut SourceCluster {
        self.seen.aws.cluster.as_mut().unwrap()
    }

    fn source(&mut self) -> &mut Source {
        self.seen.source.as_mut().unwrap()
    }

    fn database(&mut self) -> &mut Database {
        &mut self.source().databases[0]
    }

    fn table(&mut self) -> &mut Table {
        &mut self.database().tables[0]
    }

    /// The table's only identity would be one that has to be set.
    fn without_identity(&mut self, policy: ReplicaIdentityPolicy, candidates: &[&str]) -> &mut Table {
        self.spec.replication.replica_identity_policy = policy;
        let table = self.table();
        table.identity_usable = false;
        table.candidates = candidates.iter().map(|index| (*index).to_owned()).collect();
        table
    }

    /// The table's replica identity, or the one that would be set, has a generated column.
    fn generated(&mut self, policy: ReplicaIdentityPolicy, candidates: &[&str]) {
        let table = self.without_identity(policy, candidates);
        table.generated_in_identity = vec!["total".to_owned()];
        table.generated_against_full = table.generated_in_identity.clone();
    }

    /// Lists a table under databases[].replicaIdentities.
    fn list(&mut self, table: &str, identity: IdentityKind, index: Option<&str>) {
        self.spec.databases[0].replica_identities.push(ReplicaIdentitySpec {
            table: table.to_owned(),
            identity,
            index: index.map(str::to_owned),
        });
    }

    fn logical_replication(&mut self, policy: LogicalReplicationPolicy, restart: RestartPolicy) {
        self.spec.source.logical_replication.policy = policy;
        self.spec.source.logical_replication.restart = restart;
        self.source().wal_level = "replica".to_owned();
    }
}

/// Nothing stands in the way.
fn good() -> Case {
    Case {
        spec: serde_yaml::from_str(SPEC).unwrap(),
        seen: Observation {
            aws: Aws {
                cluster: Some(SourceCluster {
                    engine: "aurora-postgresql".to_owned(),
                    engine_version: "17.11".to_owned(),
                    status: "available".to_owned(),
                    available: true,
                    host: "shop-prod.example".to_owned(),
                    port: 5432,
                    has_writer: true,
                    allowed_namespaces: Some("billing shop".to_owned()),
                    ..SourceCluster::default()
                }),
                target_version: Some("18.1".to_owned()),
                upgrade_targets: vec!["18.0".to_owned(), "18.1".to_owned()],
                target_family: Some("aurora-postgresql18".to_owned()),
                ..Aws::default()
            },
            application: Application {
                connections: vec![Connection {
                    name: "shop-db".to_owned(),
                    keys: vec!["DATABASE_URL".to_owned()],
                    ..Connection::default()
                }],
                ..Application::default()
            },
            source: Some(Source {
                wal_level: "logical".to_owned(),
                fsync: true,
                log_statement: "none".to_owned(),
                slots: (10, 0),
                wal_senders: (10, 0),
                may_create_roles: true,
                may_replicate: true,
                databases: vec![database("orders")],
                ..Source::default()
            }),
        },
    }
}

/// A database with one table.
fn database(name: &str) -> Database {
    Database {
        name: name.to_owned(),
        tables: vec![Table {
            name: "public.line".to_owned(),
            identity_usable: true,
            owned: true,
            owner: "shop".to_owned(),
            ..Table::default()
        }],
        may_create: true,
        ..Database::default()
    }
}

fn problem(reason: &'static str, object: &str) -> Problem {
    Problem {
        reason,
        object: object.to_owned(),
        message: format!("{reason} at {object}"),
    }
}

/// Severity and reason, object, a part of the message.
type Expected = (&'static str, &'static str, &'static str);
/// The case's name, the change to [`good`], all that is found.
type Row<'a> = (&'a str, fn(&mut Case), &'a [Expected]);

fn check(rows: &[Row]) {
    for (name, change, expected) in rows {
        let mut case = good();
        change(&mut case);
        let found = findings(&case.spec, OWNER, &case.seen);
        assert_eq!(found.len(), expected.len(), "{name}: {found:#?}");
        for (found, (kind, object, words)) in found.iter().zip(*expected) {
            assert_eq!(format!("{:?} {}", found.severity, found.reason), *kind, "{name}");
            assert_eq!(found.object, *object, "{name}");
            assert!(
                found.message.contains(words),
                "{name}: {:?} lacks {words:?}",
                found.message
            );
        }
    }
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    check(&[
        ("good", |_| {}, &[]),
        (
            "our own source",
            |case| case.cluster().owner = Some(OWNER.to_owned()),
            &[],
        ),
        (
            "our own target",
            |case| case.seen.aws.target_owner = Some(OWNER.to_owned()),
            &[],
        ),
        ("nothing seen", |case| case.seen = Observation::default(), &[]),
        ("no database listed", |case| case.spec.databases.clear(), &[]),
        (
            "a second database without tables",
            |case| {
                let empty = Database {
                    tables: Vec::new(),
                    may_create: false,
                    ..database("postgres")
                };
                case.source().databases.push(empty);
            },
            &[],
        ),
    ]);
}

#[test]
fn problems_met_while_looking_are_passed_on() {
    check(&[
        (
            "RDS",
            |case| case.seen.aws.problems.push(problem("AccessDenied", "shop-prod")),
            &[("Blocking AccessDenied", "shop-prod", "AccessDenied at shop-prod")],
        ),
        (
            "objects; connections are not judged then",
            |case| {
                case.seen
                    .application
                    .problems
                    .push(problem("NotFound", "Secret/shop-db"));
                case.seen.application.connections[0].keys.clear();
            },
            &[("Blocking NotFound", "Secret/shop-db", "NotFound at Secret/shop-db")],
        ),
        (
            "source; nothing else is judged then",
            |case| {
                *case.source() = Source {
                    problems: vec![problem("Unreachable", "source")],
                    ..Source::default()
                };
            },
            &[("Blocking Unreachable", "source", "Unreachable at source")],
        ),
        (
            "all at once",
            |case| {
                case.seen.aws.problems.push(problem("AccessDenied", "shop-prod"));
                case.cluster().has_writer = false;
                case.source().fsync = false;
            },
            &[
                ("Blocking AccessDenied", "shop-prod", ""),
                ("Blocking SourceWithoutWriter", "spec.source.identifier", ""),
                ("Blocking FsyncOff", "source", ""),
            ],
        ),
    ]);
}

#[test]
fn the_source_cluster() {
    const FIELD: &str = "spec.source.identifier";
    check(&[
        (
            "engine",
            |case| case.cluster().engine = "aurora-mysql".to_owned(),
            &[("Blocking EngineNotSupported", FIELD, "engine aurora-mysql is not")],
        ),
        (
            "state",
            |case| {
                case.cluster().available = false;
                case.cluster().status = "backing-up".to_owned();
            },
            &[("Blocking SourceNotAvailable", FIELD, "the cluster is backing-up")],
        ),
        (
            "no writer",
            |case| case.cluster().has_writer = false,
            &[("Blocking SourceWithoutWriter", FIELD, "no writer instance")],
        ),
        (
            "not tagged for any namespace",
            |case| case.cluster().allowed_namespaces = None,
            &[(
                "Blocking NamespaceNotAllowed",
                FIELD,
                "add the tag pgupgrade.dev/allowed-namespaces=shop",
            )],
        ),
        (
            "tagged for others",
            |case| case.cluster().allowed_namespaces = Some("shop2 eshop".to_owned()),
            &[(
                "Blocking NamespaceNotAllowed",
                FIELD,
                "add the tag pgupgrade.dev/allowed-namespaces=shop2 eshop shop",
            )],
        ),
        (
            "another's",
            |case| case.cluster().owner = Some("billing/shop/1".to_owned()),
            &[(
                "Blocking SourceOwnedByAnother",
                FIELD,
                "tagged pgupgrade.dev/owner=billing/shop/1",
            )],
        ),
    ]);
}

#[test]
fn the_target() {
    const VERSION: &str = "spec.target.engineVersion";
    const GROUP: &str = "spec.target.parameterGroups.dbParameterGroupName";
    fn group(case: &mut Case, family: Option<&str>) {
        case.seen.aws.named_groups = vec![(GROUP, "shop-18".to_owned(), family.map(str::to_owned))];
    }
    fn timeout(case: &mut Case, value: &str) {
        group(case, Some("aurora-postgresql18"));
        case.seen.aws.idle_slot_timeouts = vec![(GROUP, "shop-18".to_owned(), value.to_owned())];
    }
    check(&[
        (
            "same major version",
            |case| case.spec.target.engine_version = "17.12".to_owned(),
            &[(
                "Blocking TargetVersionNotNewer",
                VERSION,
                "17.12 is not a newer major version than the source's 17.11; valid targets: 18.0, 18.1",
            )],
        ),
        (
            "older, by number and not by text",
            |case| case.spec.target.engine_version = "9.6".to_owned(),
            &[("Blocking TargetVersionNotNewer", VERSION, "9.6 is not")],
        ),
        (
            "not offered",
            |case| case.seen.aws.target_version = None,
            &[(
                "Blocking TargetVersionNotValid",
                VERSION,
                "does not upgrade 17.11 to 18; valid targets: 18.0, 18.1",
            )],
        ),
        (
            "nothing offered",
            |case| {
                case.seen.aws.target_version = None;
                case.seen.aws.upgrade_targets.clear();
            },
            &[("Blocking TargetVersionNotValid", VERSION, "valid targets: none")],
        ),
        (
            "said already",
            |case| {
                case.seen.aws.target_version = None;
                case.seen.aws.problems.push(problem("AccessDenied", VERSION));
            },
            &[("Blocking AccessDenied", VERSION, "")],
        ),
        (
            "nobody's cluster has the name",
            |case| case.seen.aws.target_owner = Some(String::new()),
            &[(
                "Blocking TargetIdentifierTaken",
                "spec.target.identifier",
                "exists already",
            )],
        ),
        (
            "another's cluster has the name",
            |case| case.seen.aws.target_owner = Some("billing/shop/1".to_owned()),
            &[(
                "Blocking TargetIdentifierTaken",
                "spec.target.identifier",
                "exists already",
            )],
        ),
        (
            "a group that fits",
            |case| group(case, Some("aurora-postgresql18")),
            &[],
        ),
        (
            "a group of another version",
            |case| group(case, Some("aurora-postgresql17")),
            &[(
                "Blocking ParameterGroupFamily",
                GROUP,
                "shop-18 is of family aurora-postgresql17; the target version needs aurora-postgresql18",
            )],
        ),
        (
            "no such group",
            |case| group(case, None),
            &[("Blocking ParameterGroupNotFound", GROUP, "shop-18 does not exist")],
        ),
        ("slots never time out in a group", |case| timeout(case, "0"), &[]),
        (
            "slots time out in a group",
            |case| timeout(case, "86400"),
            &[(
                "Blocking IdleSlotTimeout",
                GROUP,
                "parameter group shop-18 sets idle_replication_slot_timeout to 86400",
            )],
        ),
    ]);
}

#[test]
fn connections_of_the_application() {
    check(&[
        (
            "another database",
            |case| case.seen.application.connections[0].keys.clear(),
            &[(
                "Blocking NoConnectionToSource",
                "Secret/shop-db",
                "names the source shop-prod.example:5432",
            )],
        ),
        (
            "within a text",
            |case| {
                case.seen.application.connections[0].mentions = vec!["pgpass".to_owned(), "notes".to_owned()];
            },
            &[(
                "Warning SourceMentioned",
                "Secret/shop-db",
                "pgpass, notes name the source",
            )],
        ),
        (
            "one of two",
            |case| {
                let other = Connection {
                    name: "shop-ro".to_owned(),
                    ..Connection::default()
                };
                case.seen.application.connections.push(other);
            },
            &[("Blocking NoConnectionToSource", "Secret/shop-ro", "")],
        ),
    ]);
}
