//! Configuration parameters, from the engine's own list (`postgres --describe-config`,
//! `src/backend/utils/misc/help_config.c`).

use std::collections::BTreeMap;
use std::path::Path;

use lab_postgres::{Binaries, Error};

use super::Version;
use crate::protocol::{Fault, Xml};
use crate::state::{Group, Values};

/// One parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// Takes effect only at a reboot.
    pub(crate) is_static: bool,
    data_type: &'static str,
    allowed: Option<String>,
    description: String,
    modifiable: bool,
    /// The value that RDS gives it where no group does.
    system_value: Option<String>,
}

/// What RDS sets itself and nobody may change.
const FIXED: [&str; 22] = [
    "allow_alter_system",
    "allow_system_table_mods",
    "archive_command",
    "archive_mode",
    "config_file",
    "data_directory",
    "external_pid_file",
    "fsync",
    "full_page_writes",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "log_directory",
    "log_file_mode",
    "logging_collector",
    "port",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_key_file",
    "unix_socket_directories",
    "wal_level",
    "wal_segment_size",
];

/// Defaults of the service that differ from the engine's, or that matter to replication.
const SYSTEM_VALUES: [(&str, &str); 9] = [
    ("max_connections", "200"),
    ("max_logical_replication_workers", "4"),
    ("max_replication_slots", "20"),
    ("max_wal_senders", "10"),
    ("password_encryption", "scram-sha-256"),
    ("rds.logical_replication", "0"),
    ("shared_buffers", "8192"),
    ("track_commit_timestamp", "0"),
    ("log_checkpoints", "1"),
];

/// Reads a version's parameters.
pub(crate) async fn read(binaries: &Binaries) -> lab_postgres::Result<BTreeMap<String, Parameter>> {
    let list = binaries
        .run("postgres", vec!["--describe-config".into()], Path::new("/"))
        .await?;
    let mut parameters: BTreeMap<_, _> = list.lines().filter_map(parse).collect();
    let force_ssl = if binaries.major() >= 15 { "1" } else { "0" };
    for (name, is_static, description) in [
        ("rds.logical_replication", true, "Enables logical decoding."),
        ("rds.force_ssl", false, "Force SSL connections."),
    ] {
        parameters.insert(name.into(), boolean(is_static, description));
    }
    for (name, value) in SYSTEM_VALUES.into_iter().chain([("rds.force_ssl", force_ssl)]) {
        if let Some(parameter) = parameters.get_mut(name) {
            parameter.system_value = Some(value.into());
        }
    }
    Ok(parameters)
}

fn boolean(is_static: bool, description: &str) -> Parameter {
    Parameter {
        is_static,
        data_type: "boolean",
        allowed: Some("0,1".into()),
        description: description.into(),
        modifiable: true,
        system_value: None,
    }
}

/// One line: name, context, group, type, default, minimum, maximum, description. The default column holds no default
/// for most, since the server has not been set up when it prints the list.
fn parse(line: &str) -> Option<(String, Parameter)> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, context, _, kind, _, minimum, maximum, description, ..] = columns.as_slice() else {
        return None;
    };
    let range = (!minimum.is_empty()).then(|| format!("{minimum}-{maximum}"));
    let (data_type, allowed) = match *kind {
        "BOOLEAN" => ("boolean", Some("0,1".into())),
        "INTEGER" => ("integer", range),
        "REAL" => ("float", range),
        _ => ("string", None),
    };
    let parameter = Parameter {
        is_static: *context == "postmaster",
        data_type,
        allowed,
        description: (*description).to_owned(),
        modifiable: !FIXED.contains(name),
        system_value: None,
    };
    Some(((*name).to_owned(), parameter))
}

/// Whether a boolean value is true.
pub(crate) fn is_on(value: &str) -> bool {
    matches!(value, "1" | "on" | "true" | "yes")
}

impl Version {
    /// A parameter that a group may set.
    pub(crate) fn modifiable(&self, name: &str) -> Result<&Parameter, Fault> {
        let parameter = self.parameters.get(name);
        let parameter =
            parameter.ok_or_else(|| Fault::invalid_value(format!("Could not find parameter with name: {name}")))?;
        if parameter.modifiable {
            return Ok(parameter);
        }
        Err(Fault::invalid_value(format!(
            "The parameter {name} cannot be modified."
        )))
    }

