//! The application's Secrets: values that name the old side name the new one afterwards, host and port only.
use std::collections::BTreeMap;

use kube::runtime::events::EventType;
use secrecy::ExposeSecret;

use crate::controller::record::Record;
use crate::controller::scope::{Scope, key_specs};
use crate::error::Error;
use crate::kubernetes::{connections, secrets};

/// Tries it on paper while there is still a way back: after the commit point a value that can't be rewritten would keep
/// the application away.
///
/// # Errors
/// Where a Secret is missing, or a value can't be rewritten.
pub(super) async fn check(scope: &Scope) -> Result<(), Error> {
    let (source, target) = (scope.source_endpoints()?, scope.target_endpoints()?);
    for connection in &scope.spec().application.connections {
        let secret = secrets::read(&scope.context.client, &scope.namespace(), &connection.name).await?;
        connections::plan(&secrets::data(&secret), &key_specs(connection), &source, &target)
            .map_err(|problems| Error::connection(&connection.name, &problems))?;
    }
    Ok(())
}

/// Rewrites them. The old values are on record before.
///
/// # Errors
/// As [`check`], or where the API server refuses.
pub(super) async fn apply(scope: &Scope) -> Result<(), Error> {
    let (client, namespace) = (&scope.context.client, scope.namespace());
    let (source, target) = (scope.source_endpoints()?, scope.target_endpoints()?);
    for connection in &scope.spec().application.connections {
        let keys = key_specs(connection);
        // Somebody else may write the Secret at the same time: read it again, and plan again.
        loop {
            let secret = secrets::read(client, &namespace, &connection.name).await?;
            let plan = connections::plan(&secrets::data(&secret), &keys, &source, &target)
                .map_err(|problems| Error::connection(&connection.name, &problems))?;
            if plan.changes.is_empty() {
                break;
            }
            let old: BTreeMap<String, String> = plan
                .changes
                .iter()
                .map(|change| (change.key.clone(), change.old_value.expose_secret().to_owned()))
                .collect();
            Record::keep_old_values(scope, &connection.name, &old).await?;
            match secrets::apply(client, &namespace, &secret, &plan).await {
                Ok(_) => {
                    let keys: Vec<&str> = plan.changes.iter().map(|change| change.key.as_str()).collect();
                    let note = format!("Secret {}: {}", connection.name, keys.join(", "));
                    scope.event(EventType::Normal, "ConnectionRewritten", note);
                    break;
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
