//! `pgupgrade verify`: compares two databases row by row, and their schemas.
mod arguments;
mod name;
mod output;
mod progress;
mod signals;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use indicatif::ProgressBar;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::uri::{self, Uri};
use pgupgrade_verify::{
    Error, Left, Limits, Live, Options, PauseAbove, Report, Standalone, Tables, Verdict, compare, schema,
};
use secrecy::SecretString;
use serde::Serialize;

pub use arguments::Arguments;
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

/// What was found.
#[derive(Debug, Serialize)]
struct Outcome {
    verdict: Verdict,
    rows: Report,
    schema: Option<Vec<schema::Finding>>,
    /// Why the schemas could not be compared: the rows' result counts all the same.
    schema_error: Option<String>,
}

impl Outcome {
    fn new(rows: Report, schema: Option<Result<Vec<schema::Finding>, Failure>>) -> Self {
        let (schema, schema_error) = match schema {
            None => (None, None),
            Some(Ok(schema)) => (Some(schema), None),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        let differs = schema.iter().flatten().any(schema::Finding::is_difference);
        let unreadable = schema.iter().flatten().any(schema::Finding::is_unreadable);
        let verdict = match rows.verdict() {
            _ if differs => Verdict::Different,
            Verdict::Equal if unreadable || schema_error.is_some() => Verdict::Undecided,
            verdict => verdict,
        };
        Self {
            verdict,
            rows,
            schema,
            schema_error,
        }
    }

    fn code(&self) -> u8 {
        match self.verdict {
            Verdict::Equal => EQUAL,
            Verdict::Different => DIFFERENT,
            Verdict::Undecided => UNDECIDED,
        }
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
    let schema = match &rows {
        Ok(_) if !arguments.without.skip_schema => {
            bar.set_message("comparing the schemas");
            Some(signals.interrupt(compare_schemas(arguments, &sides)).await)
        }
        _ => None,
    };
    bar.finish_and_clear();
    Ok(Outcome::new(rows?, schema))
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

async fn compare_schemas(arguments: &Arguments, sides: &Sides) -> Result<Vec<schema::Finding>, Failure> {
    let database = one_database(sides)?;
    let options = schema::Options {
        roles: !arguments.without.skip_roles,
        large_objects: !arguments.without.skip_large_objects,
    };
    let source = sides.source.connector.connect(database, Profile::Long).await?;
    let target = sides.target.connector.connect(database, Profile::Long).await?;
    Ok(schema::compare(&source, &target, &options).await?)
}
