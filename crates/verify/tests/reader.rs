//! A standby of the source takes the reading of whole tables off it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::Duration;

use lab_postgres::{Scratch, StopMode};
use pgupgrade_postgres::connection::Connector;
use pgupgrade_verify::{Live, Options, Report, Standalone};
use support::replicated::{Replicated, eventually};
use tokio_postgres::Client;

const PATIENCE: Duration = Duration::from_mins(1);

/// A standby that follows its primary; roles have the passwords that they have there.
async fn standby_of(primary: &Scratch) -> Scratch {
    let mut standby = Scratch::start(primary.server().binaries().major()).await.unwrap();
    let server = standby.server_mut();
    server.stop(StopMode::Fast).await.unwrap();
    let data = server.data_dir();
    std::fs::remove_dir_all(&data).unwrap();
    primary.server().frozen_copy(&data).await.unwrap();
    std::fs::write(data.join("standby.signal"), "").unwrap();
    let (host, port, password) = (primary.host(), primary.port(), primary.password());
    let way = format!("host={host} port={port} user=postgres password={password} sslmode=require");
    server
        .options_mut()
        .parameters
        .insert("primary_conninfo".to_owned(), way);
    server.start().await.unwrap();
    standby
}

async fn read(both: &Replicated, made: &Standalone, reader: &Connector) -> Report {
    let options = Options {
        reader: Some(reader.clone()),
        ..Options::default()
    };
    let (source, target) = (both.source(), both.target());
    let (tables, replication) = (made.tables(), made.replication());
    let mut live = Live::open(&source, &target, "postgres", &tables, replication, options)
        .await
        .unwrap();
    Box::pin(live.read()).await.unwrap();
    let report = live.report();
    live.close().await;
    report
}

fn differing(report: &Report) -> Vec<String> {
    let tables = report.tables.iter().filter(|table| !table.equal);
    tables.map(ToString::to_string).collect()
}

/// Rows of a table that nobody writes to which were read one after the other.
async fn rows_read(client: &Client) -> i64 {
    let query = "SELECT COALESCE(sum(seq_tup_read), 0)::bigint FROM pg_stat_user_tables WHERE relname = 'quiet'";
    client.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_tables_are_read_on_a_standby() {
    let both = Replicated::start(15, 17).await;
    let quiet = "CREATE TABLE app.quiet (id int PRIMARY KEY, v text); \
                 INSERT INTO app.quiet SELECT g, 'v' FROM generate_series(1, 5000) g";
    for client in [&both.pair.on_source, &both.pair.on_target] {
        client.batch_execute(quiet).await.unwrap();
    }
    let publish = "ALTER PUBLICATION app ADD TABLE app.quiet";
    both.pair.on_source.batch_execute(publish).await.unwrap();
    both.fault("ALTER SUBSCRIPTION app REFRESH PUBLICATION WITH (copy_data = false)")
        .await;
    let (source, target) = (both.source(), both.target());
    let made = Standalone::prepare(&source, &target, "postgres", PATIENCE)
        .await
        .unwrap();
    let primary = both.pair.source_server();
    let mut standby = standby_of(primary).await;
    let reader = support::connector_with(&standby, primary.password());
    let on_standby = standby.client("postgres").await.unwrap();
    let before = rows_read(&both.pair.on_source).await;

    let load = both.load(2).await;
    let report = Box::pin(read(&both, &made, &reader)).await;
    assert_eq!(differing(&report), [""; 0], "{report:?}");
    eventually("the standby has counted what was read there", || async {
        rows_read(&on_standby).await >= 5000
    })
    .await;
    assert_eq!(rows_read(&both.pair.on_source).await, before);

    both.fault("UPDATE app.quiet SET v = 'other' WHERE id = 70; DELETE FROM app.wide WHERE id = 120")
        .await;
    let found = differing(&Box::pin(read(&both, &made, &reader)).await);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with("id=70: changed in v"), "{found:?}");

    // Without it, the source is read.
    drop(on_standby);
    standby.server_mut().stop(StopMode::Fast).await.unwrap();
    assert_eq!(differing(&Box::pin(read(&both, &made, &reader)).await).len(), 2);
    assert!(load.stop().await > 100);
    made.remove().await.unwrap();
}
