//! What a clone has carried along from the source and must not keep.
use crate::connection::Session;
use crate::{Error, publication, quote_identifier, quote_literal, slot, subscription};

const PREPARED: &str =
    "SELECT gid, owner::text FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared";

/// What was taken from the clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Subscriptions that were dropped; the slots on their publishers are the source's and stay.
    pub subscriptions: Vec<String>,
    /// Logical slots that were dropped.
    pub slots: Vec<String>,
    /// Our publications that were dropped.
    pub publications: Vec<String>,
    /// Prepared transactions that were rolled back: replay brings them once they are committed on the source.
    pub prepared: Vec<String>,
}

/// Takes away what a major upgrade is refused for, in one database of a **clone**; never to be run on a source. The
/// cut must have been proven before: the slots are part of the proof.
///
/// # Errors
/// [`Error::Sql`]; tried again it goes on where it was. A subscription of another role needs that role's privileges.
pub async fn release(clone: &Session) -> Result<Released, Error> {
    let mut released = Released::default();
    for state in subscription::all_states(clone).await? {
        subscription::drop_copied(clone, &state.name).await?;
        released.subscriptions.push(state.name);
    }
    for slot in slot::list(clone).await? {
        if slot.database.as_deref() == Some(clone.database()) {
            slot::drop_idle(clone, &slot.name).await?;
            released.slots.push(slot.name);
        }
    }
    for name in publication::own(clone).await? {
        publication::drop(clone, &name).await?;
        released.publications.push(name);
    }
    let rows = clone
        .query(PREPARED, &[])
        .await
        .map_err(clone.failed("listing prepared transactions"))?;
    for row in rows {
        let gid: String = row.get(0);
        roll_back_prepared(clone, &gid, row.get(1)).await?;
        released.prepared.push(gid);
    }
    Ok(released)
}

/// Only the role that prepared a transaction may end it, so that role is taken on for the moment. Each statement by
/// itself: this one can't run in a transaction.
async fn roll_back_prepared(clone: &Session, gid: &str, owner: &str) -> Result<(), Error> {
    let step = format!("rolling back prepared transaction {gid} of {owner}");
    let statements = [
        format!("SET ROLE {}", quote_identifier(owner)),
        format!("ROLLBACK PREPARED {}", quote_literal(gid)),
        "RESET ROLE".to_owned(),
    ];
    let mut outcome = Ok(());
    for statement in &statements {
        let done = clone.batch_execute(statement).await.map_err(clone.failed(&step));
        outcome = outcome.and(done);
    }
    outcome
}
