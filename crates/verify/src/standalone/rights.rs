//! What the owner of a subscription needs, so that its apply worker can write into our tables.
use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::{barrier, marker, quote_identifier};

use super::subscriptions::{Needs, Subscription};
use crate::Error;
use crate::side::{Side, sql};

/// Serializes what changes the row of schema `pgupgrade`: two grants at once would fail. It is the key that the streams
/// are installed with.
pub(super) const SERIALIZE: &str = "SELECT pg_advisory_xact_lock(8463071525540972393)";

/// Gives it, on the target, before anything is published.
pub(super) async fn give(target: &Session, subscription: &Subscription) -> Result<(), Error> {
    let Some((owner, script)) = script(subscription, target).await? else {
        return Ok(());
    };
    // One simple query, so one transaction.
    target.batch_execute(&script).await.map_err(|error| {
        let failed: Error = sql(Side::Target, "granting")(error);
        Error::Undecided(format!(
            "the owner of subscription {}, role {owner}, can't be let into our barrier table ({failed}): connect to the \
             target as {owner}, or as a role that may SET ROLE to it; nothing was published",
            subscription.name
        ))
    })
}

async fn script(subscription: &Subscription, target: &Session) -> Result<Option<(String, String)>, Error> {
    let stream = &subscription.stream;
    let tables = format!("{}, {}", marker::table(stream), barrier::table(stream));
    let us = target.query_one("SELECT current_user::text", &[]).await;
    let us: String = us.map_err(sql(Side::Target, "reading our role"))?.get(0);
    let us = quote_identifier(&us);
    let (owner, privileges, then) = match &subscription.needs {
        Needs::Nothing => return Ok(None),
        Needs::Schema(owner) => (owner, "USAGE", String::new()),
        Needs::Privileges(owner) => (
            owner,
            "USAGE",
            format!("GRANT ALL ON TABLE {tables} TO {}", quote_identifier(owner)),
        ),
        // A new owner must be allowed to create in the schema. We go on reading, and lock.
        Needs::Ownership(owner) => (
            owner,
            "USAGE, CREATE",
            format!(
                "ALTER TABLE {} OWNER TO {owner}; ALTER TABLE {} OWNER TO {owner}; SET LOCAL ROLE {owner}; \
                 GRANT ALL ON TABLE {tables} TO {us}; SET LOCAL ROLE {us}; REVOKE CREATE ON SCHEMA pgupgrade FROM {owner}",
                marker::table(stream),
                barrier::table(stream),
                owner = quote_identifier(owner),
            ),
        ),
    };
    let grant = format!("GRANT {privileges} ON SCHEMA pgupgrade TO {}", quote_identifier(owner));
    Ok(Some((owner.clone(), format!("{SERIALIZE}; {grant}; {then}"))))
}