    /// Has the engine itself judge a value.
    pub(crate) async fn check_value(&self, name: &str, value: &str) -> Result<(), Fault> {
        let refused = |reason: &str| {
            let allowed = self
                .parameters
                .get(name)
                .and_then(|parameter| parameter.allowed.as_deref());
            let allowed = allowed
                .map(|allowed| format!(" allowed values are: {allowed}"))
                .unwrap_or_default();
            Fault::invalid_value(format!(
                "Invalid parameter value: {value} for: {name}{allowed} ({reason})"
            ))
        };
        if name.starts_with("rds.") {
            return if matches!(value, "0" | "1") {
                Ok(())
            } else {
                Err(refused("not a boolean"))
            };
        }
        let mut arguments: Vec<String> = ["-D", "/", "-c", "config_file=/dev/null", "-C", name, "-c"]
            .map(Into::into)
            .into();
        arguments.push(format!("{name}={value}"));
        match self.binaries.run("postgres", arguments, Path::new("/")).await {
            Ok(_) => Ok(()),
            Err(Error::Program { output, .. }) => {
                let reason = output.lines().find_map(|line| line.split_once("FATAL:"));
                Err(refused(reason.map_or("", |(_, reason)| reason.trim())))
            }
            Err(error) => Err(Fault::internal(error.to_string())),
        }
    }

    /// The parameter as a group shows it, with the fields of `Parameter`; `None` when the group does not show it under
    /// this `Source`.
    pub(crate) fn shown(&self, name: &str, group: Option<&Group>, source: Option<&str>) -> Option<Xml> {
        let parameter = self.parameters.get(name)?;
        let set = group.and_then(|group| group.settings.get(name));
        let origin = match (set, &parameter.system_value) {
            (Some(_), _) => "user",
            (None, Some(_)) => "system",
            (None, None) => "engine-default",
        };
        if source.is_some_and(|source| source != origin) {
            return None;
        }
        let mut xml = Xml::default();
        xml.text("ParameterName", name);
        xml.optional(
            "ParameterValue",
            set.map(|set| &set.value).or(parameter.system_value.as_ref()),
        );
        xml.text("Description", &parameter.description);
        xml.text("Source", origin);
        xml.text("ApplyType", if parameter.is_static { "static" } else { "dynamic" });
        xml.text("DataType", parameter.data_type);
        xml.optional("AllowedValues", parameter.allowed.as_ref());
        xml.text("IsModifiable", parameter.modifiable);
        let immediate = set.is_some_and(|set| set.immediate);
        xml.text("ApplyMethod", if immediate { "immediate" } else { "pending-reboot" });
        xml.texts("SupportedEngineModes", "member", ["provisioned"]);
        Some(xml)
    }
}

/// The server's configuration from the values of its groups. `without_logical` leaves logical replication off.
pub(crate) fn configuration(version: &Version, values: &Values, without_logical: bool) -> Values {
    let system = version.parameters.iter().filter_map(|(name, parameter)| {
        parameter
            .system_value
            .as_ref()
            .map(|value| (name.clone(), value.clone()))
    });
    let mut all: Values = system.chain(values.clone()).collect();
    let logical = all.get("rds.logical_replication").is_some_and(|value| is_on(value)) && !without_logical;
    all.insert(
        "rds.logical_replication".into(),
        if logical { "on" } else { "off" }.into(),
    );
    all.insert("wal_level".into(), if logical { "logical" } else { "replica" }.into());
    // As `log_line_prefix` and file names are on RDS.
    for (name, value) in [
        ("logging_collector", "on"),
        ("log_filename", "postgresql.log.%Y-%m-%d-%H%M"),
        ("log_file_mode", "0644"),
        ("log_rotation_age", "60"),
        ("log_rotation_size", "0"),
        ("log_timezone", "UTC"),
    ] {
        all.insert(name.into(), value.into());
    }
    all.entry("log_line_prefix".into())
        .or_insert_with(|| "%t:%r:%u@%d:[%p]:".into());
    if version.binaries.major() >= 16 {
        // Roles that the master makes are its members, as before 16.
        all.entry("createrole_self_grant".into())
            .or_insert_with(|| "set, inherit".into());
    }
    all
}
