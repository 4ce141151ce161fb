//! What can be had: engine versions, instance classes, pending maintenance.

use super::answers;
use crate::engine::{ENGINE, Engines, Version};
use crate::lab::Lab;
use crate::protocol::{Fault, Request, Xml};

const CLASSES: [&str; 8] = [
    "db.r6g.large",
    "db.r6g.xlarge",
    "db.r6i.large",
    "db.r7g.large",
    "db.r7g.xlarge",
    "db.serverless",
    "db.t4g.large",
    "db.t4g.medium",
];

pub(super) fn describe(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let default = lab.engines.default()?.version();
    let default_only = request.flag("DefaultOnly")?.unwrap_or_default();
    let shown: Vec<&Version> = lab
        .engines
        .all()
        .filter(|_| request.text("Engine").is_none_or(|engine| engine == ENGINE))
        .filter(|version| {
            request
                .text("EngineVersion")
                .is_none_or(|wanted| is_version(version, wanted))
        })
        .filter(|version| {
            request
                .text("DBParameterGroupFamily")
                .is_none_or(|family| family == version.family())
        })
        .filter(|version| !default_only || version.version() == default)
        .collect();
    answers::list(
        request,
        ("DBEngineVersions", "DBEngineVersion"),
        shown,
        |xml, version| {
            write(xml, &lab.engines, version);
        },
    )
}

/// Whether a version is the wanted one, or of the wanted major.
fn is_version(version: &Version, wanted: &str) -> bool {
    version.version() == wanted || version.binaries.major().to_string() == wanted
}

fn write(xml: &mut Xml, engines: &Engines, version: &Version) {
    xml.text("Engine", ENGINE);
    xml.text("MajorEngineVersion", version.binaries.major());
    xml.text("EngineVersion", version.version());
    xml.text("DBParameterGroupFamily", version.family());
    xml.text("DBEngineDescription", "Aurora (PostgreSQL)");
    let description =
        |version: &Version| format!("Aurora PostgreSQL (compatible with PostgreSQL {})", version.version());
    xml.text("DBEngineVersionDescription", description(version));
    xml.text("Status", "available");
    xml.texts("SupportedEngineModes", "member", ["provisioned"]);
    xml.list(
        "ValidUpgradeTarget",
        "UpgradeTarget",
        engines.targets(version),
        |xml, target| {
            xml.text("Engine", ENGINE);
            xml.text("EngineVersion", target.version());
            xml.text("Description", description(target));
            xml.text("AutoUpgrade", false);
            xml.text("IsMajorVersionUpgrade", true);
        },
    );
}

pub(super) fn orderable(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let engine = request.required("Engine")?;
    let mut options = Vec::new();
    for version in lab.engines.all().filter(|_| engine == ENGINE) {
        if request
            .text("EngineVersion")
            .is_none_or(|wanted| is_version(version, wanted))
        {
            options.extend(CLASSES.map(|class| (version, class)));
        }
    }
    options.retain(|(_, class)| request.text("DBInstanceClass").is_none_or(|wanted| wanted == *class));
    answers::list(
        request,
        ("OrderableDBInstanceOptions", "OrderableDBInstanceOption"),
        options,
        |xml, (version, class)| {
            xml.text("Engine", ENGINE);
            xml.text("EngineVersion", version.version());
            xml.text("DBInstanceClass", class);
            xml.text("StorageType", "aurora");
            xml.text("SupportsClusters", true);
            xml.text("Vpc", true);
            xml.texts("SupportedEngineModes", "member", ["provisioned"]);
        },
    )
}

/// There is never any.
pub(super) fn pending_maintenance() -> Xml {
    let mut xml = Xml::default();
    xml.texts(
        "PendingMaintenanceActions",
        "ResourcePendingMaintenanceActions",
        [""; 0],
    );
    xml
}
