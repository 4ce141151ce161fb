#![allow(clippy::unwrap_used)]
use lab_postgres::{Client, Scratch};
use pgupgrade_postgres::connection::{Credentials, Endpoint};
use pgupgrade_verify::Report;
use secrecy::SecretString;

use super::*;
use crate::verification::assess::{Compared, assess};

const INDEXES: &str = r#"
    CREATE COLLATION other (provider = builtin, locale = 'C.UTF-8');
    CREATE TABLE "Weird ""T""" (id integer PRIMARY KEY, a text COLLATE other, b text COLLATE other);
    INSERT INTO "Weird ""T""" SELECT n, 'v' || n, 'b' FROM generate_series(1, 3000) n;
    CREATE INDEX "by.a" ON "Weird ""T""" (a);
    CREATE INDEX by_b ON "Weird ""T""" USING brin (b);
"#;

fn connector(server: &Scratch) -> Connector {
    let endpoint = Endpoint {
        host: server.host(),
        port: server.port(),
    };
    let credentials = Credentials {
        username: "postgres".to_owned(),
        password: SecretString::from(server.password()),
    };
    Connector::new(endpoint, credentials, server.ca_pem().as_bytes()).unwrap()
}

async fn found(source: &Scratch, target: &Scratch) -> Comparison {
    let comparison = Comparison::default();
    {
        let indexes = check(&connector(source), &connector(target), "postgres").await;
        let mut seen = comparison.lock();
        seen.indexes = indexes;
        seen.report = Some(Report::default());
    }
    comparison
}

/// What stops the way to the cutover.
fn stopped(comparison: &Comparison) -> Vec<String> {
    match assess(&comparison.seen(), &[]) {
        Ok(Compared::Verified(remaining)) => remaining.indexes,
        other => vec![format!("{other:?}")],
    }
}

async fn run(client: &Client, script: &str) {
    client.batch_execute(script).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_index_stops_until_it_is_built_anew_and_one_that_was_not_checked_is_told() {
    let (source, target) = tokio::join!(Scratch::start(17), Scratch::start(18));
    let (source, target) = (source.unwrap(), target.unwrap());
    let (on_source, on_target) = (
        source.client("postgres").await.unwrap(),
        target.client("postgres").await.unwrap(),
    );
    for client in [&on_source, &on_target] {
        run(client, INDEXES).await;
    }
    let nothing = found(&source, &target).await;
    assert_eq!(stopped(&nothing), [""; 0]);
    assert_eq!(nothing.take_index_news(), []);

    run(
        &on_target,
        "UPDATE pg_collation SET collversion = '0.9' WHERE collname = 'other'",
    )
    .await;
    let unchecked = found(&source, &target).await;
    assert_eq!(stopped(&unchecked), [""; 0]);
    let news = unchecked.take_index_news();
    assert_eq!(news.len(), 1, "{news:?}");
    assert_eq!(news[0].0, "IndexNotChecked");
    for words in [
        "\"by.a\"",
        "CREATE EXTENSION amcheck",
        "\"by_b\"",
        "version 0.9 on record",
    ] {
        assert!(news[0].1.contains(words), "{words} in {news:?}");
    }
    assert_eq!(unchecked.take_index_news(), [], "once");

    let breaks =
        "CREATE EXTENSION amcheck; UPDATE pg_index SET indoption = '1' WHERE indexrelid = '\"by.a\"'::regclass";
    run(&on_target, breaks).await;
    let broken = found(&source, &target).await;
    let stops = stopped(&broken);
    assert_eq!(stops.len(), 1, "{stops:?}");
    assert!(
        stops[0].contains("run REINDEX INDEX CONCURRENTLY \"public\".\"by.a\""),
        "{stops:?}"
    );
    let reasons: Vec<&str> = broken.take_index_news().iter().map(|(reason, _)| *reason).collect();
    assert_eq!(reasons, ["IndexBroken", "IndexNotChecked"]);

    let session = connector(&target).connect("postgres", Profile::Long).await.unwrap();
    forget_rebuilt(&broken, &session).await.unwrap();
    assert_eq!(stopped(&broken), stops, "nobody has done anything");
    run(&on_target, "REINDEX INDEX CONCURRENTLY \"by.a\"").await;
    forget_rebuilt(&broken, &session).await.unwrap();
    assert_eq!(stopped(&broken), [""; 0]);
    assert_eq!(broken.seen().indexes.unchecked().len(), 1, "the other one");
}

#[tokio::test]
async fn a_check_that_fails_is_told() {
    let indexes = Indexes {
        failed: Some("connection refused".to_owned()),
        ..Indexes::default()
    };
    let comparison = Comparison::default();
    {
        let mut seen = comparison.lock();
        seen.indexes = indexes;
        seen.report = Some(Report::default());
    }
    assert_eq!(stopped(&comparison), [""; 0]);
    let news = comparison.take_index_news();
    assert_eq!(
        news,
        [(
            "IndexNotChecked",
            "indexes could not be checked: connection refused".to_owned()
        )]
    );
}
