//! An API server with the definition installed. What it does wrong is collected, so that one run shows all of it.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Client, ResourceExt};
use lab_cluster::Cluster;
use lab_postgres::Folder;
use pgupgrade::api::{self, PostgresUpgrade};
use serde_json::{Value, json};
use tokio::process::Command;

pub const NAMESPACE: &str = "admission";
const MANAGER: &str = "user";
const LIMIT: Duration = Duration::from_secs(30);

pub struct Server {
    pub client: Client,
    cluster: Cluster,
    _folder: Folder,
    failures: Vec<String>,
}

impl Server {
    pub async fn start() -> Self {
        // Fails where another test of this binary was first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = Folder::create().unwrap();
        let cluster = Cluster::start(folder.path()).await.unwrap();
        let client = cluster.admin().clone();
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let name = definitions
            .create(&PostParams::default(), &api::crd())
            .await
            .unwrap()
            .name_any();
        let established = await_condition(definitions, &name, conditions::is_crd_established());
        tokio::time::timeout(LIMIT, established).await.unwrap().unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } })).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        Self {
            client,
            cluster,
            _folder: folder,
            failures: Vec::new(),
        }
    }

    pub async fn stop(self) {
        self.cluster.stop().await.unwrap();
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
    }

    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(what());
        }
    }

    fn upgrades(&self) -> Api<DynamicObject> {
        Api::namespaced_with(
            self.client.clone(),
            NAMESPACE,
            &ApiResource::erase::<PostgresUpgrade>(&()),
        )
    }

    /// Applies a manifest as a user does; the answer or the server's message.
    pub async fn apply(&self, manifest: &Value) -> Result<Value, String> {
        self.send(manifest, PatchParams::apply(MANAGER).force().validation_strict())
            .await
    }

    /// The same, only tried.
    pub async fn dry_run(&self, manifest: &Value) -> Result<Value, String> {
        self.send(
            manifest,
            PatchParams::apply(MANAGER).force().validation_strict().dry_run(),
        )
        .await
    }

    async fn send(&self, manifest: &Value, parameters: PatchParams) -> Result<Value, String> {
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let answer = self.upgrades().patch(name, &parameters, &Patch::Apply(manifest)).await;
        answer
            .map(|object| serde_json::to_value(object).unwrap())
            .map_err(|error| error.to_string())
    }

    /// Writes a status as one field manager does.
    pub async fn write_status(&self, name: &str, manager: &str, status: Value) -> Result<Value, String> {
        let patch = json!({ "apiVersion": "pgupgrade.dev/v1alpha1", "kind": "PostgresUpgrade", "status": status });
        let parameters = PatchParams::apply(manager).force().validation_strict();
        let answer = self
            .upgrades()
            .patch_status(name, &parameters, &Patch::Apply(&patch))
            .await;
        answer
            .map(|object| serde_json::to_value(object).unwrap())
            .map_err(|error| error.to_string())
    }

    pub async fn expect_accepted(&mut self, what: &str, manifest: &Value) {
        if let Err(message) = self.dry_run(manifest).await {
            self.failures.push(format!("{what}: refused: {message}"));
        }
    }

    pub async fn expect_refused(&mut self, what: &str, manifest: &Value, fragments: &[&str]) {
        match self.dry_run(manifest).await {
            Ok(_) => self.failures.push(format!("{what}: accepted")),
            Err(message) => {
                for fragment in fragments {
                    let found = message.contains(fragment);
                    self.check(found, || format!("{what}: {fragment:?} is not in: {message}"));
                }
            }
        }
    }

    /// Runs kubectl as administrator: whether it succeeded, and what it printed.
    pub async fn kubectl(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::from(self.cluster.kubectl());
        let output = command.args(arguments).output().await.unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        if !output.status.success() {
            text.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        (output.status.success(), text)
    }
}

/// The fewest fields.
pub fn minimal(name: &str) -> Value {
    json!({
        "apiVersion": "pgupgrade.dev/v1alpha1",
        "kind": "PostgresUpgrade",
        "metadata": { "name": name },
        "spec": {
            "source": { "identifier": "shop-prod", "credentials": { "secretRef": { "name": "shop-db-admin" } } },
            "target": { "engineVersion": "18" },
            "application": { "connections": [{ "name": "shop-db" }], "workloads": [{ "name": "shop-api" }] },
        },
    })
}

/// The fewest fields with a change to the spec.
pub fn changed(name: &str, change: &Value) -> Value {
    let mut manifest = minimal(name);
    merge(&mut manifest["spec"], change);
    manifest
}

/// RFC 7396: objects are merged, null removes, everything else replaces.
pub fn merge(into: &mut Value, change: &Value) {
    let Value::Object(changes) = change else {
        *into = change.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in changes {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

/// A path of the repository.
pub fn path(below: &str) -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(below)).unwrap()
}
