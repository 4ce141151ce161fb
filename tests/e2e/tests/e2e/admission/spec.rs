//! Defaults, and what is accepted up to its bounds.
use serde_json::{Value, json};

use super::server::{Server, changed, minimal};

pub async fn defaults(server: &mut Server) {
    let created = server.dry_run(&minimal("defaults")).await.unwrap();
    let expected = json!({
        "desiredState": "Upgraded",
        "reclaimPolicy": "Delete",
        "maxAttempts": 3,
        "source": {
            "kind": "DBCluster",
            "identifier": "shop-prod",
            "credentials": {
                "secretRef": { "name": "shop-db-admin", "usernameKey": "username", "passwordKey": "password" },
            },
            "logicalReplication": { "policy": "Require", "restart": "Never" },
        },
        "target": { "engineVersion": "18", "parameterGroups": { "policy": "CarryOver" } },
        "replication": { "replicaIdentityPolicy": "Require", "maxRetainedWAL": "64Gi" },
        "optimization": { "vacuum": "Skip" },
        "verification": { "depth": "Full", "parallelism": 4, "onDifference": "NextAttempt" },
        "application": {
            "connections": [{ "kind": "Secret", "name": "shop-db" }],
            "workloads": [{ "kind": "Deployment", "name": "shop-api" }],
            "readyTimeout": "5m",
        },
        "cutover": { "deadline": "2m", "maxLag": "5s", "maxTransactionAge": "30s" },
        "soak": { "duration": "72h", "finalizePolicy": "Automatic" },
    });
    server.check(created["spec"] == expected, || format!("defaults: {}", created["spec"]));

    let partial = json!({
        "source": { "caBundleRef": { "name": "rds-ca" }, "logicalReplication": { "policy": "Enable" } },
        "application": { "connections": [{ "name": "shop-db", "keys": [{ "key": "HOST", "format": "Host" }] }] },
        "cutover": { "maxLag": null, "deadline": "1m" },
        "replication": { "replicaIdentityPolicy": "SetIndex" },
    });
    let created = server.dry_run(&changed("partial", &partial)).await.unwrap();
    let table = [
        (
            "/spec/source/caBundleRef",
            json!({ "kind": "ConfigMap", "name": "rds-ca", "key": "ca.crt" }),
        ),
        (
            "/spec/source/logicalReplication",
            json!({ "policy": "Enable", "restart": "Never" }),
        ),
        ("/spec/application/connections/0/keys/0/role", json!("Writer")),
        (
            "/spec/cutover",
            json!({ "deadline": "1m", "maxLag": "5s", "maxTransactionAge": "30s" }),
        ),
        ("/spec/replication/maxRetainedWAL", json!("64Gi")),
    ];
    for (pointer, expected) in table {
        let found = created.pointer(pointer);
        server.check(found == Some(&expected), || format!("default of {pointer}: {found:?}"));
    }
}

pub fn names(prefix: &str, number: usize) -> Vec<Value> {
    (0..number)
        .map(|i| json!({ "name": format!("{prefix}-{i}") }))
        .collect()
}

pub fn identities(number: usize) -> Value {
    let list: Vec<Value> = (0..number)
        .map(|i| json!({ "table": format!("public.t{i}"), "identity": "Full" }))
        .collect();
    json!({ "databases": [{ "name": "orders", "replicaIdentities": list }] })
}

fn identity(identity: &Value) -> Value {
    json!({ "databases": [{ "name": "orders", "replicaIdentities": [identity] }] })
}

fn groups(groups: &Value) -> Value {
    json!({ "target": { "parameterGroups": groups } })
}

pub fn tags(number: usize) -> Value {
    let tags: serde_json::Map<String, Value> = (0..number).map(|i| (format!("tag-{i}"), json!("x"))).collect();
    json!({ "target": { "tags": tags } })
}

fn key(key: &str, format: &str) -> Value {
    json!({ "application": { "connections": [{ "name": "shop-db", "keys": [{ "key": key, "format": format }] }] } })
}

