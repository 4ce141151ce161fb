//! One reconcile of one resource: its live spec, its status in the making, and ways to the world.
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::connection::{Connector, Credentials, Endpoint};
use pgupgrade_postgres::owner::{self, Claim};
use pgupgrade_rds::Rds;
use secrecy::SecretString;
use serde_json::json;

use super::context::{Context, FIELD_MANAGER};
use super::names;
use super::tasks::{Key, Kind};
use crate::api::conditions::Conditions;
use crate::api::{
    AttemptStatus, CaBundleKind, ConnectionRef, ConnectionRole, DesiredState, EndpointStatus, PostgresUpgrade,
    PostgresUpgradeSpec, PostgresUpgradeStatus, ResolvedStatus, StreamStatus, ValueFormat,
};
use crate::error::Error;
use crate::kubernetes::connections::{Endpoints, Format, KeySpec, Role};
use crate::kubernetes::secrets::{self, BundleKind};
use crate::metrics;

/// The annotation with the meaning of `spec.desiredState`, for those who may not or do not want to change Git.
const DESIRED_STATE: &str = "pgupgrade.dev/desired-state";

/// One reconcile.
pub struct Scope {
    /// What all reconciles share.
    pub context: Arc<Context>,
    /// The object as the API server has it.
    pub object: Arc<PostgresUpgrade>,
    /// The status in the making.
    pub status: PostgresUpgradeStatus,
    /// RDS in the region of the resource.
    pub rds: Rds,
    persisted: PostgresUpgradeStatus,
    resource_version: Option<String>,
}

impl Scope {
    /// A scope over a freshly read object.
    pub async fn new(context: Arc<Context>, object: PostgresUpgrade) -> Self {
        let rds = context
            .rds(object.spec.aws.as_ref().and_then(|aws| aws.region.as_deref()))
            .await;
        let status = object.status.clone().unwrap_or_default();
        let resource_version = object.resource_version();
        Self {
            context,
            persisted: status.clone(),
            status,
            rds,
            resource_version,
            object: Arc::new(object),
        }
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &PostgresUpgradeSpec {
        &self.object.spec
    }

    /// The resource's namespace, in which every object that it names lies.
    #[must_use]
    pub fn namespace(&self) -> String {
        self.object.namespace().unwrap_or_default()
    }

    /// The resource's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.object.name_any()
    }

    /// The resource's uid.
    #[must_use]
    pub fn uid(&self) -> String {
        self.object.uid().unwrap_or_default()
    }

    /// The resource as metrics name it.
    #[must_use]
    pub fn resource(&self) -> metrics::Resource {
        metrics::Resource {
            namespace: self.namespace(),
            name: self.name(),
        }
    }

    /// The value of the owner tag and annotation.
    #[must_use]
    pub fn owner(&self) -> String {
        names::owner(&self.namespace(), &self.name(), &self.uid())
    }

    /// Names a background task of this attempt.
    #[must_use]
    pub fn task(&self, kind: Kind) -> Key {
        Key {
            uid: self.uid(),
            attempt: self.status.attempt.unwrap_or_default(),
            kind,
        }
    }

    /// The inputs that preflight froze.
    ///
    /// # Errors
    /// Where preflight has not passed.
    pub fn resolved(&self) -> Result<&ResolvedStatus, Error> {
        self.status.resolved.as_ref().ok_or(Error::StatusIncomplete("resolved"))
    }

    /// The attempt under way.
    ///
    /// # Errors
    /// Where there is none.
    pub fn attempt(&self) -> Result<&AttemptStatus, Error> {
        self.status.attempts.last().ok_or(Error::StatusIncomplete("attempts"))
    }

    /// The attempt under way, to be changed.
    ///
    /// # Errors
    /// Where there is none.
    pub fn attempt_mut(&mut self) -> Result<&mut AttemptStatus, Error> {
        self.status
            .attempts
            .last_mut()
            .ok_or(Error::StatusIncomplete("attempts"))
    }

    /// The database whose fence row decides.
    ///
    /// # Errors
    /// Where preflight has not passed.
    pub fn database(&self) -> Result<String, Error> {
        self.resolved()?
            .databases
            .first()
            .cloned()
            .ok_or(Error::StatusIncomplete("resolved.databases"))
    }

    /// Every stream of every database.
    pub fn streams(&self) -> impl Iterator<Item = &StreamStatus> {
        self.status.databases.iter().flat_map(|database| &database.streams)
    }

    /// What the user wants: the further of the spec's word and the annotation's.
    #[must_use]
    pub fn desired_state(&self) -> DesiredState {
        let annotated = match self.object.annotations().get(DESIRED_STATE).map(String::as_str) {
            Some("Aborted") => DesiredState::Aborted,
            Some("Finalized") => DesiredState::Finalized,
            _ => DesiredState::Upgraded,
        };
        if annotated == DesiredState::Upgraded {
            self.spec().desired_state
        } else {
            annotated
        }
    }

