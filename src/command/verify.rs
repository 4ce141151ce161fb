//! `pgupgrade verify`: compares two databases row by row, and their schemas.
mod arguments;
mod name;
mod outcome;
mod output;
mod progress;
mod signals;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use indicatif::ProgressBar;
use pgupgrade_postgres::connection::{Profile, Session};
use pgupgrade_postgres::uri::{self, Uri};
use pgupgrade_verify::{
    Error, Left, Limits, Live, Options, PauseAbove, Report, Standalone, Tables, compare, differing_sequences, schema,
};
use secrecy::SecretString;

pub use arguments::Arguments;
use outcome::{Outcome, Parts, Sequences};
use output::{error_as_json, json, print, say, text};
use progress::{bar, show};
use signals::Signals;

/// Equal.
const EQUAL: u8 = 0;
/// A row or the schema differs.
const DIFFERENT: u8 = 1;
/// It could not be decided, or both are equal and something that was made is still there.
const UNDECIDED: u8 = 2;

/// Compares, prints the result, and tells how to exit.
pub async fn run(arguments: Arguments) -> ExitCode {
    let mut left = None;
    let outcome = Box::pin(compare_sides(&arguments, &mut left)).await;
    let printed = match &outcome {
        Err(error) => {
            say(&format!("not decided: {error}"));
            if arguments.json {
                print(&error_as_json(error, left.as_ref()))
            } else {
                Ok(())
            }
        }
        Ok(outcome) if arguments.json => json(outcome, left.as_ref()).and_then(|text| print(&text)),
        Ok(outcome) => print(&text(outcome)),
    };
    if let Some(left) = &left {
        say(&left.to_string());
    }
    match (outcome, printed) {
        (Ok(outcome), Ok(())) if outcome.code() == EQUAL && left.is_some() => ExitCode::from(UNDECIDED),
        (Ok(outcome), Ok(())) => ExitCode::from(outcome.code()),
        (_, Err(error)) => {
            say(&error.to_string());
            ExitCode::from(UNDECIDED)
        }
        (Err(_), Ok(())) => ExitCode::from(UNDECIDED),
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("--{side}: {error}")]
    Uri {
        side: &'static str,
        error: Box<uri::UriError>,
    },
    #[error("the URIs name databases {0} and {1}: both sides must be the same database; name it with --database")]
    Databases(String, String),
    #[error(transparent)]
    Verify(Box<Error>),
    #[error(transparent)]
    Postgres(Box<pgupgrade_postgres::Error>),
    #[error("interrupted")]
    Interrupted,
    #[error("a defect of this program ended the comparison; its message is above")]
    Panic,
    #[error("listening for signals: {0}")]
    Signals(std::io::Error),
    #[error("printing the result: {0}")]
    Print(std::io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Verify(Box::new(error))
    }
}

impl From<pgupgrade_postgres::Error> for Failure {
    fn from(error: pgupgrade_postgres::Error) -> Self {
        Self::Postgres(Box::new(error))
    }
}

/// Both sides as the command line names them.
struct Sides {
    source: Uri,
    target: Uri,
}

impl Sides {
    fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let side = |side: &'static str, uri: &str, variable: &str| {
            let password = [variable, "PGPASSWORD"]
                .into_iter()
                .find_map(|name| std::env::var(name).ok());
            let mut parsed =
                uri::parse(uri, password.map(SecretString::from).as_ref()).map_err(|error| Failure::Uri {
                    side,
                    error: Box::new(error),
                })?;
            if let Some(database) = &arguments.database {
                parsed.database.clone_from(database);
            }
            Ok::<_, Failure>(parsed)
        };
        Ok(Self {
            source: side("source", &arguments.source, "PGUPGRADE_SOURCE_PASSWORD")?,
            target: side("target", &arguments.target, "PGUPGRADE_TARGET_PASSWORD")?,
        })
    }
}

async fn compare_sides(arguments: &Arguments, left: &mut Option<Left>) -> Result<Outcome, Failure> {
    let mut signals = Signals::listen()?;
    let sides = Sides::of(arguments)?;
    let bar = bar();
    let options = options(arguments, &bar);
    let rows = if arguments.how.live || arguments.how.pinned {
        let (rows, remains) = Box::pin(under_writes(arguments, &sides, options, &bar, &mut signals)).await;
        *left = remains;
        rows
    } else {
        signals
            .interrupt(async {
                let (source, target) = (&sides.source.connector, &sides.target.connector);
                Ok(compare(source, target, one_database(&sides)?, &tables(arguments), &options).await?)
            })
            .await
    };
    let parts = match &rows {
        Ok(_) => signals.interrupt(beside_rows(arguments, &sides, &bar)).await,
        Err(_) => Ok(Parts::default()),
    };
    bar.finish_and_clear();
    Ok(Outcome::new(rows?, parts?))
}

