//! Secrets of the application: credentials, connections, CA bundles.
pub mod records;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use secrecy::ExposeSecret;
use serde_json::json;

use super::connections::{Data, Plan};
use super::error::{Call, object};
use super::{Error, FIELD_MANAGER, Problem};

/// Kinds that write their Secret anew, whatever else is in it, even where they are not its controller.
const WRITERS: [&str; 6] = [
    "ExternalSecret",
    "SealedSecret",
    "VaultStaticSecret",
    "VaultDynamicSecret",
    "OnePasswordItem",
    "InfisicalSecret",
];
/// Labels and annotations that External Secrets puts on what it merges into.
const EXTERNAL_SECRETS: &str = "reconcile.external-secrets.io/";

/// What holds a CA bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleKind {
    /// A `ConfigMap`, as text or as binary data.
    ConfigMap,
    /// A Secret.
    Secret,
}

/// Reads a Secret.
///
/// # Errors
/// Where it does not exist or may not be read.
pub async fn read(client: &Client, namespace: &str, name: &str) -> Result<Secret, Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let call = Call {
        verb: "get",
        resource: "secrets",
        namespace,
        name,
    };
    call.answer(api.get(name)).await
}

/// One value of a Secret as text.
///
/// # Errors
/// Where the key is missing or its value is not UTF-8.
pub fn text(secret: &Secret, key: &str) -> Result<String, Error> {
    let object = object("secrets", &secret.name_any());
    let data = secret.data.as_ref();
    let Some(value) = data.and_then(|data| data.get(key)) else {
        return Err(key_missing(object, key, data.into_iter().flat_map(BTreeMap::keys)));
    };
    String::from_utf8(value.0.clone()).map_err(|_| Error::NotText {
        object,
        key: key.to_owned(),
    })
}

/// All values of a Secret.
#[must_use]
pub fn data(secret: &Secret) -> Data {
    secret
        .data
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.0.clone()))
        .collect()
}

/// A CA bundle: PEM text under a key of a `ConfigMap` or Secret.
///
/// # Errors
/// Where the object or the key is missing or may not be read.
pub async fn ca_bundle(
    client: &Client,
    namespace: &str,
    kind: BundleKind,
    name: &str,
    key: &str,
) -> Result<Vec<u8>, Error> {
    let (resource, values) = match kind {
        BundleKind::Secret => ("secrets", data(&read(client, namespace, name).await?)),
        BundleKind::ConfigMap => ("configmaps", config_map(client, namespace, name).await?),
    };
    values
        .get(key)
        .cloned()
        .ok_or_else(|| key_missing(object(resource, name), key, values.keys()))
}

async fn config_map(client: &Client, namespace: &str, name: &str) -> Result<Data, Error> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let call = Call {
        verb: "get",
        resource: "configmaps",
        namespace,
        name,
    };
    let map = call.answer(api.get(name)).await?;
    let text = map
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| (key, value.into_bytes()));
    let binary = map
        .binary_data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| (key, value.0));
    Ok(text.chain(binary).collect())
}

fn key_missing<'a>(object: String, key: &str, keys: impl Iterator<Item = &'a String>) -> Error {
    let keys: Vec<&str> = keys.map(String::as_str).collect();
    let keys = if keys.is_empty() {
        "it has none".to_owned()
    } else {
        keys.join(", ")
    };
    Error::KeyMissing {
        object,
        key: key.to_owned(),
        keys,
    }
}

