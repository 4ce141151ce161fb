//! How fast all rows of two servers are compared, measured against what the servers need to send them.
//!
//! `make bench-verify`, or `ROWS=1000000 make bench-verify` for a smaller run. What reads is measured in a process of
//! its own, each several times in turn with the others on the same data; the best of each counts.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss
)]
mod changes;
mod data;
mod reader;
mod report;

use std::process::ExitCode;

use data::{Pair, Table};
use reader::{Measured, Reader};
use report::Report;

const ROUNDS: usize = 3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    if let Some(reader) = Reader::asked_for() {
        println!("{}", reader.run().await.to_json());
        return ExitCode::SUCCESS;
    }
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS; // run as a test
    }
    let rows: u64 = std::env::var("ROWS").map_or(10_000_000, |rows| rows.parse().expect("ROWS is a number"));
    let pair = Pair::start().await;
    let tables = data::tables(rows);
    for table in &tables {
        pair.fill(table).await;
    }
    let [small, narrow, wide] = &tables;
    // What is read for the first time is also written: hint bits.
    for table in &tables {
        pair.measure(Reader::Floor, table);
    }
    let mut report = Report::default();
    let engine = |table| best(&pair, &[Reader::Engine], table).remove(0);
    let readers = [Reader::Psql, Reader::Floor, Reader::Engine, Reader::Count];
    report.small = Some(engine(small));
    report.narrow = best(&pair, &readers, narrow);
    report.wide = best(&pair, &readers, wide);
    report.encrypted = best(&pair, &[Reader::EncryptedFloor, Reader::EncryptedEngine], narrow);
    report.rows = [narrow.rows, wide.rows].iter().sum();
    drop(pair);
    report.changes = Box::pin(changes::measure(rows)).await;
    report.print();
    report.write();
    ExitCode::SUCCESS
}

/// The best of several rounds for each reader, in turn.
fn best(pair: &Pair, readers: &[Reader], table: &Table) -> Vec<Measured> {
    let mut best: Vec<Option<Measured>> = vec![None; readers.len()];
    for _ in 0..ROUNDS {
        for (reader, best) in readers.iter().zip(&mut best) {
            let measured = pair.measure(*reader, table);
            let kept = best.get_or_insert(measured);
            kept.seconds = kept.seconds.min(measured.seconds);
            kept.peak_memory_mib = kept.peak_memory_mib.max(measured.peak_memory_mib);
        }
    }
    best.into_iter().flatten().collect()
}
