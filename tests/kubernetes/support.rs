//! A namespace for each scenario, and what is in it.
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use pgupgrade::kubernetes::connections::Endpoints;
use serde_json::json;

pub const OURS: &str = "shop/shop/6b2f0c1e";
pub const LIMIT: Duration = Duration::from_secs(30);

/// A namespace of its own, as administrator.
pub struct Space {
    pub client: Client,
    pub name: String,
}

impl Space {
    pub async fn create(client: &Client, name: &str) -> Self {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = json!({ "metadata": { "name": name } });
        namespaces
            .create(&PostParams::default(), &serde_json::from_value(namespace).unwrap())
            .await
            .unwrap();
        Self {
            client: client.clone(),
            name: name.to_owned(),
        }
    }
}

/// A client as the kubeconfig says.
pub async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

pub fn endpoints(host: &str) -> Endpoints {
    Endpoints {
        writer: host.to_owned(),
        reader: None,
        port: 5432,
        aliases: Vec::new(),
    }
}

pub async fn create_secret(space: &Space, name: &str, data: serde_json::Value) -> Secret {
    let api: Api<Secret> = Api::namespaced(space.client.clone(), &space.name);
    let secret = json!({ "metadata": { "name": name }, "stringData": data });
    api.create(&PostParams::default(), &serde_json::from_value(secret).unwrap())
        .await
        .unwrap()
}

pub async fn create_deployment(space: &Space, name: &str, replicas: i32, command: &[&str]) {
    let api: Api<Deployment> = Api::namespaced(space.client.clone(), &space.name);
    let container = json!({ "name": "api", "image": "local", "command": command });
    let deployment = json!({
        "metadata": { "name": name },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "shop" } }, "template": {
            "metadata": { "labels": { "app": "shop" } },
            "spec": { "terminationGracePeriodSeconds": 5, "containers": [container] } } },
    });
    api.create(&PostParams::default(), &serde_json::from_value(deployment).unwrap())
        .await
        .unwrap();
}
