//! Read-only: every unmet requirement at once, each with its reason and its fix. Then the inputs are frozen.
mod decide;
mod moved;
mod observation;
mod observe;

use crate::api::conditions;
use crate::api::{
    ConnectionKind, EndpointStatus, FindingsStatus, Phase, ResolvedConnection, ResolvedStatus, Severity, Writer,
};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::error::Error;
use moved::Moved;
use observation::Observation;

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    let seen = observe::observe(scope).await?;
    match moved::decide(&seen, &scope.uid(), names::major(&scope.spec().target.engine_version)) {
        Moved::No => {}
        Moved::AlreadyUpgraded(message) => {
            scope.status.writer = Some(Writer::Target);
            scope.condition(conditions::SUCCEEDED, true, "AlreadyUpgraded", &message);
            return Ok(Outcome::Conclude {
                phase: Phase::Succeeded,
                reason: "AlreadyUpgraded",
                message,
            });
        }
        Moved::Elsewhere(message) => return Ok(Outcome::hold("SourceAlreadyMoved", message)),
        Moved::Owned(message) => return Ok(Outcome::hold("SourceOwnedByAnother", message)),
    }
    let findings = decide::findings(scope.spec(), &scope.owner(), &seen);
    let blocking: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Blocking)
        .cloned()
        .collect();
    let warnings = findings.len() - blocking.len();
    scope.status.findings = Some(FindingsStatus::of(findings));
    if blocking.is_empty() {
        let message = format!("{warnings} warnings");
        scope.condition(conditions::PREFLIGHT_PASSED, true, "NoBlockingFindings", &message);
        freeze(scope, &seen)?;
        return Ok(Outcome::Advance(Phase::PreparingSource));
    }
    let listed: Vec<String> = blocking
        .iter()
        .map(|finding| format!("{} {}: {}", finding.reason, finding.object, finding.message))
        .collect();
    let message = format!("{} blocking findings: {}", listed.len(), listed.join("; "));
    scope.condition(conditions::PREFLIGHT_PASSED, false, "BlockingFindings", &message);
    Ok(Outcome::hold("PreflightBlocked", message))
}

/// Everything that is decided by now, so that no later change of the world changes what was approved.
fn freeze(scope: &mut Scope, seen: &Observation) -> Result<(), Error> {
    let cluster = seen
        .aws
        .cluster
        .as_ref()
        .ok_or(Error::StatusIncomplete("the source cluster"))?;
    let target = scope.target_identifier(seen.aws.target_version.as_deref());
    let databases: Vec<String> = seen
        .source
        .iter()
        .flat_map(|source| &source.databases)
        .filter(|database| !database.tables.is_empty())
        .map(|database| database.name.clone())
        .collect();
    let connections = seen
        .application
        .connections
        .iter()
        .map(|connection| ResolvedConnection {
            kind: ConnectionKind::Secret,
            name: connection.name.clone(),
            keys: connection.keys.clone(),
        })
        .collect();
    let mut resolved = ResolvedStatus {
        source_arn: Some(cluster.arn.clone()),
        source_resource_id: Some(cluster.resource_id.clone()),
        engine: Some(cluster.engine.clone()),
        source_engine_version: Some(cluster.engine_version.clone()),
        target_engine_version: seen.aws.target_version.clone(),
        target_identifier: Some(target),
        source_endpoint: Some(EndpointStatus {
            host: cluster.host.clone(),
            port: cluster.port,
        }),
        source_reader_endpoint: cluster.reader_host.clone().map(|host| EndpointStatus {
            host,
            port: cluster.port,
        }),
        databases,
        connections,
        ..ResolvedStatus::default()
    };
    resolved.spec_hash = Some(names::hash(&format!("{resolved:?}")));
    scope.status.resolved = Some(resolved);
    Ok(())
}
