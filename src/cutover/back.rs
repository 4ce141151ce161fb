//! The way back: the old side takes writes again and the application returns to it, as if nothing had happened.
//!
//! It needs the old side only. That the other one does not answer may be the reason for going back.
use std::time::Duration;

use pgupgrade_postgres::connection::{Profile, Session};
use pgupgrade_postgres::{fence, guard, subscription};

use super::as_owner;
use crate::api::Writer;
use crate::controller::scope::Scope;
use crate::error::Error;
use crate::kubernetes::{self, workloads};

/// How long a silent session that holds the fence row is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the attempt to go back ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The application is where it was. Forward replication is enabled again by whoever waits for the next cutover.
    Back,
    /// The commit point has been passed after all: there is no way back.
    Committed,
}

/// Goes back. Every part is idempotent: a new leader goes through all of it again.
///
/// # Errors
/// Where something does not answer; tried again until it does, while the fence expires by itself.
pub async fn run(scope: &mut Scope) -> Result<Returned, Error> {
    let session = scope.source().await?.connect(&scope.database()?, Profile::Act).await?;
    let claim = scope.claim(&session).await?;
    // Reverse off first: from the moment that the old side takes writes only the forward direction may run.
    for stream in scope.streams() {
        if is_closed(&session).await? {
            return Ok(Returned::Committed);
        }
        subscription::disable_if_exists(&session, &stream.reverse_subscription, PATIENCE).await?;
    }
    match fence::lift(&session, &claim, PATIENCE).await {
        Ok(()) => {}
        Err(guard::Error::Closed { .. }) => {
            for stream in scope.streams() {
                let enable = async || subscription::enable(&session, &stream.reverse_subscription).await;
                as_owner(&session, &claim, enable).await?;
            }
            return Ok(Returned::Committed);
        }
        Err(error) => return Err(error.into()),
    }
    scope.status.writer = Some(Writer::Source);
    restore_workloads(scope).await?;
    Ok(Returned::Back)
}

async fn is_closed(session: &Session) -> Result<bool, Error> {
    Ok(fence::read(session)
        .await?
        .is_some_and(|row| row.state == fence::State::Closed))
}

/// Gives every Deployment its replicas back, whatever happens with the others. Nothing happens to those that are not on
/// record as taken down by this resource.
///
/// # Errors
/// The first one that could not be restored.
pub async fn restore_workloads(scope: &Scope) -> Result<(), Error> {
    let (client, namespace, owner) = (&scope.context.client, scope.namespace(), scope.owner());
    let mut first = Ok(());
    for reference in &scope.spec().application.workloads {
        match workloads::restore(client, &namespace, &reference.name, &owner).await {
            Ok(_) | Err(kubernetes::Error::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, workload = reference.name, "replicas not restored");
                first = first.and(Err(error.into()));
            }
        }
    }
    first
}
