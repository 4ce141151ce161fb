//! The fingerprint of a schema, on real servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "support/schema_faults.rs"]
mod faults;
#[path = "support/schema_server.rs"]
mod server;
#[path = "support/upgrade.rs"]
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use faults::{FAULTS, Fault};
use pgupgrade_postgres::connection::Session;
use pgupgrade_verify::Side;
use pgupgrade_verify::schema::{
    Checked, Finding, Fingerprint, Options, Severity, SuspectIndex, catalog_stamp, fingerprint, not_rebuilt,
    suspect_indexes,
};
use server::Server;

async fn read(session: &Session, side: Side) -> Fingerprint {
    let found = fingerprint(session, side, &Options::default()).await.unwrap();
    assert!(found.steady());
    found
}

async fn source(server: &Server) -> Fingerprint {
    read(&server.session, Side::Source).await
}

async fn target(server: &Server) -> Fingerprint {
    read(&server.session, Side::Target).await
}

async fn stamp(server: &Server) -> String {
    catalog_stamp(&server.session, Side::Target).await.unwrap()
}

fn of_severity(findings: &[Finding], wanted: fn(&Severity) -> bool) -> Vec<String> {
    let found = findings.iter().filter(|found| wanted(&found.severity));
    found.map(ToString::to_string).collect()
}

