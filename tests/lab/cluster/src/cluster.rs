//! Starting and ending a cluster.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use tracing::instrument::WithSubscriber as _;

use crate::components::{self, Ports};
use crate::pki::{Account, Pki};
use crate::process::Process;
use crate::{Error, Programs, Result, kubeconfig, ports};

/// Generous, since the machine may be busy; on a free one all takes four seconds.
const START_LIMIT: Duration = Duration::from_mins(3);
/// The node agent ends the containers within it.
const NODE_STOP_LIMIT: Duration = Duration::from_secs(5);
/// The others have nothing to save.
const STOP_LIMIT: Duration = Duration::from_millis(500);
const LOOK_PERIOD: Duration = Duration::from_millis(25);
const PORT_ATTEMPTS: u32 = 5;
const TOKEN_LIFETIME: Duration = Duration::from_hours(30 * 24);
const NODE_NAME: &str = "local";

/// A running cluster with one node. All of its processes and those of its Pods end with it, and also with the process
/// that started it, in whatever way that ends.
pub struct Cluster {
    dir: PathBuf,
    server: String,
    programs: Programs,
    pki: Pki,
    admin: Client,
    admin_kubeconfig: PathBuf,
    /// In the order of their start.
    processes: Vec<Process>,
}

impl Cluster {
    /// Starts a cluster that keeps its files in `dir`, which is made if needed; state of an earlier one there is lost.
    /// Returns when the API server is ready and the node accepts Pods. Builds the programs where they are not in the
    /// cache folder yet, which takes minutes.
    ///
    /// # Errors
    /// What [`Programs::ensure`] says; [`Error::Ended`] and [`Error::NotReady`] with the end of the component's log.
    pub async fn start(dir: &Path) -> Result<Self> {
        // Fails when the process has chosen a provider already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let programs = Programs::ensure().await?;
        std::fs::create_dir_all(dir).map_err(Error::file("create", dir))?;
        let dir = dir.canonicalize().map_err(Error::file("resolve", dir))?;
        let mut attempt = 1;
        loop {
            match Self::launch(&dir, &programs).await {
                Err(error) if error.is_port_taken() && attempt < PORT_ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    async fn launch(dir: &Path, programs: &Programs) -> Result<Self> {
        let began = Instant::now();
        let data = dir.join("etcd");
        if data.exists() {
            std::fs::remove_dir_all(&data).map_err(Error::file("remove", &data))?;
        }
        let [etcd_client, etcd_peer, api_server, kubelet] = ports::free()?;
        let ports = Ports {
            etcd_client,
            etcd_peer,
            api_server,
            kubelet,
        };
        let pki = Pki::create(&dir.join("pki"))?;
        let server = format!("https://127.0.0.1:{api_server}");
        let admin_kubeconfig = account_kubeconfig(dir, &server, &pki, Account::Admin)?;
        let admin = client(&admin_kubeconfig).await?;
        let mut cluster = Self {
            dir: dir.to_owned(),
            server,
            programs: programs.clone(),
            pki,
            admin,
            admin_kubeconfig,
            processes: Vec::new(),
        };
        cluster.run("etcd", &components::etcd(programs, ports, &data))?;
        cluster.run("kube-apiserver", &components::api_server(programs, ports, &cluster.pki))?;
        wait("the API server", &cluster.processes, || {
            api_server_ready(&cluster.admin)
        })
        .await?;
        tracing::info!(server = cluster.server, elapsed = ?began.elapsed(), "the API server is ready");
        cluster.run_clients(ports)?;
        wait("the node", &cluster.processes, || node_ready(&cluster.admin)).await?;
        tracing::info!(server = cluster.server, elapsed = ?began.elapsed(), "the node is ready");
        Ok(cluster)
    }

    /// Starts what works through the API server; each would give up or pause if it were not ready.
    fn run_clients(&mut self, ports: Ports) -> Result<()> {
        let programs = self.programs.clone();
        let config = |account| account_kubeconfig(&self.dir, &self.server, &self.pki, account);
        let manager = components::controller_manager(&programs, &self.pki, &config(Account::ControllerManager)?);
        let scheduler = components::scheduler(&programs, &config(Account::Scheduler)?);
        let pods = self.dir.join("pods");
        let node = components::node(&programs, ports, &self.pki, &config(Account::Node)?, &pods);
        self.run("kube-controller-manager", &manager)?;
        self.run("kube-scheduler", &scheduler)?;
        self.run("node", &node)
    }

    fn run(&mut self, name: &'static str, command: &Command) -> Result<()> {
        let log = self.dir.join(format!("{name}.log"));
        self.processes.push(Process::start(name, command, &log)?);
        Ok(())
    }

    /// The kubeconfig of the administrator.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin_kubeconfig
    }

    /// A client with the administrator's rights.
    #[must_use]
    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// The API server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The folder with the cluster's files: logs of the components, and of the Pods below `pods`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a kubeconfig for an existing `ServiceAccount` with a token that lives for 30 days, readable by its owner only.
    ///
    /// # Errors
    /// [`Error::Api`] when the `ServiceAccount` does not exist; [`Error::NoToken`]; [`Error::File`].
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: Some(TOKEN_LIFETIME.as_secs().cast_signed()),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin.clone(), namespace);
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(Error::api(format!("get a token for ServiceAccount {namespace}/{name}")))?;
        let token = answer.status.and_then(|status| status.token);
        let token = token.ok_or_else(|| Error::NoToken(format!("{namespace}/{name}")))?;
        let path = self.dir.join(format!("{namespace}.{name}.kubeconfig"));
        kubeconfig::write(&path, &self.server, &self.pki.ca_pem, namespace, &token)?;
        Ok(path)
    }

