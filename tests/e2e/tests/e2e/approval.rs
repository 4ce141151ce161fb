//! Nothing but the offered token starts a cutover; and a resource deleted before it leaves nothing behind.
use std::time::Duration;

use lab_world::{Options, PODS};
use pgupgrade::api::{Phase, PostgresUpgradeStatus, conditions};
use serde_json::json;

use crate::support::{self, SOON, UPGRADE_LIMIT};

/// Several looks of the operator.
const A_WHILE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_offered_token_starts_a_cutover_and_deletion_before_it_leaves_nothing() {
    let (_folder, world) = support::world(Options::default()).await;
    let operator = world.start_operator("one").await.unwrap();
    world.scale_application(PODS).await.unwrap();
    let (traces, surroundings) = (support::traces(&world).await, support::surroundings(&world).await);
    let upgrade = world.create(support::manifest(&world).await).await.unwrap();
    let token = support::offered(&upgrade).await;
    assert!(token.starts_with("1-1-"), "{token}");

    let stays = async |reason: &str| {
        let refused = |status: &PostgresUpgradeStatus| {
            let allowed = conditions::find(&status.conditions, conditions::CUTOVER_ALLOWED);
            allowed.is_some_and(|allowed| allowed.status == "False" && allowed.reason == reason)
        };
        upgrade.wait_for(reason, SOON, refused).await.unwrap();
        tokio::time::sleep(A_WHILE).await;
        let status = upgrade.status().await.unwrap();
        assert_eq!(status.phase, Phase::AwaitingCutover, "{:?}", status.message);
        assert!(refused(&status), "{:?}", status.conditions);
        assert!(status.cutover.unwrap().started_at.is_none());
    };
    stays("AwaitingApproval").await;
    // An old one, one of another attempt, one of another resource.
    for wrong in [
        format!("1-0-{}", &token[4..]),
        format!("2-1-{}", &token[4..]),
        "1-1-zzzzzz".to_owned(),
    ] {
        upgrade
            .patch(json!({ "spec": { "cutover": { "approval": { "token": wrong } } } }))
            .await
            .unwrap();
        stays("TokenOutdated").await;
    }
    // A withdrawn one: given while a workload isn't healthy, taken back before it is.
    world
        .kubectl(&["-n", "shop", "rollout", "pause", "deployment/shop-api"])
        .await
        .unwrap();
    upgrade
        .patch(json!({ "spec": { "cutover": { "approval": { "token": token } } } }))
        .await
        .unwrap();
    stays("WorkloadNotHealthy").await;
    upgrade
        .patch(json!({ "spec": { "cutover": { "approval": null } } }))
        .await
        .unwrap();
    tokio::time::sleep(A_WHILE).await;
    world
        .kubectl(&["-n", "shop", "rollout", "resume", "deployment/shop-api"])
        .await
        .unwrap();
    stays("AwaitingApproval").await;

    upgrade.delete(UPGRADE_LIMIT).await.unwrap();
    assert_eq!(support::traces(&world).await, traces);
    let now = support::surroundings(&world).await;
    let without_versions = |text: &str| {
        // Pausing changed the Deployment's version, and nothing else did.
        text.lines()
            .filter(|line| !line.starts_with("Deployment"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(without_versions(&now), without_versions(&surroundings));
    assert_eq!(support::replicas(&world).await, PODS.to_string());
    let records = world
        .kubectl(&["-n", "pgupgrade-system", "get", "secrets", "-o", "name"])
        .await
        .unwrap();
    assert!(!records.contains("pgupgrade-"), "{records}");
    operator.terminate().await.unwrap();
    world.stop().await.unwrap();
}
