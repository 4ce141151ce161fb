//! Refusals as they are on the wire.
use super::{Recorded, done, fault, rds_at};
use crate::Kind;

#[tokio::test]
async fn what_is_not_there_is_no_error() {
    let answers = [
        fault(404, "DBClusterNotFoundFault", "DBCluster shop not found."),
        fault(404, "DBInstanceNotFound", "DBInstance shop-1 not found."),
        fault(404, "DBParameterGroupNotFound", "DBParameterGroup not found: g"),
        fault(404, "DBParameterGroupNotFound", "DBParameterGroup not found: g"),
        fault(404, "DBParameterGroupNotFound", "DBParameterGroup not found: g"),
    ];
    let recorded = Recorded::start(answers).await;
    assert_eq!(recorded.rds.cluster("shop").await.unwrap(), None);
    assert_eq!(recorded.rds.instance("shop-1").await.unwrap(), None);
    assert_eq!(recorded.rds.cluster_parameter_group("g").await.unwrap(), None);
    recorded.rds.delete_cluster_parameter_group("g", "a/b/c").await.unwrap();
    recorded.rds.delete_db_parameter_group("g", "a/b/c").await.unwrap();
}

#[tokio::test]
async fn throttling_and_failures_are_tried_again() {
    let answers = [
        fault(400, "Throttling", "Rate exceeded"),
        fault(500, "InternalFailure", "An internal error has occurred."),
        done("DescribeDBClusters", "<DBClusters/>"),
    ];
    let recorded = Recorded::start(answers).await;
    assert_eq!(recorded.rds.cluster("shop").await.unwrap(), None);
    assert_eq!(recorded.requests().len(), 3);
}

#[tokio::test]
async fn classes_of_errors() {
    let table = [
        (404, "DBClusterNotFoundFault", 1, Kind::NotFound, false, "cluster shop"),
        (400, "InvalidDBClusterStateFault", 1, Kind::InvalidState, true, "later"),
        (
            400,
            "InvalidParameterCombination",
            1,
            Kind::InvalidParameter,
            false,
            "correct",
        ),
        (403, "AccessDenied", 1, Kind::AccessDenied, false, "rds:ModifyDBCluster"),
        (403, "DBClusterQuotaExceededFault", 1, Kind::Exhausted, false, "quota"),
        (400, "Throttling", 3, Kind::Throttled, true, "later"),
        (503, "ServiceUnavailable", 3, Kind::Unavailable, true, "later"),
    ];
    for (status, code, attempts, kind, retryable, says) in table {
        let recorded = Recorded::start(vec![fault(status, code, "no cluster shop"); attempts]).await;
        let cluster = crate::Cluster {
            identifier: "shop".to_owned(),
            ..crate::Cluster::default()
        };
        let error = recorded
            .rds
            .modify_cluster_parameter_group(&cluster, "g")
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("ModifyDBCluster on shop: {code}: ")) && text.contains(says),
            "{text}"
        );
        assert_eq!(recorded.requests().len(), attempts, "{code}");
    }
}

#[tokio::test]
async fn nobody_at_home() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = rds_at(&url).await.cluster("shop").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(
        error.is_retryable()
            && error
                .to_string()
                .starts_with("DescribeDBClusters on shop: Unreachable: "),
        "{error}"
    );
}
