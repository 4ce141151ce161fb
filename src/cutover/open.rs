//! Step 9: the new side lets writes in, the Secret names it, and the application returns. Only forward from here.
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::guard::{self, Body};

use super::{Cutover, rewrite};
use crate::api::Writer;
use crate::error::Error;
use crate::kubernetes::pods::{PodRef, end_pods, pods_of};
use crate::kubernetes::workloads;

/// How long a new database without a write is waited for; an application may have nothing to write.
const FIRST_WRITE: Duration = Duration::from_secs(20);

/// How the step ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// The application is ready on the new side.
    Ready,
    /// It isn't, for the reason given; that is reported, never undone.
    NotReady(String),
}

/// Opens the new side. Every part is idempotent: a new leader goes through all of it again.
///
/// # Errors
/// Where something does not answer; tried again.
pub async fn run(cutover: &mut Cutover<'_>) -> Result<Opened, Error> {
    let to = &cutover.to_session;
    if guard::first_write(to).await?.is_none() {
        guard::set_body(to, &cutover.to_claim, Body::Opening).await?;
    }
    cutover.scope.status.writer = Some(Writer::Target);
    rewrite::apply(cutover.scope).await?;
    let old = old_pods(cutover).await?;
    let ready = bring_back(cutover, &old).await?;
    cutover.scope.event(
        EventType::Normal,
        "CutoverCompleted",
        "the application is back, on the new database",
    );
    Ok(ready)
}

/// Waits for the first write on the new side, which ends the write gap. `None`: there was none in time.
///
/// # Errors
/// Where the new side does not answer.
pub async fn first_write(cutover: &Cutover<'_>) -> Result<Option<jiff::Timestamp>, Error> {
    let to = &cutover.to_session;
    let until = tokio::time::Instant::now() + FIRST_WRITE;
    loop {
        if let Some(micros) = guard::first_write(to).await? {
            guard::set_body(to, &cutover.to_claim, Body::Idle).await?;
            return Ok(jiff::Timestamp::from_microsecond(micros).ok());
        }
        if tokio::time::Instant::now() > until {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Pods that exist now have the old values, whoever made them while the Deployment was at zero.
async fn old_pods(cutover: &Cutover<'_>) -> Result<Vec<PodRef>, Error> {
    let client = &cutover.scope.context.client;
    let namespace = cutover.scope.namespace();
    let mut all = Vec::new();
    for reference in &cutover.scope.spec().application.workloads {
        let workload = workloads::read(client, &namespace, &reference.name).await?;
        // Once the replicas are back the Pods are the new ones.
        if workload.recorded.is_some() {
            all.extend(pods_of(client, &namespace, &workload).await?);
        }
    }
    Ok(all)
}

async fn bring_back(cutover: &Cutover<'_>, old: &[PodRef]) -> Result<Opened, Error> {
    let client = &cutover.scope.context.client;
    let namespace = cutover.scope.namespace();
    let owner = cutover.scope.owner();
    let allowed = cutover.scope.spec().application.ready_timeout.get();
    // Before the new ones come: those that exist now have the old values.
    end_pods(client, &namespace, old).await?;
    let mut restored = Vec::new();
    let mut first = Ok(());
    for reference in &cutover.scope.spec().application.workloads {
        match workloads::restore(client, &namespace, &reference.name, &owner).await {
            Ok(workload) => restored.push(workload),
            Err(crate::kubernetes::Error::NotFound { .. }) => {}
            Err(error) => first = first.and(Err(error)),
        }
    }
    first?;
    let mut late = Vec::new();
    for workload in &restored {
        let progress =
            |message: &str| tracing::info!(workload = workload.name, message, "waiting for its Pods to be ready");
        match workloads::wait_until_ready(client, &namespace, workload, allowed, progress).await {
            Ok(_) => {}
            Err(error @ crate::kubernetes::Error::Deadline { .. }) => late.push(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if late.is_empty() {
        Opened::Ready
    } else {
        Opened::NotReady(late.join("; "))
    })
}
