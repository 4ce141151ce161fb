//! `deploy/`: it renders, its objects are accepted, and the operator may do what it needs and no more.
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use super::server::{Server, path};

const OPERATOR: &str = "--as=system:serviceaccount:pgupgrade-system:pgupgrade";

pub async fn renders_and_grants(server: &mut Server) {
    let (rendered, text) = server.kubectl(&["kustomize", &path("deploy").to_string_lossy()]).await;
    server.check(rendered, || format!("kubectl kustomize deploy: {text}"));
    let documents: Vec<Value> = text
        .split("\n---\n")
        .map(|document| serde_yaml::from_str(document).unwrap())
        .collect();
    for document in &documents {
        let labels = &document["metadata"]["labels"];
        let labelled =
            labels["app.kubernetes.io/name"] == "pgupgrade" && !labels["app.kubernetes.io/part-of"].is_null();
        server.check(labelled, || format!("{} has the labels {labels}", document["kind"]));
    }
    install(server, &documents).await;
    operator_pod(server, &documents).await;
    namespaces(server).await;
    let (applied, text) = server
        .kubectl(&["apply", "-f", &path("deploy/examples/shop-rbac.yaml").to_string_lossy()])
        .await;
    server.check(applied, || format!("shop-rbac.yaml: {text}"));
    let example = path("deploy/examples/shop.yaml");
    let arguments = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        &example.to_string_lossy(),
    ];
    let (applied, text) = server.kubectl(&arguments).await;
    server.check(applied, || format!("shop.yaml: {text}"));
    rights(server).await;
}

/// Everything but the Deployment: there is no image here.
async fn install(server: &mut Server, documents: &[Value]) {
    let folder = lab_postgres::Folder::create().unwrap();
    let file = folder.path().join("deploy.json");
    let items: Vec<&Value> = documents
        .iter()
        .filter(|document| document["kind"] != "Deployment")
        .collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    std::fs::write(&file, list.to_string()).unwrap();
    let (applied, text) = server
        .kubectl(&[
            "apply",
            "--server-side",
            "--validate=strict",
            "-f",
            &file.to_string_lossy(),
        ])
        .await;
    server.check(applied, || format!("deploy: {text}"));
}

/// The Pod of the Deployment is let into a namespace that enforces the restricted standard.
async fn operator_pod(server: &mut Server, documents: &[Value]) {
    let deployment = documents
        .iter()
        .find(|document| document["kind"] == "Deployment")
        .unwrap();
    let template = &deployment["spec"]["template"];
    let mut pod = json!({ "metadata": { "name": "operator" } });
    pod["spec"] = template["spec"].clone();
    pod["metadata"]["labels"] = template["metadata"]["labels"].clone();
    let selected = deployment["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let selects = selected
        .iter()
        .all(|(key, value)| &pod["metadata"]["labels"][key] == value);
    server.check(selects, || "the Deployment does not select its own Pods".to_owned());
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let pods: Api<Pod> = Api::namespaced(server.client.clone(), "pgupgrade-system");
    let answer = pods
        .create(
            &PostParams {
                dry_run: true,
                ..PostParams::default()
            },
            &pod,
        )
        .await;
    server.check(answer.is_ok(), || format!("the operator's Pod: {answer:?}"));
}

async fn namespaces(server: &mut Server) {
    let namespaces: Api<Namespace> = Api::all(server.client.clone());
    for name in ["shop", "other"] {
        let namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    }
}

async fn rights(server: &mut Server) {
    // verb, resource, namespace, whether it is granted
    let table = [
        ("watch", "postgresupgrades", "other", true),
        ("patch", "postgresupgrades/status", "other", true),
        ("create", "events.events.k8s.io", "other", true),
        ("delete", "postgresupgrades", "other", false),
        ("create", "postgresupgrades", "other", false),
        ("create", "leases.coordination.k8s.io", "pgupgrade-system", true),
        ("create", "secrets", "pgupgrade-system", true),
        ("create", "leases.coordination.k8s.io", "other", false),
        ("get", "secrets", "other", false),
        ("list", "secrets", "shop", false),
        ("get", "secrets/shop-db-admin", "shop", true),
        ("get", "secrets/shop-db", "shop", true),
        ("patch", "secrets/shop-db", "shop", true),
        ("patch", "secrets/shop-db-admin", "shop", false),
        ("get", "secrets/another", "shop", false),
        ("get", "configmaps/rds-ca", "shop", true),
        ("patch", "configmaps/rds-ca", "shop", false),
        ("create", "configmaps", "shop", true),
        ("patch", "configmaps/shop-report", "shop", true),
        ("get", "configmaps/shop-report", "shop", true),
        ("patch", "deployments.apps/shop-api", "shop", true),
        ("delete", "deployments.apps/shop-api", "shop", false),
        ("patch", "deployments.apps/another", "shop", false),
        ("delete", "pods", "shop", true),
        ("create", "pods", "shop", false),
        ("delete", "pods", "other", false),
    ];
    for (verb, resource, namespace, granted) in table {
        let (may, text) = server
            .kubectl(&["auth", "can-i", verb, resource, "-n", namespace, OPERATOR])
            .await;
        server.check(may == granted, || {
            format!("{verb} {resource} in {namespace}: {}", text.trim())
        });
    }
}
