//! A manifest with a mistake is held in Preflight with all its problems, and nothing in the world has changed.
use std::collections::BTreeMap;

use aws_sdk_rds::types::{ApplyMethod, Parameter};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use lab_world::{DATABASE, MASTER, OPERATOR_NAMESPACE, Options, SOURCE, World};
use pgupgrade::api::{Phase, PostgresUpgradeStatus, conditions};
use serde_json::{Value, json};

use crate::support::{self, SOON};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_with_a_mistake_is_held_in_preflight_and_changes_nothing() {
    // Not logical, so that this is found beside each of the other problems.
    let (_folder, world) = support::world(Options {
        logical: false,
        ..Options::default()
    })
    .await;
    let operator = world.start_operator("one").await.unwrap();
    prepare(&world).await;
    let (traces, surroundings) = (support::traces(&world).await, support::surroundings(&world).await);
    let good = support::manifest(&world).await;
    let mut upgrades = BTreeMap::new();
    for (number, (reason, change)) in mistakes().into_iter().enumerate() {
        let mut manifest = good.clone();
        manifest["metadata"]["name"] = format!("mistake-{number}").into();
        merge(&mut manifest["spec"], &change);
        upgrades.insert(
            format!("{number} {reason}"),
            (reason, world.create(manifest).await.unwrap()),
        );
    }
    for (case, (reason, upgrade)) in &upgrades {
        let found = upgrade
            .wait_for(case, SOON, |status| reasons(status).contains(&(*reason).to_owned()))
            .await;
        let status = found.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_held(case, &status);
    }
    // All at once: the mistake itself, wal_level and the slots.
    let (_, all) = &upgrades["7 WorkloadNotFound"];
    let together = reasons(&all.status().await.unwrap());
    for reason in ["WorkloadNotFound", "WalLevelNotLogical", "NotEnoughSlots"] {
        assert!(together.contains(&reason.to_owned()), "{reason} in {together:?}");
    }
    assert_eq!(support::traces(&world).await, traces);
    assert_eq!(support::surroundings(&world).await, surroundings);
    unreachable(&world, &good).await;
    operator.terminate().await.unwrap();
    world.stop().await.unwrap();
}

/// Reason of the finding, and what is wrong in the manifest.
fn mistakes() -> Vec<(&'static str, Value)> {
    vec![
        ("SourceNotFound", json!({ "source": { "identifier": "nowhere" } })),
        ("TargetVersionNotNewer", json!({ "target": { "engineVersion": "17" } })),
        ("TargetVersionNotValid", json!({ "target": { "engineVersion": "99" } })),
        (
            "ParameterGroupFamily",
            json!({ "target": { "parameterGroups": { "policy": "Existing", "dbClusterParameterGroupName": format!("{SOURCE}-parameters") } } }),
        ),
        (
            "ObjectNotFound",
            json!({ "application": { "connections": [{ "name": "missing" }] } }),
        ),
        (
            "KeyNotFound",
            json!({ "source": { "credentials": { "secretRef": { "passwordKey": "nothing" } } } }),
        ),
        (
            "NoConnectionToSource",
            json!({ "application": { "connections": [{ "name": "unrelated" }] } }),
        ),
        (
            "WorkloadNotFound",
            json!({ "application": { "workloads": [{ "name": "missing" }] } }),
        ),
        ("NoReplicaIdentity", json!({ "databases": [] })),
        (
            "ReplicaIdentityGenerated",
            json!({ "databases": [{ "name": DATABASE, "replicaIdentities": [{ "table": "shop.Order Lines", "identity": "Full" }] }] }),
        ),
        (
            "IdleSlotTimeout",
            json!({ "target": { "parameterGroups": { "policy": "Existing", "dbClusterParameterGroupName": IMPATIENT } } }),
        ),
        (
            "PasswordRefused",
            json!({ "source": { "credentials": { "secretRef": { "name": "wrong-password" } } } }),
        ),
        (
            "CertificateNotTrusted",
            json!({ "source": { "caBundleRef": { "name": "other-ca" } } }),
        ),
        ("WalLevelNotLogical", json!({})),
        ("NotEnoughSlots", json!({})),
    ]
}

/// A parameter group of the target's family under which slots time out.
const IMPATIENT: &str = "impatient";

