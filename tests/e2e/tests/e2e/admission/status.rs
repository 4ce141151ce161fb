//! The status: its bounds, and that the operator's own cut keeps to them.
use pgupgrade::api::{
    AttemptStatus, Finding, FindingsStatus, Phase, PhaseRecord, PostgresUpgradeStatus, Severity, conditions,
};
use serde_json::{Value, json};

use super::server::{Server, changed, minimal};

const NAME: &str = "bounds";

pub async fn bounds(server: &mut Server) {
    server.apply(&minimal(NAME)).await.unwrap();
    let oversized = oversized();
    let refused = server
        .write_status(NAME, "pgupgrade", serde_json::to_value(&oversized).unwrap())
        .await;
    server.check(refused.is_err(), || "a status over its bounds is accepted".to_owned());
    let mut fitting = oversized;
    fitting.fit();
    let fitting = serde_json::to_value(&fitting).unwrap();
    match server.write_status(NAME, "pgupgrade", fitting.clone()).await {
        Ok(written) => server.check(written["status"] == fitting, || {
            "the server changed the status".to_owned()
        }),
        Err(message) => server.check(false, || format!("a status cut to its bounds is refused: {message}")),
    }
    let table: [(&str, Value); 5] = [
        ("a phase that is none", json!({ "phase": "Pending" })),
        ("a long message", json!({ "message": "m".repeat(1025) })),
        (
            "an outcome that is none",
            json!({ "attempts": [{ "number": 1, "outcome": "Maybe", "targetIdentifier": "t" }] }),
        ),
        ("an unknown field", json!({ "progress": 5 })),
        (
            "a port that is none",
            json!({ "resolved": { "sourceEndpoint": { "host": "h", "port": 65536 } } }),
        ),
    ];
    for (what, status) in table {
        let refused = server.write_status(NAME, "pgupgrade", status).await;
        server.check(refused.is_err(), || format!("{what} in the status is accepted"));
    }
    // A status in the manifest is not taken over.
    let mut manifest = changed("no-status", &json!({}));
    manifest["status"] = json!({ "phase": "Succeeded" });
    let created = server.apply(&manifest).await.unwrap();
    server.check(created["status"].is_null(), || {
        format!("a user wrote the status {}", created["status"])
    });
}

fn oversized() -> PostgresUpgradeStatus {
    let finding = Finding {
        reason: "NoReplicaIdentity".to_owned(),
        severity: Severity::Blocking,
        object: "orders.public.ä".repeat(100),
        message: "ä".repeat(2_000),
    };
    let mut status = PostgresUpgradeStatus {
        phase: Phase::Preflight,
        message: Some("ä".repeat(2_000)),
        phases: vec![PhaseRecord::default(); 100],
        attempts: (1..=12)
            .map(|number| AttemptStatus {
                number,
                ..AttemptStatus::default()
            })
            .collect(),
        findings: Some(FindingsStatus::of(vec![finding; 200])),
        ..PostgresUpgradeStatus::default()
    };
    let now = k8s_openapi::jiff::Timestamp::UNIX_EPOCH;
    conditions::Conditions::new(&mut status.conditions, Some(1), now).set(
        conditions::READY,
        false,
        "PreflightBlocked",
        &"ä".repeat(2_000),
    );
    status
}

fn condition(type_: &str) -> Value {
    json!({ "conditions": [{
        "type": type_, "status": "True", "reason": "Because", "message": "", "lastTransitionTime": "2026-11-23T09:00:02Z",
    }] })
}

/// Two managers each have a condition of their own.
pub async fn conditions_have_keys(server: &mut Server) {
    server.apply(&minimal("conditions")).await.unwrap();
    server
        .write_status("conditions", "one", condition("Ready"))
        .await
        .unwrap();
    let written = server
        .write_status("conditions", "two", condition("Audited"))
        .await
        .unwrap();
    let number = written["status"]["conditions"].as_array().map(Vec::len);
    server.check(number == Some(2), || {
        format!("conditions of two managers: {}", written["status"]["conditions"])
    });
    let twice = json!({ "conditions": [condition("A")["conditions"][0], condition("A")["conditions"][0]] });
    let refused = server.write_status("conditions", "one", twice).await;
    server.check(refused.is_err(), || "one condition twice is accepted".to_owned());
}
