//! What cleanup needs, kept in the operator's own namespace: it survives the deletion of the resource and its namespace.
use std::collections::BTreeMap;

use pgupgrade_postgres::role::generate_password;
use secrecy::{ExposeSecret, SecretString};

use super::names;
use super::scope::Scope;
use crate::error::Error;
use crate::kubernetes::secrets::records;

const REPLICATION_PASSWORD: &str = "replicationPassword";
const OWNER: &str = "owner";
const SOURCE: &str = "source";

/// The record of one resource, the Secret `pgupgrade-<uid>`.
#[derive(Debug)]
pub struct Record {
    /// The password of the replication role on both sides.
    pub replication_password: SecretString,
}

impl Record {
    /// Finds the record, or makes it before the first side effect.
    ///
    /// # Errors
    /// Where the operator may not read or write Secrets in its own namespace.
    pub async fn ensure(scope: &Scope) -> Result<Self, Error> {
        if let Some(record) = Self::find(scope).await? {
            return Ok(record);
        }
        let replication_password = generate_password();
        let source = scope.resolved()?.source_arn.clone().unwrap_or_default();
        let entries = BTreeMap::from([
            (OWNER.to_owned(), scope.owner()),
            (SOURCE.to_owned(), source),
            (
                REPLICATION_PASSWORD.to_owned(),
                replication_password.expose_secret().to_owned(),
            ),
        ]);
        let context = &scope.context;
        records::write(&context.client, &context.settings.namespace, &scope.uid(), &entries).await?;
        Ok(Self { replication_password })
    }

    async fn find(scope: &Scope) -> Result<Option<Self>, Error> {
        let context = &scope.context;
        let entries = records::read(&context.client, &context.settings.namespace, &scope.uid()).await?;
        Ok(entries
            .and_then(|mut entries| entries.remove(REPLICATION_PASSWORD))
            .map(|password| Self {
                replication_password: SecretString::from(password),
            }))
    }

    /// Keeps values of the application's Secret before they are rewritten.
    ///
    /// # Errors
    /// As [`Record::ensure`].
    pub async fn keep_old_values(scope: &Scope, secret: &str, values: &BTreeMap<String, String>) -> Result<(), Error> {
        let entries: BTreeMap<String, String> = values
            .iter()
            .map(|(key, value)| (format!("connection.{secret}.{key}"), value.clone()))
            .collect();
        let context = &scope.context;
        Ok(records::write(&context.client, &context.settings.namespace, &scope.uid(), &entries).await?)
    }

    /// Forgets the resource, when nothing of it is left to clean up.
    ///
    /// # Errors
    /// As [`Record::ensure`].
    pub async fn forget(scope: &Scope) -> Result<(), Error> {
        let context = &scope.context;
        Ok(records::delete(&context.client, &context.settings.namespace, &scope.uid()).await?)
    }

    /// The name of the replication role that the password belongs to.
    #[must_use]
    pub fn role(scope: &Scope) -> String {
        names::role(&scope.uid())
    }
}
