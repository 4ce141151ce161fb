#![allow(clippy::unwrap_used, missing_docs)]
mod support;
use pgupgrade_verify::{Options, Tables};
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed() {
    let pair = support::Pair::start(15, 17).await;
    for side in [&pair.on_source, &pair.on_target] {
        side.batch_execute("CREATE TABLE acc (aid int PRIMARY KEY, bid int, abalance int, filler char(84)); INSERT INTO acc SELECT g, g, 0, '' FROM generate_series(1, 2000000) g; CREATE PUBLICATION p FOR TABLE acc; DO $$ BEGIN FOR i IN 1..300 LOOP EXECUTE format('CREATE TABLE s%s (id int primary key); ALTER PUBLICATION p ADD TABLE s%s', i, i); END LOOP; END $$").await.unwrap();
    }
    for _ in 0..3 {
        let report = pair.compare(&Tables::Published(vec!["p".to_owned()]), &Options::default()).await;
        println!("rows {} bytes {} tables {} differences {} in {:?}", report.rows, report.bytes, report.tables.len(), report.differences, report.elapsed);
    }
    pair.on_target.batch_execute("UPDATE acc SET abalance = 1 WHERE aid = 1000000").await.unwrap();
    let report = pair.compare(&Tables::Published(vec!["p".to_owned()]), &Options::default()).await;
    println!("different: {:?} {:?}", report.elapsed, report.tables.iter().find(|t| !t.equal).unwrap().examples);
}
