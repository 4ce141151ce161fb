//! Behind a fence nothing is written, whatever way it is tried and whenever the transaction began.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod guard_support;

use std::time::Duration;

use guard_support::Lab;
use pgupgrade_postgres::fence::{self, Decision, State};
use pgupgrade_postgres::guard::{self, Body, Patience};
use tokio_postgres::Client;

/// Statements before the fence, statements behind it.
struct Case {
    name: String,
    role: &'static str,
    before: Vec<String>,
    after: Vec<String>,
}

fn case(name: &str, role: &'static str, before: &[&str], after: &[&str]) -> Case {
    let own = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    Case {
        name: name.to_owned(),
        role,
        before: own(before),
        after: own(after),
    }
}

const INSERT: &str = "INSERT INTO s.a (v) VALUES (1)";

fn cases(major: u16) -> Vec<Case> {
    let simple = [
        ("insert", INSERT),
        ("update", "UPDATE s.a SET v = v + 1 WHERE id = 1"),
        ("update of no row", "UPDATE s.a SET v = 1 WHERE id = -1"),
        ("delete", "DELETE FROM s.child WHERE id = 50"),
        ("cascaded delete", "DELETE FROM s.a WHERE id = 3"),
        ("cascaded update", "UPDATE s.a SET id = -id WHERE id = 4"),
        (
            "on conflict update",
            "INSERT INTO s.a (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET v = 99",
        ),
        (
            "on conflict nothing",
            "INSERT INTO s.a (id) VALUES (10001) ON CONFLICT DO NOTHING",
        ),
        (
            "common table expression",
            "WITH x AS (INSERT INTO s.a (v) VALUES (1) RETURNING id) SELECT * FROM x",
        ),
        (
            "unreferenced expression",
            "WITH x AS (INSERT INTO s.a (v) VALUES (1)) SELECT 1",
        ),
        ("view", "INSERT INTO s.va (v) VALUES (3)"),
        ("update of a view", "UPDATE s.va SET v = 1234 WHERE id = 1"),
        ("instead of", "INSERT INTO s.vi (v) VALUES (3)"),
        ("rule", "INSERT INTO s.ruled VALUES (77)"),
        ("security definer", "SELECT s.definer()"),
        ("do", "DO 'BEGIN INSERT INTO s.a (v) VALUES (1); END'"),
        (
            "swallowed",
            "DO 'BEGIN BEGIN INSERT INTO s.a (v) VALUES (1); EXCEPTION WHEN others THEN NULL; END; END'",
        ),
        ("procedure", "CALL s.proc()"),
        ("partitioned root", "INSERT INTO s.p VALUES (1, 1)"),
        ("middle partition", "INSERT INTO s.p_mid VALUES (2, 1)"),
        ("leaf", "INSERT INTO s.p_leaf VALUES (3, 1)"),
        ("row movement", "UPDATE s.p_mid SET k = 60 WHERE id = 100"),
        ("heir by its parent", "UPDATE s.parent SET v = v + 1"),
        ("heir", "UPDATE s.heir SET v = v + 1"),
        ("unlogged", "INSERT INTO s.u VALUES (1)"),
        (
            "hostile names",
            "INSERT INTO \"Sch\"\"ema ';--\".\"täble $guard$\" VALUES (1)",
        ),
    ];
    let mut cases: Vec<Case> = simple
        .iter()
        .map(|(name, sql)| case(name, "app_rw", &[], &[sql]))
        .collect();
    cases.push(case("truncate cascade", "app_owner", &[], &["TRUNCATE s.a CASCADE"]));
    cases.push(case(
        "truncate of a middle partition",
        "app_owner",
        &[],
        &["TRUNCATE s.p_mid"],
    ));
    cases.push(case(
        "replica role",
        "postgres",
        &[],
        &["SET session_replication_role = replica", INSERT],
    ));
    cases.push(case(
        "local role",
        "postgres",
        &[],
        &["SET session_replication_role = local", INSERT],
    ));
    if major >= 15 {
        let merge = "MERGE INTO s.a USING (SELECT 1 AS id) x ON a.id = x.id \
                     WHEN MATCHED THEN UPDATE SET v = 7777 WHEN NOT MATCHED THEN INSERT (v) VALUES (1)";
        cases.push(case("merge", "app_rw", &[], &[merge]));
    }
    cases.extend(
        ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
            .iter()
            .flat_map(|level| transactions(level)),
    );
    cases
}

