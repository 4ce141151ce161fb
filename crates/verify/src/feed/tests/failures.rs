//! What goes wrong, and that nothing is lost by it.
use lab_postgres::StopMode;

use super::*;

const TABLE: &str = "CREATE TABLE t (id integer PRIMARY KEY, v text)";

fn one() -> Watch {
    watch(&[("public", "t", &["id"])])
}

async fn end_copy(lab: &Lab) {
    let query = "SELECT pg_terminate_backend(substr(slot_name, length('pgupgrade_feed_') + 1)::integer)
        FROM pg_replication_slots WHERE temporary";
    assert_eq!(lab.client.query(query, &[]).await.unwrap().len(), 1);
}

async fn nothing_is_lost(major: u16) {
    let mut lab = Lab::with_slot(major, TABLE, &one()).await;
    let mut feed = lab.open(&one()).await;
    let before = lab
        .effect(&mut feed, "INSERT INTO t SELECT generate_series(1, 10)")
        .await;

    // The session ends between reading and deciding.
    end_copy(&lab).await;
    let mut dirty = set();
    let error = feed.poll(&mut dirty).await.unwrap_err().to_string();
    assert!(error.contains("opened anew"), "{error}");
    assert!(feed.poll(&mut dirty).await.is_err());
    let mut feed = lab.open(&one()).await;
    let again = lab.effect(&mut feed, "INSERT INTO t VALUES (11)").await;
    assert_eq!(keys(&again, 0), ints(1..=11));
    let first = |dirty: &DirtySet| dirty.get(0, &int(5), false).unwrap();
    assert_eq!(first(&again), first(&before));

    // What is decided does not come again; an undecided entry's own transaction does.
    let keep = again.get(0, &int(11), false).unwrap().unwrap();
    feed.advance(keep.lsn).await.unwrap();
    feed.advance(Lsn(1)).await.unwrap();
    feed.advance(Lsn(u64::MAX >> 1)).await.unwrap();
    feed.advance(feed.position()).await.unwrap();
    drop(feed);
    assert_eq!(lab.read(&mut lab.open(&one()).await).await.total(), 0);

    let mut feed = lab.open(&one()).await;
    let commit = |dirty: &DirtySet| entries(dirty, 0).values().map(|entry| entry.lsn).min().unwrap();
    let decided = commit(&lab.effect(&mut feed, "INSERT INTO t VALUES (20)").await);
    let undecided = commit(&lab.effect(&mut feed, "INSERT INTO t VALUES (21)").await);
    assert!(decided < undecided);
    feed.advance(undecided).await.unwrap();
    let kept = lab.read(&mut lab.open(&one()).await).await;
    assert_eq!(keys(&kept, 0), ints([21]));

    // A crash right behind that forgets at most that it was moved.
    lab.scratch.server_mut().stop(StopMode::Immediate).await.unwrap();
    assert!(feed.poll(&mut dirty).await.is_err());
    lab.scratch.server_mut().start().await.unwrap();
    lab.client = lab.scratch.client("postgres").await.unwrap();
    let kept = lab
        .effect(&mut lab.open(&one()).await, "INSERT INTO t VALUES (22)")
        .await;
    assert!(keys(&kept, 0).is_superset(&ints([21, 22])));
}

#[tokio::test]
async fn nothing_is_lost_on_14() {
    nothing_is_lost(14).await;
}

#[tokio::test]
async fn nothing_is_lost_on_17() {
    nothing_is_lost(17).await;
}

#[tokio::test]
async fn nothing_is_lost_on_18() {
    nothing_is_lost(18).await;
}

#[tokio::test]
async fn a_reading_that_is_given_up_ends_the_feed_only() {
    let lab = Lab::with_slot(17, TABLE, &one()).await;
    let mut feed = lab.open(&one()).await;
    lab.sql("INSERT INTO t SELECT generate_series(1, 100000)").await;
    let mut dirty = set();
    assert!(
        tokio::time::timeout(Duration::from_millis(1), feed.page(None, &mut dirty))
            .await
            .is_err()
    );
    assert!(matches!(
        feed.poll(&mut dirty).await,
        Err(FeedError::Interrupted { .. })
    ));
    let mut feed = lab.open(&one()).await;
    assert_eq!(lab.read(&mut feed).await.total(), 100_000);
}

#[tokio::test]
async fn creating_is_repeated_without_harm_and_checked() {
    let lab = Lab::start(17, &format!("{TABLE}; CREATE TABLE u (id integer PRIMARY KEY)")).await;
    // A publication that a creation left which was broken off.
    lab.sql("CREATE PUBLICATION \"pgupgrade_Verify it\" FOR TABLE u").await;
    let position = lab.create(&one()).await.unwrap();
    assert!(position > Lsn(0));
    assert_eq!(lab.create(&one()).await.unwrap(), position);
    let more = watch(&[("public", "t", &["id"]), ("public", "u", &["id"])]);
    let error = lab.create(&more).await.unwrap_err().to_string();
    assert!(
        error.contains("\"public\".\"u\"") && error.contains("drop both"),
        "{error}"
    );
    lab.sql("DROP PUBLICATION \"pgupgrade_Verify it\"").await;
    assert!(matches!(lab.create(&one()).await, Err(FeedError::Incomplete { .. })));
    let mut dirty = set();
    lab.sql("INSERT INTO t VALUES (1)").await;
    let error = lab.open(&one()).await.poll(&mut dirty).await.unwrap_err().to_string();
    assert!(error.contains("pgupgrade_Verify it"), "{error}");
}

