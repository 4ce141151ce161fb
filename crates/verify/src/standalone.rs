//! What a comparison under writes needs between two servers that no operator looks after: barrier tables in the
//! publications that the target subscribes to, and a verification slot. All of it is taken back at the end.
mod confirmed;
mod remove;
mod rights;
mod subscriptions;

use std::time::Duration;

use pgupgrade_postgres::connection::{Connector, Profile, Session};
use pgupgrade_postgres::{QualifiedName, barrier, publication, quote_identifier, schema, slot};
use rand::distr::{Alphanumeric, SampleString as _};
use tokio_postgres::error::SqlState;

use crate::feed::FeedNames;
use crate::live::{Foreign, Replication};
use crate::side::{Side, connect_error, sql};
use crate::{Error, Tables, catalog, feed};

pub use remove::{Left, Remnant};
use subscriptions::{Subscription, undecided};

const EARLIER: &str = include_str!("../sql/standalone_earlier.sql");
/// Written into the comments of what is made.
const OWNER: &str = "pgupgrade verify";
/// How long a slot's consumer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a refresh is tried while another run takes its tables back.
const REFRESHES: u32 = 20;

/// What is made on both sides, to be taken back.
///
/// [`Self::plan`], then [`Self::make`]; whatever came of that, also where its future was dropped, [`Self::remove`].
pub struct Standalone {
    source: Connector,
    target: Connector,
    database: String,
    /// The random part of all names.
    run: String,
    subscriptions: Vec<Subscription>,
    names: FeedNames,
    patience: Duration,
    notes: Vec<String>,
    /// Something may be there to be taken back.
    touched: bool,
    /// Our tables may be on the source.
    on_source: bool,
    /// Whether writes of others on the target are watched.
    watches_target: bool,
    /// By their application's name other runs see that this one is under way.
    guards: Vec<Session>,
}

impl Standalone {
    /// Chooses names. `patience` is how long replication, and transactions that are open on either side, may take.
    #[must_use]
    pub fn plan(source: &Connector, target: &Connector, database: &str, patience: Duration) -> Self {
        let run = Alphanumeric.sample_string(&mut rand::rng(), 6).to_ascii_lowercase();
        let name = format!("pgupgrade_verify_{run}");
        Self {
            source: source.clone(),
            target: target.clone(),
            database: database.to_owned(),
            run: format!("verify_{run}"),
            subscriptions: Vec::new(),
            names: FeedNames {
                slot: name.clone(),
                publication: name,
            },
            patience,
            notes: Vec::new(),
            touched: false,
            on_source: false,
            watches_target: false,
            guards: Vec::new(),
        }
    }

    /// [`Self::plan`] and [`Self::make`]; where that fails, [`Self::remove`]. For callers that see this to its end.
    ///
    /// # Errors
    /// Those of [`Self::make`], with what is left.
    pub async fn prepare(
        source: &Connector,
        target: &Connector,
        database: &str,
        patience: Duration,
    ) -> Result<Self, Error> {
        let mut made = Self::plan(source, target, database, patience);
        let Err(error) = made.make().await else {
            return Ok(made);
        };
        match made.remove().await {
            Ok(()) => Err(error),
            Err(left) => undecided(format!("{error}; {left}")),
        }
    }

    /// How the target follows the source.
    #[must_use]
    pub fn replication(&self) -> Replication {
        let subscriptions = self.subscriptions.iter();
        Replication {
            streams: self.streams().map(ToOwned::to_owned).collect(),
            changes: self.names.clone(),
            foreign: self.watches_target.then(|| Foreign {
                changes: self.names.clone(),
                subscriptions: subscriptions.map(|subscription| subscription.name.clone()).collect(),
            }),
            patience: self.patience,
        }
    }

    /// The tables that are replicated.
    #[must_use]
    pub fn tables(&self) -> Tables {
        Tables::Published(self.publications())
    }

