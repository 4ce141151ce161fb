//! The target's feed: what the subscription applied is no news, all else was written by others.
use super::*;

const TABLES: &str = "CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer PRIMARY KEY);
    CREATE TABLE unlisted (id integer PRIMARY KEY);
    CREATE SUBSCRIPTION ours CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE);
    CREATE SUBSCRIPTION other CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)";
const ORIGIN: &str = "SELECT 'pg_' || oid FROM pg_subscription WHERE subname = $1";

/// As the subscription of this origin would.
async fn apply(lab: &Lab, origin: &str, script: &str) {
    lab.sql(&format!("SELECT pg_replication_origin_session_setup('{origin}')"))
        .await;
    lab.sql(script).await;
    lab.sql("SELECT pg_replication_origin_session_reset()").await;
}

async fn writes_of_others_are_told(major: u16) {
    let lab = Lab::start(major, TABLES).await;
    let ours: String = lab.client.query_one(ORIGIN, &[&"ours"]).await.unwrap().get(0);
    let other: String = lab.client.query_one(ORIGIN, &[&"other"]).await.unwrap().get(0);
    let watch = Watch {
        own_origins: vec![ours.clone()],
        rogue: true,
        ..watch(&[("public", "a", &["id"]), ("public", "b", &["id"])])
    };
    lab.create(&watch).await.unwrap();
    let feed = &mut lab.open(&watch).await;

    apply(&lab, &ours, "INSERT INTO a VALUES (1); TRUNCATE b").await;
    let dirty = lab.effect(feed, "INSERT INTO unlisted VALUES (1)").await;
    assert_eq!((dirty.total(), dirty.whole(1, true)), (0, None));
    assert_eq!(feed.rogue().unwrap().transactions, 0);

    // A barrier counts whoever wrote it.
    let bump = "UPDATE pgupgrade.barrier_main SET n = n + 1";
    apply(&lab, &ours, bump).await;
    let mut dirty = set();
    let number = lab
        .client
        .query_one("SELECT n FROM pgupgrade.barrier_main", &[])
        .await
        .unwrap()
        .get(0);
    feed.read_until(&[(barrier(), number)], &mut dirty, PATIENCE)
        .await
        .unwrap();

    apply(&lab, &other, "INSERT INTO a VALUES (2)").await;
    let dirty = lab
        .effect(
            feed,
            "BEGIN; INSERT INTO a VALUES (3); DELETE FROM a WHERE id = 1; COMMIT; TRUNCATE b",
        )
        .await;
    assert_eq!(keys(&dirty, 0), ints([1, 2, 3]));
    assert!(
        entries(&dirty, 0)
            .values()
            .all(|entry| entry.rogue && entry.xid.is_some())
    );
    assert!(dirty.whole(1, true).is_some() && dirty.whole(1, false).is_none());
    let rogue = feed.rogue().unwrap();
    assert_eq!(rogue.transactions, 3);
    assert_eq!(
        rogue.examples,
        [QualifiedName::new("public", "a"), QualifiedName::new("public", "b")]
    );
}

#[tokio::test]
async fn writes_of_others_are_told_on_14() {
    writes_of_others_are_told(14).await;
}

#[tokio::test]
async fn writes_of_others_are_told_on_18() {
    writes_of_others_are_told(18).await;
}
