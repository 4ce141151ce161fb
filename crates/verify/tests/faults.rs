//! Some of the faults of `make faults`, and some comparisons of what is equal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../benches/faults/clean.rs"]
mod clean;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../benches/faults/fault.rs"]
mod fault;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../benches/faults/rows.rs"]
mod rows;
mod support;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../benches/faults/trial.rs"]
mod trial;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../benches/faults/values.rs"]
mod values;
#[allow(dead_code, reason = "shared with the bench")]
#[path = "../benches/faults/world.rs"]
mod world;

use std::time::Duration;

use fault::Fault;
use trial::Trials;
use world::World;

const SOME: [&str; 9] = [
    "0.0 to -0.0",
    "text: trailing space",
    "two rows have each other's value",
    "1000 rows missing",
    "partition truncated",
    "no key: a row missing, another doubled",
    "UPDATE of a row that is missing",
    "rewritten after it was read",
    "array: flag for NULL without one",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_faults_are_found_under_writes_and_nothing_else() {
    let all: Vec<Fault> = values::values().into_iter().chain(rows::rows()).collect();
    let statements: Vec<String> = all.iter().filter_map(|fault| fault.before.clone()).collect();
    let world = World::start(14, 17, &statements, Duration::from_millis(10)).await;
    let mut trials = Box::pin(Trials::begin(&world)).await.unwrap();
    for name in SOME {
        let fault = all.iter().find(|fault| fault.name == name).unwrap();
        let outcome = Box::pin(trials.run(fault)).await;
        let wrong: Vec<_> = outcome
            .found
            .iter()
            .filter(|found| !(found.missed.is_empty() && found.alarms.is_empty()))
            .collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        assert_eq!(outcome.is_found(), !fault.is_control(), "{name}");
    }
    drop(trials);
    for number in 0..3 {
        let clean = Box::pin(clean::run(&world, number)).await;
        assert_eq!(clean.alarms, [""; 0], "comparison {number}");
    }
    assert!(world.end().await > 100);
}