    /// What somebody should know: what earlier runs left, what is not watched.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn publications(&self) -> Vec<String> {
        let subscriptions = self.subscriptions.iter();
        subscriptions
            .flat_map(|subscription| subscription.publications.iter().cloned())
            .collect()
    }

    fn streams(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.iter().map(|subscription| &*subscription.stream)
    }

    /// Finds the subscriptions by which the target follows the source, and makes what the comparison needs.
    ///
    /// # Errors
    /// [`Error::Undecided`] where there are none, where they are behind, or where what is needed would harm a subscriber;
    /// nothing is made then. Where the roles may not alter publications and subscriptions, create schemas or slots.
    pub async fn make(&mut self) -> Result<(), Error> {
        let source = self.open(Side::Source, Profile::Act).await?;
        let target = self.open(Side::Target, Profile::Act).await?;
        self.find_earlier(&source, Side::Source).await?;
        self.find_earlier(&target, Side::Target).await?;
        self.subscriptions = subscriptions::find(&source, &target, &self.run).await?;
        self.refuse_harm(&source, &target).await?;
        self.touched = true;
        for subscription in &self.subscriptions {
            schema::install_stream(&target, &subscription.stream, OWNER).await?;
            rights::give(&target, subscription).await?;
        }
        // An apply worker stops at a change of a table that it does not have, so only now.
        self.on_source = true;
        for subscription in &self.subscriptions {
            self.publish(&source, &target, subscription).await?;
        }
        let leaves = catalog::published_leaves(&source, &self.publications()).await?;
        let barriers: Vec<_> = self.streams().map(barrier::table).collect();
        let waiting = self.open(Side::Source, Profile::Long).await?;
        feed::create(&waiting, &self.names, &leaves, &barriers, self.patience).await?;
        self.watch_target(&target, &leaves).await;
        self.guards = vec![source, target];
        Ok(())
    }

    /// A session that other runs, and [`Self::remove`], know by its name.
    async fn open(&self, side: Side, profile: Profile) -> Result<Session, Error> {
        let connector = match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        };
        let session = connector.connect(&self.database, profile).await;
        let session = session.map_err(connect_error(side))?;
        let name = "SELECT set_config('application_name', $1, false)";
        let named = session.execute(name, &[&self.names.slot]).await;
        named.map_err(sql(side, "naming the session"))?;
        Ok(session)
    }

    async fn find_earlier(&mut self, session: &Session, side: Side) -> Result<(), Error> {
        let rows = session.query(EARLIER, &[]).await;
        let rows = rows.map_err(sql(side, "looking for what earlier runs left"))?;
        let notes = rows.iter().map(|row| {
            let (what, remedy): (&str, &str) = (row.get(0), row.get(1));
            format!(
                "an earlier run left on the {}: {what}; remove it there: {remedy};",
                side.name()
            )
        });
        self.notes.extend(notes);
        Ok(())
    }

    async fn refuse_harm(&self, source: &Session, target: &Session) -> Result<(), Error> {
        subscriptions::refuse_other_subscribers(source, Side::Source, &self.subscriptions).await?;
        subscriptions::refuse_other_subscribers(target, Side::Target, &self.subscriptions).await?;
        for subscription in &self.subscriptions {
            subscriptions::refuse_unrefreshed(source, target, subscription).await?;
            self.await_subscription(source, subscription).await?;
        }
        Ok(())
    }

    async fn await_subscription(&self, source: &Session, subscription: &Subscription) -> Result<(), Error> {
        if confirmed::wait_for_subscriber(source, &subscription.slot, self.patience).await? {
            return Ok(());
        }
        undecided(format!(
            "subscription {} on the target did not confirm within {:?} what was written on the source before: it is \
             behind, or stopped by an error, which the target's log shows",
            subscription.name, self.patience
        ))
    }

    /// Makes the source's tables of a stream and has the target take their changes.
    async fn publish(&self, source: &Session, target: &Session, subscription: &Subscription) -> Result<(), Error> {
        schema::install_stream(source, &subscription.stream, OWNER).await?;
        if subscription.carrier.at_once {
            // The target has the first row already; it is passed over as long as the table is not subscribed to.
            self.await_subscription(source, subscription).await?;
        } else {
            let add = format!(
                "ALTER PUBLICATION {} ADD TABLE ONLY {}",
                quote_identifier(&subscription.carrier.publication),
                barrier::table(&subscription.stream)
            );
            let added = source.batch_execute(&add).await;
            added.map_err(sql(Side::Source, &add))?;
        }
        subscriptions::refuse_unrefreshed(source, target, subscription).await?;
        refresh(target, &subscription.name).await
    }

    /// The target is compared without that too; what others write there is then found only by reading whole tables.
    async fn watch_target(&mut self, target: &Session, leaves: &[QualifiedName]) {
        let Err(error) = self.try_to_watch(leaves).await else {
            self.watches_target = true;
            return;
        };
        let mut note = format!("writes on the target that do not come from the source are not watched: {error}");
        let dropped = slot::drop(target, &self.names.slot, PATIENCE).await;
        for failed in [dropped, publication::drop(target, &self.names.publication).await] {
            if let Err(error) = failed {
                note.push_str("; ");
                note.push_str(&error.to_string());
            }
        }
        self.notes.push(note);
    }

    async fn try_to_watch(&self, leaves: &[QualifiedName]) -> Result<(), Error> {
        let session = self.open(Side::Target, Profile::Long).await?;
        let row = session.query_one("SELECT current_setting('wal_level')", &[]).await;
        let level: String = row.map_err(sql(Side::Target, "reading wal_level"))?.get(0);
        if level != "logical" {
            return undecided(format!("wal_level is {level} there, it would have to be logical"));
        }
        let watchable = feed::watchable(&session, &self.names, leaves).await?;
        feed::create(&session, &self.names, &watchable, &[], self.patience).await?;
        Ok(())
    }
}

/// Has the target take the changes of what was published. What another run takes back meanwhile is published for a
/// moment and no longer there, or its row of `pg_subscription_rel` goes at the same time, which the server calls an
/// internal error (tuple concurrently deleted).
async fn refresh(target: &Session, subscription: &str) -> Result<(), Error> {
    let refresh = format!(
        "ALTER SUBSCRIPTION {} REFRESH PUBLICATION WITH (copy_data = false)",
        quote_identifier(subscription)
    );
    let passing = [SqlState::UNDEFINED_TABLE, SqlState::INTERNAL_ERROR];
    let mut tries = 1;
    loop {
        match target.batch_execute(&refresh).await {
            Err(error) if error.code().is_some_and(|code| passing.contains(code)) && tries < REFRESHES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other.map_err(sql(Side::Target, &refresh)),
        }
    }
}
