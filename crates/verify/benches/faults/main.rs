//! What a comparison finds, and that it finds nothing else: faults are put into the target's data and schema one at a
//! time, while the source is written to.
//!
//! `make faults`; `FAULT=name` makes those whose name has that in it, and `CLEAN=3` compares what is equal 3 times.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod clean;
mod fault;
mod report;
mod rows;
mod schema;
#[allow(dead_code, reason = "shared with tests")]
#[path = "../../tests/support/schema_faults.rs"]
mod schema_faults;
#[path = "../../tests/support/schema_server.rs"]
#[allow(dead_code, reason = "shared with tests")]
mod schema_server;
#[path = "../../tests/support/mod.rs"]
mod support;
mod trial;
mod values;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use fault::Fault;
use report::Report;
use support::upgrade;
use trial::Trials;
use world::World;

const FROM: u16 = 15;
const TO: u16 = 18;
/// Comparisons of what is equal.
const CLEAN: u64 = 50;
/// Between two transactions of a writer: few while one fault is made after the other, then as many as there can be.
const SLOWLY: Duration = Duration::from_millis(10);
const FAST: Duration = Duration::from_millis(1);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS; // run as a test
    }
    let only = std::env::var("FAULT").ok().filter(|name| !name.is_empty());
    let clean = std::env::var("CLEAN").ok().filter(|count| !count.is_empty());
    let clean = clean.map(|count| count.parse().expect("CLEAN is a number"));
    let clean = clean.unwrap_or(if only.is_some() { 0 } else { CLEAN });
    let is_asked_for = |name: &str| only.as_ref().is_none_or(|only| name.contains(only.as_str()));

    let mut report = Report::begin();
    let faults: Vec<Fault> = values::values().into_iter().chain(rows::rows()).collect();
    let asked: Vec<&Fault> = faults.iter().filter(|fault| is_asked_for(&fault.name)).collect();
    if !asked.is_empty() || clean > 0 {
        Box::pin(data(&faults, &asked, clean, &mut report)).await;
    }
    let names = schema_faults::FAULTS.iter().map(|fault| fault.make);
    if names.into_iter().any(is_asked_for) {
        schema(is_asked_for, &mut report).await;
    }
    report.end()
}

async fn data(all: &[Fault], asked: &[&Fault], clean: u64, report: &mut Report) {
    let statements: Vec<String> = all.iter().filter_map(|fault| fault.before.clone()).collect();
    let world = World::start(FROM, TO, &statements, SLOWLY).await;
    let mut trials = Box::pin(Trials::begin(&world)).await.unwrap();
    for fault in asked {
        report.data(&Box::pin(trials.run(fault)).await);
    }
    drop(trials);
    world.load.set_pace(FAST);
    for number in 0..clean {
        report.clean(number, &Box::pin(clean::run(&world, number)).await);
    }
    report::written(world.end().await);
}

async fn schema(is_asked_for: impl Fn(&str) -> bool, report: &mut Report) {
    let both = schema::Both::start(FROM, TO).await;
    report.schema_alarms(&both.alarms());
    for fault in both.faults().filter(|fault| is_asked_for(fault.make)) {
        report.schema(&both.run(fault).await);
    }
}
