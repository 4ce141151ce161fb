//! The resource as a whole: manifests, the generated definition, and its bounds.
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;

const MINIMAL: &str = r#"
apiVersion: pgupgrade.dev/v1alpha1
kind: PostgresUpgrade
metadata: {name: shop, namespace: shop}
spec:
  source: {identifier: shop-prod, credentials: {secretRef: {name: shop-db-admin}}}
  target: {engineVersion: "18"}
  application:
    connections: [{name: shop-db}]
    workloads: [{name: shop-api}]
"#;

const FULL: &str = r#"
apiVersion: pgupgrade.dev/v1alpha1
kind: PostgresUpgrade
metadata: {name: shop, namespace: shop}
spec:
  desiredState: Finalized
  reclaimPolicy: Retain
  maxAttempts: 2
  aws: {region: eu-west-1}
  source:
    kind: DBCluster
    identifier: shop-prod
    credentials: {secretRef: {name: shop-db-admin, usernameKey: user, passwordKey: pass}}
    caBundleRef: {kind: Secret, name: rds-ca, key: bundle.pem}
    endpointAliases: [db.shop.example]
    logicalReplication: {policy: Enable, restart: Immediately}
  target:
    engineVersion: "18.1"
    identifier: shop-prod-18
    dbInstanceClass: db.r8g.xlarge
    parameterGroups:
      {policy: Existing, dbClusterParameterGroupName: shop-cluster-18, dbParameterGroupName: default.aurora-postgresql18}
    tags: {team: shop}
  databases:
    - name: orders
      replicaIdentities:
        - {table: public.audit, identity: Index, index: audit_uq}
        - {table: public.log, identity: InsertOnly}
  replication: {replicaIdentityPolicy: SetIndexOrFull, maxRetainedWAL: 32Gi}
  optimization: {vacuum: Vacuum}
  verification:
    depth: Changed
    parallelism: 8
    onDifference: Hold
    maxBytesPerSecond: 200Mi
    pauseAbove: {activeSessions: 64, replicationLag: 30s}
    acceptDifferences: [{table: public.audit, comment: written by a trigger on both}]
  application:
    connections:
      - kind: Secret
        name: shop-db
        keys:
          - {key: DATABASE_URL, format: URI, role: Writer}
          - {key: RO_HOST, format: Host, role: Reader}
    workloads:
      - {kind: Deployment, name: shop-api}
    readyTimeout: 10m
  cutover:
    approval: {token: 2-1-9f3kqx, comment: CHG-4711}
    deadline: 1m30s
    maxLag: 500ms
    maxTransactionAge: 10s
  soak: {duration: 24h, finalizePolicy: Manual}
"#;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_minimal_manifest_gets_its_defaults() {
    let upgrade: PostgresUpgrade = serde_yaml::from_str(MINIMAL).unwrap();
    let spec = &upgrade.spec;
    assert_eq!(spec.desired_state, DesiredState::Upgraded);
    assert_eq!(spec.reclaim_policy, ReclaimPolicy::Delete);
    assert_eq!(spec.max_attempts, 3);
    assert_eq!(spec.source.kind, SourceKind::DBCluster);
    assert_eq!(spec.source.credentials.secret_ref.username_key, "username");
    assert_eq!(spec.source.credentials.secret_ref.password_key, "password");
    assert_eq!(spec.source.logical_replication.restart, RestartPolicy::Never);
    assert_eq!(spec.target.parameter_groups.policy, ParameterGroupPolicy::CarryOver);
    assert_eq!(spec.replication.max_retained_wal.bytes(), 64 << 30);
    assert_eq!(spec.application.ready_timeout, GoDuration::from_secs(300));
    assert_eq!(spec.application.workloads[0].kind, WorkloadKind::Deployment);
    assert_eq!(spec.cutover.deadline, GoDuration::from_secs(120));
    assert_eq!(spec.soak.duration, GoDuration::from_secs(72 * 3600));
    assert!(upgrade.status.is_none());
}

