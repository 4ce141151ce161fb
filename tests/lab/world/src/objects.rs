//! The Kubernetes objects: the operator's installation, the shop's namespace, Secrets and Deployment.
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::source::{MASTER, MASTER_PASSWORD, SOURCE};
use crate::{Error, World, program};

/// The shop's namespace.
pub const NAMESPACE: &str = "shop";
/// The operator's namespace.
pub const OPERATOR_NAMESPACE: &str = "pgupgrade-system";

impl World {
    /// Installs CRD and `deploy/` as a user does, but for the Deployment: the operator runs from this build instead
    /// of an image.
    pub(crate) async fn install(&self) -> Result<(), Error> {
        self.kubectl(&["apply", "--server-side", "-f", &path("crds")]).await?;
        let rendered = self.kubectl(&["kustomize", &path("deploy")]).await?;
        let without: Vec<&str> = rendered
            .split("\n---\n")
            .filter(|text| !text.contains("\nkind: Deployment\n"))
            .collect();
        let file = self.dir().join("deploy.yaml");
        std::fs::write(&file, without.join("\n---\n")).map_err(Error::file(&file))?;
        self.kubectl(&["apply", "--server-side", "-f", &file.to_string_lossy()])
            .await?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } })).map_err(unexpected)?;
        namespaces.create(&PostParams::default(), &namespace).await?;
        self.kubectl(&["apply", "-f", &path("deploy/examples/shop-rbac.yaml")])
            .await
            .map(drop)
    }

    /// The Secrets, the CA bundle and the Deployment, at zero replicas.
    pub(crate) async fn create_application_objects(&self) -> Result<(), Error> {
        let uri = self.application_uri(SOURCE).await?;
        self.apply::<Secret>(
            "shop-db-admin",
            json!({ "stringData": { "username": MASTER, "password": MASTER_PASSWORD } }),
        )
        .await?;
        self.apply::<Secret>("shop-db", json!({ "stringData": { "DATABASE_URL": uri } }))
            .await?;
        self.apply::<ConfigMap>("rds-ca", json!({ "data": { "ca.crt": self.rds.ca_pem() } }))
            .await?;
        self.apply::<Deployment>("shop-api", self.deployment()?).await
    }

    fn deployment(&self) -> Result<Value, Error> {
        let ledger = program("ledger")?;
        let labels = json!({ "app": "shop-api" });
        let ready = self.dir().join("ready");
        std::fs::create_dir_all(&ready).map_err(Error::file(&ready))?;
        let ready_file = format!("{}/$(POD_NAME)", ready.display());
        Ok(json!({ "spec": {
            "replicas": 0,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "terminationGracePeriodSeconds": 5,
                    "containers": [{
                        "name": "api",
                        "image": "shop-api",
                        "command": [ledger, "write"],
                        "env": [
                            { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                            { "name": "DATABASE_URL", "valueFrom": { "secretKeyRef": { "name": "shop-db", "key": "DATABASE_URL" } } },
                            { "name": "DATABASE_CA", "value": self.ca_file() },
                            { "name": "LEDGER_DIR", "value": self.ledger.path() },
                            { "name": "LEDGER_RATE", "value": "100" },
                            { "name": "LEDGER_CONNECTIONS", "value": "3" },
                            { "name": "READY_FILE", "value": ready_file },
                        ],
                        "readinessProbe": {
                            "exec": { "command": ["sh", "-c", "test -f \"$READY_FILE\""] },
                            "periodSeconds": 1,
                        },
                    }],
                },
            },
        } }))
    }

    /// Applies an object in the shop's namespace.
    ///
    /// # Errors
    /// Where the API server refuses.
    pub async fn apply<K>(&self, name: &str, mut body: Value) -> Result<(), Error>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        body["apiVersion"] = K::api_version(&()).into();
        body["kind"] = K::kind(&()).into();
        body["metadata"]["name"] = name.into();
        let objects: Api<K> = Api::namespaced(self.client.clone(), NAMESPACE);
        objects
            .patch(name, &PatchParams::apply("world").force(), &Patch::Apply(body))
            .await?;
        Ok(())
    }

    /// Runs kubectl as administrator; what it printed.
    ///
    /// # Errors
    /// Where it ends with another status than 0.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = tokio::process::Command::from(self.cluster.kubectl());
        command.args(arguments);
        let output = command.output().await.map_err(Error::file(Path::new("kubectl")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Program {
            program: format!("kubectl {}", arguments.join(" ")),
            output: text,
        })
    }
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn unexpected(error: serde_json::Error) -> Error {
    Error::Unexpected(error.to_string())
}

/// A path of the repository.
pub(crate) fn path(below: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    root.join(below).to_string_lossy().into_owned()
}
