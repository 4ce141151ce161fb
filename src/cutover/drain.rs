//! Step 5: the FENCE marker of every stream is visible on the other side, and with it all that was committed before.
//! Meanwhile the comparison is told what the verdict has to look at.
use pgupgrade_postgres::marker;

use super::fence::fence_number;
use super::{Cutover, Setback};
use crate::controller::names;
use crate::error::Error;

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    drain(cutover).await.map_err(|error| Setback::Failed {
        step: "Drain",
        error: Box::new(error),
    })
}

async fn drain(cutover: &mut Cutover<'_>) -> Result<(), Error> {
    let mut comparison = cutover.comparison.take();
    let arrived = arrival(cutover);
    let live = comparison.as_mut().and_then(|taken| taken.as_mut());
    let arrived = match live {
        Some(live) => Box::pin(live.follow_until(arrived)).await?,
        None => arrived.await,
    };
    cutover.comparison = comparison;
    arrived
}

async fn arrival(cutover: &Cutover<'_>) -> Result<(), Error> {
    for stream in cutover.scope.streams() {
        let number = fence_number(cutover.identity.cutover);
        let attempt = cutover.identity.attempt;
        marker::wait(
            &cutover.to_session,
            &stream.name,
            attempt,
            names::FORWARD,
            number,
            cutover.remaining(),
        )
        .await?;
    }
    Ok(())
}
