//! The database to move to.
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::validation;

/// The database to move to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSpec {
    /// The wanted version: a major ("18": its newest minor to which RDS upgrades the source, chosen once) or a minor
    /// ("18.1").
    #[schemars(length(min = 2, max = 16), regex(pattern = validation::ENGINE_VERSION))]
    pub engine_version: String,
    /// A free identifier for the new cluster; without it the source's with the new major version behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = validation::DB_IDENTIFIER))]
    pub identifier: Option<String>,
    /// The class of the new cluster's instance; without it the class of the source's writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4, max = 64), regex(pattern = validation::DB_INSTANCE_CLASS))]
    pub db_instance_class: Option<String>,
    /// The parameter groups of the new version.
    #[serde(default)]
    pub parameter_groups: ParameterGroupsSpec,
    /// Tags on top of the source's and the operator's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(
        extend("maxProperties" = 40, "x-kubernetes-validations" = validation::tag_keys()),
        schema_with = "tags"
    )]
    pub tags: BTreeMap<String, String>,
}

/// Values as AWS bounds them.
fn tags(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "additionalProperties": { "type": "string", "maxLength": 256 } })
}

/// The parameter groups of the new version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = validation::parameter_group_names()))]
pub struct ParameterGroupsSpec {
    /// `CarryOver`: new groups with what you have set in the source's, as far as the new version knows it. Existing: groups
    /// that you name.
    #[serde(default)]
    pub policy: ParameterGroupPolicy,
    /// The cluster's parameter group, of the new version's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = validation::PARAMETER_GROUP))]
    pub db_cluster_parameter_group_name: Option<String>,
    /// The instance's parameter group, of the new version's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = validation::PARAMETER_GROUP))]
    pub db_parameter_group_name: Option<String>,
}

/// Where the parameter groups of the new version come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ParameterGroupPolicy {
    /// Made by the operator from what is set in the source's.
    #[default]
    CarryOver,
    /// Named by the user.
    Existing,
}
