//! `pgupgrade verify` as people and scripts start it, on two servers that no operator looks after.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "verify_command/beside_rows.rs"]
mod beside_rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use lab_postgres::{Client, Scratch};

/// A table whose name and keys try to break what is made of them.
const SCHEMA: &str = r#"
    CREATE SCHEMA "Sch.ema; --";
    CREATE TABLE "Sch.ema; --"."Weird ""T"" '%s'" ("Key ""k""" text PRIMARY KEY, v integer);
    INSERT INTO "Sch.ema; --"."Weird ""T"" '%s'" VALUES (E'line\n\x1b[2J', 1), ('it''s', 2);
    CREATE TABLE orders (id integer PRIMARY KEY, what text);
    INSERT INTO orders SELECT g, 'order ' || g FROM generate_series(1, 20000) g;
    CREATE TABLE "Orders" (id integer PRIMARY KEY);
    CREATE UNLOGGED TABLE scratch (id integer);
"#;
const WEIRD: &str = r#""Sch.ema; --"."Weird ""T"" '%s'""#;
const PUBLICATION: &str =
    r#"CREATE PUBLICATION "The app" FOR TABLE orders, "Orders", "Sch.ema; --"."Weird ""T"" '%s'""#;

struct Servers {
    source: Scratch,
    target: Scratch,
    on_source: Client,
    on_target: Client,
    folder: PathBuf,
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Servers {
    async fn start(from: u16, to: u16) -> Self {
        let (source, target) = tokio::join!(Scratch::start(from), Scratch::start(to));
        let (source, target) = (source.unwrap(), target.unwrap());
        let (on_source, on_target) = (
            source.client("postgres").await.unwrap(),
            target.client("postgres").await.unwrap(),
        );
        for client in [&on_source, &on_target] {
            client.batch_execute(SCHEMA).await.unwrap();
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-{}-{}", source.port(), target.port()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("source.pem"), source.ca_pem()).unwrap();
        fs::write(folder.join("target.pem"), target.ca_pem()).unwrap();
        Self {
            source,
            target,
            on_source,
            on_target,
            folder,
        }
    }

    /// With replication from source to target.
    async fn replicated(from: u16, to: u16) -> Self {
        let servers = Self::start(from, to).await;
        servers.on_source.batch_execute(PUBLICATION).await.unwrap();
        let (source, password) = (&servers.source, servers.source.password());
        let subscription = format!(
            "CREATE SUBSCRIPTION \"The app\" CONNECTION 'host={} port={} dbname=postgres user=postgres password={password} \
             sslmode=require' PUBLICATION \"The app\" WITH (copy_data = false, slot_name = app)",
            source.host(),
            source.port()
        );
        servers.on_target.batch_execute(&subscription).await.unwrap();
        servers
    }

    async fn both(&self, script: &str) {
        for client in [&self.on_source, &self.on_target] {
            client.batch_execute(script).await.unwrap();
        }
    }

    fn uri(&self, server: &Scratch, certificates: &str) -> String {
        let path = self.folder.join(certificates);
        let (host, port) = (server.host(), server.port());
        format!(
            "postgres://postgres@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={}",
            path.display()
        )
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgupgrade"));
        command
            .arg("verify")
            .args(arguments)
            .env_clear()
            .env("PGUPGRADE_SOURCE", self.uri(&self.source, "source.pem"))
            .env("PGUPGRADE_TARGET", self.uri(&self.target, "target.pem"))
            .env("PGUPGRADE_SOURCE_PASSWORD", self.source.password())
            .env("PGPASSWORD", self.target.password())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    async fn verify(&self, arguments: &[&str]) -> Said {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        self.said(&output)
    }

    fn said(&self, output: &Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        for password in [self.source.password(), self.target.password()] {
            assert!(
                !out.contains(password) && !err.contains(password),
                "a password: {out}{err}"
            );
        }
        Said {
            code: output.status.code(),
            out,
            err,
        }
    }

    async fn nothing_is_left(&self) {
        let query = "SELECT string_agg(what, ', ') FROM (
            SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name ~ '^pgupgrade' AND NOT temporary
            UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname ~ '^pgupgrade'
            UNION ALL SELECT 'published ' || tablename FROM pg_publication_tables WHERE schemaname = 'pgupgrade'
            UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relnamespace::regnamespace::text = 'pgupgrade'
            UNION ALL SELECT 'schema' FROM pg_namespace WHERE nspname = 'pgupgrade') AS objects (what)";
        for client in [&self.on_source, &self.on_target] {
            let left: Option<String> = client.query_one(query, &[]).await.unwrap().get(0);
            assert_eq!(left, None);
        }
    }

    async fn replicates(&self) {
        let update = "UPDATE orders SET what = 'the last' WHERE id = 1";
        self.on_source.batch_execute(update).await.unwrap();
        eventually(&self.on_target, "SELECT what = 'the last' FROM orders WHERE id = 1").await;
    }
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn expect(&self, code: i32, lines: &[&str]) {
        let all = format!("{:?}\n{}\n--- standard error\n{}", self.code, self.out, self.err);
        assert_eq!(self.code, Some(code), "{all}");
        for line in lines {
            assert!(self.out.contains(line), "{line} is not in {all}");
        }
    }

    #[track_caller]
    fn expect_undecided(&self, why: &str) {
        let all = format!("{:?}\n{}\n--- standard error\n{}", self.code, self.out, self.err);
        assert_eq!(self.code, Some(2), "{all}");
        assert!(self.out.is_empty() && self.err.contains(why), "{why} is not in {all}");
    }
}

async fn eventually(client: &Client, query: &str) {
    for _ in 0..1200 {
        let row = client.query_opt(query, &[]).await.unwrap();
        if row.is_some_and(|row| row.get(0)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query}: not within a minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_and_different() {
    let servers = Servers::start(15, 17).await;
    // Each server has its own password of its superuser.
    let said = servers.verify(&["--skip-roles"]).await;
    said.expect(0, &["equal: 3 tables, 20002 rows"]);
    let said = servers.verify(&[]).await;
    said.expect(1, &["schema differs: role postgres: password: differs (not shown)"]);
    let said = servers.verify(&["--skip-schema"]).await;
    said.expect(
        0,
        &[
            "equal: 3 tables, 20002 rows",
            "not compared: \"public\".\"scratch\" (unlogged)",
        ],
    );
    assert_eq!(said.err, "");

    let fault = format!("UPDATE {WEIRD} SET v = 7 WHERE v = 1; DELETE FROM orders WHERE id = 19999");
    servers.on_target.batch_execute(&fault).await.unwrap();
    let said = servers.verify(&["--fenced", "--skip-schema"]).await;
    said.expect(
        1,
        &[
            "different: ",
            WEIRD,
            r"=line\n\u{1b}[2J: changed in v",
            "\"public\".\"orders\": 20000 rows, on the target 19999",
            "id=19999: missing",
        ],
    );
    assert!(!said.out.contains('\u{1b}'));
    let said = servers
        .verify(&["--skip-schema", "--show-values", "--table", WEIRD])
        .await;
    said.expect(1, &["v ('1', on the target '7')"]);
    let said = servers.verify(&["--skip-schema", "--table", "public.\"Orders\""]).await;
    said.expect(0, &["equal: 1 tables, 0 rows"]);
    let said = servers.verify(&["--skip-schema", "--table", "PUBLIC.Orders"]).await;
    said.expect(1, &["id=19999: missing"]);

    let said = servers.verify(&["--skip-schema", "--json"]).await;
    said.expect(1, &[]);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["verdict"], "different");
    assert_eq!(value["rows"]["differences"], 2);
    assert_eq!(value["left"], serde_json::json!([]));

    servers
        .on_target
        .batch_execute("CREATE INDEX extra ON orders (what)")
        .await
        .unwrap();
    let said = servers.verify(&["--table", "public.\"Orders\""]).await;
    said.expect(1, &["different: 1 tables", "schema differs: ", "extra"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_decided() {
    let servers = Servers::start(16, 18).await;
    servers
        .verify(&["--live"])
        .await
        .expect_undecided("no enabled subscription of the target reads from a slot of the source");
    servers.nothing_is_left().await;
    let said = servers.verify(&["--live", "--json"]).await;
    said.expect(2, &[]);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["verdict"], "undecided");
    assert!(
        value["error"].as_str().unwrap().contains("no enabled subscription"),
        "{value}"
    );

    let nowhere = "postgres://postgres@127.0.0.1:1/postgres?sslmode=disable";
    for how in ["--fenced", "--live", "--pinned"] {
        let said = servers.verify(&[how, "--target", nowhere]).await;
        said.expect_undecided("127.0.0.1:1 (database postgres) can't be reached");
    }
    let wrong = servers
        .uri(&servers.source, "source.pem")
        .replacen("postgres@", "postgres:Secr3t@", 1);
    let said = servers.verify(&["--source", &wrong]).await;
    said.expect_undecided("refuses user postgres");
    assert!(!said.err.contains("Secr3t"), "{}", said.err);
    let said = servers.verify(&["--source", "postgres://postgres:Secr3t@"]).await;
    said.expect_undecided("--source: ");
    assert!(!said.err.contains("Secr3t"), "{}", said.err);
    servers
        .verify(&["--table", "orders"])
        .await
        .expect_undecided("has to name a schema");
    servers
        .verify(&["--live", "--pinned"])
        .await
        .expect_undecided("cannot be used with");
    servers
        .verify(&["--database", "nothing"])
        .await
        .expect_undecided("there is no database nothing");
    servers.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_writes() {
    let servers = Servers::replicated(16, 18).await;
    let writer = servers.source.client("postgres").await.unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn(async move {
        let mut turn = 0;
        while stopped.try_recv().is_err() {
            turn += 1;
            let update = format!(
                "UPDATE orders SET what = 'turn {turn}' WHERE id = {} ",
                turn * 31 % 20000 + 1
            );
            writer.batch_execute(&update).await.unwrap();
        }
    });
    for how in ["--live", "--pinned"] {
        let said = servers.verify(&[how, "--skip-schema"]).await;
        said.expect(0, &["equal: 3 tables"]);
        assert_eq!(said.err, "");
        servers.nothing_is_left().await;
    }
    let fault = format!("DELETE FROM {WEIRD} WHERE v = 2");
    servers.on_target.batch_execute(&fault).await.unwrap();
    let said = servers.verify(&["--live", "--skip-schema"]).await;
    said.expect(1, &["different: 3 tables", WEIRD, "=it's: missing"]);
    let said = servers
        .verify(&["--live", "--skip-schema", "--table", "public.orders"])
        .await;
    said.expect(0, &["equal: 1 tables"]);
    let _ = stop.send(());
    writing.await.unwrap();
    servers.nothing_is_left().await;
    servers.replicates().await;
}

/// Ctrl-C in a terminal, and what a service manager sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_leave_nothing_behind() {
    let servers = Servers::replicated(17, 18).await;
    let reading =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgupgrade' AND query ~ '^COPY')";
    let preparing = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query ~ 'pg_create_logical_replication_slot' AND pid <> pg_backend_pid())";
    let open = servers.source.client("postgres").await.unwrap();
    for (signal, moment) in [
        ("-INT", reading),
        ("-TERM", reading),
        ("-HUP", preparing),
        ("-TERM", preparing),
    ] {
        if moment == preparing {
            open.batch_execute("BEGIN; CREATE TABLE other (id integer)")
                .await
                .unwrap();
        }
        let slowly = ["--live", "--skip-schema", "--max-bytes-per-second", "1000"];
        let child = servers.command(&slowly).spawn().unwrap();
        eventually(&servers.on_source, moment).await;
        let sent = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
            .await
            .unwrap();
        servers.said(&output).expect_undecided("not decided: interrupted");
        if moment == preparing {
            open.batch_execute("ROLLBACK").await.unwrap();
        }
        servers.nothing_is_left().await;
    }
    servers.replicates().await;
}

/// The target is behind when the comparison is ended, and whoever ends it does not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_told_with_its_remedy() {
    let servers = Servers::replicated(17, 18).await;
    let slowly = [
        "--live",
        "--skip-schema",
        "--max-bytes-per-second",
        "1000",
        "--patience",
        "4",
    ];
    let child = servers.command(&slowly).spawn().unwrap();
    let reading =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgupgrade' AND query ~ '^COPY')";
    eventually(&servers.on_source, reading).await;
    let blocker = servers.target.client("postgres").await.unwrap();
    blocker
        .batch_execute("BEGIN; SELECT FROM orders WHERE id = 2 FOR UPDATE")
        .await
        .unwrap();
    servers
        .on_source
        .batch_execute("UPDATE orders SET what = '' WHERE id = 2")
        .await
        .unwrap();
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
        .await
        .unwrap();
    let said = servers.said(&output);
    said.expect_undecided("left behind, to be removed by hand");
    blocker.batch_execute("ROLLBACK").await.unwrap();
    servers.replicates().await;
    let remedy = said.err.lines().find(|line| line.contains("DROP TABLE")).unwrap();
    let remedy = format!("{remedy} DROP SCHEMA pgupgrade");
    servers.on_target.batch_execute(&remedy).await.unwrap();
    servers.nothing_is_left().await;
    servers.replicates().await;
}

#[tokio::test]
async fn help_is_readable() {
    for flag in ["-h", "--help"] {
        let output = Command::new(env!("CARGO_BIN_EXE_pgupgrade"))
            .args(["verify", flag])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        for wanted in ["--source <URI>", "--live", "Examples:"] {
            assert!(text.contains(wanted), "{text}");
        }
        println!("{text}");
    }
}
