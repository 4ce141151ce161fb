//! A clone on which somebody wrote can't be continued: it is given up, and the next one is made.
use std::time::Duration;

use lab_world::{MASTER, MASTER_PASSWORD, Options, PODS, SOURCE, World};
use pgupgrade::api::{AttemptOutcome, Phase};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{self, UPGRADE_LIMIT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_that_was_written_to_is_given_up_and_the_next_one_is_proven() {
    // Slow looks leave the time to write before the operator meets the clone; and logical replication is off at first.
    let options = Options {
        logical: false,
        poll: Duration::from_secs(2),
        ..Options::default()
    };
    let (_folder, world) = support::world(options).await;
    let operator = world.start_operator("one").await.unwrap();
    world.scale_application(PODS).await.unwrap();
    let (traces, group) = (support::traces(&world).await, parameter_group(&world).await);
    let mut manifest = support::manifest(&world).await;
    manifest["spec"]["source"]["logicalReplication"] = json!({ "policy": "Enable", "restart": "Immediately" });
    let upgrade = world.create(manifest).await.unwrap();
    write_on_the_clone(&world).await;
    let status = upgrade.reaches(Phase::AwaitingCutover, UPGRADE_LIMIT).await.unwrap();
    assert_eq!(status.phase, Phase::AwaitingCutover, "{:?}", status.message);
    assert_ne!(
        parameter_group(&world).await,
        group,
        "the source has a parameter group of ours meanwhile"
    );
    assert_eq!(status.attempts.len(), 2, "{:?}", status.attempts);
    let (first, second) = (&status.attempts[0], &status.attempts[1]);
    assert_eq!(
        (first.outcome, first.reason.as_deref()),
        (AttemptOutcome::Abandoned, Some("CutPointRefused"))
    );
    assert_eq!((first.reclaimed, second.outcome), (Some(true), AttemptOutcome::Running));
    let mut clusters = world.clusters().await.unwrap();
    clusters.sort();
    assert_eq!(clusters, [SOURCE.to_owned(), second.target_identifier.clone()]);

    damage(&world, &second.target_identifier).await;
    let status = upgrade
        .wait_for("another attempt", UPGRADE_LIMIT, |status| status.attempts.len() == 3)
        .await
        .unwrap();
    let second = &status.attempts[1];
    assert_eq!(
        (second.outcome, second.reason.as_deref()),
        (AttemptOutcome::Abandoned, Some("DifferenceFound"))
    );

    upgrade
        .patch(json!({ "spec": { "desiredState": "Aborted" } }))
        .await
        .unwrap();
    let status = upgrade
        .wait_for("the end", UPGRADE_LIMIT, |status| status.phase.is_final())
        .await
        .unwrap();
    assert_eq!(status.phase, Phase::Aborted, "{:?}", status.message);
    assert_eq!(world.clusters().await.unwrap(), [SOURCE]);
    assert_eq!(parameter_group(&world).await, group);
    assert_eq!(support::traces(&world).await, traces);
    operator.terminate().await.unwrap();
    world.stop().await.unwrap();
}

/// As soon as it answers, which is before RDS says so.
async fn write_on_the_clone(world: &World) {
    let until = Instant::now() + UPGRADE_LIMIT;
    loop {
        if let Ok(client) = world.connect("shop-prod-18", MASTER, MASTER_PASSWORD).await {
            let sql =
                "INSERT INTO shop.products (sku, title, dimensions, attributes) VALUES ('foreign', '', '{}', '{}')";
            if client.execute(sql, &[]).await.is_ok() {
                return;
            }
        }
        assert!(Instant::now() < until, "the clone never answered");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A row that nobody on the source changes, written past replication and past the guard.
async fn damage(world: &World, clone: &str) {
    let client = world.admin(clone).await.unwrap();
    let sql = "ALTER TABLE shop.products DISABLE TRIGGER USER;
        INSERT INTO shop.products (sku, title, dimensions, attributes) VALUES ('damaged', '', '{}', '{}');
        ALTER TABLE shop.products ENABLE TRIGGER USER";
    client.batch_execute(sql).await.unwrap();
}

async fn parameter_group(world: &World) -> String {
    let found = world
        .aws
        .describe_db_clusters()
        .db_cluster_identifier(SOURCE)
        .send()
        .await
        .unwrap();
    found.db_clusters()[0]
        .db_cluster_parameter_group()
        .unwrap_or_default()
        .to_owned()
}
