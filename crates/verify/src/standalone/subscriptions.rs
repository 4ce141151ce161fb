//! The subscriptions by which the target follows the source, and whether tables of ours can be added to them without
//! harm to anybody.
use std::borrow::Cow;
use std::collections::BTreeSet;

use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::Session;
use tokio_postgres::Row;

use crate::Error;
use crate::side::{Side, sql};

const SUBSCRIPTIONS: &str = include_str!("../../sql/standalone_subscriptions.sql");
const PUBLICATIONS: &str = include_str!("../../sql/standalone_publications.sql");
const OTHERS: &str = include_str!("../../sql/standalone_others.sql");
const PUBLISHED: &str = include_str!("../../sql/standalone_published.sql");
const PUBLISHED_BEFORE_16: &str =
    "SELECT DISTINCT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = ANY ($1)";
const SUBSCRIBED: &str = include_str!("../../sql/standalone_subscribed.sql");

/// A subscription that reads from the source.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) name: String,
    pub(super) publications: Vec<String>,
    /// On the source.
    pub(super) slot: String,
    /// Our stream with it.
    pub(super) stream: String,
    /// Which of the publications takes our tables.
    pub(super) carrier: Carrier,
    /// What its owner needs to write into our tables.
    pub(super) needs: Needs,
}

/// The publication that takes our tables.
#[derive(Clone, Debug)]
pub(super) struct Carrier {
    pub(super) publication: String,
    /// It has all tables of its schema or database, from their creation on.
    pub(super) at_once: bool,
}

/// What the owner of a subscription lacks to change a table of ours. From 16 on the apply worker takes the role of a
/// table's owner (<https://www.postgresql.org/docs/current/logical-replication-security.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// It is a superuser or our role.
    Nothing,
    /// It may take our role.
    Schema(String),
    /// It changes tables itself.
    Privileges(String),
    /// It has to own the tables.
    Ownership(String),
}

/// The query without the lines for what this server does not have yet.
fn adapt(query: &'static str, major: i32) -> Cow<'static, str> {
    if query.lines().all(|line| is_known(line, major)) {
        return Cow::Borrowed(query);
    }
    let known: Vec<&str> = query.lines().filter(|line| is_known(line, major)).collect();
    known.join("\n").replace("may_alter,\nFROM", "may_alter\nFROM").into()
}

fn is_known(line: &str, major: i32) -> bool {
    let since = line
        .split_once("-- from ")
        .and_then(|(_, since)| since.trim().parse().ok());
    since.is_none_or(|since: i32| major >= since)
}

/// The enabled subscriptions of the target whose slots are the source's.
pub(super) async fn find(source: &Session, target: &Session, run: &str) -> Result<Vec<Subscription>, Error> {
    let step = "looking for the subscriptions";
    let rows = target.query(&*adapt(SUBSCRIPTIONS, target.major()), &[]).await;
    let rows = rows.map_err(sql(Side::Target, step))?;
    let slots = "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()";
    let slots = source.query(slots, &[]).await.map_err(sql(Side::Source, step))?;
    let slots: BTreeSet<String> = slots.iter().map(|row| row.get(0)).collect();
    let mut found = Vec::new();
    for row in &rows {
        let slot: Option<String> = row.get("slot");
        if let Some(slot) = slot.filter(|slot| slots.contains(slot)) {
            let stream = format!("{run}_{}", found.len());
            found.push(subscription(source, target, row, slot, stream).await?);
        }
    }
    if found.is_empty() {
        return undecided(
            "no enabled subscription of the target reads from a slot of the source: a comparison under \
             writes needs logical replication from the source to the target; where nobody writes, compare with --fenced",
        );
    }
    Ok(found)
}

async fn subscription(
    source: &Session,
    target: &Session,
    row: &Row,
    slot: String,
    stream: String,
) -> Result<Subscription, Error> {
    let (name, owner): (String, String) = (row.get("name"), row.get("owner"));
    if !row.get::<_, bool>("may_alter") {
        return undecided(format!(
            "our role may not refresh subscription {name} on the target: connect as its owner {owner}, or as a member \
             of that role"
        ));
    }
    let publications: Vec<String> = row.get("publications");
    let needs = match () {
        () if row.get("needs_nothing") => Needs::Nothing,
        () if target.major() < 16 || row.get("runs_as_owner") => Needs::Privileges(owner),
        () if row.get("becomes_us") => Needs::Schema(owner),
        () => Needs::Ownership(owner),
    };
    Ok(Subscription {
        carrier: carrier(source, &name, &publications).await?,
        name,
        publications,
        slot,
        stream,
        needs,
    })
}

async fn carrier(source: &Session, subscription: &str, publications: &[String]) -> Result<Carrier, Error> {
    let rows = source
        .query(&*adapt(PUBLICATIONS, source.major()), &[&publications])
        .await;
    let rows = rows.map_err(sql(Side::Source, "reading the publications"))?;
    let usable = |row: &&Row| row.get("updates") && (row.get("at_once") || row.get("may_alter"));
    let Some(row) = rows.iter().find(usable) else {
        return undecided(format!(
            "no table can be added to the publications of subscription {subscription} ({}): one is needed that publishes \
             UPDATE, and whose owner our role on the source is, or is a member of",
            publications.join(", ")
        ));
    };
    Ok(Carrier {
        publication: row.get("name"),
        at_once: row.get("at_once"),
    })
}

/// Refuses where REFRESH would do more than add tables of ours: without their initial copies other tables would lack
/// rows for ever.
pub(super) async fn refuse_unrefreshed(source: &Session, target: &Session, of: &Subscription) -> Result<(), Error> {
    let query = if source.major() >= 16 && target.major() >= 16 {
        PUBLISHED
    } else {
        PUBLISHED_BEFORE_16
    };
    let rows = source.query(query, &[&of.publications]).await;
    let published = names(&rows.map_err(sql(Side::Source, "reading the published tables"))?);
    let rows = target.query(SUBSCRIBED, &[&of.name]).await;
    let subscribed = names(&rows.map_err(sql(Side::Target, "reading the subscribed tables"))?);
    let list = |tables: Vec<&QualifiedName>| tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (missing, gone): (Vec<_>, Vec<_>) = (
        published.difference(&subscribed).collect(),
        subscribed.difference(&published).collect(),
    );
    if missing.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let mut what = Vec::new();
    if !missing.is_empty() {
        what.push(format!("does not know {} yet", list(missing)));
    }
    if !gone.is_empty() {
        what.push(format!("still knows {}, no longer published", list(gone)));
    }
    undecided(format!(
        "subscription {name} on the target {}; run there: ALTER SUBSCRIPTION {quoted} REFRESH PUBLICATION, let the tables \
         be copied, and compare again",
        what.join(", and "),
        name = of.name,
        quoted = pgupgrade_postgres::quote_identifier(&of.name),
    ))
}

/// Without the tables of this command.
fn names(rows: &[Row]) -> BTreeSet<QualifiedName> {
    let names = rows
        .iter()
        .map(|row| QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1)));
    names.filter(|name| !is_ours(name)).collect()
}

