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
    let writer_identifier = names::writer(&identifier);
    let writer = scope.rds.instance(&writer_identifier).await?;
    match decide(&source, &clone, writer.as_ref(), &scope.owner()) {
        Step::Cloned => {}
        Step::CreateWriter => {
            create_writer(scope, &source, &clone, &writer_identifier, &tags).await?;
            return Ok(waiting(scope, &format!("creating instance {writer_identifier}")));
        }
        Step::Wait(what) => return Ok(waiting(scope, &what)),
        Step::Taken => {
            let message = format!(
                "DB cluster {identifier} exists and is not ours (tag {}); free the name or create a PostgresUpgrade with another target.identifier",
                names::OWNER
            );
            return Ok(Outcome::hold("TargetIdentifierTaken", message));
        }
        Step::Useless { reason, message } => return Ok(Outcome::NextAttempt { reason, message }),
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
    scope.event(EventType::Normal, "CloneCreated", format!("{identifier} is available"));
    Ok(Outcome::Advance(Phase::Pinning))
}

/// What the clone needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// A cluster of this name is somebody else's.
    Taken,
    /// Something is under way.
    Wait(String),
    /// The volume is there; its instance is next.
    CreateWriter,
    /// Both are available.
    Cloned,
    /// Another clone has to be made.
    Useless {
        /// Machine-readable.
        reason: &'static str,
        /// Why.
        message: String,
    },
}

/// Pure.
fn decide(source: &Cluster, clone: &Cluster, writer: Option<&Instance>, owner: &str) -> Step {
    let identifier = &clone.identifier;
    if clone.tags.get(names::OWNER).map(String::as_str) != Some(owner) {
        return Step::Taken;
    }
    let useless = |reason, message| Step::Useless { reason, message };
    match clone.health() {
        Health::Broken(why) => return useless("CloneFailed", format!("clone {identifier}: {why}")),
        Health::Working => return Step::Wait(format!("clone {identifier} is {}", clone.status)),
        Health::Available => {}
    }
    // RDS upgrades a clone by itself where the source's major version is past its standard support.
    if clone.engine_version != source.engine_version {
        let message = format!(
            "clone {identifier} has engine version {}, the source {}: its position can't be proven",
            clone.engine_version, source.engine_version
        );
        return useless("CloneVersionDiffers", message);
    }
    let Some(writer) = writer else {
        return Step::CreateWriter;
    };
    match writer.health() {
        Health::Broken(why) => useless("CloneFailed", format!("instance {}: {why}", writer.identifier)),
        Health::Working => Step::Wait(format!("instance {} is {}", writer.identifier, writer.status)),
        Health::Available => Step::Cloned,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_own_clone_of_the_same_version_is_used() {
        let cluster = |status: &str, version: &str, owner: &str| Cluster {
            identifier: "c".to_owned(),
            status: status.to_owned(),
            engine_version: version.to_owned(),
            tags: BTreeMap::from([(names::OWNER.to_owned(), owner.to_owned())]),
            ..Cluster::default()
        };
        let writer = |status: &str| {
            Some(Instance {
                identifier: "c-1".to_owned(),
                status: status.to_owned(),
                ..Instance::default()
            })
        };
        let source = cluster("available", "17.6", "");
        let table = [
            (cluster("available", "17.6", "other"), writer("available"), "Taken"),
            (
                Cluster {
                    tags: BTreeMap::new(),
                    ..cluster("available", "17.6", "")
                },
                None,
                "Taken",
            ),
            (cluster("creating", "17.6", "me"), None, "Wait(\"clone c is creating"),
            (
                cluster("cloning-failed", "17.6", "me"),
                None,
                "Useless { reason: \"CloneFailed",
            ),
            (
                cluster("available", "18.6", "me"),
                None,
                "Useless { reason: \"CloneVersionDiffers",
            ),
            (cluster("available", "17.6", "me"), None, "CreateWriter"),
            (
                cluster("available", "17.6", "me"),
                writer("creating"),
                "Wait(\"instance c-1 is creating",
            ),
            (
                cluster("available", "17.6", "me"),
                writer("incompatible-network"),
                "Useless { reason: \"CloneFailed",
            ),
            (cluster("available", "17.6", "me"), writer("available"), "Cloned"),
        ];
        for (clone, writer, expected) in table {
            let step = format!("{:?}", decide(&source, &clone, writer.as_ref(), "me"));
            assert!(step.starts_with(expected), "{clone:?} {writer:?}: {step}");
        }
    }
}
