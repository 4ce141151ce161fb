//! The fence's life: expiry, commit point, way back, who is in the way, who may not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod guard_support;

use std::time::{Duration, Instant};

use guard_support::{Lab, count, sqlstate};
use pgupgrade_postgres::fence::{self, Cutover, Decision, Marker, State};
use pgupgrade_postgres::guard::{self, Body, Error, Patience};
use pgupgrade_postgres::{QualifiedName, owner};
use tokio::time::sleep;

const INSERT: &str = "INSERT INTO s.a (v) VALUES (1)";
const NO_MARGIN: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn refusal(decision: Decision) -> String {
    match decision {
        Decision::Refused(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_is_a_recorded_fact() {
    let lab = Lab::prepared(17).await;
    let writer = lab.connect("app_rw").await;
    let order = lab.order(1, Duration::from_millis(400));
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    assert_eq!(sqlstate(&writer, INSERT).await, "25006");
    let old = lab.connect("app_rw").await;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM s.ruled")
        .await
        .unwrap();
    sleep(Duration::from_millis(450)).await;
    fence::prepare_commit(&lab.op).await.unwrap();
    let expired = fence::commit_point(&lab.op, &lab.claim, &order.cutover, NO_MARGIN).await;
    assert!(refusal(expired).contains("deadline"));
    writer.batch_execute(INSERT).await.unwrap();
    old.batch_execute(INSERT).await.unwrap();
    old.batch_execute("ROLLBACK").await.unwrap();
    // Even a clock that is set back can't close it now.
    lab.admin()
        .await
        .batch_execute("UPDATE pgupgrade.fence SET deadline = now() + interval '1 hour'")
        .await
        .unwrap();
    assert_eq!(sqlstate(&writer, INSERT).await, "25006");
    let lapsed = fence::commit_point(&lab.op, &lab.claim, &order.cutover, NO_MARGIN).await;
    assert!(refusal(lapsed).contains("a write went through"));
    fence::lift(&lab.op, &lab.claim, SECOND).await.unwrap();
    writer.batch_execute(INSERT).await.unwrap();
    fence::close(&lab.op, &lab.reaper, &lab.claim, &lab.order(2, MINUTE))
        .await
        .unwrap();
    let again = fence::commit_point(&lab.op, &lab.claim, &lab.order(2, MINUTE).cutover, SECOND).await;
    assert_eq!(again, Decision::Closed, "the next fence starts without a lapse");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_passed_holds_the_commit_point_out() {
    let lab = Lab::prepared(15).await;
    let order = lab.order(1, Duration::from_millis(200));
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    sleep(Duration::from_millis(250)).await;
    let writer = lab.connect("app_rw").await;
    writer.batch_execute(&format!("BEGIN; {INSERT}")).await.unwrap();
    fence::prepare_commit(&lab.op).await.unwrap();
    let held = fence::commit_point(&lab.op, &lab.claim, &order.cutover, NO_MARGIN).await;
    assert!(refusal(held).contains("55P03"), "the row is held by the writer");
    let lift = fence::lift(&lab.op, &lab.claim, Duration::from_millis(1)).await;
    assert!(matches!(lift, Err(Error::Busy { .. })), "{lift:?}");
    lab.connect("app_rw").await.batch_execute(INSERT).await.unwrap();
    writer.batch_execute("COMMIT").await.unwrap();
    fence::lift(&lab.op, &lab.claim, SECOND).await.unwrap();
    assert_eq!(fence::read(&lab.op).await.unwrap().unwrap().state, State::Open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_the_way_is_ended_after_the_grace() {
    let lab = Lab::prepared(17).await;
    let quick = lab.connect("app_rw").await;
    let stuck = lab.connect("app_rw").await;
    let reader = lab.connect("app_rw").await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM s.a").await.unwrap();
    quick
        .batch_execute("BEGIN; UPDATE s.a SET v = 1 WHERE id = 1")
        .await
        .unwrap();
    stuck
        .batch_execute("BEGIN; UPDATE s.p SET id = 200 WHERE id = 100")
        .await
        .unwrap();
    let stuck_pid: i32 = stuck.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let mut order = lab.order(1, MINUTE);
    order.grace = Duration::from_millis(300);
    let finish = async {
        sleep(Duration::from_millis(100)).await;
        quick.batch_execute("COMMIT").await.unwrap();
    };
    let (fenced, ()) = tokio::join!(fence::close(&lab.op, &lab.reaper, &lab.claim, &order), finish);
    let fenced = fenced.unwrap();
    assert_eq!(fenced.ended, [stuck_pid]);
    assert!(
        fenced.waited >= Duration::from_millis(300) && fenced.waited < 3 * SECOND,
        "{:?}",
        fenced.waited
    );
    assert!(stuck.is_closed() || stuck.batch_execute("SELECT 1").await.is_err());
    reader.batch_execute("SELECT count(*) FROM s.a; COMMIT").await.unwrap();
    let admin = lab.admin().await;
    assert_eq!(
        count(&admin, "SELECT count(*) FROM s.a WHERE id = 1 AND v = 1").await,
        1
    );
    assert_eq!(count(&admin, "SELECT count(*) FROM s.p WHERE id = 200").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_come_late_are_guarded_or_refuse_the_commit() {
    let lab = Lab::prepared(14).await;
    let table_owner = lab.connect("app_owner").await;
    table_owner
        .batch_execute("CREATE TABLE s.late (id int); CREATE TABLE s.p_new PARTITION OF s.p_mid DEFAULT")
        .await
        .unwrap();
    assert_eq!(guard::unguarded(&lab.op).await.unwrap().len(), 2);
    let order = lab.order(1, MINUTE);
    let fenced = fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    let names: Vec<String> = fenced.guarded.iter().map(|name| name.name.clone()).collect();
    assert_eq!(names, ["late", "p_new"]);
    assert_eq!(sqlstate(&table_owner, "INSERT INTO s.late VALUES (1)").await, "25006");
    assert_eq!(
        sqlstate(&table_owner, "INSERT INTO s.p_new VALUES (1, 70)").await,
        "25006"
    );
    let behind = [
        (
            "CREATE TABLE s.later AS SELECT 1 AS id",
            "DROP TABLE s.later",
            "s.later",
        ),
        (
            "ALTER TABLE s.a DISABLE TRIGGER USER",
            "ALTER TABLE s.a ENABLE ALWAYS TRIGGER pgupgrade_guard",
            "s.a",
        ),
        (
            "ALTER TABLE s.a ENABLE TRIGGER USER",
            "ALTER TABLE s.a ENABLE ALWAYS TRIGGER pgupgrade_guard",
            "s.a",
        ),
        (
            "ALTER TABLE s.p_mid DETACH PARTITION s.p_new",
            "SELECT",
            "behind the fence",
        ),
        (
            "ALTER TABLE s.late ALTER id TYPE bigint USING 7",
            "SELECT",
            "behind the fence",
        ),
        ("DROP TABLE s.late", "SELECT", "behind the fence"),
    ];
    fence::prepare_commit(&lab.op).await.unwrap();
    for (change, undo, reason) in behind {
        table_owner.batch_execute(change).await.unwrap();
        let refused = refusal(fence::commit_point(&lab.op, &lab.claim, &order.cutover, SECOND).await);
        assert!(refused.contains(reason), "{change}: {refused}");
        table_owner.batch_execute(undo).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_try_and_the_leader_that_fenced_may_commit() {
    let lab = Lab::prepared(18).await;
    let order = lab.order(1, Duration::from_secs(3));
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    let again = fence::close(&lab.op, &lab.reaper, &lab.claim, &lab.order(2, MINUTE)).await;
    assert!(matches!(again, Err(Error::FenceNotOpen { .. })), "{again:?}");
    assert!(matches!(
        guard::set_body(&lab.op, &lab.claim, Body::Idle).await,
        Err(Error::FenceNotOpen { .. })
    ));
    fence::prepare_commit(&lab.op).await.unwrap();
    let other = Cutover {
        cutover: 2,
        ..order.cutover.clone()
    };
    assert!(refusal(fence::commit_point(&lab.op, &lab.claim, &other, NO_MARGIN).await).contains("cutover 1"));
    let near = fence::commit_point(&lab.op, &lab.claim, &order.cutover, Duration::from_secs(4)).await;
    assert!(refusal(near).contains("too near"));
    let next = owner::claim(&lab.reaper, "ns/shop", &lab.claim.uid, "cluster")
        .await
        .unwrap();
    assert_eq!(next.epoch, lab.claim.epoch + 1);
    let stale = fence::commit_point(&lab.op, &lab.claim, &order.cutover, NO_MARGIN).await;
    assert!(refusal(stale).contains("epoch"));
    assert!(matches!(
        fence::lift(&lab.op, &lab.claim, SECOND).await,
        Err(Error::Stale { .. })
    ));
    let unadopted = fence::commit_point(&lab.op, &next, &order.cutover, NO_MARGIN).await;
    assert!(refusal(unadopted).contains("epoch"));
    fence::lift(&lab.op, &next, SECOND).await.unwrap();
    assert_eq!(fence::read(&lab.op).await.unwrap().unwrap().state, State::Open);
    let foreign = owner::claim(&lab.op, "ns/other", "other-uid", "cluster").await;
    assert!(matches!(foreign, Err(Error::OwnedByAnother { .. })), "{foreign:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_body_refuses_the_commit() {
    let lab = Lab::prepared(17).await;
    let order = lab.order(1, MINUTE);
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    lab.op
        .batch_execute(
            "CREATE OR REPLACE FUNCTION pgupgrade.guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        )
        .await
        .unwrap();
    fence::prepare_commit(&lab.op).await.unwrap();
    assert!(
        refusal(fence::commit_point(&lab.op, &lab.claim, &order.cutover, NO_MARGIN).await).contains("does not deny")
    );
}

/// The commit waits for a standby that does not exist; a plain read then says `closing`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_resolved() {
    let lab = Lab::prepared(17).await;
    let admin = lab.admin().await;
    let order = lab.order(1, MINUTE);
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    let deciding = lab.connect("op").await;
    let backend = fence::prepare_commit(&deciding).await.unwrap();
    admin
        .batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        .await
        .unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let waiting = fence::commit_point(&deciding, &lab.claim, &order.cutover, NO_MARGIN);
    let resolving = async {
        sleep(Duration::from_millis(300)).await;
        let plain = fence::read(&lab.op).await.unwrap().unwrap().state;
        let resolved = fence::resolve(&lab.op, &backend, &order.cutover, Duration::from_secs(5))
            .await
            .unwrap();
        (plain, resolved)
    };
    let (answer, (plain, resolved)) = tokio::join!(waiting, resolving);
    assert!(matches!(answer, Decision::Unknown(_)), "{answer:?}");
    assert_eq!((plain, resolved), (State::Closing, Decision::Closed));
    admin
        .batch_execute("ALTER SYSTEM RESET synchronous_standby_names")
        .await
        .unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_ran_is_resolved_too() {
    let lab = Lab::prepared(17).await;
    let order = lab.order(1, MINUTE);
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    let deciding = lab.connect("op").await;
    let backend = fence::prepare_commit(&deciding).await.unwrap();
    let resolved = fence::resolve(&lab.op, &backend, &order.cutover, Duration::from_secs(5))
        .await
        .unwrap();
    assert!(refusal(resolved).contains("Closing"));
    assert!(matches!(
        fence::commit_point(&deciding, &lab.claim, &order.cutover, NO_MARGIN).await,
        Decision::Unknown(_)
    ));
    assert_eq!(fence::read(&lab.op).await.unwrap().unwrap().state, State::Closing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_database_stays_closed_with_tables_made_later() {
    let lab = Lab::prepared(18).await;
    let order = lab.order(3, MINUTE);
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    let closing = guard::prepare(&lab.op, &lab.claim, Body::NotOpen, &Patience::default()).await;
    assert!(matches!(closing, Err(Error::FenceNotOpen { .. })), "{closing:?}");
    fence::prepare_commit(&lab.op).await.unwrap();
    assert_eq!(
        fence::commit_point(&lab.op, &lab.claim, &order.cutover, NO_MARGIN).await,
        Decision::Closed
    );
    lab.connect("app_owner")
        .await
        .batch_execute("CREATE TABLE s.after_all (id int)")
        .await
        .unwrap();
    let prepared = guard::prepare(&lab.op, &lab.claim, Body::NotOpen, &Patience::default())
        .await
        .unwrap();
    assert_eq!(prepared.created.len(), 1);
    let error = lab.connect("app_rw").await.batch_execute(INSERT).await.unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("moved to"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_are_part_of_the_fence() {
    let lab = Lab::prepared(17).await;
    lab.op
        .batch_execute(
            "CREATE TABLE pgupgrade.\"mark\"\"er\" (attempt int, direction text, n bigint, xid xid8, lsn pg_lsn, \
             PRIMARY KEY (attempt, direction, n))",
        )
        .await
        .unwrap();
    let mut order = lab.order(1, MINUTE);
    let table = QualifiedName {
        schema: "pgupgrade".to_owned(),
        name: "mark\"er".to_owned(),
    };
    order.markers = vec![Marker {
        table,
        attempt: 1,
        direction: "forward".to_owned(),
        number: 42,
    }];
    let fenced = fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    let admin = lab.admin().await;
    let row = admin
        .query_one("SELECT n, xmin::text = xid::text FROM pgupgrade.\"mark\"\"er\"", &[])
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (42, true));
    assert!(fenced.flushed > fenced.row.lsn.unwrap());
    let same: bool = admin
        .query_one(
            "SELECT f.xmin = m.xmin FROM pgupgrade.fence f, pgupgrade.\"mark\"\"er\" m",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(same, "one transaction");
}

/// A silent operator between lock and commit is cut off by the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_held_by_a_silent_operator() {
    let lab = Lab::prepared(17).await;
    let start = Instant::now();
    let silent = lab.connect("op").await;
    let mut order = lab.order(1, MINUTE);
    order.markers = vec![Marker {
        table: QualifiedName {
            schema: "pgupgrade".to_owned(),
            name: "absent".to_owned(),
        },
        attempt: 1,
        direction: "forward".to_owned(),
        number: 1,
    }];
    order.patience = Duration::from_millis(300);
    let failed = fence::close(&silent, &lab.reaper, &lab.claim, &order).await;
    assert!(failed.is_err(), "{failed:?}");
    let writer = lab.connect("app_rw").await;
    writer.batch_execute(INSERT).await.unwrap();
    assert_eq!(fence::read(&lab.op).await.unwrap().unwrap().state, State::Open);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleanup_leaves_nothing() {
    let lab = Lab::prepared(17).await;
    let patience = Patience {
        deadline: Duration::from_millis(600),
        ..Patience::default()
    };
    let holder = lab.connect("app_rw").await;
    holder.batch_execute("BEGIN; SELECT count(*) FROM s.a").await.unwrap();
    guard::disable(&lab.op, &lab.claim, &patience).await.unwrap();
    let disabled = guard::unguarded(&lab.op).await.unwrap().len();
    let again = guard::prepare(&lab.op, &lab.claim, Body::Idle, &patience)
        .await
        .unwrap();
    assert_eq!(
        (again.created.len(), guard::unguarded(&lab.op).await.unwrap().len()),
        (disabled, 0)
    );
    guard::disable(&lab.op, &lab.claim, &patience).await.unwrap();
    let busy = guard::remove(&lab.op, &lab.claim, &patience).await;
    assert!(
        matches!(&busy, Err(Error::Busy { tables, .. }) if tables.len() == 1),
        "{busy:?}"
    );
    let left = owner::drop_schema(&lab.op, &lab.claim).await;
    assert!(matches!(left, Err(Error::TriggersLeft { .. })), "{left:?}");
    holder.batch_execute("COMMIT").await.unwrap();
    guard::remove(&lab.op, &lab.claim, &patience).await.unwrap();
    owner::drop_schema(&lab.op, &lab.claim).await.unwrap();
    assert_eq!(fence::read(&lab.op).await.unwrap(), None);
    assert_eq!(owner::read(&lab.op).await.unwrap(), None);
    let admin = lab.admin().await;
    assert_eq!(
        count(
            &admin,
            "SELECT count(*) FROM pg_trigger WHERE tgname = 'pgupgrade_guard'"
        )
        .await,
        0
    );
    lab.connect("app_rw").await.batch_execute(INSERT).await.unwrap();
}

/// What Amazon RDS owns can't be guarded and is listed; what a stranger owns is an error, never left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_rds_owns_may_be_left_out() {
    let lab = Lab::start(17).await;
    let admin = lab.admin().await;
    admin.batch_execute("CREATE ROLE rdsadmin; CREATE ROLE stranger; CREATE TABLE s.theirs (id int); ALTER TABLE s.theirs OWNER TO rdsadmin").await.unwrap();
    let prepared = guard::prepare(&lab.op, &lab.claim, Body::Idle, &Patience::default())
        .await
        .unwrap();
    assert_eq!(prepared.skipped, [QualifiedName::new("s", "theirs")]);
    let order = lab.order(1, MINUTE);
    fence::close(&lab.op, &lab.reaper, &lab.claim, &order).await.unwrap();
    fence::prepare_commit(&lab.op).await.unwrap();
    assert_eq!(
        fence::commit_point(&lab.op, &lab.claim, &order.cutover, NO_MARGIN).await,
        Decision::Closed
    );

    let other = Lab::start(14).await;
    let admin = other.admin().await;
    admin
        .batch_execute("CREATE ROLE stranger; CREATE TABLE s.strange (id int); ALTER TABLE s.strange OWNER TO stranger")
        .await
        .unwrap();
    let refused = guard::prepare(&other.op, &other.claim, Body::Idle, &Patience::default()).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("strange") && refused.contains("42501"), "{refused}");
    assert!(
        guard::unguarded(&other.op)
            .await
            .unwrap()
            .contains(&QualifiedName::new("s", "strange"))
    );
    let fenced = fence::close(&other.op, &other.reaper, &other.claim, &other.order(1, MINUTE)).await;
    assert!(fenced.is_err(), "{fenced:?}");
    other.connect("app_rw").await.batch_execute(INSERT).await.unwrap();
}

/// Without the connection that ends who is in the way the fence still comes, once they are gone by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_reaper_only_ends_nobody() {
    let lab = Lab::prepared(18).await;
    let writer = lab.connect("app_rw").await;
    writer.batch_execute(&format!("BEGIN; {INSERT}")).await.unwrap();
    let pid: i32 = lab
        .reaper
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    lab.admin()
        .await
        .query("SELECT pg_terminate_backend($1)", &[&pid])
        .await
        .unwrap();
    let order = lab.order(1, MINUTE);
    let finish = async {
        sleep(Duration::from_millis(400)).await;
        writer.batch_execute("COMMIT").await.unwrap();
    };
    let (fenced, ()) = tokio::join!(fence::close(&lab.op, &lab.reaper, &lab.claim, &order), finish);
    let fenced = fenced.unwrap();
    assert!(
        fenced.ended.is_empty() && fenced.waited >= Duration::from_millis(300),
        "{fenced:?}"
    );
}
