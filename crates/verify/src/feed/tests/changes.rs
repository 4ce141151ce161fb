//! Each kind of change.
use super::*;

const TABLES: &str = r#"
CREATE SCHEMA "Odd ""S""";
CREATE TABLE "Odd ""S"""."Weird ""T""" ("Key ""A""" integer PRIMARY KEY, v text);
CREATE TABLE parted (id integer, region text, v integer, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE "part eu" PARTITION OF parted FOR VALUES IN ('eu');
CREATE TABLE "part us" PARTITION OF parted FOR VALUES IN ('us');
CREATE TABLE full_identity (id integer PRIMARY KEY, v text);
ALTER TABLE full_identity REPLICA IDENTITY FULL;
CREATE TABLE by_index (id integer PRIMARY KEY, code integer NOT NULL, v text);
CREATE UNIQUE INDEX by_code ON by_index (code);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_code;
CREATE TABLE only_inserts (id integer PRIMARY KEY, v text);
ALTER TABLE only_inserts REPLICA IDENTITY NOTHING;
CREATE TABLE keyless (id integer, v text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE toasted (id text PRIMARY KEY, v text);
ALTER TABLE toasted ALTER id SET STORAGE EXTERNAL, ALTER v SET STORAGE EXTERNAL;
CREATE TABLE unlisted (id integer PRIMARY KEY);
CREATE PUBLICATION theirs FOR TABLE only_inserts;
"#;
const WEIRD: u32 = 0;
const EU: u32 = 1;
const US: u32 = 2;
const FULL: u32 = 3;
const BY_INDEX: u32 = 4;
const ONLY_INSERTS: u32 = 5;
const KEYLESS: u32 = 6;
const TOASTED: u32 = 7;

fn all() -> Watch {
    watch(&[
        ("Odd \"S\"", "Weird \"T\"", &["Key \"A\""]),
        ("public", "part eu", &["id", "region"]),
        ("public", "part us", &["id", "region"]),
        ("public", "full_identity", &["id"]),
        ("public", "by_index", &["code"]),
        ("public", "only_inserts", &["id"]),
        ("public", "keyless", &[]),
        ("public", "toasted", &["id"]),
    ])
}

fn wholes(dirty: &DirtySet) -> Vec<u32> {
    (0..=TOASTED)
        .filter(|table| dirty.whole(*table, false).is_some())
        .collect()
}

async fn every_change_is_told(major: u16) {
    let lab = Lab::with_slot(major, TABLES, &all()).await;
    let feed = &mut lab.open(&all()).await;
    rows_and_transactions(&lab, feed).await;
    partitions(&lab, feed).await;
    identities(&lab, feed).await;
    values_out_of_line(&lab, feed).await;
    a_large_transaction(&lab, feed).await;
    prepared(&lab, feed).await;
}

async fn rows_and_transactions(lab: &Lab, feed: &mut Feed) {
    let script = r#"INSERT INTO "Odd ""S"""."Weird ""T""" SELECT g, 'x' FROM generate_series(1, 9) g"#;
    let dirty = lab.effect(feed, script).await;
    assert_eq!((keys(&dirty, WEIRD), wholes(&dirty)), (ints(1..=9), vec![]));

    let dirty = lab
        .effect(
            feed,
            r#"UPDATE "Odd ""S"""."Weird ""T""" SET v = 'y' WHERE "Key ""A""" = 3"#,
        )
        .await;
    assert_eq!((keys(&dirty, WEIRD), dirty.total()), (ints([3]), 1));

    let script = r#"UPDATE "Odd ""S"""."Weird ""T""" SET "Key ""A""" = 40 WHERE "Key ""A""" = 4;
        DELETE FROM "Odd ""S"""."Weird ""T""" WHERE "Key ""A""" = 5"#;
    let dirty = lab.effect(feed, script).await;
    assert_eq!((keys(&dirty, WEIRD), wholes(&dirty)), (ints([4, 5, 40]), vec![]));

    let script = r#"BEGIN; INSERT INTO "Odd ""S"""."Weird ""T""" VALUES (101); SAVEPOINT a;
        INSERT INTO "Odd ""S"""."Weird ""T""" VALUES (102); ROLLBACK TO a;
        INSERT INTO "Odd ""S"""."Weird ""T""" VALUES (103); SAVEPOINT b;
        UPDATE "Odd ""S"""."Weird ""T""" SET v = 'z' WHERE "Key ""A""" = 1; RELEASE b; COMMIT;
        BEGIN; DELETE FROM "Odd ""S"""."Weird ""T"""; ROLLBACK;
        INSERT INTO unlisted VALUES (1);
        SELECT pg_logical_emit_message(true, 'p', 'within'), pg_logical_emit_message(false, 'p', 'without')"#;
    let dirty = lab.effect(feed, script).await;
    assert_eq!((keys(&dirty, WEIRD), dirty.total()), (ints([1, 101, 103]), 3));
    // With savepoints too it is the transaction's own id, in 64 bits, and one position.
    let seen: BTreeSet<_> = entries(&dirty, WEIRD)
        .values()
        .map(|entry| (entry.xid, entry.lsn))
        .collect();
    let xid = r#"SELECT max(xmin::text::bigint) FROM "Odd ""S"""."Weird ""T""" WHERE "Key ""A""" = 101"#;
    let xid: i64 = lab.client.query_one(xid, &[]).await.unwrap().get(0);
    assert_eq!(
        seen.iter().map(|(xid, _)| *xid).collect::<Vec<_>>(),
        [Some(xid.unsigned_abs())]
    );
    assert!(feed.position() > seen.first().unwrap().1);
}

async fn partitions(lab: &Lab, feed: &mut Feed) {
    let row = |id: i32, region: &str| key(&[&id.to_be_bytes(), region.as_bytes()]);
    let dirty = lab.effect(feed, "INSERT INTO parted VALUES (1, 'eu'), (2, 'us')").await;
    assert_eq!(keys(&dirty, EU), BTreeSet::from([row(1, "eu")]));
    assert_eq!(keys(&dirty, US), BTreeSet::from([row(2, "us")]));
    let dirty = lab.effect(feed, "UPDATE parted SET region = 'us' WHERE id = 1").await;
    assert_eq!(keys(&dirty, EU), BTreeSet::from([row(1, "eu")]));
    assert_eq!(keys(&dirty, US), BTreeSet::from([row(1, "us")]));
    let dirty = lab.effect(feed, "TRUNCATE \"part us\"").await;
    assert_eq!((wholes(&dirty), dirty.total()), (vec![US], 0));
    let dirty = lab.effect(feed, "TRUNCATE parted, full_identity").await;
    assert_eq!((wholes(&dirty), dirty.total()), (vec![EU, US, FULL], 0));
}

async fn identities(lab: &Lab, feed: &mut Feed) {
    let script = "INSERT INTO full_identity VALUES (1, 'a'), (2, 'b'); INSERT INTO only_inserts VALUES (1);
        INSERT INTO by_index VALUES (1, 11), (2, 12)";
    let dirty = lab.effect(feed, script).await;
    assert_eq!(keys(&dirty, FULL), ints([1, 2]));
    assert_eq!(keys(&dirty, BY_INDEX), ints([11, 12]));
    assert_eq!((keys(&dirty, ONLY_INSERTS), wholes(&dirty)), (ints([1]), vec![]));

    let script = "UPDATE full_identity SET id = 3 WHERE id = 1; UPDATE by_index SET id = 5 WHERE id = 1;
        UPDATE by_index SET code = 22 WHERE code = 12";
    let dirty = lab.effect(feed, script).await;
    assert_eq!(keys(&dirty, FULL), ints([1, 3]));
    assert_eq!((keys(&dirty, BY_INDEX), wholes(&dirty)), (ints([11, 12, 22]), vec![]));
    let dirty = lab
        .effect(feed, "DELETE FROM full_identity; DELETE FROM by_index WHERE id = 5")
        .await;
    assert_eq!((keys(&dirty, FULL), keys(&dirty, BY_INDEX)), (ints([2, 3]), ints([11])));

    // As soon as the identity is another key, an update may change the watched one without telling the old.
    let script = "ALTER TABLE by_index REPLICA IDENTITY DEFAULT; UPDATE by_index SET code = 23 WHERE code = 22";
    let dirty = lab.effect(feed, script).await;
    assert_eq!((keys(&dirty, BY_INDEX), wholes(&dirty)), (ints([23]), vec![BY_INDEX]));
    assert_eq!(wholes(&lab.effect(feed, "DELETE FROM by_index").await), [BY_INDEX]);
    // And a column that goes by another name is not found.
    let script = "ALTER TABLE by_index RENAME code TO code2; INSERT INTO by_index VALUES (7, 70)";
    assert_eq!(wholes(&lab.effect(feed, script).await), [BY_INDEX]);

    let dirty = lab
        .effect(feed, "INSERT INTO keyless VALUES (1, 'a'); UPDATE keyless SET v = 'b'")
        .await;
    // A transaction is noted once, by its id.
    assert_eq!((wholes(&dirty), dirty.total()), (vec![], 1));
    for (name, entry) in entries(&dirty, KEYLESS) {
        assert_eq!(Some(u64::from_be_bytes(name.try_into().unwrap())), entry.xid);
    }
    let dirty = lab.effect(feed, "DELETE FROM keyless").await;
    assert_eq!((wholes(&dirty), dirty.total()), (vec![], 1));
    assert_eq!(wholes(&lab.effect(feed, "TRUNCATE keyless").await), [KEYLESS]);
}

async fn values_out_of_line(lab: &Lab, feed: &mut Feed) {
    let script = "INSERT INTO toasted SELECT repeat('k', 2500), repeat('v', 100000)";
    let long = key(&["k".repeat(2500).as_bytes()]);
    let dirty = lab.effect(feed, script).await;
    assert_eq!(
        (keys(&dirty, TOASTED), wholes(&dirty)),
        (BTreeSet::from([long.clone()]), vec![])
    );
    // Neither value is sent with the new row, but the key's is with the old one.
    lab.sql("ALTER TABLE toasted ADD w integer").await;
    let dirty = lab.effect(feed, "UPDATE toasted SET w = 1").await;
    assert_eq!(
        (keys(&dirty, TOASTED), wholes(&dirty)),
        (BTreeSet::from([long.clone()]), vec![])
    );
    let dirty = lab.effect(feed, "DELETE FROM toasted").await;
    assert_eq!(
        (keys(&dirty, TOASTED), wholes(&dirty)),
        (BTreeSet::from([long]), vec![])
    );
}

async fn a_large_transaction(lab: &Lab, feed: &mut Feed) {
    feed.page_size = 100;
    let script = r#"BEGIN; INSERT INTO "Odd ""S"""."Weird ""T""" SELECT g FROM generate_series(1000, 50999) g;
        UPDATE pgupgrade.barrier_main SET n = n + 1; COMMIT"#;
    let dirty = lab.effect(feed, script).await;
    assert_eq!(dirty.len(WEIRD), 50_000);
    for id in 0..300 {
        lab.sql(&format!(
            r#"UPDATE "Odd ""S"""."Weird ""T""" SET v = 'w' WHERE "Key ""A""" = 1000 + {id}"#
        ))
        .await;
    }
    let mut dirty = set();
    // Begin, update, commit, and in each page the table.
    assert!(feed.poll(&mut dirty).await.unwrap() > 300 * 3);
    assert_eq!(keys(&dirty, WEIRD), ints(1000..1300));
    assert_eq!(feed.poll(&mut dirty).await.unwrap(), 0);
}

async fn prepared(lab: &Lab, feed: &mut Feed) {
    let script = r#"BEGIN; INSERT INTO "Odd ""S"""."Weird ""T""" VALUES (201); PREPARE TRANSACTION 'odd ''gid'"#;
    let dirty = lab.effect(feed, script).await;
    assert_eq!(dirty.total(), 0);
    let dirty = lab.effect(feed, "COMMIT PREPARED 'odd ''gid'").await;
    assert_eq!(keys(&dirty, WEIRD), ints([201]));
}

#[tokio::test]
async fn every_change_is_told_by_14() {
    every_change_is_told(14).await;
}

#[tokio::test]
async fn every_change_is_told_by_17() {
    every_change_is_told(17).await;
}

#[tokio::test]
async fn every_change_is_told_by_18() {
    every_change_is_told(18).await;
}

#[tokio::test]
async fn a_barrier_has_the_position_of_its_own_number() {
    let lab = Lab::with_slot(17, TABLES, &all()).await;
    let feed = &mut lab.open(&all()).await;
    let mut dirty = set();
    let mut numbers = Vec::new();
    for id in 1..=3 {
        lab.sql(&format!(r#"INSERT INTO "Odd ""S"""."Weird ""T""" VALUES ({id})"#))
            .await;
        numbers.push((barrier(), lab.bump().await));
    }
    let reached = feed.read_until(&numbers, &mut dirty, PATIENCE).await.unwrap();
    let lsn = |id: i32| dirty.get(WEIRD, &int(id), false).unwrap().unwrap().lsn;
    let order = [lsn(1), reached[0], lsn(2), reached[1], lsn(3), reached[2]];
    assert!(order.is_sorted() && order[0] > Lsn(0), "{order:?}");

    // One that was not seen itself counts as the one before it, of which nothing is said that isn't so.
    let skipped = "UPDATE pgupgrade.barrier_main SET n = n + 10";
    lab.sql(skipped).await;
    feed.poll(&mut dirty).await.unwrap();
    let unseen = [(barrier(), numbers[2].1 + 5)];
    assert_eq!(
        feed.read_until(&unseen, &mut dirty, PATIENCE).await.unwrap(),
        [reached[2]]
    );

    let never = [(barrier(), 99)];
    let late = feed
        .read_until(&never, &mut dirty, Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(matches!(late, FeedError::Late { number: 99, .. }), "{late}");
    lab.sql("UPDATE pgupgrade.barrier_main SET n = 99").await;
    feed.read_until(&never, &mut dirty, PATIENCE).await.unwrap();
}
