//! The way back: the old side takes writes again and the application returns to it, as if nothing had happened.
use std::time::Duration;

use pgupgrade_postgres::{fence, guard, subscription};

use super::Cutover;
use crate::api::Writer;
use crate::error::Error;
use crate::kubernetes::workloads;

/// How long a silent session that holds the fence row is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the attempt to go back ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The application is where it was.
    Back,
    /// The commit point has been passed after all: there is no way back.
    Committed,
}

/// Goes back. Every part is idempotent: a new leader goes through all of it again.
///
/// # Errors
/// Where something does not answer; tried again until it does, while the fence expires by itself.
pub async fn run(cutover: &mut Cutover<'_>) -> Result<Returned, Error> {
    let from = &cutover.from_session;
    // Reverse off first: from the moment that the old side takes writes only the forward direction may run.
    for stream in cutover.scope.streams() {
        if fence_is_closed(from).await? {
            return Ok(Returned::Committed);
        }
        subscription::disable_if_exists(from, &stream.reverse_subscription, PATIENCE).await?;
    }
    match fence::lift(from, &cutover.from_claim, PATIENCE).await {
        Ok(()) => {}
        Err(guard::Error::Closed { .. }) => {
            for stream in cutover.scope.streams() {
                subscription::enable(from, &stream.reverse_subscription).await?;
            }
            return Ok(Returned::Committed);
        }
        Err(error) => return Err(error.into()),
    }
    cutover.scope.status.writer = Some(Writer::Source);
    bring_back(cutover).await?;
    let to = &cutover.to_session;
    for stream in cutover.scope.streams() {
        subscription::enable(to, &stream.subscription).await?;
    }
    Ok(Returned::Back)
}

async fn fence_is_closed(session: &pgupgrade_postgres::connection::Session) -> Result<bool, Error> {
    Ok(fence::read(session)
        .await?
        .is_some_and(|row| row.state == fence::State::Closed))
}

async fn bring_back(cutover: &Cutover<'_>) -> Result<(), Error> {
    let client = &cutover.scope.context.client;
    let namespace = cutover.scope.namespace();
    let owner = cutover.scope.owner();
    for reference in &cutover.scope.spec().application.workloads {
        workloads::restore(client, &namespace, &reference.name, &owner).await?;
    }
    Ok(())
}
