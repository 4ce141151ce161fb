//! The operator's program: parses the command line and starts what was asked.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use kube::Client;
use pgupgrade::command::verify;
use pgupgrade::controller::context::{Context, Settings};
use pgupgrade::controller::leader::Leadership;
use pgupgrade::error::Error;
use pgupgrade::health::{self, Health};
use pgupgrade::{api, controller, telemetry};
use tokio::signal::unix::{SignalKind, signal};

/// Upgrades PostgreSQL on Amazon Aurora to a new major version, as a Kubernetes operator.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    Run(RunArguments),
    /// Print the `CustomResourceDefinition`.
    Crd,
    Verify(Box<verify::Arguments>),
}

#[derive(Debug, Args)]
struct RunArguments {
    /// The operator's own namespace: its Lease and its records are there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "pgupgrade-system")]
    namespace: String,
    /// Who this process is among the operator's replicas.
    #[arg(long, env = "POD_NAME", default_value_t = format!("pgupgrade-{}", std::process::id()))]
    identity: String,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "PGUPGRADE_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// How often AWS and PostgreSQL are looked at while something is under way, in milliseconds.
    #[arg(long, env = "PGUPGRADE_POLL_MILLIS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(50..))]
    poll_millis: u64,
    /// The AWS region of resources that name none; else as the AWS environment says.
    #[arg(long, env = "PGUPGRADE_REGION")]
    region: Option<String>,
    /// After how many seconds of silence another replica takes over.
    #[arg(long, env = "PGUPGRADE_LEASE_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..))]
    lease_seconds: u64,
    /// The certificates of Amazon RDS, for resources without caBundleRef (PEM).
    #[arg(
        long,
        env = "PGUPGRADE_CA_BUNDLE",
        default_value = "/etc/pgupgrade/rds-global-bundle.pem"
    )]
    ca_bundle: PathBuf,
    /// The name of this Kubernetes cluster, written into the owner row of the databases.
    #[arg(long, env = "PGUPGRADE_CLUSTER", default_value = "kubernetes")]
    cluster: String,
    /// How log lines look.
    #[arg(long, env = "PGUPGRADE_LOG_FORMAT", value_enum, default_value_t)]
    log_format: telemetry::LogFormat,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Crd => {
            print!("{}", api::crd_yaml());
            ExitCode::SUCCESS
        }
        Command::Verify(arguments) => {
            telemetry::install(telemetry::LogFormat::Text, telemetry::COMMAND);
            Box::pin(verify::run(*arguments)).await
        }
        Command::Run(arguments) => {
            telemetry::install(arguments.log_format, telemetry::OPERATOR);
            match run(arguments).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tracing::error!(%error, "the operator ends");
                    ExitCode::FAILURE
                }
            }
        }
    }
}

async fn run(arguments: RunArguments) -> Result<(), Error> {
    // A second provider can only come from another call, which there is none of.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::try_default()
        .await
        .map_err(|source| Error::Client(Box::new(source)))?;
    let settings = Settings {
        namespace: arguments.namespace,
        identity: arguments.identity,
        poll: Duration::from_millis(arguments.poll_millis),
        region: arguments.region,
        lease: Duration::from_secs(arguments.lease_seconds),
        cluster: arguments.cluster,
        ca_bundle: arguments.ca_bundle,
    };
    let health = Health::default();
    let endpoints = tokio::spawn(health::serve(arguments.listen, health.clone()));
    let mut terminated = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    let mut leadership = Leadership::seek(client.clone(), &settings).await?;
    health.ready.store(true, Ordering::Relaxed);
    tracing::info!(identity = settings.identity, "waiting for the Lease");
    let ended = tokio::select! {
        won = leadership.won() => won.map(|()| false),
        _ = terminated.recv() => Ok(true),
        _ = interrupted.recv() => Ok(true),
    };
    if ended? {
        leadership.release().await;
        return Ok(());
    }
    tracing::info!(identity = settings.identity, "leading");
    let context = Arc::new(Context::new(client, settings, health.metrics.clone()));
    let stop = async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    };
    let result = tokio::select! {
        () = controller::run(context, stop) => Ok(()),
        lost = leadership.lost() => {
            // Whatever is under way must not go on beside the new leader: the process ends with it.
            tracing::error!("the Lease is lost");
            lost.and(Err(Error::LeadershipLost))
        }
        served = endpoints => served.unwrap_or_else(|join| Err(Error::Task(join.to_string()))),
    };
    if result.is_ok() {
        leadership.release().await;
    }
    result
}