pub async fn accepted(server: &mut Server) {
    let full = json!({
        "desiredState": "Finalized",
        "reclaimPolicy": "Retain",
        "aws": { "region": "us-gov-west-1" },
        "source": {
            "caBundleRef": { "kind": "Secret", "name": "rds-ca", "key": "bundle.pem" },
            "endpointAliases": ["db.shop.example"],
            "logicalReplication": { "policy": "Enable", "restart": "Immediately" },
        },
        "target": { "engineVersion": "18.1", "identifier": "shop-prod-18", "dbInstanceClass": "db.r8g.xlarge" },
        "optimization": { "vacuum": "Vacuum" },
        "verification": {
            "depth": "Changed",
            "parallelism": 64,
            "onDifference": "Hold",
            "maxBytesPerSecond": "200Mi",
            "pauseAbove": { "activeSessions": 64, "replicationLag": "30s" },
            "acceptDifferences": [{ "table": "public.audit", "comment": "written on both sides" }],
        },
        "cutover": { "approval": { "token": "2-1-9f3kqx", "comment": "CHG-4711" } },
        "soak": { "duration": "0s", "finalizePolicy": "Manual" },
    });
    let longest = "x".repeat(63);
    let table = [
        ("a full manifest", full),
        ("one attempt", json!({ "maxAttempts": 1 })),
        ("ten attempts", json!({ "maxAttempts": 10 })),
        ("aborted from the start", json!({ "desiredState": "Aborted" })),
        (
            "the longest identifier",
            json!({ "source": { "identifier": "a".repeat(63) } }),
        ),
        ("the shortest deadline", json!({ "cutover": { "deadline": "10s" } })),
        ("the longest deadline", json!({ "cutover": { "deadline": "30m" } })),
        ("the least lag", json!({ "cutover": { "maxLag": "100ms" } })),
        ("the most lag", json!({ "cutover": { "maxLag": "5m" } })),
        ("the least age", json!({ "cutover": { "maxTransactionAge": "1s" } })),
        ("the most age", json!({ "cutover": { "maxTransactionAge": "1h" } })),
        ("the longest soak", json!({ "soak": { "duration": "720h" } })),
        ("a fraction", json!({ "cutover": { "deadline": "1m0.5s" } })),
        ("ready at once", json!({ "application": { "readyTimeout": "10s" } })),
        ("ready in an hour", json!({ "application": { "readyTimeout": "1h" } })),
        (
            "a plain number of bytes",
            json!({ "replication": { "maxRetainedWAL": 1_073_741_824 } }),
        ),
        (
            "part of a size",
            json!({ "replication": { "maxRetainedWAL": "1.5Ti" } }),
        ),
        (
            "an index",
            identity(&json!({ "table": "public.audit", "identity": "Index", "index": longest })),
        ),
        (
            "all columns",
            identity(&json!({ "table": "public.Audit Log", "identity": "Full" })),
        ),
        (
            "a promise",
            identity(&json!({ "table": "public.log", "identity": "InsertOnly" })),
        ),
        ("256 tables", identities(256)),
        (
            "a cluster group",
            groups(&json!({ "policy": "Existing", "dbClusterParameterGroupName": "shop-18" })),
        ),
        (
            "an instance group",
            groups(&json!({ "policy": "Existing", "dbParameterGroupName": "default.aurora-postgresql18" })),
        ),
        (
            "16 connections",
            json!({ "application": { "connections": names("shop-db", 16) } }),
        ),
        (
            "24 workloads",
            json!({ "application": { "workloads": names("shop", 24) } }),
        ),
        ("a key of every kind", key("jdbc.url_1-A", "JDBCURL")),
        ("40 tags", tags(40)),
        (
            "a tag with the longest key",
            json!({ "target": { "tags": { "k".repeat(128): "v".repeat(256) } } }),
        ),
    ];
    for (what, change) in table {
        server.expect_accepted(what, &changed("accepted", &change)).await;
    }
    server
        .expect_accepted("the longest name", &minimal(&"n".repeat(63)))
        .await;
}
