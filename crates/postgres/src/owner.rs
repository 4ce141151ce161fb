//! Who drives a database: the row `pgupgrade.owner`, whose epoch keeps a stale leader from doing harm.
//!
//! Every mutating transaction reads the row `FOR SHARE` and compares uid and epoch with its own [`Claim`]; whoever
//! raises the epoch waits for those transactions, and later ones of the old leader fail.
use std::time::Duration;

use tokio_postgres::Client;

use crate::guard::{self, Error};
use crate::transaction::{SERIALIZE, assert_owner, begin, roll_back, run, sql};

const INSTALL: &str = include_str!("../sql/owner_install.sql");
const CLAIM: &str = include_str!("../sql/owner_claim.sql");
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The row `pgupgrade.owner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `namespace/name` of the resource.
    pub resource: String,
    /// The resource's uid.
    pub uid: String,
    /// Which Kubernetes cluster the resource is in.
    pub cluster: String,
    /// Raised by each new leader.
    pub epoch: i64,
}

/// What a mutating transaction shows to the row `pgupgrade.owner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The resource's uid.
    pub uid: String,
    /// The epoch that this leader has raised the row to.
    pub epoch: i64,
}

/// Creates the schema `pgupgrade` with the owner, the fence and the functions of the commit point, as far as they are
/// not there. The guard function itself is made by [`guard::prepare`].
///
/// # Errors
/// [`Error::Sql`], mostly for the lack of CREATE on the database.
pub async fn install(client: &Client) -> Result<(), Error> {
    let functions = guard::functions();
    run(
        client,
        "installing the schema pgupgrade",
        LOCK_TIMEOUT,
        &[SERIALIZE, INSTALL, &functions],
    )
    .await
}

/// Makes this leader the one that drives the database: installs what is missing and raises the epoch.
///
/// # Errors
/// [`Error::OwnedByAnother`] where the row names another uid, [`Error::Sql`].
pub async fn claim(client: &Client, resource: &str, uid: &str, cluster: &str) -> Result<Claim, Error> {
    refuse_another(client, uid).await?;
    install(client).await?;
    let raised = raise(client, resource, uid, cluster).await;
    if raised.is_err() {
        roll_back(client).await;
    }
    match raised? {
        Some(epoch) => Ok(Claim {
            uid: uid.to_owned(),
            epoch,
        }),
        None => Err(refuse_another(client, uid)
            .await
            .err()
            .unwrap_or(Error::OwnedByAnother { owner: String::new() })),
    }
}

async fn raise(client: &Client, resource: &str, uid: &str, cluster: &str) -> Result<Option<i64>, Error> {
    let sql = sql("claiming the database");
    client
        .batch_execute(&begin(LOCK_TIMEOUT, LOCK_TIMEOUT))
        .await
        .map_err(&sql)?;
    let row = client
        .query_opt(CLAIM, &[&resource, &uid, &cluster])
        .await
        .map_err(&sql)?;
    client.batch_execute("COMMIT").await.map_err(&sql)?;
    Ok(row.map(|row| row.get(0)))
}

async fn refuse_another(client: &Client, uid: &str) -> Result<(), Error> {
    match read(client).await? {
        Some(owner) if owner.uid != uid => Err(Error::OwnedByAnother {
            owner: format!("{} (uid {}, cluster {})", owner.resource, owner.uid, owner.cluster),
        }),
        _ => Ok(()),
    }
}

/// The row as it is; `None` where there is no schema or nobody has claimed the database.
///
/// # Errors
/// [`Error::Sql`].
pub async fn read(client: &Client) -> Result<Option<Owner>, Error> {
    if !guard::exists(client, "pgupgrade.owner").await? {
        return Ok(None);
    }
    let query = "SELECT resource, uid, cluster, epoch FROM pgupgrade.owner";
    let row = client
        .query_opt(query, &[])
        .await
        .map_err(sql("reading the owner of the database"))?;
    Ok(row.map(|row| Owner {
        resource: row.get(0),
        uid: row.get(1),
        cluster: row.get(2),
        epoch: row.get(3),
    }))
}

/// Refuses unless the claim is still the one that counts. Inside a transaction it stays so until its end.
///
/// # Errors
/// [`Error::Stale`] where another leader has raised the epoch, [`Error::Sql`].
pub async fn assert(client: &Client, claim: &Claim) -> Result<(), Error> {
    let outcome = client
        .execute("SELECT pgupgrade.assert_owner($1, $2)", &[&claim.uid, &claim.epoch])
        .await;
    outcome.map(|_| ()).map_err(sql("checking the owner of the database"))
}

/// Drops the schema `pgupgrade` with all that is in it.
///
/// # Errors
/// [`Error::TriggersLeft`] while a table still carries the guard, because dropping the function with them would lock
/// all those tables at once; [`Error::FenceNotOpen`]; [`Error::Stale`]; [`Error::Sql`].
pub async fn drop_schema(client: &Client, claim: &Claim) -> Result<(), Error> {
    if !guard::exists(client, "pgupgrade.owner").await? {
        return Ok(());
    }
    let tables = guard::carrying(client).await?;
    if !tables.is_empty() {
        return Err(Error::TriggersLeft { tables });
    }
    let owner = assert_owner(claim);
    let statements = [
        owner.as_str(),
        "SELECT pgupgrade.assert_open()",
        "DROP SCHEMA pgupgrade CASCADE",
    ];
    run(client, "dropping the schema pgupgrade", LOCK_TIMEOUT, &statements).await
}
