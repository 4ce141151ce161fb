//! Step 7: forward replication ends, sequences move, reverse replication begins. The new side is still closed.
use pgupgrade_postgres::{sequences, slot, subscription};

use super::{Cutover, Setback, as_owner};
use crate::error::Error;

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    turn(cutover).await.map_err(|error| Setback::Failed {
        step: "Turn",
        error: Box::new(error),
    })
}

async fn turn(cutover: &Cutover<'_>) -> Result<(), Error> {
    let (from, to) = (&cutover.from_session, &cutover.to_session);
    for stream in cutover.scope.streams() {
        // Flushed first: after a crash of the new side the origin must not fall back behind rows that are there.
        subscription::flush_origin(to, &stream.subscription).await?;
        subscription::disable(to, &stream.subscription, cutover.remaining()).await?;
    }
    sequences::copy(from, to, &cutover.to_claim).await?;
    for stream in cutover.scope.streams() {
        let position = slot::current_flush_lsn(to).await?;
        slot::advance(to, &stream.reverse_slot, position).await?;
        // Everything that the new side holds now came from the old one and must not flow back.
        let turned = async || {
            subscription::advance_origin(from, &stream.reverse_subscription, position).await?;
            subscription::enable(from, &stream.reverse_subscription).await
        };
        as_owner(from, &cutover.from_claim, turned).await?;
    }
    Ok(())
}
