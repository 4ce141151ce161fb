//! Ctrl-C and its like.
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;

/// Those that end the work, not the process, so that what was made can be taken back. They are kept from the start on,
/// so that none is lost in between.
pub(super) struct Signals([Signal; 3]);

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::Signals);
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    pub(super) async fn interrupt<T>(&mut self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let work = Box::pin(work);
        let [interrupted, terminated, hung_up] = &mut self.0;
        tokio::select! {
            done = work => done,
            _ = interrupted.recv() => Err(Failure::Interrupted),
            _ = terminated.recv() => Err(Failure::Interrupted),
            _ = hung_up.recv() => Err(Failure::Interrupted),
        }
    }
}
