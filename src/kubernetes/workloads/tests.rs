use serde_json::json;

use super::*;

fn deployment(value: &Value) -> Workload {
    Workload::from_deployment(&serde_json::from_value(value.clone()).unwrap())
}

#[test]
fn a_deployment_is_read_with_kubernetes_defaults() {
    let template = json!({});
    let bare = deployment(&json!({ "metadata": { "name": "a" }, "spec": { "selector": {}, "template": template } }));
    assert_eq!(
        (bare.replicas, bare.paused, bare.recorded_replicas()),
        (1, false, Some(1))
    );
    let full = deployment(&json!({
        "metadata": { "name": "a", "uid": "u", "generation": 4, "resourceVersion": "77",
            "annotations": { "pgupgrade.dev/owner": "shop/shop/1", "pgupgrade.dev/replicas": "3" } },
        "spec": { "replicas": 0, "paused": true, "template": template, "selector": { "matchLabels": { "app": "a", "tier": "web" },
            "matchExpressions": [{ "key": "zone", "operator": "In", "values": ["x", "y"] },
                { "key": "test", "operator": "DoesNotExist" }] } },
        "status": { "observedGeneration": 3, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2, "conditions": [
            { "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out" }] },
    }));
    let expected = Workload {
        name: "a".to_owned(),
        uid: "u".to_owned(),
        resource_version: "77".to_owned(),
        generation: 4,
        observed_generation: 3,
        replicas: 0,
        current: 2,
        updated: 1,
        ready: 2,
        paused: true,
        selector: "app=a,tier=web,zone in (x,y),!test".to_owned(),
        owner: Some("shop/shop/1".to_owned()),
        recorded: Some("3".to_owned()),
        stuck: Some("timed out".to_owned()),
    };
    assert_eq!(full, expected);
    assert_eq!(full.recorded_replicas(), Some(3));
}

#[test]
fn record_and_replicas_change_in_one_write_on_the_version_that_was_read() {
    let workload = Workload {
        uid: "u".to_owned(),
        resource_version: "77".to_owned(),
        ..Workload::default()
    };
    let up = body(
        &workload,
        &Write {
            owner: None,
            recorded: None,
            replicas: 3,
        },
    );
    let expected = json!({
        "metadata": { "uid": "u", "resourceVersion": "77",
            "annotations": { "pgupgrade.dev/owner": null, "pgupgrade.dev/replicas": null } },
        "spec": { "replicas": 3 },
    });
    assert_eq!(up, expected);
}
