//! Engine versions: what can be upgraded to what, and the parameter group families.
use aws_sdk_rds::types::DbEngineVersion;

use crate::{Error, Rds};

/// A version that another one can be upgraded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeTarget {
    /// As `18.6`.
    pub version: String,
    /// Whether it is another major version.
    pub is_major: bool,
}

impl Rds {
    async fn engine_version(&self, engine: &str, version: &str) -> Result<Option<DbEngineVersion>, Error> {
        let call = self
            .client
            .describe_db_engine_versions()
            .engine(engine)
            .engine_version(version)
            .include_all(true);
        let object = format!("{engine} {version}");
        let answer = call
            .send()
            .await
            .map_err(Error::of("DescribeDBEngineVersions", object))?;
        Ok(answer
            .db_engine_versions()
            .iter()
            .find(|found| found.engine_version() == Some(version))
            .cloned())
    }

    /// What the exact version can be upgraded to. It depends on the minor version too.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn upgrade_targets(&self, engine: &str, version: &str) -> Result<Vec<UpgradeTarget>, Error> {
        let found = self.engine_version(engine, version).await?;
        let targets = found.iter().flat_map(DbEngineVersion::valid_upgrade_target);
        Ok(targets
            .filter_map(|target| {
                let version = target.engine_version()?.to_owned();
                Some(UpgradeTarget {
                    version,
                    is_major: target.is_major_version_upgrade().unwrap_or_default(),
                })
            })
            .collect())
    }

    /// The version that the user's wish (`18` or `18.6`) means; `None` where there is no such upgrade.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn resolve_target_version(
        &self,
        engine: &str,
        source: &str,
        wanted: &str,
    ) -> Result<Option<String>, Error> {
        Ok(resolve(&self.upgrade_targets(engine, source).await?, wanted))
    }

    /// The family of parameter groups for a version, as `aurora-postgresql18`.
    ///
    /// # Errors
    /// As RDS answers, or where it doesn't know the version.
    pub async fn parameter_group_family(&self, engine: &str, version: &str) -> Result<String, Error> {
        let found = self.engine_version(engine, version).await?;
        let family = found.and_then(|found| found.db_parameter_group_family().map(str::to_owned));
        let object = format!("{engine} {version}");
        family.ok_or_else(|| Error::refused("DescribeDBEngineVersions", object, "RDS does not know this version"))
    }
}

/// A major version alone means its newest minor version.
fn resolve(targets: &[UpgradeTarget], wanted: &str) -> Option<String> {
    let numbers = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .map(|part| part.parse().unwrap_or_default())
            .collect()
    };
    let major = targets
        .iter()
        .filter(|target| target.is_major)
        .map(|target| &target.version);
    let fits = |version: &&String| {
        if wanted.contains('.') {
            *version == wanted
        } else {
            version.split('.').next() == Some(wanted)
        }
    };
    major.filter(fits).max_by_key(|version| numbers(version)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_version_means_its_newest_minor() {
        let target = |version: &str, is_major| UpgradeTarget {
            version: version.to_owned(),
            is_major,
        };
        let targets = [
            target("17.9", false),
            target("18.3", true),
            target("18.10", true),
            target("18.9", true),
        ];
        let table = [
            ("18", Some("18.10")),
            ("18.3", Some("18.3")),
            ("18.4", None),
            ("17", None),
            ("19", None),
            ("1", None),
        ];
        for (wanted, expected) in table {
            assert_eq!(resolve(&targets, wanted).as_deref(), expected, "{wanted}");
        }
    }
}
