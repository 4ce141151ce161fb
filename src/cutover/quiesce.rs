//! Step 3: the application goes to zero. What comes back is on record before the first Deployment is scaled.
use kube::runtime::events::EventType;

use super::{Cutover, Setback};
use crate::api::{WorkloadKind, WorkloadStatus};
use crate::error::Error;
use crate::kubernetes::workloads;

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    quiesce(cutover).await.map_err(|error| Setback::Failed {
        step: "Quiesce",
        error: Box::new(error),
    })
}

async fn quiesce(cutover: &mut Cutover<'_>) -> Result<(), Error> {
    let client = cutover.scope.context.client.clone();
    let namespace = cutover.scope.namespace();
    let owner = cutover.scope.owner();
    let names: Vec<String> = cutover
        .scope
        .spec()
        .application
        .workloads
        .iter()
        .map(|workload| workload.name.clone())
        .collect();
    let mut records = Vec::new();
    for name in &names {
        let workload = workloads::read(&client, &namespace, name).await?;
        records.push(WorkloadStatus {
            kind: WorkloadKind::Deployment,
            name: name.clone(),
            replicas: workload.recorded_replicas().unwrap_or(workload.replicas),
        });
    }
    if let Some(record) = &mut cutover.scope.status.cutover {
        record.workloads = records;
    }
    cutover.scope.persist().await?;
    let mut scaled = Vec::new();
    for name in &names {
        scaled.push(workloads::scale_to_zero(&client, &namespace, name, &owner).await?);
    }
    cutover.scope.event(
        EventType::Normal,
        "WorkloadScaled",
        format!("{} to zero", names.join(", ")),
    );
    for workload in &scaled {
        let progress = |message: &str| tracing::info!(workload = workload.name, message, "waiting for its Pods to end");
        workloads::wait_until_gone(&client, &namespace, workload, cutover.remaining(), progress).await?;
    }
    Ok(())
}
