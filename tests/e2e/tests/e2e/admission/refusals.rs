//! What is refused, each with the message that says why.
use serde_json::{Value, json};

use super::server::{Server, changed, minimal};
use super::spec::{identities, names, tags};

pub async fn refused(server: &mut Server) {
    let table: Vec<Value> = serde_yaml::from_str(include_str!("refused.yaml")).unwrap();
    for row in &table {
        let text = |key: &str| row[key].as_str().unwrap();
        server
            .expect_refused(text("what"), &changed("refused", &row["spec"]), &[text("says")])
            .await;
    }
    for (what, change, says) in too_large() {
        server.expect_refused(what, &changed("refused", &change), &[says]).await;
    }
    let says = "metadata.name must be at most 63 characters";
    server
        .expect_refused("a long name", &minimal(&"n".repeat(64)), &[says])
        .await;
}

fn too_large() -> Vec<(&'static str, Value, &'static str)> {
    let long = "a".repeat(64);
    let comment = json!({ "cutover": { "approval": { "token": "1-1-aaaaaa", "comment": "c".repeat(257) } } });
    let aliases: Vec<String> = (0..17).map(|number| format!("alias-{number}")).collect();
    let tag = json!({ "target": { "tags": { "k".repeat(129): "x" } } });
    let value = json!({ "target": { "tags": { "team": "v".repeat(257) } } });
    let connections = json!({ "application": { "connections": names("shop-db", 17) } });
    vec![
        (
            "a long identifier",
            json!({ "source": { "identifier": long } }),
            "spec.source.identifier",
        ),
        (
            "a long target",
            json!({ "target": { "identifier": long } }),
            "spec.target.identifier",
        ),
        ("a long comment", comment, "spec.cutover.approval.comment"),
        ("a tag with a long key", tag, "tag keys have 1 to 128 characters"),
        ("a tag with a long value", value, "spec.target.tags"),
        ("257 tables", identities(257), "must have at most 256 items"),
        ("17 connections", connections, "must have at most 16 items"),
        (
            "25 workloads",
            json!({ "application": { "workloads": names("shop", 25) } }),
            "must have at most 24 items",
        ),
        (
            "17 aliases",
            json!({ "source": { "endpointAliases": aliases } }),
            "must have at most 16 items",
        ),
        ("41 tags", tags(41), "must have at most 40"),
    ]
}
