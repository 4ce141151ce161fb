//! Fields that may not be changed any more, by what the status says.
use pgupgrade::api::Phase;
use serde_json::{Value, json};

use super::server::{Server, changed, merge, minimal};

/// A resource with a status, and manifests that change it.
async fn with_status(server: &Server, name: &str, spec: &Value, status: Value) -> Value {
    let manifest = changed(name, spec);
    server.apply(&manifest).await.unwrap();
    server.write_status(name, "pgupgrade", status).await.unwrap();
    manifest
}

fn after(manifest: &Value, change: &Value) -> Value {
    let mut manifest = manifest.clone();
    merge(&mut manifest["spec"], change);
    manifest
}

pub async fn desired_state(server: &mut Server) {
    let never = "desiredState never returns to Upgraded";
    for (name, to) in [("aborted", "Aborted"), ("finalized", "Finalized")] {
        server.apply(&minimal(name)).await.unwrap();
        let manifest = changed(name, &json!({ "desiredState": to }));
        server
            .expect_accepted(&format!("from Upgraded to {to}"), &manifest)
            .await;
        server.apply(&manifest).await.unwrap();
        server.expect_accepted(&format!("{to} again"), &manifest).await;
        let back = changed(name, &json!({ "desiredState": "Upgraded" }));
        server
            .expect_refused(&format!("from {to} to Upgraded"), &back, &["spec.desiredState", never])
            .await;
        // An older commit that does not have the field yet: the default would come back.
        server
            .expect_refused(&format!("from {to} to nothing"), &minimal(name), &[never])
            .await;
    }
    server
        .expect_accepted(
            "from Finalized to Aborted",
            &changed("finalized", &json!({ "desiredState": "Aborted" })),
        )
        .await;
}

pub async fn always(server: &mut Server) {
    let manifest = minimal("immutable");
    server.apply(&manifest).await.unwrap();
    server.expect_accepted("the same again", &manifest).await;
    let other = after(&manifest, &json!({ "source": { "identifier": "other" } }));
    server
        .expect_refused(
            "another source",
            &other,
            &["spec.source.identifier", "source.identifier is immutable"],
        )
        .await;
}

/// Field, and changes to it.
fn frozen_by_preflight() -> Vec<(&'static str, Value)> {
    vec![
        ("target", json!({ "target": { "engineVersion": "17" } })),
        ("target", json!({ "target": { "tags": { "team": "shop" } } })),
        (
            "target",
            json!({ "target": { "parameterGroups": { "policy": "Existing", "dbParameterGroupName": "g" } } }),
        ),
        ("databases", json!({ "databases": [{ "name": "other" }] })),
        ("databases", json!({ "databases": null })),
        (
            "replication.replicaIdentityPolicy",
            json!({ "replication": { "replicaIdentityPolicy": "SetIndex" } }),
        ),
        (
            "source.logicalReplication",
            json!({ "source": { "logicalReplication": { "policy": "Enable" } } }),
        ),
        ("aws", json!({ "aws": { "region": "eu-central-1" } })),
        ("aws", json!({ "aws": null })),
    ]
}

fn frozen_by_cutover() -> Vec<(&'static str, Value)> {
    vec![
        (
            "application",
            json!({ "application": { "workloads": [{ "name": "other" }] } }),
        ),
        (
            "application",
            json!({ "application": { "connections": [{ "name": "shop-db" }, { "name": "more" }] } }),
        ),
        ("application", json!({ "application": { "readyTimeout": "1m" } })),
        (
            "source.endpointAliases",
            json!({ "source": { "endpointAliases": ["db.shop.example"] } }),
        ),
        ("cutover.deadline", json!({ "cutover": { "deadline": "1m" } })),
    ]
}

/// What may be changed at any time.
fn never_frozen() -> Vec<(&'static str, Value)> {
    vec![
        ("desiredState", json!({ "desiredState": "Aborted" })),
        ("reclaimPolicy", json!({ "reclaimPolicy": "Retain" })),
        ("maxAttempts", json!({ "maxAttempts": 5 })),
        (
            "credentials",
            json!({ "source": { "credentials": { "secretRef": { "name": "rotated" } } } }),
        ),
        (
            "caBundleRef",
            json!({ "source": { "caBundleRef": { "name": "rds-ca" } } }),
        ),
        ("maxRetainedWAL", json!({ "replication": { "maxRetainedWAL": "32Gi" } })),
        ("vacuum", json!({ "optimization": { "vacuum": "Vacuum" } })),
        (
            "approval",
            json!({ "cutover": { "approval": { "token": "1-1-aaaaaa" } } }),
        ),
        ("maxLag", json!({ "cutover": { "maxLag": "1s" } })),
        ("maxTransactionAge", json!({ "cutover": { "maxTransactionAge": "1m" } })),
        (
            "soak",
            json!({ "soak": { "duration": "1h", "finalizePolicy": "Manual" } }),
        ),
    ]
}

pub async fn by_preflight(server: &mut Server) {
    let spec = json!({ "databases": [{ "name": "orders" }], "aws": { "region": "eu-west-1" } });
    let before = with_status(server, "in-preflight", &spec, json!({ "phase": "Preflight" })).await;
    let resolved = json!({ "phase": "Replicating", "resolved": { "specHash": "5e1c9a04" } });
    let passed = with_status(server, "preflight-passed", &spec, resolved).await;
    for (field, change) in frozen_by_preflight() {
        server
            .expect_accepted(&format!("{field} before: {change}"), &after(&before, &change))
            .await;
        let (path, message) = (
            format!("spec.{field}: "),
            format!("{field} is frozen once preflight has passed"),
        );
        server
            .expect_refused(
                &format!("{field} after: {change}"),
                &after(&passed, &change),
                &[&path, &message],
            )
            .await;
    }
    for (field, change) in frozen_by_cutover().into_iter().chain(never_frozen()) {
        server
            .expect_accepted(&format!("{field} after preflight"), &after(&passed, &change))
            .await;
    }
    server.expect_accepted("the same after preflight", &passed).await;
    let without = with_status(
        server,
        "nothing-listed",
        &json!({}),
        json!({ "phase": "Pinning", "resolved": {} }),
    )
    .await;
    server.expect_accepted("nothing listed, the same", &without).await;
    for change in [
        json!({ "databases": [{ "name": "orders" }] }),
        json!({ "aws": { "region": "eu-west-1" } }),
    ] {
        server
            .expect_refused(
                &format!("{change}"),
                &after(&without, &change),
                &["is frozen once preflight"],
            )
            .await;
    }
}

pub async fn by_cutover(server: &mut Server) {
    for phase in Phase::ALL {
        let name = format!("in-{}", phase.name().to_lowercase());
        let status = json!({ "phase": phase.name(), "resolved": { "specHash": "5e1c9a04" } });
        let manifest = with_status(server, &name, &json!({}), status).await;
        let frozen = phase >= Phase::CuttingOver;
        for (field, change) in frozen_by_cutover() {
            let what = format!("{field} in {phase}");
            if frozen {
                let (path, message) = (
                    format!("spec.{field}: "),
                    format!("{field} is frozen from the cutover on"),
                );
                server
                    .expect_refused(&what, &after(&manifest, &change), &[&path, &message])
                    .await;
            } else {
                server.expect_accepted(&what, &after(&manifest, &change)).await;
            }
        }
        server.expect_accepted(&format!("the same in {phase}"), &manifest).await;
        if phase == Phase::Soaking {
            for (field, change) in never_frozen() {
                server
                    .expect_accepted(&format!("{field} in {phase}"), &after(&manifest, &change))
                    .await;
            }
        }
    }
}