/// Transactions that began before the fence without a lock that it waits for.
fn transactions(level: &str) -> Vec<Case> {
    let begin = format!("BEGIN ISOLATION LEVEL {level}");
    let begin = begin.as_str();
    let execute: Vec<&str> = ["PREPARE q AS INSERT INTO s.a (v) VALUES (1)"]
        .into_iter()
        .chain(["EXECUTE q"; 6])
        .collect();
    let mut cases = vec![
        case(
            "old snapshot",
            "app_rw",
            &[begin, "SELECT count(*) FROM s.ruled"],
            &[INSERT, "COMMIT"],
        ),
        case(
            "for update, then update",
            "app_rw",
            &[begin, "SELECT FROM s.a WHERE id = 5 FOR UPDATE"],
            &["UPDATE s.a SET v = v + 1 WHERE id = 5", "COMMIT"],
        ),
        case(
            "cursor",
            "app_rw",
            &[
                begin,
                "DECLARE c CURSOR FOR SELECT * FROM s.a WHERE id = 6 FOR UPDATE",
                "FETCH c",
            ],
            &["UPDATE s.a SET v = v + 1 WHERE CURRENT OF c", "COMMIT"],
        ),
        case(
            "prepared statement",
            "app_rw",
            &[&execute[..], &[begin, "SELECT count(*) FROM s.ruled"]].concat(),
            &["EXECUTE q", "COMMIT"],
        ),
        case(
            "savepoint that wrote before",
            "app_rw",
            &[
                begin,
                "SELECT count(*) FROM s.ruled",
                "SAVEPOINT x",
                INSERT,
                "ROLLBACK TO x",
            ],
            &[INSERT, "COMMIT"],
        ),
        case(
            "function behind a cursor",
            "app_rw",
            &[
                begin,
                "DECLARE c CURSOR FOR SELECT s.definer() FROM generate_series(1, 3)",
            ],
            &["FETCH 1 FROM c", "COMMIT"],
        ),
        case(
            "savepoints behind the fence",
            "app_rw",
            &[begin, "SELECT count(*) FROM s.ruled"],
            &["SAVEPOINT x", INSERT, "ROLLBACK TO x", INSERT, "COMMIT"],
        ),
    ];
    for case in &mut cases {
        case.name = format!("{} in {level}", case.name);
    }
    cases
}

/// All rows of all tables.
async fn rows(client: &Client) -> String {
    let query = "SELECT string_agg(r, ';') FROM (
          SELECT a::text FROM s.a UNION ALL SELECT c::text FROM s.child c UNION ALL SELECT p::text FROM s.p
          UNION ALL SELECT x::text FROM s.parent x UNION ALL SELECT u::text FROM s.u
          UNION ALL SELECT r::text FROM s.ruled r UNION ALL SELECT t::text FROM \"Sch\"\"ema ';--\".\"täble $guard$\" t
          ORDER BY 1) AS all_rows (r)";
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// Runs the statements up to the first that fails and gives its SQLSTATE; inside a savepoint goes on.
async fn run(client: &Client, statements: &[String]) -> Option<String> {
    let savepoint = statements.iter().any(|one| one.starts_with("ROLLBACK TO"));
    let mut failed = None;
    for statement in statements {
        if let Err(error) = client.batch_execute(statement).await {
            failed = error
                .code()
                .map(|code| code.code().to_owned())
                .or(Some("gone".to_owned()));
            if !savepoint {
                break;
            }
        }
    }
    failed
}

async fn denied(major: u16) {
    let lab = Lab::start(major).await;
    guard::prepare(&lab.op, &lab.claim, Body::Idle, &Patience::default())
        .await
        .unwrap();
    let admin = lab.admin().await;
    let mut failures = Vec::new();
    for (number, case) in cases(major).iter().enumerate() {
        let writer = lab.connect(case.role).await;
        let before = run(&writer, &case.before).await;
        assert_eq!(before, None, "{}: before the fence", case.name);
        let order = lab.order(i32::try_from(number).unwrap(), Duration::from_mins(1));
        fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
        let found = rows(&admin).await;
        let code = run(&writer, &case.after).await;
        drop(writer);
        if rows(&admin).await != found {
            failures.push(format!("{} wrote", case.name));
        }
        let expected = matches!(code.as_deref(), Some("25006" | "25P02")) || case.name == "swallowed";
        if !expected {
            failures.push(format!("{} ended with {code:?}", case.name));
        }
        fence::lift(&lab.op, &lab.claim, Duration::from_secs(5)).await.unwrap();
        assert_eq!(fence::read(&lab.op).await.unwrap().unwrap().state, State::Open);
    }
    assert_eq!(failures, Vec::<String>::new());
    copy_is_denied(&lab).await;
    lifted_and_closed(&lab).await;
}

async fn copy_is_denied(lab: &Lab) {
    let writer = lab.connect("app_rw").await;
    let order = lab.order(1000, Duration::from_mins(1));
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    let sink = writer
        .copy_in::<_, bytes::Bytes>("COPY s.a (id, v) FROM STDIN")
        .await
        .unwrap();
    futures::pin_mut!(sink);
    let sent = futures::SinkExt::send(&mut sink, bytes::Bytes::from_static(b"5000\t1\n")).await;
    let ended = sink.finish().await;
    let error = sent.err().or(ended.err()).expect("COPY went through");
    assert_eq!(error.code().unwrap().code(), "25006");
    fence::lift(&lab.op, &lab.claim, Duration::from_secs(5)).await.unwrap();
}

/// After the way back writes pass; after the commit point none does, and there is no way back.
async fn lifted_and_closed(lab: &Lab) {
    let writer = lab.connect("app_rw").await;
    writer.batch_execute(INSERT).await.unwrap();
    let order = lab.order(1001, Duration::from_mins(1));
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    fence::prepare_commit(&lab.op).await.unwrap();
    for _ in 0..2 {
        let decision = fence::commit_point(&lab.op, &lab.claim, &order.cutover, Duration::from_secs(1)).await;
        assert_eq!(decision, Decision::Closed);
    }
    let error = writer.batch_execute(INSERT).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "25006");
    assert!(error.message().contains("moved to the-new-one"), "{}", error.message());
    let back = fence::lift(&lab.op, &lab.claim, Duration::from_secs(1)).await;
    assert!(matches!(back, Err(guard::Error::Closed { .. })), "{back:?}");
    let removed = guard::remove(&lab.op, &lab.claim, &Patience::default()).await;
    assert!(matches!(removed, Err(guard::Error::FenceNotOpen { .. })), "{removed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_on_14() {
    denied(14).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_on_15() {
    denied(15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_on_17() {
    denied(17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_on_18() {
    denied(18).await;
}
