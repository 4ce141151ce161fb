//! Step 8: the commit point. One row on the side that is left turns from `closing` to `closed`.
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::fence::{self, Decision};

use super::{Cutover, Setback};
use crate::error::Error;

/// Left over between the commit point and the deadline for clocks and the network.
const MARGIN: Duration = Duration::from_millis(500);
/// How long a lost answer is looked for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    let decision = decide(cutover).await.map_err(|error| Setback::Failed {
        step: "Commit",
        error: Box::new(error),
    })?;
    match decision {
        Decision::Closed => {
            cutover.scope.event(
                EventType::Normal,
                "CutoverCommitted",
                "the old database is closed for good",
            );
            Ok(())
        }
        Decision::Refused(why) | Decision::Unknown(why) => Err(Setback::Refused(why)),
    }
}

async fn decide(cutover: &Cutover<'_>) -> Result<Decision, Error> {
    let sessions = cutover.gap_sessions()?;
    match fence::commit_point(&sessions.commit, &cutover.from_claim, &cutover.identity, MARGIN).await {
        Decision::Unknown(why) => {
            tracing::warn!(why, "the commit point's answer was lost; asking again");
            let session = cutover.from(Profile::Fence).await?;
            Ok(fence::resolve(&session, &sessions.commit_backend, &cutover.identity, PATIENCE).await?)
        }
        decision => Ok(decision),
    }
}
