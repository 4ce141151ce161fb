//! Events and logs of a refused upgrade.
use super::{Recorded, done, fault, field, source};
use crate::Instance;

#[tokio::test]
async fn why_an_upgrade_was_refused() {
    let event = |time: &str, message: &str| {
        format!("<Event><SourceIdentifier>x</SourceIdentifier><Message>{message}</Message><Date>{time}</Date></Event>")
    };
    let of_cluster = format!(
        "<Events>{}</Events>",
        event("2026-11-25T07:00:00Z", "Upgrade preparation in progress: x")
    );
    let of_member = format!(
        "<Events>{}</Events>",
        event(
            "2026-11-25T07:01:00Z",
            "Database instance is in a state that cannot be upgraded: see the log."
        )
    );
    let files = "<DescribeDBLogFiles>\
        <DescribeDBLogFilesDetails><LogFileName>error/pg_upgrade_server.log.9</LogFileName><LastWritten>9</LastWritten></DescribeDBLogFilesDetails>\
        <DescribeDBLogFilesDetails><LogFileName>error/pg_upgrade_internal.log.1</LogFileName><LastWritten>1</LastWritten></DescribeDBLogFilesDetails>\
        <DescribeDBLogFilesDetails><LogFileName>error/pg_upgrade_internal.log.2</LogFileName><LastWritten>2</LastWritten></DescribeDBLogFilesDetails>\
        </DescribeDBLogFiles>";
    let portion = |text: &str, marker: &str, more: bool| {
        let xml = format!(
            "<LogFileData>{text}</LogFileData><Marker>{marker}</Marker><AdditionalDataPending>{more}</AdditionalDataPending>"
        );
        done("DownloadDBLogFilePortion", &xml)
    };
    let events = || [done("DescribeEvents", &of_cluster), done("DescribeEvents", &of_member)];
    let logs = [
        done("DescribeDBLogFiles", files),
        portion("Checking cluster versions  ok\nChecking for prepared", "9:30", true),
        portion(" transactions  fatal\nFailure, exiting\n", "9:60", false),
    ];
    let recorded = Recorded::start(events().into_iter().chain(logs)).await;
    let cluster = source().await;
    let members = [Instance {
        identifier: "shop-prod-1".to_owned(),
        ..Instance::default()
    }];
    let since = "2026-11-25T06:59:00Z".parse().unwrap();
    let why = recorded
        .rds
        .upgrade_failure(&cluster, &members, since)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        why,
        "Database instance is in a state that cannot be upgraded: see the log. error/pg_upgrade_internal.log.2: \
         Checking for prepared transactions fatal / Failure, exiting"
    );
    let requests = recorded.requests();
    assert_eq!(field(&requests[0], "SourceType"), Some("db-cluster"));
    assert_eq!(field(&requests[0], "StartTime"), Some("2026-11-25T06%3A54%3A00Z"));
    assert_eq!(field(&requests[1], "SourceType"), Some("db-instance"));
    assert_eq!(field(&requests[4], "Marker"), Some("9%3A30"));

    // No right to read logs must not hide what the events say.
    let denied = fault(403, "AccessDenied", "not authorized to perform: rds:DescribeDBLogFiles");
    let recorded = Recorded::start(events().into_iter().chain([denied])).await;
    let why = recorded
        .rds
        .upgrade_failure(&cluster, &members, since)
        .await
        .unwrap()
        .unwrap();
    assert!(
        why.contains("cannot be upgraded") && why.contains("rds:DescribeDBLogFiles"),
        "{why}"
    );

    let progress = [done("DescribeEvents", &of_cluster), done("DescribeEvents", "<Events/>")];
    let recorded = Recorded::start(progress).await;
    assert_eq!(
        recorded.rds.upgrade_failure(&cluster, &members, since).await.unwrap(),
        None
    );
}
