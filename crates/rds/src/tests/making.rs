//! What is sent to make and change something.

use super::{OURS, Recorded, cluster_answer, done, fault, field, source, tags};
use crate::CloneRequest;

#[tokio::test]
async fn a_clone_is_asked_for_with_all_that_its_source_has() {
    let source = source().await;
    let recorded = Recorded::start([done("RestoreDBClusterToPointInTime", "<DBCluster/>")]).await;
    let tags = tags(OURS);
    let request = CloneRequest {
        source: &source,
        identifier: "shop-prod-18",
        parameter_group: "pgupgrade-clone",
        tags: &tags,
    };
    recorded.rds.clone_cluster(&request).await.unwrap();
    let form = recorded.requests().remove(0);
    let expected = [
        ("Action", "RestoreDBClusterToPointInTime"),
        ("DBClusterIdentifier", "shop-prod-18"),
        ("SourceDBClusterIdentifier", "shop-prod"),
        ("RestoreType", "copy-on-write"),
        ("UseLatestRestorableTime", "true"),
        ("DBClusterParameterGroupName", "pgupgrade-clone"),
        ("DBSubnetGroupName", "shop-subnets"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.1", "sg-1"),
        ("VpcSecurityGroupIds.VpcSecurityGroupId.2", "sg-2"),
        ("Port", "5433"),
        ("StorageType", "aurora-iopt1"),
        ("NetworkType", "DUAL"),
        ("EnableIAMDatabaseAuthentication", "true"),
        ("CopyTagsToSnapshot", "true"),
        ("DeletionProtection", "false"),
        ("EngineLifecycleSupport", "open-source-rds-extended-support-disabled"),
        ("EnableCloudwatchLogsExports.member.1", "postgresql"),
        ("ServerlessV2ScalingConfiguration.MinCapacity", "0.5"),
        ("Tags.Tag.1.Key", "pgupgrade.dev%2Fowner"),
        ("Tags.Tag.1.Value", "shop%2Fshop%2F6b2f0c1e"),
    ];
    for (name, value) in expected {
        assert_eq!(field(&form, name), Some(value), "{name} in {form}");
    }
    // The model knows them, and Aurora refuses them in a restore.
    for name in [
        "EngineVersion",
        "EnablePerformanceInsights",
        "MonitoringInterval",
        "RestoreToTime",
    ] {
        assert_eq!(field(&form, name), None, "{name} in {form}");
    }
}

#[tokio::test]
async fn a_clone_that_is_there_counts_only_if_it_is_ours() {
    let source = source().await;
    for (owner, ours) in [(OURS, true), ("other/other/0a", false)] {
        let taken = fault(400, "DBClusterAlreadyExistsFault", "DB Cluster already exists");
        let recorded = Recorded::start([taken, cluster_answer()]).await;
        let tags = tags(owner);
        let request = CloneRequest {
            source: &source,
            identifier: "shop-prod-18",
            parameter_group: "g",
            tags: &tags,
        };
        let result = recorded.rds.clone_cluster(&request).await;
        assert_eq!(result.is_ok(), ours, "{result:?}");
        recorded.requests();
    }
}

#[tokio::test]
async fn an_instance_of_another_cluster_is_not_the_writer() {
    let source = source().await;
    for (cluster, ours) in [("shop-prod", true), ("other", false)] {
        let xml = format!(
            "<DBInstances><DBInstance><DBClusterIdentifier>{cluster}</DBClusterIdentifier></DBInstance></DBInstances>"
        );
        let taken = fault(400, "DBInstanceAlreadyExists", "DB instance already exists");
        let recorded = Recorded::start([taken, done("DescribeDBInstances", &xml)]).await;
        let result = recorded
            .rds
            .create_writer(&source, "shop-prod-1", "db.r8g.large", "", &tags(OURS))
            .await;
        assert_eq!(result.is_ok(), ours, "{result:?}");
    }
}
