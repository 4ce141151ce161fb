//! What `/metrics` tells about each upgrade.
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::api::PostgresUpgradeStatus;

/// Names one resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Resource {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceSide {
    namespace: String,
    name: String,
    side: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourcePhase {
    namespace: String,
    name: String,
    phase: String,
}

/// The registry and its metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: Family<Resource, Counter>,
    errors: Family<Resource, Counter>,
    phase: Family<ResourcePhase, Gauge>,
    lag: Family<Resource, Gauge>,
    retained_wal: Family<Resource, Gauge>,
    apply_rate: Family<Resource, Gauge>,
    database_size: Family<ResourceSide, Gauge>,
    rows_verified: Family<Resource, Gauge>,
    differences: Family<Resource, Gauge>,
    write_gap: Family<Resource, Gauge<f64, AtomicU64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("pgupgrade");
        let metrics = Self {
            reconciles: Family::default(),
            errors: Family::default(),
            phase: Family::default(),
            lag: Family::default(),
            retained_wal: Family::default(),
            apply_rate: Family::default(),
            database_size: Family::default(),
            rows_verified: Family::default(),
            differences: Family::default(),
            write_gap: Family::default(),
            registry: Registry::default(),
        };
        registry.register("reconciles", "Reconciles of the resource", metrics.reconciles.clone());
        registry.register(
            "reconcile_errors",
            "Reconciles that ended with an error",
            metrics.errors.clone(),
        );
        registry.register(
            "phase",
            "1 for the phase that the resource is in",
            metrics.phase.clone(),
        );
        registry.register_with_unit(
            "replication_lag",
            "WAL that the target has not confirmed yet",
            Unit::Bytes,
            metrics.lag.clone(),
        );
        registry.register_with_unit(
            "retained_wal",
            "WAL that the replication slots hold back on the source",
            Unit::Bytes,
            metrics.retained_wal.clone(),
        );
        registry.register(
            "apply_bytes_per_second",
            "Rate at which the target applies the source's WAL",
            metrics.apply_rate.clone(),
        );
        registry.register_with_unit(
            "database_size",
            "Size of the databases that are replicated, on each side",
            Unit::Bytes,
            metrics.database_size.clone(),
        );
        registry.register(
            "verified_rows",
            "Rows compared on both sides",
            metrics.rows_verified.clone(),
        );
        registry.register(
            "differing_tables",
            "Tables found different",
            metrics.differences.clone(),
        );
        registry.register_with_unit(
            "write_gap",
            "From the scale-down until the first write on the new database",
            Unit::Seconds,
            metrics.write_gap.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// The OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut buffer = String::new();
        // Writing into a String doesn't fail.
        let _ = text::encode(&mut buffer, &self.registry);
        buffer
    }

    /// Counts a reconcile and takes over the figures of the status that it left.
    pub fn observe(&self, resource: &Resource, before: &PostgresUpgradeStatus, after: &PostgresUpgradeStatus) {
        self.reconciles.get_or_create(resource).inc();
        let of_phase = |status: &PostgresUpgradeStatus| ResourcePhase {
            namespace: resource.namespace.clone(),
            name: resource.name.clone(),
            phase: status.phase.name().to_owned(),
        };
        if before.phase != after.phase {
            self.phase.remove(&of_phase(before));
        }
        self.phase.get_or_create(&of_phase(after)).set(1);
        if let Some(replication) = &after.replication {
            self.lag
                .get_or_create(resource)
                .set(replication.lag_bytes.unwrap_or_default());
            self.retained_wal
                .get_or_create(resource)
                .set(replication.retained_wal_bytes.unwrap_or_default());
            self.apply_rate
                .get_or_create(resource)
                .set(replication.apply_bytes_per_second.unwrap_or_default());
        }
        if let Some(verification) = &after.verification {
            self.rows_verified
                .get_or_create(resource)
                .set(verification.rows_verified.unwrap_or_default());
            self.differences
                .get_or_create(resource)
                .set(verification.differences.unwrap_or_default());
        }
        if let Some(gap) = after.cutover.as_ref().and_then(|cutover| cutover.write_gap_millis) {
            self.write_gap
                .get_or_create(resource)
                .set(std::time::Duration::from_millis(gap.unsigned_abs()).as_secs_f64());
        }
    }

    /// Takes over the size of the databases on `source` or `target`.
    pub fn database_size(&self, resource: &Resource, side: &'static str, bytes: i64) {
        self.database_size.get_or_create(&of_side(resource, side)).set(bytes);
    }

    /// Counts a reconcile that ended with an error.
    pub fn failed(&self, resource: &Resource) {
        self.errors.get_or_create(resource).inc();
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, resource: &Resource, last: &PostgresUpgradeStatus) {
        self.phase.remove(&ResourcePhase {
            namespace: resource.namespace.clone(),
            name: resource.name.clone(),
            phase: last.phase.name().to_owned(),
        });
        for family in [
            &self.lag,
            &self.retained_wal,
            &self.apply_rate,
            &self.rows_verified,
            &self.differences,
        ] {
            family.remove(resource);
        }
        for side in ["source", "target"] {
            self.database_size.remove(&of_side(resource, side));
        }
        self.write_gap.remove(resource);
        self.reconciles.remove(resource);
        self.errors.remove(resource);
    }
}

fn of_side(resource: &Resource, side: &'static str) -> ResourceSide {
    ResourceSide {
        namespace: resource.namespace.clone(),
        name: resource.name.clone(),
        side,
    }
}
