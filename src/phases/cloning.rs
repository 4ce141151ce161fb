//! Makes the copy-on-write clone and its writer, under a parameter group that keeps everybody from writing on it.
use std::collections::BTreeMap;
use std::time::Duration;

use kube::runtime::events::EventType;
use pgupgrade_rds::{CloneRequest, Cluster, Health, Instance};

use super::capturing;
use crate::api::{EndpointStatus, Phase};
use crate::controller::names;
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::error::Error;

/// Cloning is copy-on-write, but the instance has to be provisioned.
const LIMIT: Duration = Duration::from_hours(1);

pub async fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    // Another process may have written them until now.
    capturing::keep_marking(scope).await?;
    let source_identifier = scope.spec().source.identifier.clone();
    let Some(source) = scope.rds.cluster(&source_identifier).await? else {
        return Ok(Outcome::hold(
            "SourceNotFound",
            format!("DB cluster {source_identifier} does not exist any more"),
        ));
    };
    let identifier = scope.attempt()?.target_identifier.clone();
    let tags = tags(scope);
    let Some(clone) = scope.rds.cluster(&identifier).await? else {
        create_clone(scope, &source, &identifier, &tags).await?;
        return Ok(waiting(scope, &format!("cloning {source_identifier} as {identifier}")));
    };
    if clone.tags.get(names::OWNER) != Some(&scope.owner()) {
        let message = format!(
            "DB cluster {identifier} exists and is not ours (tag {}); free the name or create a PostgresUpgrade with another target.identifier",
            names::OWNER
        );
        return Ok(Outcome::hold("TargetIdentifierTaken", message));
    }
    if let Health::Broken(why) = clone.health() {
        return Ok(Outcome::NextAttempt {
            reason: "CloneFailed",
            message: format!("clone {identifier}: {why}"),
        });
    }
    if clone.health() == Health::Working {
        return Ok(waiting(scope, &format!("clone {identifier} is {}", clone.status)));
    }
    let writer_identifier = names::writer(&identifier);
    let Some(writer) = scope.rds.instance(&writer_identifier).await? else {
        create_writer(scope, &source, &clone, &writer_identifier, &tags).await?;
        return Ok(waiting(scope, &format!("creating instance {writer_identifier}")));
    };
    if let Health::Broken(why) = writer.health() {
        return Ok(Outcome::NextAttempt {
            reason: "CloneFailed",
            message: format!("instance {writer_identifier}: {why}"),
        });
    }
    if writer.health() == Health::Working {
        return Ok(waiting(
            scope,
            &format!("instance {writer_identifier} is {}", writer.status),
        ));
    }
    if clone.engine_version != source.engine_version {
        let message = format!(
            "clone {identifier} has engine version {}, the source {}: its position can't be proven",
            clone.engine_version, source.engine_version
        );
        return Ok(Outcome::NextAttempt {
            reason: "CloneVersionDiffers",
            message,
        });
    }
    let endpoint = EndpointStatus {
        host: clone.endpoint.host.clone(),
        port: clone.endpoint.port,
    };
    let reader = clone.reader_endpoint.clone().map(|host| EndpointStatus {
        host,
        port: clone.endpoint.port,
    });
    let attempt = scope.attempt_mut()?;
    attempt.target_endpoint = Some(endpoint);
    attempt.target_reader_endpoint = reader;
    attempt.target_arn = Some(clone.arn.clone());
    scope
        .event(EventType::Normal, "CloneCreated", format!("{identifier} is available"))
        .await;
    Ok(Outcome::Advance(Phase::Pinning))
}

fn waiting(scope: &Scope, what: &str) -> Outcome {
    Outcome::wait(
        scope.context.settings.poll,
        LIMIT,
        "Cloning",
        format!("{what}; nothing to do for you"),
    )
}

async fn create_clone(
    scope: &Scope,
    source: &Cluster,
    identifier: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let group = scope
        .attempt()?
        .clone_parameter_group
        .clone()
        .ok_or(Error::StatusIncomplete("attempts[].cloneParameterGroup"))?;
    let family = scope
        .rds
        .parameter_group_family(&source.engine, &source.engine_version)
        .await?;
    // Nobody may write on the clone before its position is proven: no autovacuum, and no copied subscription.
    let mut parameters = scope.rds.user_cluster_parameters(&source.parameter_group).await?;
    for (name, value) in [
        ("rds.logical_replication", "1"),
        ("autovacuum", "0"),
        ("max_logical_replication_workers", "0"),
    ] {
        parameters.insert(name.to_owned(), value.to_owned());
    }
    let description = format!("clone of {} before its upgrade", source.identifier);
    scope
        .rds
        .ensure_cluster_parameter_group(&group, &family, &description, tags, &parameters)
        .await?;
    let request = CloneRequest {
        source,
        identifier,
        parameter_group: &group,
        tags,
    };
    Ok(scope.rds.clone_cluster(&request).await?)
}

async fn create_writer(
    scope: &Scope,
    source: &Cluster,
    clone: &Cluster,
    identifier: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let like = source_writer(scope, source).await?;
    let class = scope
        .spec()
        .target
        .db_instance_class
        .clone()
        .unwrap_or_else(|| like.class.clone());
    Ok(scope
        .rds
        .create_writer(clone, identifier, &class, &like.parameter_group, tags)
        .await?)
}

/// The writer of the source, whose class and parameter group the clone takes over.
async fn source_writer(scope: &Scope, source: &Cluster) -> Result<Instance, Error> {
    let writer = source
        .writer()
        .ok_or(Error::StatusIncomplete("the source's writer instance"))?;
    scope
        .rds
        .instance(&writer)
        .await?
        .ok_or(Error::StatusIncomplete("the source's writer instance"))
}

/// What everything that is made for this resource is tagged with.
pub fn tags(scope: &Scope) -> BTreeMap<String, String> {
    let mut tags: BTreeMap<String, String> = scope.spec().target.tags.clone();
    tags.insert(names::OWNER.to_owned(), scope.owner());
    tags.insert("app.kubernetes.io/managed-by".to_owned(), "pgupgrade".to_owned());
    tags.insert(
        "pgupgrade.dev/attempt".to_owned(),
        scope.status.attempt.unwrap_or_default().to_string(),
    );
    tags
}
