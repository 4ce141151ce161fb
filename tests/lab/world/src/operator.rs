//! The operator as a process, with its ServiceAccount's token and nothing more.
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::{Error, OPERATOR_NAMESPACE, World, program};

/// A running operator. It is killed when this is dropped.
pub struct Operator {
    child: Child,
    /// Where it serves health and metrics.
    pub address: String,
}

impl World {
    /// Starts an operator.
    ///
    /// # Errors
    /// Where it can't be started.
    pub async fn start_operator(&self, identity: &str) -> Result<Operator, Error> {
        let kubeconfig = self
            .cluster
            .service_account_kubeconfig(OPERATOR_NAMESPACE, "pgupgrade")
            .await?;
        let log_path = self.dir().join("operator.log");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(Error::file(&log_path))?;
        let port = lab_postgres::free_port().map_err(lab_rds::Error::from)?;
        let address = format!("127.0.0.1:{port}");
        // The operator must not outlive the world, however that ends.
        let mut command = Command::new("setpriv");
        command
            .arg("--pdeathsig=KILL")
            .arg("--")
            .arg(program("pgupgrade")?)
            .arg("run");
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("KUBECONFIG", kubeconfig)
            .env("AWS_ENDPOINT_URL_RDS", self.rds.url())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("POD_NAMESPACE", OPERATOR_NAMESPACE)
            .env("POD_NAME", identity)
            .env("PGUPGRADE_POLL_MILLIS", self.options.poll.as_millis().to_string())
            .env("PGUPGRADE_LEASE_SECONDS", "6")
            .env("PGUPGRADE_LISTEN", &address)
            .env("PGUPGRADE_LOG_FORMAT", "text")
            .env("RUST_LOG", "info,kube=warn,aws=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(Error::file(&log_path))?)
            .stderr(log)
            .kill_on_drop(true);
        let child = command.spawn().map_err(Error::file(Path::new("setpriv")))?;
        Ok(Operator { child, address })
    }
}

impl Operator {
    /// Ends it as a crash does.
    ///
    /// # Errors
    /// Where it can't be waited for.
    pub async fn kill(mut self) -> Result<(), Error> {
        self.child.kill().await.map_err(Error::file(Path::new("pgupgrade")))
    }

    /// Ends it as Kubernetes does: SIGTERM, then it has some seconds.
    ///
    /// # Errors
    /// Where it does not end in time.
    pub async fn terminate(mut self) -> Result<(), Error> {
        if let Some(pid) = self.child.id() {
            let mut command = Command::new("kill");
            command.arg("-TERM").arg(pid.to_string());
            command.status().await.map_err(Error::file(Path::new("kill")))?;
        }
        let limit = Duration::from_secs(10);
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(ended) => ended.map(drop).map_err(Error::file(Path::new("pgupgrade"))),
            Err(_) => Err(Error::Deadline {
                what: "the operator to end".to_owned(),
                waited: limit,
                seen: "running".to_owned(),
            }),
        }
    }
}
