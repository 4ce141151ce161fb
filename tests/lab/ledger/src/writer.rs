//! The application as a Pod runs it, and the rogue beside it: several workers, one signal that ends them.

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Error;
use crate::application::Application;
use crate::connection::Database;
use crate::record::{LedgerDir, Recorder};
use crate::rogue::Rogue;
use crate::session::Session;
use crate::worker::{Work, Worker};

/// How a writing process works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the record goes.
    pub ledger: LedgerDir,
    /// Name of the Pod, which nobody else has; begins the names of its files and rows.
    pub pod: String,
    /// Transactions a second, all connections together.
    pub rate: u32,
    /// Connections.
    pub connections: u32,
    /// A file to make after the first connection.
    pub ready_file: Option<PathBuf>,
}

impl Work for Application {
    const BACK_OFF: std::ops::RangeInclusive<u64> = 20..=50;

    async fn start(&mut self, session: &mut Session) -> Result<(), Error> {
        self.survey(session).await
    }

    fn begin(&mut self) -> &'static str {
        Application::begin(self)
    }

    async fn transact(&mut self, session: &mut Session) -> Result<String, Error> {
        Application::transact(self, session).await
    }
}

/// Runs the application until SIGTERM or SIGINT; transactions in flight are finished then.
///
/// # Errors
/// The record can't be written. Errors of the database are recorded, not returned.
pub async fn write(database: &Database, options: &Options) -> Result<(), Error> {
    let stop = on_signal()?;
    let mut workers = JoinSet::new();
    for number in 0..options.connections {
        let recorder = Recorder::create(&options.ledger, &format!("{}-{number}", options.pod), true)?;
        let work = Application::new(recorder.name());
        workers.spawn(worker(work, recorder, database, options, &stop).run());
    }
    join(workers).await
}

/// Runs the rogue writer until SIGTERM or SIGINT.
///
/// # Errors
/// As with [`write`].
pub async fn rogue(database: &Database, options: &Options) -> Result<(), Error> {
    let stop = on_signal()?;
    let mut workers = JoinSet::new();
    for number in 0..options.connections {
        let recorder = Recorder::create(&options.ledger, &format!("{}-{number}", options.pod), false)?;
        let work = Rogue::new(recorder.name());
        workers.spawn(worker(work, recorder, database, options, &stop).run());
    }
    join(workers).await
}

fn worker<W>(
    work: W,
    recorder: Recorder,
    database: &Database,
    options: &Options,
    stop: &watch::Receiver<bool>,
) -> Worker<W> {
    Worker {
        work,
        database: database.clone(),
        application_name: options.pod.clone(),
        recorder,
        period: Duration::from_secs(1) * options.connections.max(1) / options.rate.max(1),
        ready_file: options.ready_file.clone(),
        stop: stop.clone(),
    }
}

async fn join(mut workers: JoinSet<Result<(), Error>>) -> Result<(), Error> {
    while let Some(finished) = workers.join_next().await {
        finished.map_err(|error| Error::Process(error.into()))??;
    }
    Ok(())
}

fn on_signal() -> Result<watch::Receiver<bool>, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Process)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Process)?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nobody listens when all workers have ended already.
        let _ = sender.send(true);
    });
    Ok(receiver)
}
