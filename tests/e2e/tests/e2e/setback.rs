//! The new database dies in the middle of the cutover: the application is back on the old one, and nothing is left.
use std::process::Command;
use std::time::Duration;

use lab_world::{Options, PODS, SOURCE, World};
use pgupgrade::api::{CutoverState, CutoverStep};
use tokio::time::Instant;

use crate::support::{self, SOON, UPGRADE_LIMIT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_returns_to_the_old_database_when_the_new_one_dies_in_the_cutover() {
    let (_folder, world) = support::world(Options::default()).await;
    let operator = world.start_operator("one").await.unwrap();
    world.scale_application(PODS).await.unwrap();
    let traces = support::traces(&world).await;
    let upgrade = world.create(support::manifest(&world).await).await.unwrap();
    let token = support::offered(&upgrade).await;
    upgrade.approve(&token).await.unwrap();
    let until = Instant::now() + UPGRADE_LIMIT;
    loop {
        let status = upgrade.status().await.unwrap();
        let steps = status.cutover.iter().flat_map(|cutover| &cutover.steps);
        if steps.clone().any(|step| step.name == CutoverStep::Quiesce) {
            break;
        }
        assert!(
            Instant::now() < until,
            "the cutover did not begin: {:?}",
            status.message
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    end_clone(&world);

    let back = |status: &pgupgrade::api::PostgresUpgradeStatus| {
        status
            .cutover
            .as_ref()
            .is_some_and(|cutover| cutover.state == Some(CutoverState::WentBack))
    };
    let status = upgrade.wait_for("the way back", SOON, back).await.unwrap();
    assert!(status.cutover.unwrap().reason.is_some());
    assert_eq!(support::replicas(&world).await, PODS.to_string());
    let acknowledged = support::acknowledged(&world);
    let until = Instant::now() + SOON;
    while support::acknowledged(&world) <= acknowledged {
        assert!(Instant::now() < until, "the application does not write");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    upgrade.delete(UPGRADE_LIMIT).await.unwrap();
    assert_eq!(support::traces(&world).await, traces);
    assert_eq!(world.clusters().await.unwrap(), [SOURCE]);
    world.scale_application(0).await.unwrap();
    let verdict = world.judge(SOURCE).await.unwrap();
    assert!(verdict.is_clean() && verdict.acknowledged > 0, "{verdict:?}");
    operator.terminate().await.unwrap();
    world.stop().await.unwrap();
}

/// The clone is the second volume of the local RDS. Its server ends as in a crash.
fn end_clone(world: &World) {
    let folder = world.dir().join("rds/v2").to_string_lossy().into_owned();
    let found = Command::new("pkill")
        .args(["-QUIT", "-f", &format!("postgres -D {folder}")])
        .status()
        .unwrap();
    assert!(found.success());
}
