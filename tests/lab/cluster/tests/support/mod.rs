//! What the cases have in common.

use std::fmt::Debug;
use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ContainerStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Config;
use kube::Resource;
use kube::api::DeleteParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::*;

const LIMIT: Duration = Duration::from_mins(1);

/// A namespace of the cluster and a folder that its Pods write to, one file each.
pub struct Case<'a> {
    pub cluster: &'a Cluster,
    pub namespace: &'a str,
    folder: PathBuf,
}

impl<'a> Case<'a> {
    pub async fn new(cluster: &'a Cluster, folder: &Path, namespace: &'a str) -> Self {
        let namespaces: Api<Namespace> = Api::all(cluster.admin().clone());
        let created = Namespace {
            metadata: object(namespace),
            ..Namespace::default()
        };
        namespaces.create(&PostParams::default(), &created).await.unwrap();
        let folder = folder.join("out");
        std::fs::create_dir(&folder).unwrap();
        Self {
            cluster,
            namespace,
            folder,
        }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cluster.admin().clone(), self.namespace)
    }

    pub async fn create<K>(&self, object: Value)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api::<K>().create(&PostParams::default(), &object).await.unwrap();
    }

    pub async fn remove<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.api::<K>().delete(name, &DeleteParams::background()).await.unwrap();
        wait("the Pods to go", || async {
            self.pods(&format!("app={name}")).await.is_empty()
        })
        .await;
    }

    pub async fn scale(&self, name: &str, replicas: i32) {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        self.api::<Deployment>()
            .patch_scale(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub async fn ready_replicas(&self, name: &str) -> i32 {
        let status = self.api::<Deployment>().get_status(name).await.unwrap().status;
        status.and_then(|status| status.ready_replicas).unwrap_or(0)
    }

    pub async fn wait_ready(&self, name: &str, replicas: i32) {
        wait("the replicas", || async { self.ready_replicas(name).await == replicas }).await;
    }

    pub async fn pods(&self, labels: &str) -> Vec<Pod> {
        self.api::<Pod>()
            .list(&ListParams::default().labels(labels))
            .await
            .unwrap()
            .items
    }

    pub async fn phase(&self, labels: &str) -> String {
        let pods = self.pods(labels).await;
        pods.first()
            .and_then(|pod| pod.status.clone()?.phase)
            .unwrap_or_default()
    }

    pub async fn start_sleepers(&self, name: &str, replicas: usize) -> Vec<i32> {
        start_sleepers(self.cluster.admin(), self.namespace, &self.folder, name, replicas).await
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self
            .cluster
            .kubectl()
            .args(["-n", self.namespace])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn out(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// All lines of all files, split into words.
    pub fn lines(&self) -> Vec<Vec<String>> {
        lines(&self.folder)
    }

    pub fn clear(&self) {
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

fn lines(folder: &Path) -> Vec<Vec<String>> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file());
    let text: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Starts Pods that wait for SIGTERM, and gives their processes.
pub async fn start_sleepers(client: &Client, namespace: &str, folder: &Path, name: &str, replicas: usize) -> Vec<i32> {
    let out = folder.join(name);
    std::fs::create_dir(&out).unwrap();
    // In `command`, `$$` is Kubernetes' own escape for `$`.
    let script = format!("echo $$$$ > {}/$HOSTNAME; while :; do sleep 0.1; done", out.display());
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let created = serde_json::from_value(deployment(name, replicas, &script)).unwrap();
    deployments.create(&PostParams::default(), &created).await.unwrap();
    wait("the Pods' processes", || async { lines(&out).len() == replicas }).await;
    lines(&out).iter().map(|line| line[0].parse().unwrap()).collect()
}

pub async fn client(kubeconfig: &Path) -> Client {
    // Another test may have done so.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

pub fn object(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

pub fn deployment(name: &str, replicas: usize, script: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": "none", "command": ["sh", "-c", script] }] },
            },
        },
    })
}

pub fn container_status(pods: &[Pod]) -> Option<ContainerStatus> {
    pods.first()?
        .status
        .as_ref()?
        .container_statuses
        .as_ref()?
        .first()
        .cloned()
}

/// A program that is killed when this is dropped, so also when a test fails.
pub struct Runner(pub Child);

impl Runner {
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Waits until a condition holds.
pub async fn wait<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LIMIT, "waited {LIMIT:?} for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process exists and has not ended (a zombie has).
pub fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// The children of a process, and theirs.
pub fn descendants(of: u32) -> Vec<i32> {
    let all: Vec<(i32, i32)> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?.1)))
        .collect();
    let mut found = vec![of.cast_signed()];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// State and parent from `/proc/<pid>/stat` (proc(5)); the name before them may hold anything but ends with the last `)`.
fn stat(pid: i32) -> Option<(String, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