#[test]
fn the_full_manifest_survives_a_round_trip() {
    let manifest: Value = serde_yaml::from_str(FULL).unwrap();
    let upgrade: PostgresUpgrade = serde_json::from_value(manifest.clone()).unwrap();
    assert_eq!(serde_json::to_value(&upgrade).unwrap(), manifest);
}

#[test]
fn an_empty_status_has_only_its_phase() {
    assert_eq!(
        serde_json::to_value(PostgresUpgradeStatus::default()).unwrap(),
        json!({ "phase": "Preflight" })
    );
    assert_eq!(
        serde_json::from_str::<PostgresUpgradeStatus>("{}").unwrap(),
        PostgresUpgradeStatus::default()
    );
}

#[test]
fn the_generated_definition_is_in_the_repository() {
    let path = project("crds/pgupgrade.dev_postgresupgrades.yaml");
    let generated = crd_yaml();
    if std::env::var_os("UPDATE_CRDS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == generated,
        "{} is stale: run the tests with UPDATE_CRDS=1",
        path.display()
    );
}

#[test]
fn the_example_is_valid() {
    let example = fs::read_to_string(project("deploy/examples/shop.yaml")).unwrap();
    let upgrade: PostgresUpgrade = serde_yaml::from_str(&example).unwrap();
    assert_eq!(upgrade.spec.source.identifier, "shop-prod");
}

#[test]
fn every_field_has_a_description_and_a_bound() {
    let definition = serde_json::to_value(crd()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut problems = Vec::new();
    for part in ["spec", "status"] {
        inspect(part, &schema["properties"][part], &mut problems);
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Without bounds the API server estimates a rule that reaches the value as too expensive.
fn inspect(path: &str, schema: &Value, problems: &mut Vec<String>) {
    let has = |key: &str| !schema[key].is_null();
    let bounded = match schema["type"].as_str() {
        Some("string") => has("maxLength") || has("enum") || has("format"),
        Some("array") => has("maxItems"),
        Some("object") => has("properties") || has("maxProperties"),
        Some(_) => true,
        None => has("x-kubernetes-int-or-string") && has("maxLength"),
    };
    if !bounded {
        problems.push(format!("{path} has no bound: {schema}"));
    }
    if has("nullable") {
        problems.push(format!("{path} may be null"));
    }
    if path.starts_with("status") && has("default") {
        problems.push(format!("{path} has a default"));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if property["description"].as_str().is_none_or(str::is_empty) {
            problems.push(format!("{path} has no description"));
        }
        inspect(&path, property, problems);
    }
    for inner in ["items", "additionalProperties"] {
        if has(inner) {
            inspect(&format!("{path}.{inner}"), &schema[inner], problems);
        }
    }
}

#[test]
fn a_status_is_cut_to_its_bounds() {
    let long = "ä".repeat(5_000);
    let mut status = PostgresUpgradeStatus {
        message: Some(long.clone()),
        phases: vec![PhaseRecord::default(); 100],
        attempts: (1..=12)
            .map(|number| AttemptStatus {
                number,
                ..AttemptStatus::default()
            })
            .collect(),
        findings: Some(FindingsStatus::of(vec![
            Finding {
                reason: "NoReplicaIdentity".to_owned(),
                severity: Severity::Blocking,
                object: long.clone(),
                message: long,
            };
            60
        ])),
        ..PostgresUpgradeStatus::default()
    };
    status.fit();
    assert_eq!(status.message.as_ref().unwrap().chars().count(), 1024);
    assert_eq!(status.phases.len(), 64);
    assert_eq!(
        status.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(),
        (3..=12).collect::<Vec<_>>()
    );
    let findings = status.findings.unwrap();
    assert_eq!((findings.blocking, findings.items.len()), (60, 50));
    assert_eq!(findings.items[0].object.chars().count(), 512);
    assert_eq!(findings.items[0].message.chars().count(), 1024);
}