/// What was made for the comparison is taken back, whatever comes of it.
async fn under_writes(
    arguments: &Arguments,
    sides: &Sides,
    options: Options,
    bar: &ProgressBar,
    signals: &mut Signals,
) -> (Result<Report, Failure>, Option<Left>) {
    let database = match one_database(sides) {
        Ok(database) => database,
        Err(error) => return (Err(error), None),
    };
    let patience = Duration::from_secs(arguments.patience);
    let (source, target) = (&sides.source.connector, &sides.target.connector);
    let mut made = Standalone::plan(source, target, database, patience);
    let work = Box::pin(read(arguments, sides, options, bar, &mut made));
    let work = AssertUnwindSafe(work).catch_unwind();
    let report = signals
        .interrupt(async { work.await.unwrap_or(Err(Failure::Panic)) })
        .await;
    bar.set_message("removing what was made");
    if matches!(report, Err(Failure::Interrupted)) {
        bar.suspend(|| {
            say("interrupted: what was made is removed; a second signal leaves it there and tells how to remove it");
        });
    }
    let removed = signals.interrupt(async { Ok(made.remove().await) }).await;
    let removed = removed.unwrap_or_else(|interrupted| made.abandon(&interrupted.to_string()));
    (report, removed.err())
}

async fn read(
    arguments: &Arguments,
    sides: &Sides,
    options: Options,
    bar: &ProgressBar,
    made: &mut Standalone,
) -> Result<Report, Failure> {
    bar.set_message("preparing");
    let ready = made.make().await;
    bar.suspend(|| made.notes().iter().for_each(|note| say(&format!("note: {note}"))));

    ready?;
    let tables = if arguments.tables.is_empty() {
        made.tables()
    } else {
        tables(arguments)
    };
    let (source, target) = (&sides.source.connector, &sides.target.connector);
    let mut live = Live::open(
        source,
        target,
        one_database(sides)?,
        &tables,
        made.replication(),
        options,
    )
    .await?;
    if arguments.how.pinned {
        Box::pin(live.read_pinned()).await?;
    } else {
        live.read().await?;
    }
    Ok(live.report())
}

fn one_database(sides: &Sides) -> Result<&str, Failure> {
    let (source, target) = (&sides.source.database, &sides.target.database);
    if source == target {
        Ok(source)
    } else {
        Err(Failure::Databases(source.clone(), target.clone()))
    }
}

fn tables(arguments: &Arguments) -> Tables {
    if arguments.tables.is_empty() {
        Tables::All
    } else {
        Tables::Named(arguments.tables.clone())
    }
}

fn options(arguments: &Arguments, bar: &ProgressBar) -> Options {
    let bar = bar.clone();
    Options {
        examples: arguments.examples,
        show_values: arguments.show_values,
        parallelism: usize::from(arguments.parallelism),
        limits: Limits {
            max_bytes_per_second: arguments.max_bytes_per_second,
            pause_above: PauseAbove {
                active_sessions: arguments.pause_above,
                replication_lag: None,
            },
        },
        progress: Some(Arc::new(move |progress| show(&bar, &progress))),
        ..Options::default()
    }
}

/// Everything but the rows. A part that fails does not take the others with it.
async fn beside_rows(arguments: &Arguments, sides: &Sides, bar: &ProgressBar) -> Result<Parts, Failure> {
    let without = &arguments.without;
    let mut parts = Parts {
        sequences_count: !(arguments.how.live || arguments.how.pinned),
        ..Parts::default()
    };
    if !without.skip_sequences {
        bar.set_message("comparing the sequences");
        let sequences = compare_sequences(arguments, sides, parts.sequences_count).await;
        parts.sequences = Some(sequences.map_err(|error| error.to_string()));
    }
    if !without.skip_schema {
        bar.set_message("comparing the schemas");
        let schema = compare_schemas(arguments, sides).await;
        parts.schema = Some(schema.map_err(|error| error.to_string()));
    }
    if !without.skip_schema && !without.skip_index_check {
        bar.set_message("checking indexes");
        let indexes = check_indexes(sides).await;
        parts.indexes = Some(indexes.map_err(|error| error.to_string()));
    }
    Ok(parts)
}

async fn sessions(sides: &Sides) -> Result<(Session, Session), Failure> {
    let database = one_database(sides)?;
    let source = sides.source.connector.connect(database, Profile::Long).await?;
    let target = sides.target.connector.connect(database, Profile::Long).await?;
    Ok((source, target))
}

async fn compare_schemas(arguments: &Arguments, sides: &Sides) -> Result<Vec<schema::Finding>, Failure> {
    let options = schema::Options {
        roles: !arguments.without.skip_roles,
        large_objects: !arguments.without.skip_large_objects,
    };
    let (source, target) = sessions(sides).await?;
    Ok(schema::compare(&source, &target, &options).await?)
}

async fn check_indexes(sides: &Sides) -> Result<Vec<schema::SuspectIndex>, Failure> {
    let (source, target) = sessions(sides).await?;
    Ok(schema::suspect_indexes(&source, &target).await?)
}

/// `count`: nobody writes, so that all have to stand at the same value.
async fn compare_sequences(arguments: &Arguments, sides: &Sides, count: bool) -> Result<Sequences, Failure> {
    let (source, target) = sessions(sides).await?;
    let differing = differing_sequences(&source, &target, &tables(arguments)).await?;
    Ok(if count {
        Sequences::Different(differing)
    } else {
        Sequences::Behind(differing.into_iter().filter(|sequence| sequence.behind).collect())
    })
}