    /// Whether the user has given the resource up, by deletion or by word.
    #[must_use]
    pub fn is_unwanted(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some() || self.desired_state() == DesiredState::Aborted
    }

    /// What the new cluster is called: as the spec says, else after the source and the new major version.
    #[must_use]
    pub fn target_identifier(&self, target_version: Option<&str>) -> String {
        let target = &self.spec().target;
        target.identifier.clone().unwrap_or_else(|| {
            let version = target_version.unwrap_or(&target.engine_version);
            format!("{}-{}", self.spec().source.identifier, names::major(version))
        })
    }

    /// Sets a condition of the status in the making.
    pub fn condition(&mut self, type_: &str, holds: bool, reason: &str, message: &str) {
        let generation = self.object.metadata.generation;
        Conditions::new(&mut self.status.conditions, generation, now()).set(type_, holds, reason, message);
    }

    /// Claims the database for this leader, so that a stale one's transactions are refused.
    ///
    /// # Errors
    /// Where another resource owns it.
    pub async fn claim(&self, session: &Session) -> Result<Claim, Error> {
        let resource = format!("{}/{}", self.namespace(), self.name());
        Ok(owner::claim(session, &resource, &self.uid(), &self.context.settings.cluster).await?)
    }

    /// How values of the application may name the source.
    ///
    /// # Errors
    /// Where preflight has not passed.
    pub fn source_endpoints(&self) -> Result<Endpoints, Error> {
        let resolved = self.resolved()?;
        let writer = resolved
            .source_endpoint
            .as_ref()
            .ok_or(Error::StatusIncomplete("resolved.sourceEndpoint"))?;
        let aliases = self.spec().source.endpoint_aliases.clone();
        Ok(endpoints(writer, resolved.source_reader_endpoint.as_ref(), aliases))
    }

    /// How they name the target from the cutover on.
    ///
    /// # Errors
    /// Where there is no clone yet.
    pub fn target_endpoints(&self) -> Result<Endpoints, Error> {
        let attempt = self.attempt()?;
        let writer = attempt
            .target_endpoint
            .as_ref()
            .ok_or(Error::StatusIncomplete("attempts[].targetEndpoint"))?;
        Ok(endpoints(writer, attempt.target_reader_endpoint.as_ref(), Vec::new()))
    }

    /// Writes the status now, if it has changed: an identifier is persisted before the side effect that uses it.
    ///
    /// # Errors
    /// A conflict where somebody else wrote the status since it was read, as a second leader would. A change of the spec
    /// or of an annotation is none: the next reconcile sees it.
    pub async fn persist(&mut self) -> Result<(), Error> {
        self.status.fit();
        if self.status == self.persisted {
            return Ok(());
        }
        loop {
            match self.write_status().await {
                Err(error) if error.is_conflict() && self.only_the_rest_changed().await? => {}
                result => return result,
            }
        }
    }

