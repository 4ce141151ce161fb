//! Step 2: everything that can be made before the application stops.
use std::time::Duration;

use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::guard::{self, Body, Patience};
use pgupgrade_postgres::publication::{self, Contents};
use pgupgrade_postgres::subscription::Subscription;
use pgupgrade_postgres::{maintenance, schema, slot, subscription};
use secrecy::ExposeSecret;

use super::{Cutover, Setback, rewrite, verdict};
use crate::controller::names;
use crate::controller::record::Record;
use crate::error::Error;

/// How long tables in use are waited for, all together.
const PATIENCE: Patience = Patience {
    deadline: Duration::from_mins(2),
    lock_timeout: Duration::from_millis(200),
    pause: Duration::from_millis(100),
};

/// How long the slot's last user is waited for.
const SLOT_PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(cutover: &mut Cutover<'_>) -> Result<(), Setback> {
    prepare_all(cutover).await.map_err(|error| Setback::Failed {
        step: "Prepare",
        error: Box::new(error),
    })
}

async fn prepare_all(cutover: &mut Cutover<'_>) -> Result<(), Error> {
    rewrite::check(cutover.scope).await?;
    prepare(cutover).await?;
    cutover.comparison = Some(verdict::prepare(cutover).await?);
    cutover.open_gap_sessions().await
}

async fn prepare(cutover: &Cutover<'_>) -> Result<(), Error> {
    let (from, to) = (&cutover.from_session, &cutover.to_session);
    guard::prepare(from, &cutover.from_claim, Body::Idle, &PATIENCE).await?;
    guard::prepare(to, &cutover.to_claim, Body::NotOpen, &PATIENCE).await?;
    maintenance::refresh_materialized_views(&cutover.to(Profile::Long).await?).await?;
    let record = Record::ensure(cutover.scope).await?;
    for stream in cutover.scope.streams() {
        let reverse_stream = names::reverse_stream(&stream.name);
        for session in [from, to] {
            schema::install_stream(session, &reverse_stream, &cutover.scope.owner()).await?;
        }
        let contents = Contents {
            tables: publication::published_tables(from, &stream.publication).await?,
            stream: &reverse_stream,
        };
        publication::create(to, &stream.reverse_publication, &contents).await?;
        // Anew, where an earlier try left one: it would hold back, and have to read, all that was applied since.
        slot::drop(to, &stream.reverse_slot, SLOT_PATIENCE).await?;
        slot::create(to, &stream.reverse_slot).await?;
        let subscription = Subscription {
            name: &stream.reverse_subscription,
            publication: &stream.reverse_publication,
            slot: &stream.reverse_slot,
            publisher: cutover.direction.to.endpoint(),
            database: &cutover.database,
            role: &Record::role(cutover.scope),
            password: record.replication_password.expose_secret(),
        };
        subscription::create(from, &subscription).await?;
    }
    Ok(())
}
