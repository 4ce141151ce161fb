//! Step 1: may the cutover start now? The decision is pure.
use std::time::Duration;

use pgupgrade_postgres::connection::Profile;
use pgupgrade_postgres::inspect;

use crate::controller::scope::Scope;
use crate::error::Error;
use crate::kubernetes::workloads;
use crate::verification::assess::{Compared, some};

/// What the gate looks at.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The token that the user has given, in the spec or by annotation.
    pub given: Option<String>,
    /// The token on offer.
    pub offered: String,
    /// Time to drain what the target lacks, at the measured rate.
    pub lag: Duration,
    /// The longest lag with which a cutover starts.
    pub max_lag: Duration,
    /// The age of the oldest transaction on the source.
    pub transaction_age: Duration,
    /// The oldest transaction with which a cutover starts.
    pub max_transaction_age: Duration,
    /// Prepared transactions hold locks that nobody can end.
    pub prepared: Vec<String>,
    /// How far reading all rows is, where it has not come to its end.
    pub unverified: Option<String>,
    /// How the schemas differ.
    pub schema: Vec<String>,
    /// Indexes of the target that are out of order.
    pub indexes: Vec<String>,
    /// Deployments that aren't as they should be.
    pub workloads: Vec<String>,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the cutover may start.
    pub allowed: bool,
    /// The reason of the condition `CutoverAllowed`.
    pub reason: &'static str,
    /// For the user.
    pub message: String,
}

/// Decides. Nothing but the offered token itself is an approval.
#[must_use]
pub fn decide(seen: &Observation) -> Decision {
    let no = |reason, message| Decision {
        allowed: false,
        reason,
        message,
    };
    let offered = &seen.offered;
    if !seen.indexes.is_empty() {
        return no(
            "IndexBroken",
            format!(
                "nothing is cut over before these indexes of the new database are built anew: {}",
                some(&seen.indexes)
            ),
        );
    }
    let Some(given) = seen.given.as_deref() else {
        return no(
            "AwaitingApproval",
            format!(
                "ready: approve with spec.cutover.approval.token: {offered}, or kubectl annotate pgupgrade.dev/approve={offered}"
            ),
        );
    };
    if given != offered {
        return no(
            "TokenOutdated",
            format!("token {given} is not on offer; approve with {offered}"),
        );
    }
    if let Some(how_far) = &seen.unverified {
        return no(
            "NotVerified",
            format!("approved; waiting until every row is compared: {how_far}"),
        );
    }
    if !seen.schema.is_empty() {
        return no(
            "SchemaChanged",
            format!(
                "approved; the schemas differ, make them equal or begin anew: {}",
                some(&seen.schema)
            ),
        );
    }
    if !seen.workloads.is_empty() {
        return no(
            "WorkloadNotHealthy",
            format!("approved; waiting for the workloads: {}", seen.workloads.join("; ")),
        );
    }
    if !seen.prepared.is_empty() {
        return no(
            "LongTransaction",
            format!(
                "approved; waiting for prepared transactions to be committed or rolled back: {}",
                seen.prepared.join(", ")
            ),
        );
    }
    if seen.transaction_age > seen.max_transaction_age {
        return no(
            "LongTransaction",
            format!(
                "approved; waiting for a transaction that is {} s old (limit {} s) to end",
                seen.transaction_age.as_secs(),
                seen.max_transaction_age.as_secs()
            ),
        );
    }
    if seen.lag > seen.max_lag {
        return no(
            "LagTooHigh",
            format!(
                "approved; waiting until the lag of {:.1} s is below {:.1} s",
                seen.lag.as_secs_f64(),
                seen.max_lag.as_secs_f64()
            ),
        );
    }
    Decision {
        allowed: true,
        reason: "Allowed",
        message: format!("approved with {offered}"),
    }
}