    async fn write_status(&mut self) -> Result<(), Error> {
        let patch = json!({
            "apiVersion": PostgresUpgrade::api_version(&()),
            "kind": PostgresUpgrade::kind(&()),
            "metadata": { "resourceVersion": self.resource_version },
            "status": self.status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let what = format!("writing the status of {}/{}", self.namespace(), self.name());
        let (api, name) = (self.api(), self.name());
        let written = answered(&what, api.patch_status(&name, &parameters, &Patch::Apply(patch))).await?;
        self.resource_version = written.resource_version();
        self.persisted = written.status.unwrap_or_default();
        self.status = self.persisted.clone();
        Ok(())
    }

    /// Whether the live object has the status that was last written; its version is taken over then.
    async fn only_the_rest_changed(&mut self) -> Result<bool, Error> {
        let what = format!("reading {}/{}", self.namespace(), self.name());
        let live = answered(&what, self.api().get_opt(&self.name())).await?;
        let Some(live) = live.filter(|live| live.uid() == self.object.uid()) else {
            return Ok(false);
        };
        let same = live.status.clone().unwrap_or_default() == self.persisted;
        if same {
            self.resource_version = live.resource_version();
        }
        Ok(same)
    }

    fn api(&self) -> Api<PostgresUpgrade> {
        Api::namespaced(self.context.client.clone(), &self.namespace())
    }

    /// Publishes an event. One that can't be published is only logged: nothing depends on it.
    pub fn event(&self, type_: EventType, reason: &str, note: impl Into<String>) {
        let mut note = note.into();
        if note.len() > MAX_NOTE {
            note.truncate(note.floor_char_boundary(MAX_NOTE));
        }
        tracing::info!(resource = %self.owner(), reason, note, "event");
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: self.status.phase.name().to_owned(),
            secondary: None,
        };
        let (recorder, reference) = (self.context.recorder.clone(), self.object.object_ref(&()));
        let reason = reason.to_owned();
        // Beside the work: the application may be waiting for it.
        tokio::spawn(async move {
            if let Err(error) = recorder.publish(&event, &reference).await {
                tracing::warn!(%error, reason, "event not published");
            }
        });
    }

    /// The administrator's name and password, read anew at every use since both may rotate.
    ///
    /// # Errors
    /// Where the Secret or one of its keys is missing or can't be read.
    pub async fn credentials(&self) -> Result<Credentials, Error> {
        let reference = &self.spec().source.credentials.secret_ref;
        let secret = secrets::read(&self.context.client, &self.namespace(), &reference.name).await?;
        let username = secrets::text(&secret, &reference.username_key)?;
        let password = secrets::text(&secret, &reference.password_key)?;
        Ok(Credentials {
            username,
            password: SecretString::from(password),
        })
    }

    /// The certificates that a server's own must lead to.
    ///
    /// # Errors
    /// Where the named bundle is missing.
    pub async fn ca_bundle(&self) -> Result<Vec<u8>, Error> {
        let client = &self.context.client;
        match &self.spec().source.ca_bundle_ref {
            Some(reference) => Ok(secrets::ca_bundle(
                client,
                &self.namespace(),
                bundle_kind(reference.kind),
                &reference.name,
                &reference.key,
            )
            .await?),
            None => Ok(self.context.settings.read_ca_bundle()?),
        }
    }

    /// Ways to the source, as the administrator.
    ///
    /// # Errors
    /// Where the credentials or the CA bundle can't be read.
    pub async fn source(&self) -> Result<Connector, Error> {
        let endpoint = self
            .resolved()?
            .source_endpoint
            .clone()
            .ok_or(Error::StatusIncomplete("resolved.sourceEndpoint"))?;
        self.connector(&endpoint.host, endpoint.port).await
    }

    /// Ways to the source's readers, as the administrator; none where it has no endpoint for them. Where it has no
    /// readers, the endpoint leads to the writer (Aurora User Guide, "Reader endpoints").
    ///
    /// # Errors
    /// Where the credentials or the CA bundle can't be read.
    pub async fn source_reader(&self) -> Result<Option<Connector>, Error> {
        match &self.resolved()?.source_reader_endpoint {
            Some(endpoint) => Ok(Some(self.connector(&endpoint.host, endpoint.port).await?)),
            None => Ok(None),
        }
    }

    /// Ways to this attempt's clone, as the administrator.
    ///
    /// # Errors
    /// Where the credentials or the CA bundle can't be read, or there is no clone yet.
    pub async fn target(&self) -> Result<Connector, Error> {
        let endpoint = self
            .attempt()?
            .target_endpoint
            .clone()
            .ok_or(Error::StatusIncomplete("attempts[].targetEndpoint"))?;
        self.connector(&endpoint.host, endpoint.port).await
    }

    /// Ways to a server, as the administrator.
    ///
    /// # Errors
    /// Where the credentials or the CA bundle can't be read.
    pub async fn connector(&self, host: &str, port: u16) -> Result<Connector, Error> {
        let endpoint = Endpoint {
            host: host.to_owned(),
            port,
        };
        Ok(Connector::new(
            endpoint,
            self.credentials().await?,
            &self.ca_bundle().await?,
        )?)
    }
}

const MAX_NOTE: usize = 1000;

fn endpoints(writer: &EndpointStatus, reader: Option<&EndpointStatus>, aliases: Vec<String>) -> Endpoints {
    Endpoints {
        writer: writer.host.clone(),
        reader: reader.map(|reader| reader.host.clone()),
        port: writer.port,
        aliases,
    }
}

fn bundle_kind(kind: CaBundleKind) -> BundleKind {
    match kind {
        CaBundleKind::ConfigMap => BundleKind::ConfigMap,
        CaBundleKind::Secret => BundleKind::Secret,
    }
}

/// The Kubernetes client itself waits for an answer for ever.
const ANSWER: Duration = Duration::from_secs(30);

/// A call to the Kubernetes API that is answered in time.
///
/// # Errors
/// Where it is refused or not answered.
pub async fn answered<T>(what: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER, call).await {
        Ok(answer) => answer.map_err(Error::api(what)),
        Err(_) => Err(Error::NoAnswer {
            what: what.to_owned(),
            waited: ANSWER,
        }),
    }
}

/// The time, in one place.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The keys that the spec names, as the connections module takes them. None: they are found by themselves.
#[must_use]
pub fn key_specs(connection: &ConnectionRef) -> Vec<KeySpec> {
    let format = |format| match format {
        ValueFormat::Host => Format::Host,
        ValueFormat::Port => Format::Port,
        ValueFormat::HostPort => Format::HostPort,
        ValueFormat::Uri => Format::Uri,
        ValueFormat::JdbcUrl => Format::JdbcUrl,
        ValueFormat::KeywordValue => Format::KeywordValue,
    };
    let role = |role| match role {
        ConnectionRole::Writer => Role::Writer,
        ConnectionRole::Reader => Role::Reader,
    };
    connection
        .keys
        .iter()
        .map(|key| KeySpec {
            key: key.key.clone(),
            format: Some(format(key.format)),
            role: Some(role(key.role)),
        })
        .collect()
}
