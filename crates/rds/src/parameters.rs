//! Parameter groups of clusters and instances.
use std::collections::BTreeMap;

use aws_sdk_rds::types::{ApplyMethod, Parameter as SdkParameter};

use crate::{Error, OWNER, Rds, tags};

/// How many parameters one call may change ("ModifyDBClusterParameterGroup", RDS API reference).
const BATCH: usize = 20;

/// A parameter as a group has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value, if it is set.
    pub value: Option<String>,
    /// `user`, `system` or `engine-default`.
    pub source: String,
    /// `static` ones need a reboot.
    pub is_static: bool,
    /// Whether it may be changed.
    pub is_modifiable: bool,
    /// As `0-100`, `on,off`.
    pub allowed_values: Option<String>,
}

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

impl From<&SdkParameter> for Parameter {
    fn from(parameter: &SdkParameter) -> Self {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Self {
            name: text(parameter.parameter_name()),
            value: parameter.parameter_value().map(str::to_owned),
            source: text(parameter.source()),
            is_static: parameter.apply_type() == Some("static"),
            is_modifiable: parameter.is_modifiable().unwrap_or_default(),
            allowed_values: parameter.allowed_values().map(str::to_owned),
        }
    }
}

/// What the user has set on the old group, as far as the new family knows it and lets it be set; and what that leaves
/// out, with the reason.
#[must_use]
pub fn carried_over(set: &BTreeMap<String, String>, family: &[Parameter]) -> (BTreeMap<String, String>, Vec<(String, String)>) {
    let (mut kept, mut dropped) = (BTreeMap::new(), Vec::new());
    for (name, value) in set {
        match family.iter().find(|parameter| parameter.name == *name) {
            None => dropped.push((name.clone(), "the new version has no such parameter".to_owned())),
            Some(parameter) if !parameter.is_modifiable => {
                dropped.push((name.clone(), "it can't be changed in the new version".to_owned()));
            }
            Some(parameter) if !allows(parameter.allowed_values.as_deref(), value) => {
                let allowed = parameter.allowed_values.clone().unwrap_or_default();
                dropped.push((name.clone(), format!("{value} is not one of {allowed}")));
            }
            Some(_) => {
                kept.insert(name.clone(), value.clone());
            }
        }
    }
    (kept, dropped)
}

/// Ranges and lists are checked; whatever else stands there is RDS's to judge.
fn allows(allowed: Option<&str>, value: &str) -> bool {
    let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) else { return true };
    if let Some((low, high)) = allowed.split_once('-')
        && let (Ok(low), Ok(high)) = (low.parse::<f64>(), high.parse::<f64>())
    {
        return value.parse::<f64>().is_ok_and(|number| number >= low && number <= high);
    }
    let words: Vec<&str> = allowed.split(',').map(str::trim).collect();
    let plain = |word: &&str| word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
    if words.len() < 2 || !words.iter().all(plain) {
        return true;
    }
    value.split(',').all(|part| words.contains(&part.trim()))
}

