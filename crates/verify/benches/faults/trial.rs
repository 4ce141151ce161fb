//! A fault is made, looked for in each of its ways, and undone.
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::sequences;
use pgupgrade_verify::schema::{self, Severity};
use pgupgrade_verify::{Error, Example, Kind, Live, Report, TableResult};

use crate::fault::{Fault, Rows, Way};
use crate::world::{World, patient};

/// What a verdict may take for tables without a key.
const BUDGET: Duration = Duration::from_secs(5);

/// What came of one way to look for a fault.
#[derive(Debug)]
pub struct Found {
    pub way: Way,
    pub took: Duration,
    /// What was not said of the fault.
    pub missed: Vec<String>,
    /// What was said beside it.
    pub alarms: Vec<String>,
}

/// What came of a fault.
pub struct Outcome {
    pub name: String,
    pub is_control: bool,
    pub found: Vec<Found>,
}

impl Outcome {
    pub fn is_found(&self) -> bool {
        !self.is_control && self.found.iter().all(|found| found.missed.is_empty())
    }

    pub fn alarms(&self) -> usize {
        self.found.iter().filter(|found| !found.alarms.is_empty()).count()
    }
}

/// Puts faults into the target's data, one after the other.
pub struct Trials<'a> {
    world: &'a World,
    /// One comparison that goes on from fault to fault, and is told of writes of others.
    watching: Live,
}

/// What is held ready before a fault is made.
struct Ready {
    verdict: Option<Live>,
    foreign: Option<Live>,
    changed: Option<Live>,
    objects: BTreeSet<String>,
}

type Answer = (Vec<String>, Vec<String>);

impl<'a> Trials<'a> {
    pub async fn begin(world: &'a World) -> Result<Self, Error> {
        let watching = read(world, true).await?;
        Ok(Self { world, watching })
    }

    pub async fn run(&mut self, fault: &Fault) -> Outcome {
        let mut found = Vec::new();
        match Box::pin(self.prepare(fault)).await {
            Err(error) => found.push(failed(fault.ways[0], Duration::ZERO, &error)),
            Ok(mut ready) => {
                for way in &fault.ways {
                    let start = Instant::now();
                    let answer = self.look(*way, fault, &mut ready).await;
                    let took = start.elapsed();
                    found.push(match answer {
                        Ok((missed, alarms)) => Found {
                            way: *way,
                            took,
                            missed,
                            alarms,
                        },
                        Err(error) => failed(*way, took, &error),
                    });
                }
            }
        }
        self.undo(fault).await.unwrap();
        Outcome {
            name: fault.name.clone(),
            is_control: fault.is_control(),
            found,
        }
    }

    /// Does what has to be done before, then makes the fault.
    async fn prepare(&mut self, fault: &Fault) -> Result<Ready, String> {
        let text = |error: Error| error.to_string();
        let has = |way| fault.ways.contains(&way);
        let mut ready = Ready {
            verdict: None,
            foreign: None,
            changed: None,
            objects: BTreeSet::new(),
        };
        if has(Way::Verdict) || has(Way::WatchedVerdict) {
            ready.verdict = Some(read(self.world, has(Way::WatchedVerdict)).await.map_err(text)?);
        }
        if has(Way::ForeignFeed) && fault.found.iter().any(|(_, rows)| matches!(rows, Rows::Keyless(_))) {
            ready.foreign = Some(read(self.world, true).await.map_err(text)?);
        }
        if has(Way::ChangedKeys) {
            ready.changed = Some(read(self.world, false).await.map_err(text)?);
        }
        if has(Way::Fingerprint) {
            ready.objects = self.objects().await.map_err(text)?;
        }
        if let Some((table, rows)) = &fault.rows {
            let save = format!("CREATE TEMPORARY TABLE saved AS SELECT * FROM {table} WHERE {rows}");
            self.world.on_target(&save).await?;
        }
        self.world.on_target(&fault.script()).await?;
        self.world.on_source(&fault.then).await?;
        Ok(ready)
    }

    async fn undo(&mut self, fault: &Fault) -> Result<(), String> {
        let world = self.world;
        world.on_target("SET session_replication_role = replica").await?;
        world.on_target(&fault.undo).await?;
        if let Some((table, rows)) = &fault.rows {
            let back = format!(
                "BEGIN; DELETE FROM {table} WHERE {rows}; INSERT INTO {table} SELECT * FROM saved; COMMIT; DROP TABLE saved"
            );
            world.on_target(&back).await?;
        }
        world.on_target("RESET session_replication_role").await?;
        world.on_source(&fault.undo_on_source).await?;
        // What the other slot has told of the fault must not be taken for the next one.
        let before = self.watching.report();
        Box::pin(self.watching.drain())
            .await
            .map_err(|error| error.to_string())?;
        let (_, left) = judge(&[], Some(&before), &self.watching.report());
        if left.is_empty() || !fault.ways.iter().all(|way| *way == Way::ForeignFeed) {
            return Ok(());
        }
        Err(format!("{} is not undone: {left:?}", fault.name))
    }

