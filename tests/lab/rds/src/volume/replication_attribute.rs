//! `rds_replication` is a role on RDS; plain PostgreSQL wants the REPLICATION attribute. This keeps the two in step.

use std::path::PathBuf;
use std::time::Duration;

use lab_postgres::Server;
use postgres_protocol::escape::escape_identifier;
use tokio::task::JoinHandle;

use super::RDSADMIN;

const OUT_OF_STEP: &str = include_str!("../../sql/replication_attribute.sql");
/// How long a grant may take to have its effect.
const INTERVAL: Duration = Duration::from_millis(100);

/// Watches the server until it is told to stop. It only reads unless a role is out of step.
pub(super) fn keep(server: &Server) -> JoinHandle<()> {
    let (socket, port) = (server.socket_dir(), server.options().port);
    tokio::spawn(async move {
        loop {
            if let Err(error) = watch(&socket, port).await {
                tracing::debug!(%error, "cannot look after the REPLICATION attribute");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    })
}

async fn watch(socket: &PathBuf, port: u16) -> Result<(), tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(socket)
        .port(port)
        .user(RDSADMIN)
        .dbname(RDSADMIN)
        .application_name(RDSADMIN);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let work = async {
        let statement = client.prepare(OUT_OF_STEP).await?;
        loop {
            for row in client.query(&statement, &[]).await? {
                let (role, member): (String, bool) = (row.get(0), row.get(1));
                let attribute = if member { "REPLICATION" } else { "NOREPLICATION" };
                client
                    .batch_execute(&format!("ALTER ROLE {} {attribute}", escape_identifier(&role)))
                    .await?;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        ended = connection => ended,
        failed = work => failed,
    }
}
