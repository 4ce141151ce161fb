//! One connection's loop: transaction after transaction, each recorded, across lost connections, until told to stop.

use std::future::Future;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use rand::Rng as _;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::Error;
use crate::connection::Database;
use crate::record::Recorder;
use crate::session::Session;

/// How long after the signal to stop a transaction may still go on.
const FINISH: Duration = Duration::from_millis(100);
/// Longer than the server's own timeouts: over it the connection is given up.
const TRANSACTION_SECONDS: u64 = 10;

/// What a worker does within its transactions.
pub trait Work: Send {
    /// Milliseconds to wait after a lost connection or a refusal of all writes.
    const BACK_OFF: RangeInclusive<u64>;

    /// Prepares for a new connection.
    fn start(&mut self, session: &mut Session) -> impl Future<Output = Result<(), Error>> + Send;

    /// The statement that begins the next transaction.
    fn begin(&mut self) -> &'static str;

    /// Does the next transaction up to its COMMIT and gives its kind.
    fn transact(&mut self, session: &mut Session) -> impl Future<Output = Result<String, Error>> + Send;
}

/// A worker: what it does, where, how often, and where that is recorded.
pub struct Worker<W> {
    /// What it does.
    pub work: W,
    /// Where.
    pub database: Database,
    /// What the server shows as `application_name`.
    pub application_name: String,
    /// The record.
    pub recorder: Recorder,
    /// Time from one transaction's start to the next one's, at least.
    pub period: Duration,
    /// A file that is made after the first connection.
    pub ready_file: Option<PathBuf>,
    /// Becomes true when the worker has to stop.
    pub stop: watch::Receiver<bool>,
}

impl<W: Work> Worker<W> {
    /// Works until told to stop.
    ///
    /// # Errors
    /// The record can't be written. Errors of the database are recorded, not returned.
    pub async fn run(mut self) -> Result<(), Error> {
        let mut pace = interval(self.period);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let stop = self.stop.clone();
        while !*stop.borrow() {
            tokio::select! {
                biased;
                finished = self.connection(&mut pace) => finished?,
                () = overdue(stop.clone()) => break,
            }
            if !*stop.borrow() {
                back_off::<W>().await;
            }
        }
        self.recorder.finish()
    }

    /// Works on one connection until it is lost or the worker has to stop.
    async fn connection(&mut self, pace: &mut Interval) -> Result<(), Error> {
        let mut session = match self.connect().await {
            Ok(session) => session,
            Err(error) => return self.note(error),
        };
        while !session.is_closed() {
            tokio::select! {
                biased;
                () = stopped(self.stop.clone()) => return Ok(()),
                _ = pace.tick() => {}
            }
            let limit = Duration::from_secs(TRANSACTION_SECONDS);
            let Ok(outcome) = timeout(limit, self.transaction(&mut session)).await else {
                self.recorder.error("08006")?;
                return self.recorder.finish();
            };
            let Err(error) = outcome else { continue };
            let refused = error.is_refusal();
            let read_only = error.code().as_deref() == Some("25006");
            if !refused {
                tracing::warn!(writer = self.recorder.name(), %error, "connection lost");
            }
            self.note(error)?;
            if !refused || timeout(limit, session.run("ROLLBACK")).await.is_err() {
                return Ok(());
            }
            session.take_operations();
            if read_only {
                back_off::<W>().await;
            }
        }
        Ok(())
    }

    async fn connect(&mut self) -> Result<Session, Error> {
        let client = self.database.connect(&self.application_name).await?;
        let server = self.database.answering(&client).await?;
        let writer = self.recorder.name();
        tracing::info!(writer, address = server.address, version = server.version, "connected");
        self.recorder.server(server)?;
        let mut session = Session::new(client);
        self.work.start(&mut session).await?;
        if let Some(path) = self.ready_file.take() {
            std::fs::write(&path, "").map_err(|error| Error::file(&path, error))?;
        }
        Ok(session)
    }

    /// One transaction with its lines in the record. An error means that it was not committed, or that nobody knows
    /// (which the record says).
    async fn transaction(&mut self, session: &mut Session) -> Result<(), Error> {
        session.take_operations();
        session.run(self.work.begin()).await?;
        let kind = self.work.transact(session).await?;
        self.recorder.intent(&kind, session.take_operations())?;
        match session.run("COMMIT").await {
            Ok(()) => self.recorder.acknowledged(),
            Err(error) => {
                if error.is_refusal() {
                    self.recorder.failed(&error.code().unwrap_or_default())?;
                } else {
                    self.recorder.unknown()?;
                }
                Err(error)
            }
        }
    }

    fn note(&mut self, error: Error) -> Result<(), Error> {
        match error.code() {
            Some(code) => self.recorder.error(&code),
            None => Err(error),
        }
    }
}

/// Waits until the worker has to stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // A sender that is gone stops the worker too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn overdue(stop: watch::Receiver<bool>) {
    stopped(stop).await;
    sleep(FINISH).await;
}

async fn back_off<W: Work>() {
    let millis = rand::rng().random_range(W::BACK_OFF);
    sleep(Duration::from_millis(millis)).await;
}