/// Looks.
///
/// # Errors
/// Where the source or the API server does not answer.
pub async fn observe(
    scope: &Scope,
    given: Option<String>,
    offered: String,
    lag: Duration,
    compared: Compared,
) -> Result<Observation, Error> {
    let spec = &scope.spec().cutover;
    let session = scope
        .source()
        .await?
        .connect(&scope.database()?, Profile::Observe)
        .await?;
    let namespace = scope.namespace();
    let mut problems = Vec::new();
    for reference in &scope.spec().application.workloads {
        let workload = workloads::read(&scope.context.client, &namespace, &reference.name).await?;
        problems.extend(
            workloads::problems(&workload, &scope.owner())
                .into_iter()
                .map(|problem| problem.message),
        );
    }
    let (unverified, schema, indexes) = match compared {
        Compared::Reading(how_far) => (Some(how_far), Vec::new(), Vec::new()),
        Compared::Verified(remaining) => (None, remaining.schema, remaining.indexes),
    };
    Ok(Observation {
        unverified,
        schema,
        indexes,
        given,
        offered,
        lag,
        max_lag: spec.max_lag.get(),
        transaction_age: inspect::oldest_transaction(&session)
            .await?
            .map(|oldest| oldest.age)
            .unwrap_or_default(),
        max_transaction_age: spec.max_transaction_age.get(),
        prepared: inspect::prepared_transactions(&session)
            .await?
            .into_iter()
            .map(|prepared| prepared.gid)
            .collect(),
        workloads: problems,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Observation {
        Observation {
            given: Some("1-1-abcdef".to_owned()),
            offered: "1-1-abcdef".to_owned(),
            max_lag: Duration::from_secs(5),
            max_transaction_age: Duration::from_secs(30),
            ..Observation::default()
        }
    }

    #[test]
    fn a_cutover_starts_only_when_everything_is_met() {
        let table: [(&str, Observation, &str); 13] = [
            ("all met", ready(), "Allowed"),
            ("no token", Observation { given: None, ..ready() }, "AwaitingApproval"),
            (
                "old token",
                Observation {
                    given: Some("1-0-abcdef".to_owned()),
                    ..ready()
                },
                "TokenOutdated",
            ),
            (
                "another attempt's",
                Observation {
                    given: Some("2-1-abcdef".to_owned()),
                    ..ready()
                },
                "TokenOutdated",
            ),
            (
                "empty token",
                Observation {
                    given: Some(String::new()),
                    ..ready()
                },
                "TokenOutdated",
            ),
            (
                "lag",
                Observation {
                    lag: Duration::from_secs(6),
                    ..ready()
                },
                "LagTooHigh",
            ),
            (
                "long transaction",
                Observation {
                    transaction_age: Duration::from_secs(31),
                    ..ready()
                },
                "LongTransaction",
            ),
            (
                "prepared transaction",
                Observation {
                    prepared: vec!["x".to_owned()],
                    ..ready()
                },
                "LongTransaction",
            ),
            (
                "not all rows compared",
                Observation {
                    unverified: Some("1 of 2 tables".to_owned()),
                    ..ready()
                },
                "NotVerified",
            ),
            (
                "schema",
                Observation {
                    schema: vec!["index".to_owned()],
                    ..ready()
                },
                "SchemaChanged",
            ),
            (
                "index",
                Observation {
                    indexes: vec!["index".to_owned()],
                    ..ready()
                },
                "IndexBroken",
            ),
            (
                "index, before anybody is asked to approve",
                Observation {
                    given: None,
                    indexes: vec!["index".to_owned()],
                    ..ready()
                },
                "IndexBroken",
            ),
            (
                "workload",
                Observation {
                    workloads: vec!["not ready".to_owned()],
                    ..ready()
                },
                "WorkloadNotHealthy",
            ),
        ];
        for (case, seen, reason) in table {
            let decision = decide(&seen);
            assert_eq!(decision.reason, reason, "{case}");
            assert_eq!(decision.allowed, reason == "Allowed", "{case}");
        }
    }
}
