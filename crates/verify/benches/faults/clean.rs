//! Comparisons of two databases that hold the same, while much is written.
use std::time::{Duration, Instant};

use pgupgrade_verify::{Error, Options, Report, Verdict};

use crate::world::World;

/// What came of one comparison.
pub struct Clean {
    pub took: Duration,
    /// What was said to differ.
    pub alarms: Vec<String>,
    /// What was not decided.
    pub undecided: Vec<String>,
}

/// One comparison; how it is made follows from its number.
pub async fn run(world: &World, number: u64) -> Clean {
    let start = Instant::now();
    let report = compare(world, number).await;
    let took = start.elapsed();
    match report {
        Err(error) => Clean {
            took,
            alarms: vec![error.to_string()],
            undecided: Vec::new(),
        },
        Ok(report) => {
            let alarms = report.tables.iter().filter(|table| !table.equal);
            let undecided = report.tables.iter().filter_map(|table| {
                let why = table.undecided.as_ref()?;
                Some(format!("{}: {why}", table.name))
            });
            let mut alarms: Vec<String> = alarms.map(ToString::to_string).collect();
            if report.foreign.transactions > 0 {
                alarms.push(format!("written by others: {:?}", report.foreign));
            }
            if report.verdict() == Verdict::Different && alarms.is_empty() {
                alarms.push("different".to_owned());
            }
            Clean {
                took,
                undecided: undecided.collect(),
                alarms,
            }
        }
    }
}

async fn compare(world: &World, number: u64) -> Result<Report, Error> {
    let mut options = Options::default();
    (options.parallelism, options.sketch_bytes) = match number % 3 {
        0 => (1, 24 << 20),
        1 => (4, 24 << 20),
        _ => (8, 1 << 20),
    };
    let mut live = world.open(number.is_multiple_of(2), options).await?;
    match number % 5 {
        0 => Box::pin(live.read_pinned()).await?,
        1 => {
            Box::pin(live.read()).await?;
            Box::pin(live.renew()).await?;
        }
        _ => Box::pin(live.read()).await?,
    }
    Box::pin(live.drain()).await?;
    if number % 4 == 3 {
        let fence = world.load.fence().await;
        let report = Box::pin(live.verdict(Duration::from_secs(5), Instant::now() + Duration::from_mins(1))).await?;
        drop(fence);
        return Ok(report);
    }
    Ok(live.report())
}
