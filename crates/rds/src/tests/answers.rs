//! What recorded answers become.
use std::collections::BTreeMap;

use super::{OURS, Recorded, done, fault, field, source, tags};
use crate::{Cluster, Endpoint, Instance, Member, OWNER, ParameterGroup, UpgradeTarget};

#[tokio::test]
async fn a_cluster() {
    let text = |text: &str| text.to_owned();
    let expected = Cluster {
        identifier: text("shop-prod"),
        arn: text("arn:aws:rds:eu-west-1:111122223333:cluster:shop-prod"),
        resource_id: text("cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        status: text("available"),
        engine: text("aurora-postgresql"),
        engine_version: text("17.6"),
        created: Some("2026-11-25T06:26:01Z".parse().unwrap()),
        pending_engine_version: Some(text("18.6")),
        pending_master_password: true,
        master_username: text("shop_admin"),
        endpoint: Endpoint {
            host: text("shop-prod.cluster-abc.eu-west-1.rds.amazonaws.com"),
            port: 5433,
        },
        reader_endpoint: Some(text("shop-prod.cluster-ro-abc.eu-west-1.rds.amazonaws.com")),
        parameter_group: text("shop-parameters"),
        members: vec![
            Member {
                identifier: text("shop-prod-2"),
                is_writer: false,
                parameter_group_status: text("pending-reboot"),
            },
            Member {
                identifier: text("shop-prod-1"),
                is_writer: true,
                parameter_group_status: text("in-sync"),
            },
        ],
        tags: BTreeMap::from([(text(OWNER), text(OURS)), (text("empty"), String::new())]),
        clone_group_id: Some(text("8d03a5c2-3f4e-4f6e-8b5f-0123456789ab")),
        subnet_group: Some(text("shop-subnets")),
        security_groups: vec![text("sg-1"), text("sg-2")],
        kms_key: Some(text("arn:aws:kms:eu-west-1:111122223333:key/1")),
        backup_retention_days: Some(7),
        storage_type: Some(text("aurora-iopt1")),
        network_type: Some(text("DUAL")),
        iam_authentication: true,
        deletion_protection: true,
        copy_tags_to_snapshot: true,
        log_exports: vec![text("postgresql")],
        engine_lifecycle_support: Some(text("open-source-rds-extended-support-disabled")),
        serverless_capacity: Some((0.5, 16.0)),
    };
    let source = source().await;
    assert_eq!(source, expected);
    assert_eq!(source.writer().as_deref(), Some("shop-prod-1"));
}

#[tokio::test]
async fn an_instance() {
    let xml = "<DBInstances><DBInstance><DBInstanceIdentifier>shop-prod-1</DBInstanceIdentifier>\
        <DBInstanceStatus>available</DBInstanceStatus><DBInstanceClass>db.r8g.large</DBInstanceClass>\
        <DBClusterIdentifier>shop-prod</DBClusterIdentifier><EngineVersion>17.6</EngineVersion>\
        <PendingModifiedValues><EngineVersion>18.6</EngineVersion></PendingModifiedValues><PromotionTier>2</PromotionTier>\
        <DBParameterGroups><DBParameterGroup><DBParameterGroupName>shop</DBParameterGroupName>\
        <ParameterApplyStatus>pending-reboot</ParameterApplyStatus></DBParameterGroup></DBParameterGroups>\
        </DBInstance></DBInstances>";
    let recorded = Recorded::start([done("DescribeDBInstances", xml)]).await;
    let expected = Instance {
        identifier: "shop-prod-1".to_owned(),
        cluster: Some("shop-prod".to_owned()),
        status: "available".to_owned(),
        class: "db.r8g.large".to_owned(),
        engine_version: "17.6".to_owned(),
        pending_engine_version: Some("18.6".to_owned()),
        parameter_group: "shop".to_owned(),
        parameter_apply_status: "pending-reboot".to_owned(),
        promotion_tier: Some(2),
    };
    assert_eq!(recorded.rds.instance("shop-prod-1").await.unwrap(), Some(expected));
}

#[tokio::test]
async fn upgrade_targets_and_family() {
    let xml = "<DBEngineVersions><DBEngineVersion><Engine>aurora-postgresql</Engine><EngineVersion>17.6</EngineVersion>\
        <DBParameterGroupFamily>aurora-postgresql17</DBParameterGroupFamily><ValidUpgradeTarget>\
        <UpgradeTarget><EngineVersion>17.7</EngineVersion><IsMajorVersionUpgrade>false</IsMajorVersionUpgrade></UpgradeTarget>\
        <UpgradeTarget><EngineVersion>18.3</EngineVersion><IsMajorVersionUpgrade>true</IsMajorVersionUpgrade></UpgradeTarget>\
        <UpgradeTarget><EngineVersion>18.6</EngineVersion><IsMajorVersionUpgrade>true</IsMajorVersionUpgrade></UpgradeTarget>\
        </ValidUpgradeTarget></DBEngineVersion></DBEngineVersions>";
    let answer = || done("DescribeDBEngineVersions", xml);
    let recorded = Recorded::start([answer(), answer(), answer(), answer()]).await;
    let (engine, rds) = ("aurora-postgresql", &recorded.rds);
    let target = |version: &str, is_major| UpgradeTarget {
        version: version.to_owned(),
        is_major,
    };
    let targets = rds.upgrade_targets(engine, "17.6").await.unwrap();
    assert_eq!(
        targets,
        [target("17.7", false), target("18.3", true), target("18.6", true)]
    );
    assert_eq!(
        rds.resolve_target_version(engine, "17.6", "18")
            .await
            .unwrap()
            .as_deref(),
        Some("18.6")
    );
    assert_eq!(
        rds.parameter_group_family(engine, "17.6").await.unwrap(),
        "aurora-postgresql17"
    );
    assert!(
        rds.parameter_group_family(engine, "17.5")
            .await
            .unwrap_err()
            .to_string()
            .contains("aurora-postgresql 17.5")
    );
}

#[tokio::test]
async fn engine_defaults_come_in_pages() {
    let page = |name: &str, marker: &str| {
        let xml = format!(
            "<EngineDefaults><DBParameterGroupFamily>f</DBParameterGroupFamily>{marker}<Parameters><Parameter>\
             <ParameterName>{name}</ParameterName><AllowedValues>0,1</AllowedValues><IsModifiable>true</IsModifiable>\
             <ApplyType>static</ApplyType><Source>engine-default</Source></Parameter></Parameters></EngineDefaults>"
        );
        done("DescribeEngineDefaultClusterParameters", &xml)
    };
    let recorded = Recorded::start([
        page("a", "<Marker>m1</Marker>"),
        page("b", "<Marker>m2</Marker>"),
        page("c", ""),
    ])
    .await;
    let parameters = recorded.rds.engine_default_cluster_parameters("f").await.unwrap();
    assert_eq!(
        parameters
            .iter()
            .map(|parameter| parameter.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert!(
        parameters
            .iter()
            .all(|parameter| parameter.is_static && parameter.is_modifiable)
    );
    let requests = recorded.requests();
    let markers: Vec<_> = requests.iter().map(|form| field(form, "Marker")).collect();
    assert_eq!(markers, [None, Some("m1"), Some("m2")]);
}

#[tokio::test]
async fn a_parameter_group_of_another_or_of_another_family_is_left_alone() {
    let group = "<DBClusterParameterGroups><DBClusterParameterGroup><DBClusterParameterGroupName>g</DBClusterParameterGroupName>\
        <DBParameterGroupFamily>aurora-postgresql18</DBParameterGroupFamily>\
        <DBClusterParameterGroupArn>arn:g</DBClusterParameterGroupArn></DBClusterParameterGroup></DBClusterParameterGroups>";
    let owner = format!("<TagList><Tag><Key>{OWNER}</Key><Value>{OURS}</Value></Tag></TagList>");
    let user = "<Parameters><Parameter><ParameterName>work_mem</ParameterName><ParameterValue>1</ParameterValue><Source>user</Source>\
        </Parameter></Parameters>";
    let start = |more: Vec<(u16, String)>| {
        let taken = fault(400, "DBParameterGroupAlreadyExists", "Parameter group g already exists");
        let answers = [
            taken,
            done("DescribeDBClusterParameterGroups", group),
            done("ListTagsForResource", &owner),
        ];
        Recorded::start(answers.into_iter().chain(more))
    };
    let wanted = BTreeMap::from(
        [("autovacuum", "0"), ("work_mem", "1")].map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let (ours, others) = (tags(OURS), tags("other/other/0a"));

    let recorded = start(vec![]).await;
    let error = recorded
        .rds
        .ensure_cluster_parameter_group("g", "aurora-postgresql18", "d", &others, &wanted)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(OURS), "{error}");
    let recorded = start(vec![]).await;
    let error = recorded
        .rds
        .ensure_cluster_parameter_group("g", "aurora-postgresql17", "d", &ours, &wanted)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("family"), "{error}");

    let more = vec![
        done("DescribeDBClusterParameters", user),
        done("ModifyDBClusterParameterGroup", ""),
    ];
    let recorded = start(more).await;
    recorded
        .rds
        .ensure_cluster_parameter_group("g", "aurora-postgresql18", "d", &ours, &wanted)
        .await
        .unwrap();
    let form = recorded.requests().pop().unwrap();
    assert_eq!(
        field(&form, "Parameters.Parameter.1.ParameterName"),
        Some("autovacuum"),
        "only what differs: {form}"
    );
    assert_eq!(
        field(&form, "Parameters.Parameter.1.ApplyMethod"),
        Some("pending-reboot")
    );
    assert_eq!(field(&form, "Parameters.Parameter.2.ParameterName"), None);

    let recorded = Recorded::start([done("DescribeDBClusterParameterGroups", group)]).await;
    let found = recorded.rds.cluster_parameter_group("g").await.unwrap();
    let expected = ParameterGroup {
        name: "g".to_owned(),
        family: "aurora-postgresql18".to_owned(),
        arn: "arn:g".to_owned(),
    };
    assert_eq!(found, Some(expected));
}
