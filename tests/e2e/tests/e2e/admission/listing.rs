//! What kubectl prints.
use serde_json::json;

use super::server::{NAMESPACE, Server, changed};

pub async fn names_and_columns(server: &mut Server) {
    let shop = changed("listed", &json!({ "source": { "identifier": "listed-prod" } }));
    server.apply(&shop).await.unwrap();
    let ready = json!({
        "type": "Ready", "status": "False", "reason": "AwaitingApproval", "message": "m",
        "lastTransitionTime": "2026-11-23T09:00:02Z",
    });
    let status = json!({
        "phase": "AwaitingCutover",
        "message": "approve it",
        "attempt": 2,
        "writer": "Source",
        "resolved": { "sourceEngineVersion": "17.6", "targetEngineVersion": "18.6", "targetIdentifier": "shop-prod-18" },
        "replication": { "lag": "33s" },
        "verification": { "progress": "97%" },
        "cutover": { "token": "2-1-9f3kqx", "writeGap": "1.93s" },
        "conditions": [ready],
    });
    server.write_status("listed", "pgupgrade", status).await.unwrap();

    let selector = "--field-selector=spec.source.identifier=listed-prod,status.phase=AwaitingCutover";
    let narrow = "NAME PHASE FROM TO LAG VERIFIED READY REASON AGE";
    let wide = "NAME PHASE FROM TO LAG VERIFIED READY REASON AGE ATTEMPT WRITER GAP APPROVAL TARGET MESSAGE";
    let values = [
        "listed",
        "AwaitingCutover",
        "17.6",
        "18.6",
        "33s",
        "97%",
        "False",
        "AwaitingApproval",
    ];
    for name in ["pgupgrade", "pgup", "postgresupgrades", "postgresupgrade", "databases"] {
        let (_, text) = server.kubectl(&["-n", NAMESPACE, "get", name, selector]).await;
        let lines = words(&text);
        let fits = lines.len() == 2 && lines[0].join(" ") == narrow && lines[1].starts_with(&values);
        server.check(fits, || format!("kubectl get {name}: {text}"));
    }
    let (_, text) = server
        .kubectl(&["-n", NAMESPACE, "get", "pgup", selector, "-o", "wide"])
        .await;
    let lines = words(&text);
    let fits = lines.len() == 2
        && lines[0].join(" ") == wide
        && lines[1].ends_with(&["2", "Source", "1.93s", "2-1-9f3kqx", "shop-prod-18", "approve", "it"]);
    server.check(fits, || format!("kubectl get -o wide: {text}"));

    // `kubectl delete all --all` must not reach it.
    let (_, text) = server.kubectl(&["-n", NAMESPACE, "get", "all", "-o", "name"]).await;
    server.check(!text.contains("postgresupgrade"), || format!("it is among all: {text}"));
    let (explained, text) = server.kubectl(&["explain", "pgupgrade.spec.cutover.deadline"]).await;
    let explains = words(&text)
        .concat()
        .join(" ")
        .contains("to the commit point, 10s to 30m");
    server.check(explained && explains, || format!("kubectl explain: {text}"));
}

fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}