    /// kubectl with the administrator's rights: the one on PATH, else one of the cluster's own version.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let mut command = self.programs.kubectl();
        command.env("KUBECONFIG", &self.admin_kubeconfig);
        command
    }

    /// Ends the node with all Pods, then the control plane, and returns when no process is left.
    ///
    /// # Errors
    /// [`Error::StillRunning`].
    pub async fn stop(mut self) -> Result<()> {
        while let Some(process) = self.processes.pop() {
            let limit = if process.name == "node" {
                NODE_STOP_LIMIT
            } else {
                STOP_LIMIT
            };
            process.stop(limit).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("server", &self.server)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

fn account_kubeconfig(dir: &Path, server: &str, pki: &Pki, account: Account) -> Result<PathBuf> {
    let path = dir.join(format!("{}.kubeconfig", account.name()));
    kubeconfig::write(&path, server, &pki.ca_pem, "default", pki.token(account))?;
    Ok(path)
}

async fn client(path: &Path) -> Result<Client> {
    let failed = |source| Error::Kubeconfig {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(failed)?;
    // Not before the server is ready, and afterwards a refusal shall be seen.
    config.default_retry = false;
    Client::try_from(config).map_err(Error::api(format!("make a client from {}", path.display())))
}

/// What is still missing, or `None`.
type Missing = Option<String>;

/// Waits until `look` finds nothing missing; the last process started is the one that has to bring it about.
async fn wait<F: Future<Output = Missing>>(
    what: &'static str,
    started: &[Process],
    look: impl Fn() -> F,
) -> Result<()> {
    let began = Instant::now();
    loop {
        if let Some((process, status)) = started.iter().find_map(|process| Some((process, process.status()?))) {
            let (log, tail) = (process.log.clone(), process.tail());
            return Err(Error::Ended {
                component: process.name,
                status,
                log,
                tail,
            });
        }
        let looked = tokio::time::timeout(Duration::from_secs(2), quietly(look())).await;
        let Some(last) = looked.unwrap_or_else(|_| Some("no answer within 2 s".to_owned())) else {
            return Ok(());
        };
        let waited = began.elapsed();
        if let Some(process) = started.last().filter(|_| waited > START_LIMIT) {
            let (log, tail) = (process.log.clone(), process.tail());
            return Err(Error::NotReady {
                what,
                waited,
                last,
                component: process.name,
                log,
                tail,
            });
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}

/// Without logs: the client reports every answer that is no success as an error, which here is what is waited through.
fn quietly<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future.with_subscriber(tracing::subscriber::NoSubscriber::default())
}

async fn api_server_ready(admin: &Client) -> Missing {
    let request = match http::Request::get("/readyz").body(Vec::new()) {
        Ok(request) => request,
        Err(error) => return Some(error.to_string()),
    };
    admin.request_text(request).await.err().map(|error| error.to_string())
}

async fn node_ready(admin: &Client) -> Missing {
    let node = match Api::<Node>::all(admin.clone()).get(NODE_NAME).await {
        Ok(node) => node,
        Err(error) => return Some(error.to_string()),
    };
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    let ready = conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    (!ready).then(|| format!("Node {NODE_NAME} is not Ready"))
}