#[tokio::test]
async fn creation_does_not_wait_for_prepared_transactions_and_names_open_ones() {
    let lab = Lab::start(17, TABLE).await;
    lab.sql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left behind'")
        .await;
    let error = lab.create(&one()).await.unwrap_err().to_string();
    assert!(
        error.contains("'left behind'") && error.contains("ROLLBACK PREPARED"),
        "{error}"
    );
    lab.sql("COMMIT PREPARED 'left behind'").await;

    let other = lab.scratch.client("postgres").await.unwrap();
    other
        .batch_execute("SET application_name = 'nightly batch'; BEGIN; INSERT INTO t VALUES (2)")
        .await
        .unwrap();
    let tables = [QualifiedName::new("public", "t")];
    let short = Duration::from_millis(200);
    let error = create(&lab.session, &names(), &tables, &[barrier()], short)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("nightly batch"), "{error}");
    other.batch_execute("COMMIT").await.unwrap();
    lab.create(&one()).await.unwrap();
}

async fn the_source_goes_on(major: u16) {
    let script = "CREATE TABLE t (id integer PRIMARY KEY, v text);
        CREATE TABLE whole (id integer PRIMARY KEY, v text, g integer GENERATED ALWAYS AS (7) STORED);
        ALTER TABLE whole REPLICA IDENTITY FULL;
        CREATE TABLE bare (id integer, v text);
        CREATE TABLE parted (id integer, v text) PARTITION BY LIST (id);
        CREATE TABLE leaf PARTITION OF parted FOR VALUES IN (1);
        INSERT INTO t VALUES (1); INSERT INTO whole VALUES (1); INSERT INTO bare VALUES (1); INSERT INTO leaf VALUES (1)";
    let lab = Lab::start(major, script).await;
    let all = watch(&[
        ("public", "t", &["id"]),
        ("public", "whole", &["id"]),
        ("public", "bare", &[]),
        ("public", "leaf", &[]),
    ]);
    let error = lab.create(&all).await.unwrap_err().to_string();
    assert!(
        error.contains(r#""public"."bare""#) && error.contains(r#""public"."leaf""#),
        "{error}"
    );
    assert!(!error.contains("whole"), "{error}");
    // Where another publication forbids it already, nothing gets worse.
    lab.sql("CREATE PUBLICATION theirs FOR TABLE parted; ALTER TABLE bare REPLICA IDENTITY FULL")
        .await;
    lab.create(&all).await.unwrap();
    let mut feed = lab.open(&all).await;
    let script = "UPDATE t SET v = 'x'; UPDATE whole SET v = 'x'; UPDATE bare SET v = 'x';
        DELETE FROM t; DELETE FROM whole; DELETE FROM bare";
    let dirty = lab.effect(&mut feed, script).await;
    assert_eq!((keys(&dirty, 0), keys(&dirty, 1)), (ints([1]), ints([1])));
    assert!(dirty.len(2) > 0 && dirty.whole(1, false).is_none());
}

#[tokio::test]
async fn the_source_goes_on_on_14() {
    the_source_goes_on(14).await;
}

#[tokio::test]
async fn the_source_goes_on_on_17() {
    the_source_goes_on(17).await;
}

#[tokio::test]
async fn the_source_goes_on_on_18() {
    the_source_goes_on(18).await;
}

#[tokio::test]
async fn a_copy_that_is_refused_says_what_is_lacking() {
    let lab = Lab::start_with(17, &[("max_replication_slots", "1")], TABLE).await;
    lab.create(&one()).await.unwrap();
    let error = lab.try_open(&one()).await.unwrap_err().to_string();
    assert!(error.contains("max_replication_slots"), "{error}");
    lab.sql("CREATE ROLE plain LOGIN PASSWORD 'plain'").await;
    let plain = connector(&lab.scratch, "plain", "plain");
    let error = Feed::open(&plain, "postgres", &names(), one())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("REPLICATION"), "{error}");
    lab.sql("SELECT pg_drop_replication_slot('pgupgrade_v')").await;
    let error = lab.try_open(&one()).await.unwrap_err().to_string();
    assert!(error.contains("create it anew"), "{error}");
}

async fn readings_begin_late(major: u16) {
    let lab = Lab::with_slot(major, TABLE, &one()).await;
    let mut feed = lab.open(&one()).await;
    let restart = "SELECT restart_lsn::text, pg_current_wal_lsn()::text FROM pg_replication_slots WHERE temporary";
    lab.sql("INSERT INTO t SELECT generate_series(1, 1000)").await;
    let row = lab.client.query_one(restart, &[]).await.unwrap();
    let (before, written): (String, String) = (row.get(0), row.get(1));
    let mut dirty = set();
    feed.freshen(&mut dirty).await.unwrap();
    assert_eq!(dirty.total(), 1000);
    let query = "SELECT restart_lsn > $1::text::pg_lsn AND restart_lsn >= $2::text::pg_lsn FROM pg_replication_slots
        WHERE temporary";
    assert!(
        lab.client
            .query_one(query, &[&before, &written])
            .await
            .unwrap()
            .get::<_, bool>(0)
    );

    // An open transaction is in the way, which does no harm.
    let other = lab.scratch.client("postgres").await.unwrap();
    other.batch_execute("BEGIN; INSERT INTO t VALUES (-1)").await.unwrap();
    lab.sql("INSERT INTO t VALUES (2000)").await;
    feed.freshen(&mut dirty).await.unwrap();
    assert_eq!(dirty.total(), 1001);
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(keys(&lab.read(&mut feed).await, 0), ints([-1]));
    let left = "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'pgupgrade_tick%'";
    assert_eq!(lab.client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn readings_begin_late_on_14() {
    readings_begin_late(14).await;
}

#[tokio::test]
async fn readings_begin_late_on_18() {
    readings_begin_late(18).await;
}
