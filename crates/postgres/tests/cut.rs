//! The proof of the cut on frozen copies of a server under load, undisturbed and disturbed. What is true is read from
//! the copy's own rows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab_postgres::{Folder, Options, Scratch, Server, StopMode, free_port};
use pgupgrade_pgoutput::Mismatch;
use pgupgrade_postgres::connection::{Connector, Endpoint, Profile, Session};
use pgupgrade_postgres::cut::{self, CutPoint, Refusal, Stream, Verdict};
use pgupgrade_postgres::publication::{self, Contents};
use pgupgrade_postgres::{QualifiedName, clone, marker, schema, slot};
use support::{NAME, OPERATOR_PASSWORD, STREAM, Side, credentials};

const TRUTH: &str = include_str!("support/cut_truth.sql");
const IDENTITY: Stream<'_> = Stream {
    slot: NAME,
    publication: NAME,
    name: STREAM,
    attempt: 1,
};

/// A source under load with publication, slot and markers.
struct Source {
    side: Side,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Source {
    async fn start(major: u16) -> Self {
        let side = Side::start_with(major, &[("autovacuum", "off")]).await;
        side.run(include_str!("support/cut_load.sql")).await;
        let session = side.act().await;
        schema::install_stream(&session, STREAM, "owner").await.unwrap();
        let tables = ["journal", "keyed"].map(|name| QualifiedName::new("s", name)).to_vec();
        publication::create(&session, NAME, &Contents { tables, stream: STREAM })
            .await
            .unwrap();
        slot::create(&session, NAME).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = vec![tokio::spawn(mark(session, Arc::clone(&stop)))];
        for writer in 0..4 {
            tasks.push(tokio::spawn(write(side.admin().await, writer, Arc::clone(&stop))));
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        Self { side, stop, tasks }
    }

    async fn settle(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks.drain(..) {
            task.await.unwrap();
        }
    }
}

async fn write(client: lab_postgres::Client, writer: i32, stop: Arc<AtomicBool>) {
    let setting = if writer % 2 == 0 { "on" } else { "off" };
    client
        .batch_execute(&format!("SET synchronous_commit = {setting}"))
        .await
        .unwrap();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        client
            .batch_execute(&format!("CALL s.step({writer}, {round})"))
            .await
            .unwrap();
        round += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn mark(session: Session, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        marker::write(&session, STREAM, 1, "forward", number).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A copy of the source as of one instant, recovered.
struct Copy {
    server: Server,
    connector: Connector,
    _folder: Folder,
}

impl Copy {
    async fn of(source: &Scratch) -> Self {
        let folder = Folder::create().unwrap();
        let options = Options {
            port: free_port().unwrap(),
            ..source.server().options().clone()
        };
        let identity = source.authority().issue(options.address.into()).unwrap();
        let place = folder.path().join("pg");
        let endpoint = Endpoint {
            host: options.address.to_string(),
            port: options.port,
        };
        let mut server = Server::open(source.server().binaries(), &place, options, Some(&identity)).unwrap();
        source.server().frozen_copy(&server.data_dir()).await.unwrap();
        server.start().await.unwrap();
        let connector = Connector::new(
            endpoint,
            credentials("op", OPERATOR_PASSWORD),
            source.ca_pem().as_bytes(),
        );
        Self {
            server,
            connector: connector.unwrap(),
            _folder: folder,
        }
    }

    async fn run(&self, script: &str) {
        self.server
            .connect("app")
            .await
            .unwrap()
            .batch_execute(script)
            .await
            .unwrap();
    }
}

async fn prove(source: &Side, copy: &Copy) -> Verdict {
    let on_source = source.session(Profile::Long).await;
    let on_copy = copy.connector.connect("app", Profile::Long).await.unwrap();
    cut::prove(&on_source, &on_copy, &IDENTITY).await.unwrap()
}

/// The rows say the same: each transaction up to the cut has its row in the copy, and none behind it has.
async fn check(source: &Side, copy: &Copy, point: &CutPoint) {
    let there = copy.server.connect("app").await.unwrap();
    let rows = there.query("SELECT xid FROM s.journal", &[]).await.unwrap();
    let in_copy: HashSet<i64> = rows.iter().map(|row| row.get(0)).collect();
    let decoded = source.admin().await.query(TRUTH, &[&NAME]).await.unwrap();
    let mut before = true;
    let mut wrote = 0;
    for row in &decoded {
        let (xid, journal): (i64, bool) = (row.get(0), row.get(1));
        if journal {
            assert_eq!(
                in_copy.contains(&xid),
                before,
                "transaction {xid}, cut at {}",
                point.xid
            );
            wrote += 1;
        }
        if xid == i64::from(point.xid) {
            before = false;
        }
    }
    assert!(!before && wrote > 50, "{wrote} transactions decoded");
}

async fn the_cut_is_found(major: u16) {
    let mut source = Source::start(major).await;
    source.side.run("ALTER ROLE op NOSUPERUSER").await;
    for kind in ["undisturbed", "own transaction ids", "crashed twice"] {
        let mut copy = Copy::of(&source.side.scratch).await;
        match kind {
            "own transaction ids" => {
                copy.run("DO 'BEGIN FOR i IN 1..50 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END'")
                    .await;
            }
            "crashed twice" => {
                copy.server.stop(StopMode::Immediate).await.unwrap();
                copy.server.start().await.unwrap();
            }
            _ => {}
        }
        let Verdict::Proven(point) = prove(&source.side, &copy).await else {
            panic!("{kind}: refused")
        };
        assert!(
            point.end_lsn > point.commit_lsn && point.transactions_common > 10 && point.marker > 1,
            "{point:?}"
        );
        assert!(point.next_commit_lsn >= Some(point.end_lsn), "{point:?}");
        assert_eq!(point.aurora_start_lsn, None);
        if kind == "crashed twice" {
            source.settle().await;
        }
        check(&source.side, &copy, &point).await;
        assert_eq!(
            prove(&source.side, &copy).await,
            Verdict::Proven(CutPoint {
                next_commit_lsn: point.next_commit_lsn,
                ..point
            })
        );
    }
}

on_versions!(the_cut_is_found: found_on_14 = 14, found_on_15 = 15, found_on_17 = 17, found_on_18 = 18);

#[tokio::test]
async fn what_is_no_clone_is_refused() {
    let mut source = Source::start(17).await;
    let copy = Copy::of(&source.side.scratch).await;
    let refused = async || match prove(&source.side, &copy).await {
        Verdict::Refused(refusal) => refusal,
        Verdict::Proven(point) => panic!("{point:?}"),
    };
    assert!(matches!(prove(&source.side, &copy).await, Verdict::Proven(_)));

    let (same, again) = (
        source.side.session(Profile::Long).await,
        source.side.session(Profile::Long).await,
    );
    assert_eq!(
        cut::prove(&same, &again, &IDENTITY).await.unwrap(),
        Verdict::Refused(Refusal::SameServer)
    );
    let session = copy.connector.connect("app", Profile::Long).await.unwrap();
    let later = Stream { attempt: 2, ..IDENTITY };
    assert_eq!(
        cut::prove(&same, &session, &later).await.unwrap(),
        Verdict::Refused(Refusal::NoMarker)
    );

    copy.run("INSERT INTO s.journal VALUES (-1, 'written on the clone')")
        .await;
    assert!(matches!(refused().await, Refusal::NotAPrefix(Mismatch::Foreign(_))));
    copy.run(&format!("COMMENT ON PUBLICATION {NAME} IS 'another'")).await;
    assert_eq!(refused().await, Refusal::AnotherClone(NAME.to_owned()));
    let comment = publication::proof(&same, NAME).await.unwrap().unwrap();
    copy.run(&format!("COMMENT ON PUBLICATION {NAME} IS '{comment}'")).await;
    copy.run(&format!(
        "SELECT pg_replication_slot_advance('{NAME}', pg_current_wal_lsn())"
    ))
    .await;
    assert!(matches!(refused().await, Refusal::SlotMoved { .. }));
    copy.run(&format!("SELECT pg_drop_replication_slot('{NAME}')")).await;
    assert_eq!(refused().await, Refusal::NoSlot(NAME.to_owned()));
    source.settle().await;
}

#[tokio::test]
async fn a_marker_that_the_wal_does_not_tell_of_is_refused() {
    let mut source = Source::start(17).await;
    let copy = Copy::of(&source.side.scratch).await;
    source.settle().await;
    let on_copy = copy.connector.connect("app", Profile::Act).await.unwrap();
    let newest = marker::newest(&on_copy, STREAM, 1, "forward").await.unwrap().unwrap();
    // What leaves the publication is not decoded: a write that the slot does not show.
    copy.run(&format!("ALTER PUBLICATION {NAME} DROP TABLE pgupgrade.marker_main"))
        .await;
    copy.run(&format!(
        "UPDATE pgupgrade.marker_main SET xid = '999999' WHERE n = {}",
        newest.number
    ))
    .await;
    let Verdict::Refused(refusal) = prove(&source.side, &copy).await else {
        panic!("proven")
    };
    assert_eq!(
        refusal,
        Refusal::MarkerBeyond {
            number: newest.number,
            xid: 999_999
        }
    );
    copy.run(&format!(
        "DELETE FROM pgupgrade.marker_main WHERE n = {}",
        newest.number
    ))
    .await;
    let Verdict::Refused(refusal) = prove(&source.side, &copy).await else {
        panic!("proven")
    };
    assert_eq!(
        refusal,
        Refusal::MarkerMissing {
            number: newest.number,
            xid: newest.xid
        }
    );
}

#[tokio::test]
async fn an_early_clone_is_refused() {
    let side = Side::start(17).await;
    let session = side.act().await;
    schema::install_stream(&session, STREAM, "owner").await.unwrap();
    publication::create(
        &session,
        NAME,
        &Contents {
            tables: Vec::new(),
            stream: STREAM,
        },
    )
    .await
    .unwrap();
    marker::write(&session, STREAM, 1, "forward", 1).await.unwrap();
    slot::create(&session, NAME).await.unwrap();
    let copy = Copy::of(&side.scratch).await;
    marker::write(&session, STREAM, 1, "forward", 2).await.unwrap();
    assert_eq!(
        prove(&side, &copy).await,
        Verdict::Refused(Refusal::NoCommonTransaction)
    );
}

async fn a_clone_is_released(major: u16) {
    let mut source = Source::start(major).await;
    source.side.run("CREATE PUBLICATION theirs FOR TABLE s.silent").await;
    // A slot's creation waits for prepared transactions, so it comes before them.
    source
        .side
        .run("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')")
        .await;
    source
        .side
        .run("BEGIN; INSERT INTO s.keyed VALUES (-5, 'prepared'); PREPARE TRANSACTION 'it''s'")
        .await;
    source
        .side
        .run("SET ROLE app_owner; BEGIN; INSERT INTO s.keyed VALUES (-6, 'prepared'); PREPARE TRANSACTION 'owner'")
        .await;
    source
        .side
        .run("CREATE SUBSCRIPTION copied CONNECTION 'host=127.0.0.1 port=1 dbname=x user=x password=x' PUBLICATION p WITH (connect = false)")
        .await;
    source.side.run("ALTER SUBSCRIPTION copied OWNER TO op").await;
    let copy = Copy::of(&source.side.scratch).await;
    assert!(matches!(prove(&source.side, &copy).await, Verdict::Proven(_)));
    // Whoever prepared one as a superuser has to be taken on for the moment, which no member can.
    copy.run("ROLLBACK PREPARED 'it''s'").await;
    let session = copy.connector.connect("app", Profile::Act).await.unwrap();
    let released = clone::release(&session).await.unwrap();
    assert_eq!(released.subscriptions, ["copied"]);
    assert_eq!(released.slots, [NAME, "theirs"]);
    assert_eq!(released.publications, [NAME]);
    assert_eq!(released.prepared, ["owner"]);
    assert_eq!(clone::release(&session).await.unwrap(), clone::Released::default());
    let role: String = session
        .query_one("SELECT current_user::text", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(role, "op");
    source.settle().await;
}

on_versions!(a_clone_is_released: released_on_14 = 14, released_on_17 = 17);
