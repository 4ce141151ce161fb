//! Parameter groups of clusters and instances: found, made, changed.
use std::collections::BTreeMap;

use aws_sdk_rds::types::{ApplyMethod, Parameter as SdkParameter};

use crate::{Error, OWNER, Rds, tags};

/// How many parameters one call may change (`ModifyDBClusterParameterGroup`, RDS API reference).
const BATCH: usize = 20;

/// A parameter group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterGroup {
    /// Its name.
    pub name: String,
    /// As `aurora-postgresql18`.
    pub family: String,
    /// Its ARN.
    pub arn: String,
}

impl Rds {
    /// A cluster parameter group; `None` where there is none of this name.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn cluster_parameter_group(&self, name: &str) -> Result<Option<ParameterGroup>, Error> {
        let call = self
            .client
            .describe_db_cluster_parameter_groups()
            .db_cluster_parameter_group_name(name);
        match call
            .send()
            .await
            .map_err(Error::of("DescribeDBClusterParameterGroups", name))
        {
            Ok(answer) => Ok(answer
                .db_cluster_parameter_groups()
                .first()
                .map(|group| ParameterGroup {
                    name: name.to_owned(),
                    family: group.db_parameter_group_family().unwrap_or_default().to_owned(),
                    arn: group.db_cluster_parameter_group_arn().unwrap_or_default().to_owned(),
                })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An instance parameter group; `None` where there is none of this name.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn db_parameter_group(&self, name: &str) -> Result<Option<ParameterGroup>, Error> {
        let call = self.client.describe_db_parameter_groups().db_parameter_group_name(name);
        match call.send().await.map_err(Error::of("DescribeDBParameterGroups", name)) {
            Ok(answer) => Ok(answer.db_parameter_groups().first().map(|group| ParameterGroup {
                name: name.to_owned(),
                family: group.db_parameter_group_family().unwrap_or_default().to_owned(),
                arn: group.db_parameter_group_arn().unwrap_or_default().to_owned(),
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a cluster parameter group with these values, or sets them on the one that is there and ours. They take
    /// effect with the next reboot.
    ///
    /// # Errors
    /// As RDS answers, or where a group of this name is somebody else's or of another family.
    pub async fn ensure_cluster_parameter_group(
        &self,
        name: &str,
        family: &str,
        description: &str,
        tags: &BTreeMap<String, String>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let call = self
            .client
            .create_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(name)
            .db_parameter_group_family(family)
            .description(description)
            .set_tags(Some(tags::to_sdk(tags)));
        let mut set = BTreeMap::new();
        match call
            .send()
            .await
            .map_err(Error::of("CreateDBClusterParameterGroup", name))
        {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {
                let group = self.cluster_parameter_group(name).await?.ok_or(error)?;
                self.usable("CreateDBClusterParameterGroup", &group, family, tags.get(OWNER))
                    .await?;
                set = self.user_cluster_parameters(name).await?;
            }
            Err(error) => return Err(error),
        }
        for batch in batches(parameters, &set) {
            let call = self.client.modify_db_cluster_parameter_group();
            let call = call.db_cluster_parameter_group_name(name).set_parameters(Some(batch));
            call.send()
                .await
                .map_err(Error::of("ModifyDBClusterParameterGroup", name))?;
        }
        Ok(())
    }

    /// The same for an instance parameter group.
    ///
    /// # Errors
    /// As [`Rds::ensure_cluster_parameter_group`].
    pub async fn ensure_db_parameter_group(
        &self,
        name: &str,
        family: &str,
        description: &str,
        tags: &BTreeMap<String, String>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let call = self
            .client
            .create_db_parameter_group()
            .db_parameter_group_name(name)
            .db_parameter_group_family(family)
            .description(description)
            .set_tags(Some(tags::to_sdk(tags)));
        let mut set = BTreeMap::new();
        match call.send().await.map_err(Error::of("CreateDBParameterGroup", name)) {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {
                let group = self.db_parameter_group(name).await?.ok_or(error)?;
                self.usable("CreateDBParameterGroup", &group, family, tags.get(OWNER))
                    .await?;
                set = self.user_db_parameters(name).await?;
            }
            Err(error) => return Err(error),
        }
        for batch in batches(parameters, &set) {
            let call = self.client.modify_db_parameter_group().db_parameter_group_name(name);
            let call = call.set_parameters(Some(batch));
            call.send().await.map_err(Error::of("ModifyDBParameterGroup", name))?;
        }
        Ok(())
    }

    /// Refuses a group that another made, or of another family.
    async fn usable(
        &self,
        operation: &'static str,
        group: &ParameterGroup,
        family: &str,
        owner: Option<&String>,
    ) -> Result<(), Error> {
        self.ours(operation, &group.name, &group.arn, owner).await?;
        if group.family == family {
            return Ok(());
        }
        let message = format!("it exists with family {}, not {family}; delete it", group.family);
        Err(Error::refused(operation, &group.name, message))
    }
}

/// What has to be changed, in as many calls as that takes. `pending-reboot` is right for static and dynamic parameters:
/// under a group that is newly associated both take effect with the reboot ("Working with DB cluster parameter groups",
/// Aurora user guide), and `immediate` is refused for static ones.
fn batches(wanted: &BTreeMap<String, String>, set: &BTreeMap<String, String>) -> Vec<Vec<SdkParameter>> {
    let parameter = |(name, value): (&String, &String)| {
        SdkParameter::builder()
            .parameter_name(name)
            .parameter_value(value)
            .apply_method(ApplyMethod::PendingReboot)
            .build()
    };
    let changes: Vec<SdkParameter> = wanted
        .iter()
        .filter(|(name, value)| set.get(*name) != Some(value))
        .map(parameter)
        .collect();
    changes.chunks(BATCH).map(<[SdkParameter]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_goes_twenty_at_a_time() {
        let parameters = |range: std::ops::Range<u8>, value: &str| -> BTreeMap<String, String> {
            range.map(|n| (format!("p{n:02}"), value.to_owned())).collect()
        };
        let lengths = |set: &BTreeMap<String, String>| {
            batches(&parameters(0..45, "1"), set)
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>()
        };
        assert_eq!(lengths(&BTreeMap::new()), [20, 20, 5]);
        assert_eq!(lengths(&parameters(0..40, "1")), [5]);
        assert_eq!(lengths(&parameters(0..40, "2")), [20, 20, 5]);
        assert_eq!(lengths(&parameters(0..45, "1")), [0; 0]);
    }
}
