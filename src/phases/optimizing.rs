//! Statistics, which a major upgrade loses, and VACUUM if wanted, while nobody waits for the clone.
use std::time::Duration;

use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::maintenance;

use crate::api::{Phase, VacuumPolicy};
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::controller::tasks::{Kind, Progress};
use crate::error::Error;

/// ANALYZE of a large database takes its time.
const LIMIT: Duration = Duration::from_hours(6);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let key = scope.task(Kind::Maintenance);
    match scope.context.tasks.collect(&key).await {
        Some(Progress::Done) => return Ok(Outcome::Advance(Phase::Replicating)),
        Some(Progress::Failed(error)) => return Err(error),
        Some(Progress::Running) => {}
        None => start(scope).await?,
    }
    let target = scope.target().await?;
    let mut lacking = 0;
    for database in &scope.resolved()?.databases {
        lacking += maintenance::without_statistics(&target.connect(database, Profile::Observe).await?)
            .await?
            .len();
    }
    let message = format!("ANALYZE on the clone: {lacking} tables to go; nothing to do for you");
    Ok(Outcome::wait(
        scope.context.settings.poll.min(Duration::from_secs(2)),
        LIMIT,
        "Optimizing",
        message,
    ))
}

async fn start(scope: &Scope) -> Result<(), Error> {
    let target = scope.target().await?;
    let databases = scope.resolved()?.databases.clone();
    let vacuum = scope.spec().optimization.vacuum == VacuumPolicy::Vacuum;
    scope.context.tasks.start(scope.task(Kind::Maintenance), async move {
        for database in databases {
            let session = target.connect(&database, Profile::Long).await?;
            maintenance::analyze(&session).await?;
            if vacuum {
                maintenance::vacuum(&session).await?;
            }
        }
        Ok(())
    });
    Ok(())
}
