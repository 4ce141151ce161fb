//! Builds the local cluster's programs, or runs a cluster until it is interrupted.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use lab_cluster::{Cluster, Programs, Result};

/// A local Kubernetes cluster whose Pods are processes.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Build the programs into the cache folder, where they are not there yet.
    Build,
    /// Run a cluster until interrupted.
    Run {
        /// Folder for its files.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(Arguments::parse().action).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(action: Action) -> Result<()> {
    match action {
        Action::Build => {
            let programs = Programs::ensure().await?;
            say(&programs.path().display().to_string());
            Ok(())
        }
        Action::Run { dir } => {
            let cluster = Cluster::start(&dir).await?;
            say(&format!("export KUBECONFIG={}", cluster.admin_kubeconfig().display()));
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::warn!(%error, "cannot wait for an interrupt");
            }
            cluster.stop().await
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Standard output may be closed; the cluster runs all the same.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