async fn parameter_group(world: &World) {
    let create = world.aws.create_db_cluster_parameter_group();
    let create = create.db_cluster_parameter_group_name(IMPATIENT);
    let create = create
        .db_parameter_group_family("aurora-postgresql18")
        .description("the shop's");
    create.send().await.unwrap();
    let timeout = Parameter::builder()
        .parameter_name("idle_replication_slot_timeout")
        .parameter_value("86400")
        .apply_method(ApplyMethod::PendingReboot)
        .build();
    let modify = world.aws.modify_db_cluster_parameter_group();
    let modify = modify.db_cluster_parameter_group_name(IMPATIENT).parameters(timeout);
    modify.send().await.unwrap();
}

async fn prepare(world: &World) {
    parameter_group(world).await;
    world
        .apply::<Secret>(
            "unrelated",
            json!({ "stringData": { "URL": "postgresql://a:b@elsewhere:5432/shop" } }),
        )
        .await
        .unwrap();
    world
        .apply::<Secret>(
            "wrong-password",
            json!({ "stringData": { "username": MASTER, "password": "wrong" } }),
        )
        .await
        .unwrap();
    let other = lab_postgres::Authority::create().unwrap();
    world
        .apply::<ConfigMap>("other-ca", json!({ "data": { "ca.crt": other.ca_pem() } }))
        .await
        .unwrap();
    // The operator may look at all of these; a Secret that it may not read is another finding.
    let rules = json!({ "rules": [
        { "apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["get", "list", "watch", "patch", "create"] },
        { "apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["get", "list", "watch", "patch"] },
    ] });
    world.apply::<Role>("look-at-all", rules).await.unwrap();
    let binding = json!({
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look-at-all" },
        "subjects": [{ "kind": "ServiceAccount", "name": "pgupgrade", "namespace": OPERATOR_NAMESPACE }],
    });
    world.apply::<RoleBinding>("look-at-all", binding).await.unwrap();
    let admin = world.admin(SOURCE).await.unwrap();
    let slots = "SELECT pg_create_physical_replication_slot('taken_' || n) FROM generate_series(1,
        current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_replication_slots)) AS n";
    admin.query(slots, &[]).await.unwrap();
}

/// Last, since the database does not come back.
async fn unreachable(world: &World, good: &Value) {
    let address = world.endpoint(SOURCE).await.unwrap().0;
    end_postmaster(world);
    let mut manifest = good.clone();
    manifest["metadata"]["name"] = "unreachable".into();
    let upgrade = world.create(manifest).await.unwrap();
    let found = upgrade.wait_for("SourceUnreachable", SOON, |status| {
        reasons(status).contains(&"SourceUnreachable".to_owned())
    });
    let status = found.await.unwrap();
    assert_held("unreachable", &status);
    assert!(status.message.unwrap().contains(&address));
}

/// Ends the source's server as a crash does.
fn end_postmaster(world: &World) {
    let folder = world.dir().join("rds").to_string_lossy().into_owned();
    let found = std::process::Command::new("pkill")
        .args(["-QUIT", "-f", &format!("postgres -D {folder}")])
        .status()
        .unwrap();
    assert!(found.success());
}

fn assert_held(case: &str, status: &PostgresUpgradeStatus) {
    assert_eq!(status.phase, Phase::Preflight, "{case}");
    assert!(status.resolved.is_none() && status.attempts.is_empty(), "{case}");
    let stalled = conditions::find(&status.conditions, conditions::STALLED).unwrap();
    assert_eq!(
        (stalled.status.as_str(), stalled.reason.as_str()),
        ("True", "PreflightBlocked"),
        "{case}"
    );
    for item in &status.findings.as_ref().unwrap().items {
        assert!(!item.object.is_empty() && item.message.len() > 10, "{case}: {item:?}");
        assert!(!item.message.contains("wrong"), "{case}: a secret in {item:?}");
    }
}

fn reasons(status: &PostgresUpgradeStatus) -> Vec<String> {
    status
        .findings
        .iter()
        .flat_map(|findings| &findings.items)
        .map(|finding| finding.reason.clone())
        .collect()
}

/// Objects are merged, everything else is replaced.
fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change.clone(),
    }
}
