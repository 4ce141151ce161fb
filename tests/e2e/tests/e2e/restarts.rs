//! The operator is killed once in every phase, and another one goes on.
use std::collections::BTreeSet;
use std::time::Duration;

use lab_world::{Options, PODS};
use pgupgrade::api::{CutoverState, Phase};
use tokio::time::Instant;

use crate::support::{self, CUTOVER_LIMIT, UPGRADE_LIMIT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_in_every_phase_is_succeeded_by_one_that_goes_on() {
    let (_folder, world) = support::world(Options::default()).await;
    let mut number = 1;
    let mut operator = world.start_operator("number-1").await.unwrap();
    world.scale_application(PODS).await.unwrap();
    let upgrade = world.create(support::manifest(&world).await).await.unwrap();
    let mut killed = BTreeSet::new();
    let mut tokens = BTreeSet::new();
    let until = Instant::now() + UPGRADE_LIMIT + CUTOVER_LIMIT;
    loop {
        let status = upgrade.status().await.unwrap();
        if status.phase.is_final() {
            assert_eq!(status.phase, Phase::Succeeded, "{:?}", status.message);
            break;
        }
        assert!(
            Instant::now() < until,
            "{}: {:?}; killed in {killed:?}",
            status.phase,
            status.message
        );
        // Within the cutover once the application is at zero: that is where it hurts.
        let running = status.cutover.as_ref().is_some_and(|cutover| cutover.steps.len() > 2);
        let due = status.phase != Phase::CuttingOver || running;
        if due && killed.insert(status.phase) {
            operator.kill().await.unwrap();
            number += 1;
            operator = world.start_operator(&format!("number-{number}")).await.unwrap();
        }
        if status.phase == Phase::AwaitingCutover
            && let Some(cutover) = &status.cutover
            && cutover.state == Some(CutoverState::Offered)
            && let Some(token) = &cutover.token
            && tokens.insert(token.clone())
        {
            upgrade.approve(token).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A phase may be over between two looks; those that take their time must have been hit.
    for phase in [Phase::Cloning, Phase::Upgrading, Phase::CuttingOver] {
        assert!(killed.contains(&phase), "not killed in {phase}: {killed:?}");
    }
    world.scale_application(0).await.unwrap();
    let verdict = world.judge("shop-prod-18").await.unwrap();
    assert!(verdict.is_clean() && verdict.acknowledged > 0, "{verdict:?}");
    operator.terminate().await.unwrap();
    world.stop().await.unwrap();
}
