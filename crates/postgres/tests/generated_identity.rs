//! What a generated column in a replica identity does to a table that is published, and that the list of tables tells.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::fs;
use std::time::{Duration, Instant};

use lab_postgres::{Client, Scratch};
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::tables;

const TABLES: &str = r#"
    CREATE TABLE "every" (id int, v int, "g ""1""" int GENERATED ALWAYS AS (v * 2) STORED);
    ALTER TABLE "every" REPLICA IDENTITY FULL;
    CREATE TABLE "key" (id int, v int, "g ""1""" int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, "g ""1"""));
    CREATE TABLE "by index" (id int NOT NULL, v int, "g ""1""" int GENERATED ALWAYS AS (id * 2) STORED NOT NULL);
    CREATE UNIQUE INDEX by_g ON "by index" ("g ""1""");
    CREATE UNIQUE INDEX by_id ON "by index" (id);
    ALTER TABLE "by index" REPLICA IDENTITY USING INDEX by_g;
    CREATE TABLE fine (id int PRIMARY KEY, v int, "g ""1""" int GENERATED ALWAYS AS (v * 2) STORED);
"#;

/// What becomes of an UPDATE and a DELETE of a published table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changes {
    /// They arrive on the subscriber.
    Arrive,
    /// The subscriber's apply worker ends with an error.
    StopApply,
    /// The publisher refuses them.
    AreRefused,
}

struct Pair {
    publisher: Scratch,
    subscriber: Scratch,
    on_publisher: Client,
    on_subscriber: Client,
}

impl Pair {
    async fn start(from: u16, to: u16) -> Self {
        let (publisher, subscriber) = tokio::join!(Scratch::start(from), Scratch::start(to));
        let (publisher, subscriber) = (publisher.unwrap(), subscriber.unwrap());
        let on_publisher = publisher.client("postgres").await.unwrap();
        let on_subscriber = subscriber.client("postgres").await.unwrap();
        for client in [&on_publisher, &on_subscriber] {
            client.batch_execute(TABLES).await.unwrap();
        }
        Self {
            publisher,
            subscriber,
            on_publisher,
            on_subscriber,
        }
    }

    async fn change(&self, table: &str, option: &str) -> Changes {
        let fill = format!("INSERT INTO \"{table}\" VALUES (1, 1), (2, 2)");
        for client in [&self.on_publisher, &self.on_subscriber] {
            client.batch_execute(&fill).await.unwrap();
        }
        let publish = format!("CREATE PUBLICATION p FOR TABLE \"{table}\" {option}");
        self.on_publisher.batch_execute(&publish).await.unwrap();
        let (host, port, password) = (self.publisher.host(), self.publisher.port(), self.publisher.password());
        let subscribe = format!(
            "CREATE SUBSCRIPTION p CONNECTION 'host={host} port={port} dbname=postgres user=postgres password={password} \
             sslmode=require' PUBLICATION p WITH (copy_data = false)"
        );
        self.on_subscriber.batch_execute(&subscribe).await.unwrap();
        let failures = self.failures();
        let update = format!("UPDATE \"{table}\" SET v = 10 WHERE id = 1");
        let update = self.on_publisher.batch_execute(&update).await;
        let delete = format!("DELETE FROM \"{table}\" WHERE id = 2");
        let delete = self.on_publisher.batch_execute(&delete).await;
        let found = match (update, delete) {
            (Ok(()), Ok(())) => self.arrive(table, failures).await,
            (Err(update), Err(delete)) => {
                for error in [update, delete] {
                    let error = error.as_db_error().unwrap();
                    assert_eq!(error.code().code(), "42P10", "{error}");
                }
                Changes::AreRefused
            }
            other => panic!("{table}: {other:?}"),
        };
        self.on_subscriber.batch_execute("DROP SUBSCRIPTION p").await.unwrap();
        self.on_publisher.batch_execute("DROP PUBLICATION p").await.unwrap();
        found
    }

    async fn arrive(&self, table: &str, failures: usize) -> Changes {
        let arrived = format!("SELECT count(*) = 1 AND bool_and(v = 10) FROM \"{table}\"");
        let start = Instant::now();
        while start.elapsed() < Duration::from_mins(1) {
            if self.on_subscriber.query_one(&arrived, &[]).await.unwrap().get(0) {
                return Changes::Arrive;
            }
            if self.failures() > failures {
                return Changes::StopApply;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{table}: the changes neither arrive nor fail");
    }

    /// How often an apply worker has ended with an error; nothing else fails there.
    fn failures(&self) -> usize {
        let logs = fs::read_dir(self.subscriber.server().log_dir()).unwrap();
        let texts = logs.map(|file| fs::read(file.unwrap().path()).unwrap());
        texts
            .map(|text| String::from_utf8_lossy(&text).matches(" ERROR: ").count())
            .sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_do_not_arrive_by_way_of_generated_columns() {
    use Changes::{AreRefused, Arrive, StopApply};
    const STORED: &str = "WITH (publish_generated_columns = stored)";
    // from, to, option of the publication; FULL, primary key, index
    let table = [
        (14, 18, "", [Arrive, StopApply, StopApply]),
        (16, 17, "", [Arrive, StopApply, StopApply]),
        (16, 15, "", [Arrive, StopApply, StopApply]),
        (17, 14, "", [Arrive, StopApply, StopApply]),
        (18, 17, "", [AreRefused, AreRefused, AreRefused]),
        (18, 17, STORED, [StopApply, StopApply, StopApply]),
    ];
    for (from, to, option, expected) in table {
        let pair = Pair::start(from, to).await;
        for (table, expected) in ["every", "key", "by index"].into_iter().zip(expected) {
            assert_eq!(
                pair.change(table, option).await,
                expected,
                "{from} to {to} {option}: {table}"
            );
        }
        assert_eq!(pair.change("fine", "").await, Arrive, "{from} to {to}");
    }
}

#[tokio::test]
async fn the_list_tells_which_identity_can_not_be_used() {
    let server = Scratch::start(16).await.unwrap();
    let client = server.client("postgres").await.unwrap();
    client.batch_execute(TABLES).await.unwrap();
    let session = support::connector(&server)
        .connect("postgres", Profile::Observe)
        .await
        .unwrap();
    let tables = tables::list(&session).await.unwrap();
    // newest major version that publishes; tables that can be replicated
    for (newest, usable) in [(17, "every fine"), (18, "fine")] {
        let found = tables.iter().filter(|table| table.identity_usable(newest));
        let names: Vec<&str> = found.map(|table| &*table.name.name).collect();
        assert_eq!(names.join(" "), usable, "{newest}");
    }
    for table in tables.iter().filter(|table| !table.identity_usable(18)) {
        assert_eq!(table.generated_in_identity(18), ["g \"1\""], "{}", table.name);
    }
    let by_index = tables.iter().find(|table| table.name.name == "by index").unwrap();
    assert_eq!(by_index.identity_candidates, ["by_id"]);
}
