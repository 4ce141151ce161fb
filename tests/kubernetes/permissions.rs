//! What the operator may not do is found before it does anything.
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::PostParams;
use kube::{Api, Client};
use lab_cluster::Cluster;
use pgupgrade::kubernetes::{Error, connections, permissions, secrets, workloads};
use serde_json::json;

use crate::support::{LIMIT, OURS, Space, client, create_deployment, create_secret, endpoints};

/// A `ServiceAccount` that may do what the rules say, and a client that is it.
async fn account(space: &Space, cluster: &Cluster, granted: serde_json::Value) -> Client {
    let accounts: Api<ServiceAccount> = Api::namespaced(space.client.clone(), &space.name);
    let roles: Api<Role> = Api::namespaced(space.client.clone(), &space.name);
    let role_bindings: Api<RoleBinding> = Api::namespaced(space.client.clone(), &space.name);
    let metadata = json!({ "name": "operator" });
    let account = json!({ "metadata": metadata });
    let role = json!({ "metadata": metadata, "rules": granted });
    let binding = json!({
        "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": space.name, "name": "operator" }],
    });
    let params = PostParams::default();
    accounts
        .create(&params, &serde_json::from_value(account).unwrap())
        .await
        .unwrap();
    roles
        .create(&params, &serde_json::from_value(role).unwrap())
        .await
        .unwrap();
    role_bindings
        .create(&params, &serde_json::from_value(binding).unwrap())
        .await
        .unwrap();
    client(
        &cluster
            .service_account_kubeconfig(&space.name, "operator")
            .await
            .unwrap(),
    )
    .await
}

pub async fn what_is_not_permitted_is_found_before_and_told_exactly(space: &Space, cluster: &Cluster) {
    let name = space.name.as_str();
    create_secret(space, "shop-db", json!({ "HOST": "old.example" })).await;
    create_deployment(space, "shop-api", 0, &["sleep", "1000"]).await;
    let rules = json!([
        { "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["shop-db"], "verbs": ["get"] },
        { "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["shop-api"], "verbs": ["get", "list", "watch", "patch"] },
    ]);
    let operator = account(space, cluster, rules).await;
    let needed = [
        permissions::for_connection("shop-db"),
        permissions::for_workload("shop-api"),
    ]
    .concat();
    let missing = permissions::missing(&operator, name, &needed).await.unwrap();
    let told: Vec<&str> = missing.iter().map(|problem| problem.object.as_str()).collect();
    assert_eq!(told, ["Secret/shop-db", "Pod/*"], "{missing:?}");
    assert!(
        missing[0].message.contains("verbs: [patch]") && missing[1].message.contains("verbs: [list, watch, delete]")
    );
    assert!(
        permissions::missing(&space.client, name, &needed)
            .await
            .unwrap()
            .is_empty()
    );

    let secret = secrets::read(&operator, name, "shop-db").await.unwrap();
    let plan = connections::plan(
        &secrets::data(&secret),
        &[],
        &endpoints("old.example"),
        &endpoints("new.example"),
    )
    .unwrap();
    let refused = secrets::apply(&operator, name, &secret, &plan).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Forbidden {
                verb: "patch",
                resource: "secrets",
                ..
            }
        ),
        "{refused}"
    );
    assert!(matches!(
        secrets::read(&operator, name, "other").await,
        Err(Error::Forbidden { .. })
    ));
    let gone = workloads::read(&space.client, name, "gone").await.unwrap_err();
    assert_eq!(gone.problem().unwrap().reason, "WorkloadNotFound");

    let down = workloads::scale_to_zero(&operator, name, "shop-api", OURS)
        .await
        .unwrap();
    let wait = workloads::wait_until_gone(&operator, name, &down, LIMIT, |_| {}).await;
    assert!(
        matches!(wait, Err(Error::Forbidden { resource: "pods", .. })),
        "{wait:?}"
    );
    assert!(
        workloads::autoscaler_problems(&operator, name, "shop-api")
            .await
            .unwrap()
            .is_empty()
    );
}
