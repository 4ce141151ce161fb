//! What each version of the engine is: its programs, its parameters, and where it can be upgraded to.

mod parameters;

use std::collections::BTreeMap;

use futures::future::try_join_all;
use lab_postgres::{Binaries, MAJORS};

pub(crate) use parameters::{Parameter, configuration, is_on};

use crate::protocol::Fault;

/// The one engine that is offered.
pub(crate) const ENGINE: &str = "aurora-postgresql";

/// One major version.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) binaries: Binaries,
    pub(crate) parameters: BTreeMap<String, Parameter>,
}

/// All versions by major.
#[derive(Debug)]
pub(crate) struct Engines(BTreeMap<u16, Version>);

impl Engines {
    /// Brings all versions into the cache folder and reads their parameters.
    pub(crate) async fn load() -> lab_postgres::Result<Self> {
        let versions = try_join_all(MAJORS.map(|major| async move {
            let binaries = Binaries::fetch(major).await?;
            let parameters = parameters::read(&binaries).await?;
            lab_postgres::Result::<_>::Ok((major, Version { binaries, parameters }))
        }));
        Ok(Self(versions.await?.into_iter().collect()))
    }

    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.0.values()
    }

    /// The version of a major.
    pub(crate) fn of(&self, major: u16) -> Result<&Version, Fault> {
        self.0
            .get(&major)
            .ok_or_else(|| Fault::combination(format!("Cannot find version {major} for {ENGINE}")))
    }

    /// The version that a create request means: a full version, or a major for its newest minor.
    pub(crate) fn named(&self, version: &str) -> Result<&Version, Fault> {
        let found = self
            .all()
            .find(|candidate| candidate.version() == version || candidate.binaries.major().to_string() == version);
        found.ok_or_else(|| Fault::combination(format!("Cannot find version {version} for {ENGINE}")))
    }

    /// The version that is created when none is named.
    pub(crate) fn default(&self) -> Result<&Version, Fault> {
        self.of(17)
    }

    /// A family such as `aurora-postgresql17`.
    pub(crate) fn family(&self, family: &str) -> Result<&Version, Fault> {
        let found = self.all().find(|version| version.family() == family);
        found.ok_or_else(|| {
            Fault::invalid_value(format!(
                "ParameterGroupFamily {family} is not a valid parameter group family"
            ))
        })
    }

    /// The versions that `version` can be upgraded to.
    pub(crate) fn targets<'a>(&'a self, version: &'a Version) -> impl Iterator<Item = &'a Version> {
        self.all()
            .filter(move |target| target.binaries.major() > version.binaries.major())
    }
}

impl Version {
    /// The full version, such as 17.11.
    pub(crate) fn version(&self) -> &str {
        self.binaries.version()
    }

    pub(crate) fn family(&self) -> String {
        format!("{ENGINE}{}", self.binaries.major())
    }
}

/// The major of a full version.
pub(crate) fn major(version: &str) -> u16 {
    version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or_default()
}