fn serious(findings: &[Finding]) -> Vec<String> {
    of_severity(findings, |severity| !matches!(severity, Severity::Benign(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_schema_is_the_same_on_every_version() {
    let mut all = BTreeMap::new();
    for major in [14, 15, 16, 17, 18] {
        let server = Server::rich(major).await;
        let read = source(&server).await;
        assert!(read.len() > 250 && read.major() == i32::from(major), "{}", read.len());
        all.insert(major, read);
    }
    for (from, to) in [(14, 15), (14, 18), (15, 17), (16, 18), (17, 18)] {
        let findings = all[&from].compare(&all[&to]);
        assert_eq!(serious(&findings), [""; 0], "{from} to {to}");
    }
    let reasons: BTreeSet<&str> = all[&14]
        .compare(&all[&18])
        .iter()
        .filter_map(|found| match found.severity {
            Severity::Benign(reason) => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_changes_nothing() {
    for (from, to) in [(14, 18), (15, 17)] {
        let old = Server::rich(from).await;
        let new = old.upgraded(to).await;
        let findings = source(&old).await.compare(&target(&new).await);
        assert_eq!(serious(&findings), [""; 0], "{from} to {to}");
    }
}

/// What is wrong with one fault: made, found, undone. `known` is what those before it left.
async fn trial(fault: &Fault, wanted: &Fingerprint, new: &Server, known: &mut Vec<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let before = stamp(new).await;
    if let Err(error) = new.client.batch_execute(fault.make).await {
        return vec![format!("made: {error:?}")];
    }
    let findings = wanted.compare(&target(new).await);
    let mut found: Vec<&Finding> = findings
        .iter()
        .filter(|found| found.severity == Severity::Different)
        .collect();
    for (kind, object, detail) in fault.found {
        let as_expected =
            |found: &&Finding| found.kind == *kind && found.object == *object && found.detail.starts_with(detail);
        match found.iter().position(as_expected) {
            Some(at) => drop(found.remove(at)),
            None => wrong.push(format!("not found: {kind} {object}: {detail}")),
        }
    }
    wrong.extend(found.iter().map(|found| format!("found as well: {found}")));
    if (stamp(new).await == before) != fault.escapes_the_stamp() {
        wrong.push("the stamp does not tell".to_owned());
    }
    if let Err(error) = new.client.batch_execute(fault.undo).await {
        wrong.push(format!("undone: {error:?}"));
    }
    let left = serious(&wanted.compare(&target(new).await));
    wrong.extend(
        left.iter()
            .filter(|left| !known.contains(left))
            .map(|left| format!("left: {left}")),
    );
    *known = left;
    wrong
}

async fn every_fault(from: u16, to: u16) {
    let (old, new) = tokio::join!(Server::rich(from), Server::rich(to));
    let wanted = source(&old).await;
    let (mut wrong, mut known) = (Vec::new(), Vec::new());
    for fault in FAULTS.iter().filter(|fault| fault.from <= to) {
        let found = trial(fault, &wanted, &new, &mut known).await;
        wrong.extend(found.iter().map(|found| format!("{}\n    {found}", fault.make)));
    }
    assert!(wrong.is_empty(), "{from} to {to}:\n{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found_from_14_to_18() {
    every_fault(14, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_found_from_15_to_17() {
    every_fault(15, 17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_program_makes_and_what_is_no_ddl_leave_the_stamp() {
    let server = Server::rich(16).await;
    server
        .client
        .batch_execute("INSERT INTO app.ordered SELECT n FROM generate_series(1, 1000) n")
        .await
        .unwrap();
    let fingerprint = source(&server).await;
    let before = stamp(&server).await;
    assert_eq!(before, fingerprint.stamp());
    for statement in [
        "INSERT INTO app.customers (name, mail) VALUES ('a', 'a@b')",
        "ANALYZE",
        "VACUUM",
        "VACUUM FREEZE app.ordered",
        "TRUNCATE app.ordered, app.visits",
        "REINDEX TABLE app.orders",
        "REFRESH MATERIALIZED VIEW app.summary",
        "SELECT nextval('app.tickets')",
        "CREATE TEMPORARY TABLE passing (id serial PRIMARY KEY, v text DEFAULT 'x' CHECK (v <> ''))",
        "CREATE SCHEMA pgupgrade",
        "CREATE TABLE pgupgrade.fence (id integer PRIMARY KEY)",
        "CREATE FUNCTION pgupgrade.guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER pgupgrade_guard BEFORE INSERT ON app.ordered EXECUTE FUNCTION pgupgrade.guard()",
        "CREATE PUBLICATION pgupgrade_1 FOR TABLE app.ordered",
        "CREATE ROLE pgupgrade_1 LOGIN",
        "ALTER ROLE pgupgrade_1 SET work_mem = '1MB'",
        "GRANT app_reader TO pgupgrade_1",
    ] {
        server.client.batch_execute(statement).await.unwrap();
        assert_eq!(stamp(&server).await, before, "{statement}");
    }
    server
        .client
        .batch_execute("GRANT CONNECT ON DATABASE postgres TO pgupgrade_1")
        .await
        .unwrap();
    let findings = fingerprint.compare(&target(&server).await);
    assert_eq!(serious(&findings), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_rights_reads_all_but_what_it_says() {
    let (old, new) = tokio::join!(Server::rich(14), Server::rich(17));
    let (on_old, on_new) = tokio::join!(old.plain_session(), new.plain_session());
    let wanted = read(&on_old, Side::Source).await;
    let findings = wanted.compare(&read(&on_new, Side::Target).await);
    assert_eq!(
        of_severity(&findings, |severity| *severity == Severity::Different),
        [""; 0]
    );
    let unread: Vec<String> = of_severity(&findings, |severity| *severity == Severity::NotReadable);
    for beginning in [
        "large object 4711: content: not readable on the source",
        "large object 4712: content: not readable",
        "large object 4713: content: not readable",
        "role all roles: password: not readable",
        "user mapping of app_owner for server far: not readable",
        "user mapping of public for server far: not readable",
    ] {
        assert!(
            unread.iter().any(|found| found.starts_with(beginning)),
            "{beginning}\n{unread:#?}"
        );
    }
    assert_eq!(unread.len(), 6, "{unread:#?}");

    // Who may read a large object by itself finds the same content as who reads them all.
    let grant = "GRANT SELECT ON LARGE OBJECT 4711, 4712, 4713 TO plain";
    for side in [&old, &new] {
        side.client.batch_execute(grant).await.unwrap();
    }
    let findings = source(&old).await.compare(&read(&on_new, Side::Target).await);
    let unread = of_severity(&findings, |severity| *severity == Severity::NotReadable);
    assert_eq!(unread.len(), 3, "{unread:#?}");
    new.client
        .batch_execute("SELECT lo_put(4711, 14999, '\\x11'); DROP INDEX app.orders_note")
        .await
        .unwrap();
    let found = source(&old).await.compare(&read(&on_new, Side::Target).await);
    let found = of_severity(&found, |severity| *severity == Severity::Different);
    let expected = [
        "comment index app.orders_note: missing on the target",
        "index app.orders_note: missing on the target",
        "large object 4711: content: differs",
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_out_is_not_compared() {
    let server = Server::rich(18).await;
    let options = Options {
        roles: false,
        large_objects: false,
    };
    let before = fingerprint(&server.session, Side::Source, &options).await.unwrap();
    let changes = "CREATE ROLE extra; ALTER ROLE app_owner SET work_mem = '1MB'; SELECT lo_put(4711, 0, '\\x77')";
    server.client.batch_execute(changes).await.unwrap();
    let after = fingerprint(&server.session, Side::Target, &options).await.unwrap();
    assert_eq!(before.compare(&after), []);
    server
        .client
        .batch_execute("GRANT ALL ON LARGE OBJECT 4713 TO app_reader")
        .await
        .unwrap();
    let after = fingerprint(&server.session, Side::Target, &options).await.unwrap();
    assert_eq!(before.compare(&after).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ddl_meanwhile_ends_in_an_answer() {
    let server = Server::rich(15).await;
    let before = source(&server).await;
    let other = server.another().await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let ddl = tokio::spawn(async move {
        let mut rounds = 0;
        while !stopped.load(Ordering::Relaxed) || rounds == 0 {
            let script = "DO $$ BEGIN FOR i IN 1..20 LOOP \
                 EXECUTE format('CREATE TABLE app.brief_%s (id serial PRIMARY KEY, v text CHECK (v > %L))', i, 'a'); \
                 EXECUTE format('CREATE VIEW app.brief_view_%s AS SELECT v FROM app.brief_%s', i, i); COMMIT; END LOOP; \
                 FOR i IN 1..20 LOOP EXECUTE format('DROP TABLE app.brief_%s CASCADE', i); COMMIT; END LOOP; END $$";
            other.batch_execute(script).await.unwrap();
            rounds += 1;
        }
    });
    for _ in 0..3 {
        match fingerprint(&server.session, Side::Source, &Options::default()).await {
            Ok(read) => assert!(!read.is_empty()),
            Err(error) => assert!(error.to_string().contains("keep DDL away"), "{error}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    ddl.await.unwrap();
    assert_eq!(serious(&before.compare(&target(&server).await)), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_by_another_version_of_a_collation_are_checked() {
    let (old, new) = tokio::join!(Server::start(14), Server::start(17));
    // A collation without a version on one side, and the one that has a version everywhere on the other.
    old.client
        .batch_execute("CREATE COLLATION other (locale = 'C.UTF-8')")
        .await
        .unwrap();
    let builtin = "CREATE COLLATION other (provider = builtin, locale = 'C.UTF-8')";
    new.client.batch_execute(builtin).await.unwrap();
    let tables = "CREATE TABLE \"Weird \"\"T\"\"\" (a text COLLATE other, b integer PRIMARY KEY, c text); \
        INSERT INTO \"Weird \"\"T\"\"\" SELECT 'v' || n, n, 'c' FROM generate_series(1, 3000) n; \
        CREATE INDEX \"by.a\" ON \"Weird \"\"T\"\"\" (a); CREATE INDEX by_c ON \"Weird \"\"T\"\"\" (c); \
        CREATE INDEX in_brin ON \"Weird \"\"T\"\"\" USING brin (a); CREATE INDEX in_hash ON \"Weird \"\"T\"\"\" USING hash (a)";
    for side in [&old, &new] {
        side.client.batch_execute(tables).await.unwrap();
    }
    let suspects = || async { suspect_indexes(&old.session, &new.session).await.unwrap() };
    let check = |suspects: &[SuspectIndex], name: &str| -> Checked {
        let found = suspects.iter().find(|suspect| suspect.index.name == name);
        found.unwrap().checked.clone()
    };
    assert_eq!(suspect_indexes(&new.session, &new.session).await.unwrap(), []);
    let found = suspects().await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_eq!(
        found[0].collation,
        "other: version unknown on the source, 1 on the target"
    );
    for (name, advice) in [
        ("by.a", "CREATE EXTENSION amcheck"),
        ("in_brin", "REINDEX INDEX CONCURRENTLY \"public\".\"in_brin\""),
    ] {
        let checked = check(&found, name);
        assert!(
            matches!(&checked, Checked::NotChecked(why) if why.contains(advice)),
            "{checked:?}"
        );
    }

    let install = "CREATE SCHEMA \"am check\"; CREATE EXTENSION amcheck WITH SCHEMA \"am check\"; GRANT USAGE ON SCHEMA \"am check\" TO PUBLIC";
    new.client.batch_execute(install).await.unwrap();
    assert_eq!(check(&suspects().await, "by.a"), Checked::Sound);
    let turned = "UPDATE pg_index SET indoption = '1' WHERE indexrelid = '\"by.a\"'::regclass";
    new.client.batch_execute(turned).await.unwrap();
    let checked = check(&suspects().await, "by.a");
    assert!(
        matches!(&checked, Checked::Broken(why) if why.contains("order")),
        "{checked:?}"
    );

    let another = "UPDATE pg_collation SET collversion = '0.9' WHERE collname = 'other'";
    new.client.batch_execute(another).await.unwrap();
    let found = suspect_indexes(&new.session, &new.session).await.unwrap();
    assert_eq!(
        found[0].collation,
        "other: version 0.9 on record, 1 in use on the target"
    );

    let plain = new.plain_session().await;
    let found = suspect_indexes(&old.session, &plain).await.unwrap();
    let checked = check(&found, "by.a");
    assert!(
        matches!(&checked, Checked::NotChecked(why) if why.contains("grant EXECUTE")),
        "{checked:?}"
    );

    assert_eq!(not_rebuilt(&plain, found.clone()).await.unwrap(), found);
    let rebuild = "REINDEX INDEX CONCURRENTLY \"by.a\"";
    new.client.batch_execute(rebuild).await.unwrap();
    let left = not_rebuilt(&plain, found).await.unwrap();
    let names: Vec<&str> = left.iter().map(|left| &*left.index.name).collect();
    assert_eq!(names, ["in_brin"]);
    new.client.batch_execute("DROP INDEX in_brin").await.unwrap();
    assert_eq!(not_rebuilt(&plain, left).await.unwrap(), []);
}