    async fn look(&mut self, way: Way, fault: &Fault, ready: &mut Ready) -> Result<Answer, String> {
        let done = match way {
            Way::FullPass if fault.before_slot => self.anew(fault).await,
            Way::FullPass => self.full(fault).await,
            Way::PinnedPair => self.pinned(fault).await,
            Way::ChangedKeys => drained(ready.changed.as_mut(), fault).await,
            Way::ForeignFeed if ready.foreign.is_some() => renewed(ready.foreign.as_mut(), fault).await,
            Way::ForeignFeed => self.foreign(fault).await,
            Way::Verdict | Way::WatchedVerdict => self.verdict(ready.verdict.as_mut(), fault).await,
            Way::Sequences => return self.sequences(fault).await,
            Way::Fingerprint => self.fingerprint(&ready.objects, fault).await,
        };
        done.map_err(|error| error.to_string())
    }

    async fn full(&self, fault: &Fault) -> Result<Answer, Error> {
        let live = read(self.world, false).await?;
        Ok(judge(&fault.found, None, &live.report()))
    }

    /// By a verification slot that is younger than the fault.
    async fn anew(&self, fault: &Fault) -> Result<Answer, Error> {
        let (made, mut live) = self.world.open_anew(false).await?;
        Box::pin(live.read()).await?;
        let answer = judge(&fault.found, None, &live.report());
        drop(live);
        made.remove().await.unwrap();
        Ok(answer)
    }

    async fn pinned(&self, fault: &Fault) -> Result<Answer, Error> {
        let mut live = self.world.open(false, patient()).await?;
        Box::pin(live.read_pinned()).await?;
        Ok(judge(&fault.found, None, &live.report()))
    }

    async fn foreign(&mut self, fault: &Fault) -> Result<Answer, Error> {
        let before = self.watching.report();
        Box::pin(self.watching.drain()).await?;
        let (missed, alarms) = judge(&fault.found, Some(&before), &self.watching.report());
        if missed.is_empty() {
            return Ok((missed, alarms));
        }
        Box::pin(self.watching.renew()).await?;
        Ok(judge(&fault.found, Some(&before), &self.watching.report()))
    }

    async fn verdict(&self, live: Option<&mut Live>, fault: &Fault) -> Result<Answer, Error> {
        let Some(live) = live else { return Ok(Answer::default()) };
        let fence = self.world.load.fence().await;
        let report = Box::pin(live.verdict(BUDGET, Instant::now() + Duration::from_mins(1))).await?;
        drop(fence);
        Ok(judge(&fault.found, None, &report))
    }

    async fn sequences(&self, fault: &Fault) -> Result<Answer, String> {
        let fence = self.world.load.fence().await;
        let pair = &self.world.both.pair;
        let wanted = sequences::read(&pair.on_source)
            .await
            .map_err(|error| error.to_string())?;
        let found = sequences::read(&pair.on_target)
            .await
            .map_err(|error| error.to_string())?;
        drop(fence);
        let differences = sequences::differences(&wanted, &found);
        Ok(named(&fault.found, &differences))
    }

    async fn fingerprint(&self, before: &BTreeSet<String>, fault: &Fault) -> Result<Answer, Error> {
        let now = self.objects().await?;
        let new: Vec<String> = now.difference(before).cloned().collect();
        Ok(named(&fault.found, &new))
    }

    /// How the databases differ beside their rows: the target has the subscriptions.
    async fn objects(&self) -> Result<BTreeSet<String>, Error> {
        let both = &self.world.both;
        let (source, target) = (both.source(), both.target());
        let source = source.connect("postgres", Profile::Long).await?;
        let target = target.connect("postgres", Profile::Long).await?;
        let findings = schema::compare(&source, &target, &schema::Options::default()).await?;
        let serious = findings
            .iter()
            .filter(|found| !matches!(found.severity, Severity::Benign(_)));
        Ok(serious.map(ToString::to_string).collect())
    }
}

fn failed(way: Way, took: Duration, error: &dyn std::fmt::Display) -> Found {
    Found {
        way,
        took,
        missed: vec![format!("{way}: {error}")],
        alarms: Vec::new(),
    }
}

