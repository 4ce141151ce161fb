//! The local RDS as a program.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use lab_rds::{Error, LocalRds, Options, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A local stand-in for Amazon RDS in front of real PostgreSQL servers. Everything goes when it ends.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Folder for all data, removed at the end.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where to write the certificate that clients must trust.
    #[arg(long)]
    ca_file: Option<PathBuf>,
    /// Milliseconds that each change of state takes.
    #[arg(long, default_value_t = 300)]
    state_delay: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Io { what, source }
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(io("wait for SIGTERM"))?;
    let options = Options {
        listen: arguments.listen,
        dir: arguments.dir,
        state_delay_ms: arguments.state_delay,
        ..Options::default()
    };
    let rds = LocalRds::start(options).await?;
    if let Some(file) = arguments.ca_file {
        std::fs::write(&file, rds.ca_pem()).map_err(io(&format!("write {}", file.display())))?;
    }
    writeln!(std::io::stdout(), "{}", rds.url()).map_err(io("write to standard output"))?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    rds.stop().await;
    Ok(())
}