fn is_ours(table: &QualifiedName) -> bool {
    let ours = ["barrier_verify_", "marker_verify_"];
    table.schema == "pgupgrade" && ours.iter().any(|prefix| table.name.starts_with(prefix))
}

/// Refuses where somebody else than the target would be sent tables that he does not have: his replication would stop.
pub(super) async fn refuse_other_subscribers(
    session: &Session,
    side: Side,
    subscriptions: &[Subscription],
) -> Result<(), Error> {
    let (mut slots, mut carriers) = (Vec::new(), Vec::new());
    if side == Side::Source {
        slots.extend(subscriptions.iter().map(|subscription| &*subscription.slot));
        carriers.extend(
            subscriptions
                .iter()
                .map(|subscription| &*subscription.carrier.publication),
        );
    }
    let row = session
        .query_one(&*adapt(OTHERS, session.major()), &[&slots, &carriers])
        .await;
    let row = row.map_err(sql(side, "looking for other subscribers"))?;
    match row.get::<_, Option<String>>(0) {
        None => Ok(()),
        Some(others) => undecided(format!(
            "of the {}'s slots {others} may feed other subscribers by a publication that our barrier tables come into; \
             without those tables their replication would stop: give the target a publication of its own, drop slots \
             that nobody uses, or compare with --fenced",
            side.name(),
        )),
    }
}

pub(super) fn undecided<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::Undecided(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_servers_are_not_asked_for_what_they_lack() {
        for query in [SUBSCRIPTIONS, PUBLICATIONS, OTHERS] {
            assert!(matches!(adapt(query, 18), Cow::Borrowed(_)));
        }
        let old = adapt(SUBSCRIPTIONS, 15);
        assert!(
            old.contains("AS may_alter\nFROM") && !old.contains("subrunasowner"),
            "{old}"
        );
        assert!(!adapt(OTHERS, 14).contains("pg_publication_namespace"));
        assert!(!adapt(PUBLICATIONS, 14).contains("pg_publication_namespace"));
    }
}
