//! What is deleted, and what is not.
use super::{OURS, Recorded, done, fault, field, source};

#[tokio::test]
async fn deletion_lifts_the_protection_and_ends_members_first() {
    let cluster = source().await;
    let recorded = Recorded::start([]).await;
    assert!(recorded.rds.delete_cluster(&cluster, "other/other/0a").await.is_err());
    assert_eq!(recorded.requests(), [""; 0]);

    let answers = [
        done("ModifyDBCluster", ""),
        done("DeleteDBInstance", ""),
        fault(404, "DBInstanceNotFound", "DBInstance shop-prod-1 not found."),
        fault(
            400,
            "InvalidDBClusterStateFault",
            "Cluster cannot be deleted, it still contains DB instances.",
        ),
    ];
    let recorded = Recorded::start(answers).await;
    recorded.rds.delete_cluster(&cluster, OURS).await.unwrap();
    let requests = recorded.requests();
    let actions: Vec<_> = requests.iter().filter_map(|form| field(form, "Action")).collect();
    assert_eq!(
        actions,
        [
            "ModifyDBCluster",
            "DeleteDBInstance",
            "DeleteDBInstance",
            "DeleteDBCluster"
        ]
    );
    assert_eq!(field(&requests[0], "DeletionProtection"), Some("false"));
    assert_eq!(field(&requests[3], "SkipFinalSnapshot"), Some("true"));
}

#[tokio::test]
async fn only_snapshots_of_this_clusters_upgrade_are_deleted() {
    let cluster = source().await;
    let snapshot = |of: &str, name: &str| {
        format!(
            "<DBClusterSnapshot><DBClusterIdentifier>{of}</DBClusterIdentifier>\
             <DBClusterSnapshotIdentifier>{name}</DBClusterSnapshotIdentifier></DBClusterSnapshot>"
        )
    };
    let first = format!(
        "<Marker>m</Marker><DBClusterSnapshots>{}{}</DBClusterSnapshots>",
        snapshot("shop-prod", "before-my-holidays"),
        snapshot("shop-prod-2", "preupgrade-shop-prod-2-17-6-to-18-6-x")
    );
    let second = format!(
        "<DBClusterSnapshots>{}</DBClusterSnapshots>",
        snapshot("shop-prod", "preupgrade-shop-prod-17-6-to-18-6-x")
    );
    let pages = [first, second].map(|xml| done("DescribeDBClusterSnapshots", &xml));
    let recorded = Recorded::start(pages.into_iter().chain([done("DeleteDBClusterSnapshot", "")])).await;
    recorded.rds.delete_preupgrade_snapshots(&cluster).await.unwrap();
    let deleted = recorded.requests().pop().unwrap();
    assert_eq!(
        field(&deleted, "DBClusterSnapshotIdentifier"),
        Some("preupgrade-shop-prod-17-6-to-18-6-x")
    );
}