/// A comparison that has read everything.
async fn read(world: &World, watched: bool) -> Result<Live, Error> {
    let mut live = world.open(watched, patient()).await?;
    Box::pin(live.read()).await?;
    Ok(live)
}

async fn drained(live: Option<&mut Live>, fault: &Fault) -> Result<Answer, Error> {
    let Some(live) = live else { return Ok(Answer::default()) };
    let before = live.report();
    Box::pin(live.drain()).await?;
    Ok(judge(&fault.found, Some(&before), &live.report()))
}

async fn renewed(live: Option<&mut Live>, fault: &Fault) -> Result<Answer, Error> {
    let Some(live) = live else { return Ok(Answer::default()) };
    let before = live.report();
    Box::pin(live.renew()).await?;
    Ok(judge(&fault.found, Some(&before), &live.report()))
}

/// Each wanted name is in exactly one of the sentences, and no sentence is without one.
fn named(wanted: &[(&str, Rows)], sentences: &[String]) -> Answer {
    let is_wanted = |sentence: &&String| wanted.iter().any(|(name, _)| sentence.contains(name));
    let missed = wanted.iter().filter(|(name, _)| {
        let naming = sentences.iter().filter(|sentence| sentence.contains(name));
        naming.count() != 1
    });
    let missed = missed.map(|(name, _)| format!("{name} is not named once: {sentences:?}"));
    let alarms = sentences.iter().filter(|sentence| !is_wanted(sentence));
    (missed.collect(), alarms.cloned().collect())
}

/// What a report says beyond an earlier one, against what it has to say.
fn judge(wanted: &[(&str, Rows)], before: Option<&Report>, report: &Report) -> Answer {
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    let mut wanted: BTreeMap<&str, &Rows> = wanted.iter().map(|(table, rows)| (*table, rows)).collect();
    for table in &report.tables {
        let earlier = before.and_then(|before| before.tables.iter().find(|earlier| earlier.name == table.name));
        let news = News::of(earlier, table);
        let name = table.name.name.as_str();
        let expected = if table.name.schema == "faults" {
            wanted.remove(name)
        } else {
            None
        };
        match expected {
            Some(rows) => news.check(rows, table, &mut missed),
            None if news.is_none() && table.problem.is_none() => {}
            None => alarms.push(table.to_string()),
        }
    }
    missed.extend(wanted.keys().map(|table| format!("{table} is not in the report")));
    (missed, alarms)
}

/// What a report says of a table beyond an earlier one.
struct News<'a> {
    differing: u64,
    examples: &'a [Example],
}

impl<'a> News<'a> {
    fn of(earlier: Option<&TableResult>, table: &'a TableResult) -> Self {
        let known = earlier.map_or(0, |earlier| earlier.examples.len());
        Self {
            differing: table
                .differing
                .saturating_sub(earlier.map_or(0, |earlier| earlier.differing)),
            examples: table.examples.get(known..).unwrap_or_default(),
        }
    }

    fn is_none(&self) -> bool {
        self.differing == 0 && self.examples.is_empty()
    }

    fn check(&self, rows: &Rows, table: &TableResult, missed: &mut Vec<String>) {
        let right = match rows {
            Rows::Keyless(count) => self.differing == *count,
            Rows::Many(count, kind) => {
                let all = self.differing == *count && self.examples.len() as u64 == *count;
                all && self.examples.iter().all(|example| example.kind == *kind)
            }
            Rows::Keys(keys) => {
                let wanted: BTreeSet<(&str, Kind)> = keys.iter().map(|(key, kind, _)| (key.as_str(), *kind)).collect();
                let examples = self.examples.iter();
                let found: BTreeSet<(&str, Kind)> =
                    examples.map(|example| (example.key.as_str(), example.kind)).collect();
                self.differing == keys.len() as u64 && wanted == found && self.columns_are(keys)
            }
        };
        if !right {
            let undecided = table.undecided.as_deref().unwrap_or("decided");
            let examples: Vec<String> = self.examples.iter().map(ToString::to_string).take(5).collect();
            missed.push(format!(
                "{}: {} rows differ ({undecided}; {:?}): {examples:?}; wanted {rows:?}",
                table.name, self.differing, table.notes
            ));
        }
    }

    /// No other column is named than those that differ. What differs behind the beginning that is shown, or in white
    /// space that is not, goes without.
    fn columns_are(&self, keys: &[(String, Kind, Vec<&'static str>)]) -> bool {
        self.examples.iter().all(|example| {
            let wanted = keys.iter().find(|(key, _, _)| *key == example.key);
            let mut columns = example.columns.iter().map(|column| column.column.as_str());
            wanted.is_some_and(|(_, _, wanted)| columns.all(|column| wanted.contains(&column)))
        })
    }
}
