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
        match self.watch_it_undone().await {
            Ok(left) if left.is_empty() => {}
            Ok(left) => found.push(Found {
                way: Way::ForeignFeed,
                took: Duration::ZERO,
                missed: Vec::new(),
                alarms: left.into_iter().map(|left| format!("undone: {left}")).collect(),
            }),
            Err(error) => found.push(failed(Way::ForeignFeed, Duration::ZERO, &error)),
        }
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

    async fn undo(&self, fault: &Fault) -> Result<(), String> {
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
        world.on_source(&fault.undo_on_source).await
    }

    /// What differed does not differ any more, which the comparison that goes on has to say too; gives what it says else.
    async fn watch_it_undone(&mut self) -> Result<Vec<String>, Error> {
        Box::pin(self.watching.drain()).await?;
        let (_, left) = judge(&[], &self.watching.report());
        if left.is_empty() {
            return Ok(left);
        }
        // What was truncated, or has no key, is read anew.
        Box::pin(self.watching.renew()).await?;
        Ok(judge(&[], &self.watching.report()).1)
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
        Ok(judge(&fault.found, &live.report()))
    }

    /// By a verification slot that is younger than the fault.
    async fn anew(&self, fault: &Fault) -> Result<Answer, Error> {
        let (made, mut live) = self.world.open_anew(false).await?;
        Box::pin(live.read()).await?;
        let answer = judge(&fault.found, &live.report());
        drop(live);
        made.remove().await.unwrap();
        Ok(answer)
    }

    async fn pinned(&self, fault: &Fault) -> Result<Answer, Error> {
        let mut live = self.world.open(false, patient()).await?;
        Box::pin(live.read_pinned()).await?;
        Ok(judge(&fault.found, &live.report()))
    }

    async fn foreign(&mut self, fault: &Fault) -> Result<Answer, Error> {
        Box::pin(self.watching.drain()).await?;
        let (missed, alarms) = judge(&fault.found, &self.watching.report());
        if missed.is_empty() {
            return Ok((missed, alarms));
        }
        Box::pin(self.watching.renew()).await?;
        Ok(judge(&fault.found, &self.watching.report()))
    }

    async fn verdict(&self, live: Option<&mut Live>, fault: &Fault) -> Result<Answer, Error> {
        let Some(live) = live else { return Ok(Answer::default()) };
        let fence = self.world.load.fence().await;
        let report = Box::pin(live.verdict(BUDGET, Instant::now() + Duration::from_mins(1))).await?;
        drop(fence);
        Ok(judge(&fault.found, &report))
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
    Box::pin(live.drain()).await?;
    Ok(judge(&fault.found, &live.report()))
}

async fn renewed(live: Option<&mut Live>, fault: &Fault) -> Result<Answer, Error> {
    let Some(live) = live else { return Ok(Answer::default()) };
    Box::pin(live.renew()).await?;
    Ok(judge(&fault.found, &live.report()))
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

/// What a report says against what it has to say.
fn judge(wanted: &[(&str, Rows)], report: &Report) -> Answer {
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    let mut wanted: BTreeMap<&str, &Rows> = wanted.iter().map(|(table, rows)| (*table, rows)).collect();
    for table in &report.tables {
        let name = table.name.name.as_str();
        let expected = if table.name.schema == "faults" {
            wanted.remove(name)
        } else {
            None
        };
        match expected {
            Some(rows) if is_said(rows, table) => {}
            Some(rows) => missed.push(what_is_said(rows, table)),
            None if table.equal => {}
            None => alarms.push(table.to_string()),
        }
    }
    missed.extend(wanted.keys().map(|table| format!("{table} is not in the report")));
    (missed, alarms)
}

fn is_said(rows: &Rows, table: &TableResult) -> bool {
    let examples = &table.examples;
    match rows {
        Rows::Keyless(count) => table.differing == *count,
        Rows::Many(count, kind) => {
            let all = table.differing == *count && examples.len() as u64 == *count;
            all && examples.iter().all(|example| example.kind == *kind)
        }
        Rows::Keys(keys) => {
            let wanted: BTreeSet<(&str, Kind)> = keys.iter().map(|(key, kind, _)| (key.as_str(), *kind)).collect();
            let found: BTreeSet<(&str, Kind)> = examples
                .iter()
                .map(|example| (example.key.as_str(), example.kind))
                .collect();
            table.differing == keys.len() as u64 && wanted == found && columns_are(examples, keys)
        }
    }
}

/// The columns that differ are named, and no other.
fn columns_are(examples: &[Example], keys: &[(String, Kind, Vec<&'static str>)]) -> bool {
    examples.iter().all(|example| {
        let wanted = keys.iter().find(|(key, _, _)| *key == example.key);
        let columns: Vec<&str> = example.columns.iter().map(|column| column.column.as_str()).collect();
        wanted.is_some_and(|(_, _, wanted)| *wanted == columns)
    })
}

fn what_is_said(rows: &Rows, table: &TableResult) -> String {
    let undecided = table.undecided.as_deref().unwrap_or("decided");
    let examples: Vec<String> = table.examples.iter().map(ToString::to_string).take(5).collect();
    format!(
        "{}: {} rows differ ({undecided}; {:?}): {examples:?}; wanted {rows:?}",
        table.name, table.differing, table.notes
    )
}
