//! Bounds of the status: the API server refuses a status that is larger, so it is cut to them before it is written.
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::PostgresUpgradeStatus;
use crate::api::Phase;
use crate::api::conditions::{MAX_MESSAGE, MAX_REASON, cut};

pub(super) const MESSAGE: usize = MAX_MESSAGE;
pub(super) const REASON: usize = MAX_REASON;
pub(super) const PHASES: usize = 64;
pub(super) const ATTEMPTS: usize = 10;
pub(super) const DATABASES: usize = 32;
pub(super) const STREAMS: usize = 16;
pub(super) const FINDINGS: usize = 50;
pub(super) const CONNECTIONS: usize = 16;
pub(super) const KEYS: usize = 32;
pub(super) const WORKLOADS: usize = 24;
pub(super) const IDENTITIES: usize = 256;
pub(super) const STEPS: usize = 16;
pub(super) const EVIDENCE: usize = 8;
pub(super) const WORST_TABLES: usize = 10;
/// Object names, DNS names, identifiers, ARNs.
pub(super) const NAME: usize = 512;

impl PostgresUpgradeStatus {
    /// Cuts everything that grows to what the schema allows: the oldest records and the end of long texts go.
    pub fn fit(&mut self) {
        if let Some(message) = &mut self.message {
            *message = cut(message, MESSAGE);
        }
        keep_newest(&mut self.phases, PHASES);
        keep_newest(&mut self.attempts, ATTEMPTS);
        for database in &mut self.databases {
            database.replica_identities.truncate(IDENTITIES);
        }
        if let Some(findings) = &mut self.findings {
            findings.items.truncate(FINDINGS);
            for finding in &mut findings.items {
                finding.object = cut(&finding.object, NAME);
                finding.message = cut(&finding.message, MESSAGE);
            }
        }
        if let Some(verification) = &mut self.verification {
            verification.worst_tables.truncate(WORST_TABLES);
            for table in &mut verification.worst_tables {
                table.name = cut(&table.name, NAME);
                table.message = cut(&table.message, NAME);
            }
        }
        if let Some(cutover) = &mut self.cutover {
            cutover.steps.truncate(STEPS);
            cutover.reason = cutover.reason.as_deref().map(|reason| cut(reason, MESSAGE));
        }
        for condition in &mut self.conditions {
            condition.message = cut(&condition.message, MESSAGE);
        }
    }
}

fn keep_newest<T>(list: &mut Vec<T>, most: usize) {
    list.drain(..list.len().saturating_sub(most));
}

/// A phase without a default: an empty status says nothing.
pub(super) fn phase(generator: &mut SchemaGenerator) -> Schema {
    Phase::json_schema(generator)
}

/// A `metav1.Time` or `metav1.MicroTime`.
pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// `metav1.Condition` with the bounds of its Go type's markers, the only list with a key.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": { "type": "string", "maxLength": 316, "description": "What it is about." },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds." },
                "reason": {
                    "type": "string", "minLength": 1, "maxLength": REASON, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, machine-readable."
                },
                "message": { "type": "string", "maxLength": MESSAGE, "description": "Why, for people." },
                "observedGeneration": {
                    "type": "integer", "format": "int64", "minimum": 0, "description": "The generation of the spec that it is about."
                },
                "lastTransitionTime": {
                    "type": "string", "format": "date-time", "description": "When the status changed last."
                },
            },
        },
    })
}