impl Rds {
    /// A cluster parameter group; `None` where there is none of this name.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn cluster_parameter_group(&self, name: &str) -> Result<Option<ParameterGroup>, Error> {
        let call = self.client.describe_db_cluster_parameter_groups().db_cluster_parameter_group_name(name);
        match call.send().await.map_err(Error::of("DescribeDBClusterParameterGroups", name)) {
            Ok(answer) => Ok(answer.db_cluster_parameter_groups().first().map(|group| ParameterGroup {
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

    /// What the user has set in a cluster parameter group.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn user_cluster_parameters(&self, group: &str) -> Result<BTreeMap<String, String>, Error> {
        let call = self.client.describe_db_cluster_parameters().db_cluster_parameter_group_name(group).source("user");
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        Ok(user_set(&pages.map_err(Error::of("DescribeDBClusterParameters", group))?))
    }

    /// What the user has set in an instance parameter group.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn user_db_parameters(&self, group: &str) -> Result<BTreeMap<String, String>, Error> {
        let call = self.client.describe_db_parameters().db_parameter_group_name(group).source("user");
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        Ok(user_set(&pages.map_err(Error::of("DescribeDBParameters", group))?))
    }

    /// The cluster parameters of a family.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn engine_default_cluster_parameters(&self, family: &str) -> Result<Vec<Parameter>, Error> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let call = self.client.describe_engine_default_cluster_parameters().db_parameter_group_family(family).set_marker(marker);
            let answer = call.send().await.map_err(Error::of("DescribeEngineDefaultClusterParameters", family))?;
            let defaults = answer.engine_defaults();
            all.extend(defaults.iter().flat_map(|defaults| defaults.parameters()).map(Parameter::from));
            marker = defaults.and_then(|defaults| defaults.marker()).filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// The instance parameters of a family.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn engine_default_parameters(&self, family: &str) -> Result<Vec<Parameter>, Error> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let call = self.client.describe_engine_default_parameters().db_parameter_group_family(family).set_marker(marker);
            let answer = call.send().await.map_err(Error::of("DescribeEngineDefaultParameters", family))?;
            let defaults = answer.engine_defaults();
            all.extend(defaults.iter().flat_map(|defaults| defaults.parameters()).map(Parameter::from));
            marker = defaults.and_then(|defaults| defaults.marker()).filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Makes a cluster parameter group with these values, or sets them on the one that is there and ours.
    ///
    /// # Errors
    /// As RDS answers, or where a group of this name is somebody else's.
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
        match call.send().await.map_err(Error::of("CreateDBClusterParameterGroup", name)) {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {
                let arn = self.cluster_parameter_group(name).await?.map(|group| group.arn).unwrap_or_default();
                self.ours("CreateDBClusterParameterGroup", name, &arn, tags.get(OWNER)).await?;
            }
            Err(error) => return Err(error),
        }
        for batch in batches(parameters) {
            let call = self
                .client
                .modify_db_cluster_parameter_group()
                .db_cluster_parameter_group_name(name)
                .set_parameters(Some(batch));
            call.send().await.map_err(Error::of("ModifyDBClusterParameterGroup", name))?;
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
        match call.send().await.map_err(Error::of("CreateDBParameterGroup", name)) {
            Ok(_) => {}
            Err(error) if error.is_already_exists() => {
                let arn = self.db_parameter_group(name).await?.map(|group| group.arn).unwrap_or_default();
                self.ours("CreateDBParameterGroup", name, &arn, tags.get(OWNER)).await?;
            }
            Err(error) => return Err(error),
        }
        for batch in batches(parameters) {
            let call = self.client.modify_db_parameter_group().db_parameter_group_name(name).set_parameters(Some(batch));
            call.send().await.map_err(Error::of("ModifyDBParameterGroup", name))?;
        }
        Ok(())
    }

    /// Refuses where an object's owner tag is not `owner`.
    pub(crate) async fn ours(&self, operation: &'static str, object: &str, arn: &str, owner: Option<&String>) -> Result<(), Error> {
        let tags = self.tags(arn).await?;
        if owner.is_some() && tags.get(OWNER) == owner {
            return Ok(());
        }
        let message = format!("it exists and its tag {OWNER} is not {}", owner.map_or("", String::as_str));
        Err(Error::refused(operation, object, message))
    }
}

fn user_set(parameters: &[SdkParameter]) -> BTreeMap<String, String> {
    parameters
        .iter()
        .filter(|parameter| parameter.source() == Some("user"))
        .filter_map(|parameter| Some((parameter.parameter_name()?.to_owned(), parameter.parameter_value()?.to_owned())))
        .collect()
}

/// `pending-reboot` is right for both kinds: these groups are in use by nobody yet, or by one that is rebooted next.
fn batches(parameters: &BTreeMap<String, String>) -> Vec<Vec<SdkParameter>> {
    let all: Vec<SdkParameter> = parameters
        .iter()
        .map(|(name, value)| {
            SdkParameter::builder().parameter_name(name).parameter_value(value).apply_method(ApplyMethod::PendingReboot).build()
        })
        .collect();
    all.chunks(BATCH).map(<[SdkParameter]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_new_family_allows_is_carried_over() {
        let parameter = |name: &str, modifiable, allowed: &str| Parameter {
            name: name.to_owned(),
            is_modifiable: modifiable,
            allowed_values: Some(allowed.to_owned()),
            ..Parameter::default()
        };
        let family = [
            parameter("work_mem", true, "64-2147483647"),
            parameter("log_connections", true, "all,receipt,authentication,authorization"),
            parameter("fixed", false, ""),
            parameter("free", true, "^[a-z]*$"),
        ];
        let set: BTreeMap<String, String> = [
            ("work_mem", "4096"),
            ("log_connections", "on"),
            ("fixed", "1"),
            ("free", "anything"),
            ("gone", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let (kept, dropped) = carried_over(&set, &family);
        assert_eq!(kept.keys().map(String::as_str).collect::<Vec<_>>(), ["free", "work_mem"]);
        let names: Vec<&str> = dropped.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["fixed", "gone", "log_connections"]);
        assert!(allows(Some("all,receipt"), "all, receipt") && !allows(Some("0-10"), "11") && allows(None, "x"));
    }

    #[test]
    fn parameters_go_twenty_at_a_time() {
        let parameters: BTreeMap<String, String> = (0..45).map(|n| (format!("p{n:02}"), "1".to_owned())).collect();
        assert_eq!(batches(&parameters).iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 5]);
    }
}