/// Why a connection Secret can't be rewritten, or would not stay so. Pure.
#[must_use]
pub fn problems(secret: &Secret) -> Vec<Problem> {
    let object = object("secrets", &secret.name_any());
    let mut problems = Vec::new();
    if secret.immutable == Some(true) {
        let message =
            "it is immutable; replace it by one that is not (delete it and create it without immutable: true)";
        problems.push(Problem::new("SecretImmutable", object.clone(), message));
    }
    let owner = secret
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true) || WRITERS.contains(&owner.kind.as_str()));
    if let Some(owner) = owner {
        let message = format!(
            "{} {} owns it and would write the old values back; let the application read its host from a Secret of its own, or detach it (creationPolicy: Orphan) for the time of the upgrade",
            owner.kind, owner.name
        );
        problems.push(Problem::new("WouldBeReverted", object, message));
    } else if secret
        .labels()
        .keys()
        .chain(secret.annotations().keys())
        .any(|key| key.starts_with(EXTERNAL_SECRETS))
    {
        let message = "External Secrets merges values into it and would write the old ones back; let the application read its host from a Secret of its own";
        problems.push(Problem::new("WouldBeReverted", object, message));
    }
    problems
}

/// Replaces the plan's values in the Secret as it was read, and nothing else. An empty plan changes nothing.
///
/// # Errors
/// [`Error::Conflict`] where the Secret has changed since it was read: read it and plan again.
pub async fn apply(client: &Client, namespace: &str, secret: &Secret, plan: &Plan) -> Result<Secret, Error> {
    if plan.changes.is_empty() {
        return Ok(secret.clone());
    }
    let name = secret.name_any();
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let values: BTreeMap<&str, ByteString> = plan
        .changes
        .iter()
        .map(|change| {
            (
                change.key.as_str(),
                ByteString(change.new_value.expose_secret().as_bytes().to_vec()),
            )
        })
        .collect();
    let patch = json!({
        "metadata": { "uid": secret.uid(), "resourceVersion": secret.resource_version() },
        "data": values,
    });
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let call = Call {
        verb: "patch",
        resource: "secrets",
        namespace,
        name: &name,
    };
    call.answer(api.patch(&name, &params, &Patch::Merge(patch))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &serde_json::Value) -> Secret {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn owned(kind: &str, controller: bool) -> Secret {
        let owner = json!({ "apiVersion": "v1", "kind": kind, "name": "shop", "uid": "1", "controller": controller });
        secret(&json!({ "metadata": { "name": "shop-db", "ownerReferences": [owner] } }))
    }

    #[test]
    fn a_secret_that_would_not_stay_rewritten_is_a_problem() {
        let labelled = json!({ "metadata": { "name": "shop-db",
            "labels": { "reconcile.external-secrets.io/managed": "true" } } });
        let table = [
            (secret(&json!({ "metadata": { "name": "shop-db" } })), None),
            (
                secret(&json!({ "metadata": { "name": "shop-db" }, "immutable": true })),
                Some("SecretImmutable"),
            ),
            (
                secret(&json!({ "metadata": { "name": "shop-db" }, "immutable": false })),
                None,
            ),
            (owned("ExternalSecret", true), Some("WouldBeReverted")),
            (owned("SealedSecret", false), Some("WouldBeReverted")),
            (owned("Anything", true), Some("WouldBeReverted")),
            (owned("Deployment", false), None),
            (secret(&labelled), Some("WouldBeReverted")),
        ];
        for (secret, reason) in table {
            let found = problems(&secret);
            assert_eq!(found.first().map(|problem| problem.reason), reason, "{secret:?}");
            assert!(found.iter().all(|problem| problem.object == "Secret/shop-db"));
        }
    }

    #[test]
    fn a_missing_key_is_told_with_those_that_are_there() {
        let secret = secret(&json!({ "metadata": { "name": "admin" }, "data": { "user": "YQ==", "binary": "/w==" } }));
        assert_eq!(text(&secret, "user").unwrap(), "a");
        let missing = text(&secret, "username").unwrap_err().to_string();
        assert!(
            missing.contains("Secret/admin has no key username") && missing.contains("binary, user"),
            "{missing}"
        );
        assert!(matches!(text(&secret, "binary"), Err(Error::NotText { .. })));
        assert!(
            text(&Secret::default(), "a")
                .unwrap_err()
                .to_string()
                .contains("it has none")
        );
        assert_eq!(data(&secret)["binary"], [0xff]);
    }
}
