//! What a comparison under writes makes on two servers harms nobody, and is taken back whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::time::Duration;

use lab_postgres::Scratch;
use pgupgrade_postgres::connection::{Connector, Credentials};
use pgupgrade_verify::{Error, Live, Options, Standalone, Verdict};
use secrecy::SecretString;
use support::Pair;
use support::replicated::{Replicated, eventually};
use tokio_postgres::Client;

const PATIENCE: Duration = Duration::from_mins(1);
/// Where the test waits for it to be over.
const SHORT: Duration = Duration::from_secs(3);

const SIMPLE: &str = "CREATE TABLE t (id integer PRIMARY KEY, v integer);
    INSERT INTO t SELECT g, 0 FROM generate_series(1, 2000) g";
const OF_T: &str = "CREATE PUBLICATION app FOR TABLE t";
const OF_ALL: &str = "CREATE PUBLICATION app FOR ALL TABLES";

async fn start(from: u16, to: u16, publication: &str, options: &str) -> Replicated {
    start_with(from, to, SIMPLE, publication, options).await
}

async fn start_with(from: u16, to: u16, schema: &str, publication: &str, options: &str) -> Replicated {
    let pair = Pair::start(from, to).await;
    for client in [&pair.on_source, &pair.on_target] {
        client.batch_execute(schema).await.unwrap();
    }
    pair.on_source.batch_execute(publication).await.unwrap();
    let subscription = format!(
        "CREATE SUBSCRIPTION app CONNECTION '{}' PUBLICATION app WITH (copy_data = false{options})",
        pair.conninfo()
    );
    pair.on_target.batch_execute(&subscription).await.unwrap();
    Replicated { pair }
}

async fn one<T>(client: &Client, query: &str) -> T
where
    T: for<'a> tokio_postgres::types::FromSql<'a>,
{
    client.query_one(query, &[]).await.unwrap().get(0)
}

fn plan(both: &Replicated, patience: Duration) -> Standalone {
    Standalone::plan(&both.source(), &both.target(), "postgres", patience)
}

async fn prepare(both: &Replicated, patience: Duration) -> Result<Standalone, Error> {
    Standalone::prepare(&both.source(), &both.target(), "postgres", patience).await
}

async fn open(source: &Connector, target: &Connector, made: &Standalone) -> Live {
    let (tables, replication) = (made.tables(), made.replication());
    Live::open(source, target, "postgres", &tables, replication, Options::default())
        .await
        .unwrap()
}

async fn on_source(both: &Replicated, sql: &str) {
    both.pair.on_source.batch_execute(sql).await.unwrap();
}

/// What is written on the source arrives.
async fn replicates(both: &Replicated, value: i32) {
    on_source(both, &format!("UPDATE t SET v = {value} WHERE id = 2")).await;
    eventually("replication goes on", || async {
        one::<i32>(&both.pair.on_target, "SELECT v FROM t WHERE id = 2").await == value
    })
    .await;
}

/// Slots, publications, published and subscribed tables, tables and the schema of ours.
async fn left(client: &Client) -> Vec<String> {
    let query = "SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name ~ '^pgupgrade' AND NOT temporary
        UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname ~ '^pgupgrade'
        UNION ALL SELECT 'published ' || tablename FROM pg_publication_tables WHERE schemaname = 'pgupgrade'
        UNION ALL SELECT 'subscribed to ' || srrelid FROM pg_subscription_rel
            WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = srrelid AND relnamespace::regnamespace::text <> 'pgupgrade')
        UNION ALL SELECT 'schema' FROM pg_namespace WHERE nspname = 'pgupgrade'
        UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text = 'pgupgrade'
        ORDER BY 1";
    let rows = client.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn nothing_is_left(both: &Replicated) {
    assert_eq!(left(&both.pair.on_source).await, [""; 0], "on the source");
    assert_eq!(left(&both.pair.on_target).await, [""; 0], "on the target");
}

/// A session on the target by which the apply worker waits for a row.
async fn blocked(both: &Replicated) -> Client {
    let blocker = both.pair.target_client().await;
    blocker
        .batch_execute("BEGIN; SELECT FROM t WHERE id = 1 FOR UPDATE")
        .await
        .unwrap();
    on_source(both, "UPDATE t SET v = v + 1 WHERE id = 1").await;
    blocker
}

