//! The role that subscriptions log in with.
use postgres_protocol::password::scram_sha_256;
use rand::distr::{Alphanumeric, SampleString as _};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::error::SqlState;

use crate::connection::Session;
use crate::publication::check_name;
use crate::{Error, quote_identifier, quote_literal};

/// RDS refuses the attribute REPLICATION and has this role instead.
const RDS_REPLICATION: &str = "rds_replication";
const PASSWORD_LENGTH: usize = 40;

/// A password of letters and digits: no connection string has to quote it.
#[must_use]
pub fn generate_password() -> SecretString {
    SecretString::from(Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH))
}

/// Creates or alters the role: LOGIN, replication, this password, CONNECT on this database. What is sent is a SCRAM
/// verifier that is computed here, so that the password itself is in no log. It needs no privilege on tables, since
/// nothing is copied.
///
/// # Errors
/// [`Error::Sql`], with `INSUFFICIENT_PRIVILEGE` where our role may not make roles.
pub async fn ensure(session: &Session, name: &str, password: &SecretString) -> Result<(), Error> {
    let step = format!("creating role {name}");
    check_name(session, &step, name)?;
    let failed = || session.failed(&step);
    let query =
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_roles WHERE rolname = $2)";
    let row = session
        .query_one(query, &[&name, &RDS_REPLICATION])
        .await
        .map_err(failed())?;
    let (exists, on_rds): (bool, bool) = (row.get(0), row.get(1));
    let role = quote_identifier(name);
    let verifier = quote_literal(&scram_sha_256(password.expose_secret().as_bytes()));
    let verb = if exists { "ALTER" } else { "CREATE" };
    let database = quote_identifier(session.database());
    let (attribute, grant) = if on_rds {
        ("", format!("GRANT {RDS_REPLICATION} TO {role};"))
    } else {
        (" REPLICATION", String::new())
    };
    let script = format!(
        "{verb} ROLE {role} LOGIN{attribute} PASSWORD {verifier}; {grant} GRANT CONNECT ON DATABASE {database} TO {role}"
    );
    session.batch_execute(&script).await.map_err(failed())
}

/// Drops the role where it is there, with what it may do in this database. Where another database still grants it
/// something it stays, until it is dropped from there.
///
/// # Errors
/// [`Error::Unexpected`] for a name that is not ours, [`Error::Sql`].
pub async fn drop(session: &Session, name: &str) -> Result<(), Error> {
    let step = format!("dropping role {name}");
    check_name(session, &step, name)?;
    let exists = session
        .query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&name])
        .await;
    if exists.map_err(session.failed(&step))?.is_none() {
        return Ok(());
    }
    let (role, database) = (quote_identifier(name), quote_identifier(session.database()));
    let script = format!("REVOKE ALL ON DATABASE {database} FROM {role}; DROP ROLE {role}");
    match session.batch_execute(&script).await {
        Err(error) if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
            let revoke = format!("REVOKE ALL ON DATABASE {database} FROM {role}");
            session.batch_execute(&revoke).await.map_err(session.failed(&step))
        }
        other => other.map_err(session.failed(&step)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_plain() {
        let (one, other) = (generate_password(), generate_password());
        assert!(one.expose_secret().len() >= 32 && one.expose_secret().chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(!format!("{one:?}").contains(one.expose_secret()));
    }
}
