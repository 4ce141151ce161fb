//! Parameter groups.

use std::collections::BTreeMap;

use super::{Tags, identifier};
use crate::protocol::Xml;

/// Values by parameter name.
pub(crate) type Values = BTreeMap<String, String>;

/// A cluster's or an instance's parameter group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) family: String,
    pub(crate) description: String,
    pub(crate) settings: BTreeMap<String, Setting>,
    pub(crate) tags: Tags,
}

/// What a user set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) value: String,
    /// Applied at once, not at the next reboot.
    pub(crate) immediate: bool,
}

impl Group {
    /// The default group of a family.
    pub(crate) fn default_of(family: &str) -> Self {
        Self {
            name: default_name(family),
            family: family.to_owned(),
            description: format!("Default parameter group for {family}"),
            settings: BTreeMap::new(),
            tags: Tags::new(),
        }
    }

    pub(crate) fn is_default(&self) -> bool {
        self.name.starts_with("default.")
    }

    pub(crate) fn values(&self) -> Values {
        self.settings
            .iter()
            .map(|(name, setting)| (name.clone(), setting.value.clone()))
            .collect()
    }

    /// The fields of `DBClusterParameterGroup` or `DBParameterGroup`: `prefix` is `DBCluster` or `DB`.
    pub(crate) fn write(&self, xml: &mut Xml, prefix: &str) {
        xml.text(&format!("{prefix}ParameterGroupName"), &self.name);
        xml.text("DBParameterGroupFamily", &self.family);
        xml.text("Description", &self.description);
        let kind = if prefix == "DBCluster" { "cluster-pg" } else { "pg" };
        xml.text(&format!("{prefix}ParameterGroupArn"), identifier::arn(kind, &self.name));
    }
}

/// The name of a family's default group.
pub(crate) fn default_name(family: &str) -> String {
    format!("default.{family}")
}
