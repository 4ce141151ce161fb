//! What need not be read again: kept beside the report, for the process that compares next.
use std::io::Read as _;
use std::sync::Arc;

use flate2::read::GzDecoder;
use futures::FutureExt as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Resource as _};
use pgupgrade_verify::{KeepFn, Known};
use serde::{Deserialize, Serialize};

use super::report::{self, compressed};
use crate::api::DatabaseStatus;
use crate::controller::scope::Scope;
use crate::error::Error;

/// The key in the `ConfigMap`: JSON, compressed with gzip.
const KEY: &str = "known.json.gz";
/// Another one than the report's: each applies what is its own.
const FIELD_MANAGER: &str = "pgupgrade-known";
/// Tables that are kept, the largest: with the report they have to fit into the MiB of a `ConfigMap`.
const TABLES: usize = 5_000;
/// What is read at most, in bytes.
const LARGEST: u64 = 16 << 20;

/// What is kept, with the slot before whose position it was written down.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    slot: String,
    known: Known,
}

/// Reads and writes what is known of a database.
#[derive(Clone)]
pub struct Keeper {
    api: Api<ConfigMap>,
    name: String,
    owner: Option<OwnerReference>,
    slot: String,
}

impl Keeper {
    /// For the database of the attempt under way.
    ///
    /// # Errors
    /// Where its verification slot is not in the status.
    pub fn of(scope: &Scope, database: &DatabaseStatus) -> Result<Self, Error> {
        let verification = database.verification.as_ref();
        let verification = verification.ok_or(Error::StatusIncomplete("databases[].verification"))?;
        Ok(Self {
            api: Api::namespaced(scope.context.client.clone(), &scope.namespace()),
            name: report::name(&scope.name()),
            owner: scope.object.controller_owner_ref(&()),
            slot: verification.slot.clone(),
        })
    }

    /// What was written down; none where it belongs to another attempt, or can't be read: then every row is.
    ///
    /// # Errors
    /// Where the API server refuses.
    pub async fn read(&self) -> Result<Option<Known>, Error> {
        let object = self.api.get_opt(&self.name).await.map_err(Error::Report)?;
        let data = object.and_then(|object| object.binary_data?.remove(KEY));
        let Some(ByteString(data)) = data else { return Ok(None) };
        match decoded(&data) {
            Ok(kept) => Ok(Some(kept.known).filter(|_| kept.slot == self.slot)),
            Err(error) => {
                tracing::warn!(configmap = self.name, %error, "what was compared before can't be read; every row is compared");
                Ok(None)
            }
        }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// Where the API server refuses.
    pub async fn write(&self, known: Known) -> Result<(), Error> {
        let kept = Kept {
            slot: self.slot.clone(),
            known: known.largest(TABLES),
        };
        let object = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                owner_references: self.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            binary_data: Some([(KEY.to_owned(), ByteString(compressed(&kept)?))].into()),
            ..ConfigMap::default()
        };
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let written = self.api.patch(&self.name, &parameters, &Patch::Apply(&object)).await;
        written.map(drop).map_err(Error::Report)
    }

    /// Writes it down for a comparison.
    #[must_use]
    pub fn keep(self) -> KeepFn {
        Arc::new(move |known| {
            let keeper = self.clone();
            async move { keeper.write(known).await.map_err(|error| error.to_string()) }.boxed()
        })
    }
}

fn decoded(data: &[u8]) -> Result<Kept, std::io::Error> {
    let mut text = Vec::new();
    GzDecoder::new(data).take(LARGEST).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let kept = Kept {
            slot: "slot".to_owned(),
            known: Known::default(),
        };
        let data = compressed(&kept).unwrap();
        let read = decoded(&data).unwrap();
        assert_eq!((read.slot, read.known), (kept.slot, kept.known));
        for cut in 0..data.len() {
            assert!(decoded(&data[..cut]).is_err(), "{cut} bytes");
        }
        assert!(decoded(b"{}").is_err());
    }
}
