//! Step 4: one transaction turns the guard on the side that is left to deny every write, on all tables at once.
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::{fence, marker};

use super::{Cutover, Setback};
use crate::api::Writer;
use crate::controller::names;
use crate::error::Error;

/// How long transactions in flight may take to finish before they are ended.
const GRACE: Duration = Duration::from_millis(100);
/// How long writers are held up where somebody in the way can't be ended.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    close(cutover).await.map_err(|error| Setback::Failed {
        step: "Fence",
        error: Box::new(error),
    })
}

async fn close(cutover: &mut Cutover<'_>) -> Result<(), Error> {
    let markers = cutover
        .scope
        .streams()
        .map(|stream| fence::Marker {
            table: marker::table(&stream.name),
            attempt: cutover.identity.attempt,
            direction: names::FORWARD.to_owned(),
            number: fence_number(cutover.identity.cutover),
        })
        .collect();
    let order = fence::Order {
        cutover: cutover.identity.clone(),
        target: cutover.direction.to.endpoint().to_string(),
        hold: cutover.remaining(),
        grace: GRACE,
        patience: cutover.remaining().min(PATIENCE),
        markers,
    };
    let sessions = cutover.gap_sessions()?;
    let fenced = fence::close(&sessions.fence, &sessions.reaper, &cutover.from_claim, &order).await?;
    cutover.scope.status.writer = Some(Writer::None);
    let note = format!(
        "{} tables fenced in {} ms, {} sessions in the way ended",
        fenced.tables,
        fenced.held.as_millis(),
        fenced.ended.len()
    );
    cutover.scope.event(EventType::Normal, "SourceFenced", note);
    if let Some(record) = &mut cutover.scope.status.cutover {
        record.commit.get_or_insert_default().fence_lsn = Some(fenced.flushed.to_string());
    }
    Ok(())
}

/// FENCE markers count down from the end, so that they never meet those of the capture.
pub(super) fn fence_number(cutover: i32) -> i64 {
    i64::MAX - i64::from(cutover)
}
