//! Parameters of groups and of families.
use std::collections::BTreeMap;

use aws_sdk_rds::types::{EngineDefaults, Parameter as SdkParameter};

use crate::{Error, Rds};

/// A parameter as a group or family has it.
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

impl Rds {
    /// What the user has set in a cluster parameter group.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn user_cluster_parameters(&self, group: &str) -> Result<BTreeMap<String, String>, Error> {
        let call = self
            .client
            .describe_db_cluster_parameters()
            .db_cluster_parameter_group_name(group)
            .source("user");
        let pages = call
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        Ok(user_set(
            &pages.map_err(Error::of("DescribeDBClusterParameters", group))?,
        ))
    }

    /// What the user has set in an instance parameter group.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn user_db_parameters(&self, group: &str) -> Result<BTreeMap<String, String>, Error> {
        let call = self
            .client
            .describe_db_parameters()
            .db_parameter_group_name(group)
            .source("user");
        let pages = call
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        Ok(user_set(&pages.map_err(Error::of("DescribeDBParameters", group))?))
    }

    /// The cluster parameters of a family.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn engine_default_cluster_parameters(&self, family: &str) -> Result<Vec<Parameter>, Error> {
        let mut pages = Pages::default();
        while !pages.is_complete {
            let call = self.client.describe_engine_default_cluster_parameters();
            let call = call.db_parameter_group_family(family).set_marker(pages.marker.take());
            let answer = call
                .send()
                .await
                .map_err(Error::of("DescribeEngineDefaultClusterParameters", family))?;
            pages.add(answer.engine_defaults());
        }
        Ok(pages.parameters)
    }

    /// The instance parameters of a family.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn engine_default_parameters(&self, family: &str) -> Result<Vec<Parameter>, Error> {
        let mut pages = Pages::default();
        while !pages.is_complete {
            let call = self.client.describe_engine_default_parameters();
            let call = call.db_parameter_group_family(family).set_marker(pages.marker.take());
            let answer = call
                .send()
                .await
                .map_err(Error::of("DescribeEngineDefaultParameters", family))?;
            pages.add(answer.engine_defaults());
        }
        Ok(pages.parameters)
    }
}

/// The marker of these answers lies deeper than the SDK's paginators look.
#[derive(Default)]
struct Pages {
    parameters: Vec<Parameter>,
    marker: Option<String>,
    is_complete: bool,
}

impl Pages {
    fn add(&mut self, defaults: Option<&EngineDefaults>) {
        let parameters = defaults.iter().flat_map(|defaults| defaults.parameters());
        self.parameters.extend(parameters.map(Parameter::from));
        let marker = defaults.and_then(EngineDefaults::marker);
        self.marker = marker.filter(|marker| !marker.is_empty()).map(str::to_owned);
        self.is_complete = self.marker.is_none();
    }
}

fn user_set(parameters: &[SdkParameter]) -> BTreeMap<String, String> {
    parameters
        .iter()
        .filter(|parameter| parameter.source() == Some("user"))
        .filter_map(|parameter| {
            Some((
                parameter.parameter_name()?.to_owned(),
                parameter.parameter_value()?.to_owned(),
            ))
        })
        .collect()
}