async fn bump(both: &Replicated, made: &Standalone) {
    let stream = &made.replication().streams[0];
    on_source(both, &format!("UPDATE pgupgrade.\"barrier_{stream}\" SET n = n + 1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_made_and_taken_back() {
    for (from, to) in [(14, 18), (15, 15), (18, 16)] {
        let both = start(from, to, OF_T, "").await;
        let made = prepare(&both, PATIENCE).await.unwrap();
        assert_eq!(made.notes(), [""; 0]);
        let mut compared = open(&both.source(), &both.target(), &made).await;
        compared.read().await.unwrap();
        assert_eq!(compared.report().verdict(), Verdict::Equal, "{:?}", compared.report());
        drop(compared);
        made.remove().await.unwrap();
        nothing_is_left(&both).await;
        replicates(&both, 7).await;
        made.remove().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_behind_keeps_its_barrier_and_goes_on() {
    let both = start(17, 18, OF_T, "").await;
    let made = prepare(&both, SHORT).await.unwrap();
    let blocker = blocked(&both).await;
    // As the last barrier of a drain, which the target is not awaited at.
    bump(&both, &made).await;
    let remains = made.remove().await.unwrap_err();
    assert_eq!(left(&both.pair.on_source).await, [""; 0]);
    let [remnant] = &remains.0[..] else { panic!("{remains}") };
    assert_eq!(remnant.side, "target");
    assert!(remnant.reason.contains("subscription app"), "{remains}");
    blocker.batch_execute("ROLLBACK").await.unwrap();
    replicates(&both, 7).await;
    both.fault(&format!("{}; DROP SCHEMA pgupgrade", remnant.sql)).await;
    nothing_is_left(&both).await;
    replicates(&both, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_catches_up_is_waited_for() {
    let both = start(16, 17, OF_T, "").await;
    let made = prepare(&both, PATIENCE).await.unwrap();
    let blocker = blocked(&both).await;
    bump(&both, &made).await;
    let (removed, ()) = tokio::join!(made.remove(), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        blocker.batch_execute("ROLLBACK").await.unwrap();
    });
    removed.unwrap();
    nothing_is_left(&both).await;
    replicates(&both, 7).await;
}

/// A comparison that is broken off while a barrier is on its way behind a large transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replication_goes_on_after_a_run_under_load() {
    let schema = "CREATE TABLE t (id integer PRIMARY KEY, v integer);
        INSERT INTO t SELECT g, 0 FROM generate_series(1, 200000) g";
    let both = start_with(17, 18, schema, OF_T, "").await;
    let made = prepare(&both, PATIENCE).await.unwrap();
    let mut compared = open(&both.source(), &both.target(), &made).await;
    compared.read().await.unwrap();
    on_source(&both, "UPDATE t SET v = v + 1").await;
    let _ = tokio::time::timeout(Duration::from_millis(100), compared.drain()).await;
    drop(compared);
    made.remove().await.unwrap();
    nothing_is_left(&both).await;
    replicates(&both, -7).await;
}

/// Interrupted while the slot on one side waits for an open transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_preparation_leaves_nothing() {
    let both = start(17, 18, OF_T, "").await;
    for waits_for in [both.pair.source_client().await, both.pair.target_client().await] {
        waits_for
            .batch_execute("BEGIN; CREATE TABLE other (id integer)")
            .await
            .unwrap();
        let mut made = plan(&both, PATIENCE);
        assert!(tokio::time::timeout(Duration::from_secs(5), made.make()).await.is_err());
        // What the statement that still runs would make.
        made.remove().await.unwrap();
        waits_for.batch_execute("ROLLBACK").await.unwrap();
        nothing_is_left(&both).await;
        replicates(&both, 7).await;
    }
}

/// Whenever it is interrupted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preparation_leaves_nothing_wherever_it_is_interrupted() {
    let both = start(16, 18, OF_ALL, ", disable_on_error = true").await;
    for turn in 0..20 {
        let mut made = plan(&both, PATIENCE);
        let _ = tokio::time::timeout(Duration::from_millis(40 * turn), made.make()).await;
        made.remove().await.unwrap();
        nothing_is_left(&both).await;
    }
    replicates(&both, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_to_all_tables_stays_enabled() {
    let both = start(17, 18, OF_ALL, ", disable_on_error = true").await;
    let made = prepare(&both, PATIENCE).await.unwrap();
    let mut compared = open(&both.source(), &both.target(), &made).await;
    compared.read().await.unwrap();
    drop(compared);
    made.remove().await.unwrap();
    nothing_is_left(&both).await;
    replicates(&both, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_behind_is_refused_before_anything_is_made() {
    let both = start(17, 18, OF_ALL, "").await;
    let blocker = blocked(&both).await;
    let error = prepare(&both, SHORT).await.err().unwrap();
    assert!(matches!(error, Error::Undecided(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains("subscription app on the target did not confirm"),
        "{error}"
    );
    nothing_is_left(&both).await;
    blocker.batch_execute("ROLLBACK").await.unwrap();
    replicates(&both, 7).await;
}

/// The publication has a table that the subscription has not asked for yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_not_refreshed_keeps_its_initial_copy() {
    let name = "\"Weird \"\"T\"\"; --\"";
    for (from, to) in [(15, 17), (16, 17)] {
        let both = start(from, to, OF_T, "").await;
        for client in [&both.pair.on_source, &both.pair.on_target] {
            let create = format!("CREATE TABLE {name} (id integer PRIMARY KEY)");
            client.batch_execute(&create).await.unwrap();
        }
        on_source(
            &both,
            &format!("INSERT INTO {name} VALUES (1), (2); ALTER PUBLICATION app ADD TABLE {name}"),
        )
        .await;
        let error = prepare(&both, PATIENCE).await.err().unwrap().to_string();
        let remedy = "ALTER SUBSCRIPTION \"app\" REFRESH PUBLICATION";
        assert!(error.contains(name) && error.contains(remedy), "{error}");
        nothing_is_left(&both).await;
        both.fault(remedy).await;
        eventually("the rows that were there before are copied", || async {
            one::<i64>(&both.pair.on_target, &format!("SELECT count(*) FROM {name}")).await == 2
        })
        .await;
        let made = prepare(&both, PATIENCE).await.unwrap();
        made.remove().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_only_the_source_has_is_refused_before_anything_is_made() {
    let both = start(17, 18, OF_ALL, "").await;
    on_source(&both, "CREATE TABLE only_here (id integer PRIMARY KEY)").await;
    let error = prepare(&both, PATIENCE).await.err().unwrap();
    assert!(error.to_string().contains("only_here"), "{error}");
    nothing_is_left(&both).await;
}

/// The apply worker changes our tables as another role.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_of_another_owner_goes_on() {
    let newer = "CREATE ROLE \"The follower\" LOGIN; GRANT pg_create_subscription TO \"The follower\"; \
        GRANT CREATE ON DATABASE postgres TO \"The follower\"; ALTER TABLE t OWNER TO \"The follower\"; \
        ALTER SUBSCRIPTION app OWNER TO \"The follower\"";
    let itself = format!("{newer}; ALTER SUBSCRIPTION app SET (run_as_owner = true)");
    let older = "CREATE ROLE \"The follower\" LOGIN SUPERUSER; ALTER TABLE t OWNER TO \"The follower\"; \
        ALTER SUBSCRIPTION app OWNER TO \"The follower\"; ALTER ROLE \"The follower\" NOSUPERUSER";
    for (from, to, owner) in [(17, 18, newer), (16, 16, &itself), (14, 15, older)] {
        let both = start(from, to, OF_T, "").await;
        both.fault(owner).await;
        replicates(&both, 1).await;
        let made = prepare(&both, PATIENCE).await.unwrap();
        let mut compared = open(&both.source(), &both.target(), &made).await;
        compared.read().await.unwrap();
        assert_eq!(compared.report().verdict(), Verdict::Equal, "{:?}", compared.report());
        drop(compared);
        made.remove().await.unwrap();
        nothing_is_left(&both).await;
        replicates(&both, 7).await;
    }
}

/// As on a managed server: nobody is a superuser.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ordinary_roles_are_enough() {
    let schema = "CREATE ROLE app LOGIN; CREATE TABLE log (what text); INSERT INTO log VALUES ('a');
        CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) g;
        ALTER TABLE t OWNER TO app; ALTER TABLE log OWNER TO app;
        CREATE ROLE checker LOGIN REPLICATION PASSWORD 'checks'; GRANT app TO checker;
        GRANT CREATE ON DATABASE postgres TO checker";
    let both = start_with(16, 17, schema, "CREATE PUBLICATION app FOR TABLE t, log", "").await;
    on_source(
        &both,
        "ALTER PUBLICATION app OWNER TO app; GRANT CREATE ON DATABASE postgres TO app",
    )
    .await;
    both.fault("GRANT pg_create_subscription TO app; GRANT CREATE ON DATABASE postgres TO app; ALTER SUBSCRIPTION app OWNER TO app")
        .await;
    replicates(&both, 1).await;
    let (source, target) = (checker(&both.source()), checker(&both.target()));
    let made = Standalone::prepare(&source, &target, "postgres", PATIENCE)
        .await
        .unwrap();
    assert_eq!(made.notes(), [""; 0]);
    let mut compared = open(&source, &target, &made).await;
    compared.read().await.unwrap();
    assert_eq!(compared.report().verdict(), Verdict::Equal, "{:?}", compared.report());
    drop(compared);
    made.remove().await.unwrap();
    nothing_is_left(&both).await;
    replicates(&both, 7).await;
}

fn checker(like: &Connector) -> Connector {
    let credentials = Credentials {
        username: "checker".to_owned(),
        password: SecretString::from("checks".to_owned()),
    };
    Connector::unencrypted(like.endpoint().clone(), credentials)
}

/// Our role may neither be the subscription's owner nor let it in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_not_ours_is_refused_before_anything_is_published() {
    let both = start(17, 18, OF_ALL, "").await;
    let checker_role = "CREATE ROLE checker LOGIN REPLICATION PASSWORD 'checks'; GRANT CREATE ON DATABASE postgres TO checker; \
        GRANT SELECT ON t TO checker";
    on_source(&both, checker_role).await;
    both.fault(checker_role).await;
    let refused = |wanted: &'static str| {
        let (source, target) = (both.source(), checker(&both.target()));
        async move {
            let error = Standalone::prepare(&source, &target, "postgres", PATIENCE)
                .await
                .err()
                .unwrap();
            assert!(error.to_string().contains(wanted), "{error}");
        }
    };
    refused("may not refresh subscription app on the target: connect as its owner postgres").await;
    // It may refresh as a member, but give away no table.
    both.fault(
        "CREATE ROLE app LOGIN; GRANT pg_create_subscription TO app; GRANT CREATE ON DATABASE postgres TO app; ALTER TABLE t OWNER TO app;
         ALTER SUBSCRIPTION app OWNER TO app; GRANT app TO checker WITH SET FALSE",
    )
    .await;
    refused("the owner of subscription app, role app, can't be let into our barrier table").await;
    nothing_is_left(&both).await;
    replicates(&both, 7).await;
}

/// The target refuses to have our tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_refuses_our_tables_goes_on_replicating() {
    let both = start(16, 17, OF_ALL, "").await;
    both.fault(
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'we have our own'; END $$;
         CREATE EVENT TRIGGER no ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION no()",
    )
    .await;
    let error = prepare(&both, PATIENCE).await.err().unwrap();
    assert!(error.to_string().contains("we have our own"), "{error}");
    nothing_is_left(&both).await;
    replicates(&both, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_at_once_do_not_get_in_each_others_way() {
    for publication in [OF_T, OF_ALL] {
        let both = start(17, 18, publication, "").await;
        for _ in 0..4 {
            let run = || async {
                let made = prepare(&both, PATIENCE).await.map_err(|error| error.to_string())?;
                let notes = made.notes().join("; ");
                made.remove().await.map_err(|left| left.to_string())?;
                Ok::<String, String>(notes)
            };
            let all = tokio::join!(run(), run(), run());
            assert_eq!(all, (Ok(String::new()), Ok(String::new()), Ok(String::new())));
        }
        nothing_is_left(&both).await;
        replicates(&both, 7).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_can_not_be_watched_is_compared_all_the_same() {
    let both = start(17, 18, OF_T, ", two_phase = true").await;
    both.fault("BEGIN; UPDATE t SET v = v WHERE id = 1; PREPARE TRANSACTION 'others'")
        .await;
    let made = prepare(&both, PATIENCE).await.unwrap();
    let [note] = made.notes() else {
        panic!("{:?}", made.notes())
    };
    assert!(note.contains("are not watched") && note.contains("'others'"), "{note}");
    assert!(made.replication().foreign.is_none());
    both.fault("ROLLBACK PREPARED 'others'").await;
    let mut compared = open(&both.source(), &both.target(), &made).await;
    compared.read().await.unwrap();
    assert_eq!(compared.report().verdict(), Verdict::Equal);
    drop(compared);
    made.remove().await.unwrap();
    nothing_is_left(&both).await;
}

/// Another subscriber of the publication would stop at a table that it lacks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_subscribers_are_not_sent_our_tables() {
    let both = start(17, 18, OF_T, "").await;
    on_source(&both, "CREATE PUBLICATION \"The 'other'\" FOR TABLE t").await;
    let third = Scratch::start(16).await.unwrap();
    let other = third.client("postgres").await.unwrap();
    let subscription = format!(
        "{SIMPLE}; CREATE SUBSCRIPTION elsewhere CONNECTION '{}' PUBLICATION \"The 'other'\" \
         WITH (enabled = false, connect = false, slot_name = elsewhere)",
        both.pair.conninfo()
    );
    other.batch_execute(&subscription).await.unwrap();
    on_source(
        &both,
        "SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')",
    )
    .await;
    let error = prepare(&both, PATIENCE).await.err().unwrap();
    assert!(
        error.to_string().contains("slots elsewhere may feed"),
        "nobody knows: {error}"
    );
    nothing_is_left(&both).await;
    for statement in ["ENABLE", "REFRESH PUBLICATION WITH (copy_data = false)"] {
        let statement = format!("ALTER SUBSCRIPTION elsewhere {statement}");
        other.batch_execute(&statement).await.unwrap();
    }
    let active = "SELECT active FROM pg_replication_slots WHERE slot_name = 'elsewhere'";
    eventually("it is used", || async {
        one::<bool>(&both.pair.on_source, active).await
    })
    .await;
    let made = prepare(&both, PATIENCE).await.unwrap();
    made.remove().await.unwrap();
    other
        .batch_execute("ALTER SUBSCRIPTION elsewhere SET PUBLICATION \"The 'other'\", app WITH (copy_data = false)")
        .await
        .unwrap();
    let both_named = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query ~ 'elsewhere.*\"app\"')";
    eventually("its walsender begins anew", || async {
        one::<bool>(&both.pair.on_source, both_named).await
    })
    .await;
    let error = prepare(&both, PATIENCE).await.err().unwrap();
    assert!(error.to_string().contains("slots elsewhere may feed"), "{error}");
    nothing_is_left(&both).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_left_is_told_of() {
    let both = start(17, 18, OF_T, "").await;
    on_source(
        &both,
        "SELECT pg_create_logical_replication_slot('pgupgrade_verify_old123', 'pgoutput'); CREATE PUBLICATION pgupgrade_verify_old123",
    )
    .await;
    both.fault("CREATE SCHEMA pgupgrade; CREATE TABLE pgupgrade.barrier_verify_old123_0 (id integer)")
        .await;
    let other = prepare(&both, PATIENCE).await.unwrap();
    let made = prepare(&both, PATIENCE).await.unwrap();
    let notes = made.notes();
    assert_eq!(notes.len(), 3, "a run that is under way left nothing: {notes:#?}");
    assert!(
        notes[0].contains("pg_drop_replication_slot('pgupgrade_verify_old123')"),
        "{notes:#?}"
    );
    assert!(
        notes[1].contains("DROP PUBLICATION pgupgrade_verify_old123"),
        "{notes:#?}"
    );
    assert!(
        notes[2].contains("DROP TABLE pgupgrade.barrier_verify_old123_0"),
        "{notes:#?}"
    );
    other.remove().await.unwrap();
    made.remove().await.unwrap();
}

/// A side that is gone does not keep the other from being cleaned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_side_is_taken_back_by_itself() {
    let both = start(17, 18, OF_T, "").await;
    both.fault("CREATE ROLE checker LOGIN SUPERUSER PASSWORD 'checks'")
        .await;
    let target = checker(&both.target());
    let made = Standalone::prepare(&both.source(), &target, "postgres", SHORT)
        .await
        .unwrap();
    both.fault("ALTER ROLE checker NOLOGIN").await;
    let remains = made.remove().await.unwrap_err();
    assert!(remains.0.iter().all(|remnant| remnant.side == "target"), "{remains}");
    assert_eq!(remains.0.len(), 3, "{remains}");
    assert_eq!(left(&both.pair.on_source).await, [""; 0], "on the source");
    replicates(&both, 7).await;
    for remnant in &remains.0 {
        both.fault(&remnant.sql).await;
    }
    both.fault("DROP SCHEMA pgupgrade").await;
}
