//! The operator's own records: one Secret for each `PostgresUpgrade`, `pgupgrade-<uid>` in the operator's namespace. It
//! survives the resource and its namespace, so that what is left over can be cleaned up.
use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::super::error::Call;
use super::super::{Error, FIELD_MANAGER};

/// The record's name.
#[must_use]
pub fn name(uid: &str) -> String {
    format!("pgupgrade-{uid}")
}

/// Adds to the record, which is made if it isn't there. Keys that are not in `content` stay.
///
/// # Errors
/// Where Secrets of the operator's namespace may not be created or changed.
pub async fn write(
    client: &Client,
    namespace: &str,
    uid: &str,
    content: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let name = name(uid);
    let record = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "labels": labels(uid) },
        "type": "pgupgrade.dev/record",
        "stringData": content,
    });
    let call = |verb| Call {
        verb,
        resource: "secrets",
        namespace,
        name: &name,
    };
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match call("patch")
        .answer(api.patch(&name, &params, &Patch::Merge(&record)))
        .await
    {
        Err(Error::NotFound { .. }) => {}
        other => return other.map(drop),
    }
    let secret: Secret =
        serde_json::from_value(record).map_err(|error| call("create").failed(kube::Error::SerdeError(error)))?;
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    call("create").answer(api.create(&params, &secret)).await.map(drop)
}

/// The record's content; `None`: there is no record.
///
/// # Errors
/// Where Secrets of the operator's namespace may not be read, or the content is not text.
pub async fn read(client: &Client, namespace: &str, uid: &str) -> Result<Option<BTreeMap<String, String>>, Error> {
    let secret = match super::read(client, namespace, &name(uid)).await {
        Err(Error::NotFound { .. }) => return Ok(None),
        other => other?,
    };
    let keys = secret.data.iter().flatten().map(|(key, _)| key);
    keys.map(|key| Ok((key.clone(), super::text(&secret, key)?)))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Deletes the record, if there is one.
///
/// # Errors
/// Where Secrets of the operator's namespace may not be deleted.
pub async fn delete(client: &Client, namespace: &str, uid: &str) -> Result<(), Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let name = name(uid);
    let call = Call {
        verb: "delete",
        resource: "secrets",
        namespace,
        name: &name,
    };
    match call.answer(api.delete(&name, &DeleteParams::default())).await {
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn labels(uid: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("app.kubernetes.io/managed-by", "pgupgrade".to_owned()),
        ("pgupgrade.dev/uid", uid.to_owned()),
    ])
}
