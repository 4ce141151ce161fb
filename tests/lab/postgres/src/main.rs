//! Starts a scratch server and tells how to reach it, until it is interrupted.

use std::io::{IsTerminal as _, Write as _};

use clap::Parser;
use lab_postgres::{Result, Scratch};

/// A PostgreSQL server in a temporary folder, removed when this program ends.
#[derive(Parser)]
struct Arguments {
    /// Major version, 14 to 18.
    major: u16,
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let scratch = Scratch::start(Arguments::parse().major).await?;
    let server = scratch.server();
    let mut out = std::io::stdout().lock();
    let pid = server.pid().map(|pid| pid.to_string()).unwrap_or_default();
    // Standard output may be closed; the server serves all the same.
    let _ = writeln!(out, "pid {pid}\nfolder {}", server.folder().display());
    let _ = writeln!(
        out,
        "psql -h {} -p {} -U postgres",
        server.socket_dir().display(),
        scratch.port()
    );
    let _ = out.flush();
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "cannot wait for an interrupt");
    }
    Ok(())
}
