//! The operator is killed once in every phase and once more after the commit point, and another one goes on.
use std::collections::BTreeSet;
use std::time::Duration;

use lab_world::{Options, PODS, SOURCE, Upgrade, World};
use pgupgrade::api::{CutoverState, Phase, PinnedProof, PostgresUpgradeStatus};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{self, CUTOVER_LIMIT, SOON, UPGRADE_LIMIT};

const TARGET: &str = "shop-prod-18";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_killed_in_every_phase_is_succeeded_by_one_that_goes_on() {
    let (_folder, world) = support::world(Options::default()).await;
    let mut number = 1;
    let mut operator = world.start_operator("number-1").await.unwrap();
    world.scale_application(PODS).await.unwrap();
    let mut manifest = support::manifest(&world).await;
    manifest["spec"]["soak"] = json!({ "duration": "1h" });
    let upgrade = world.create(manifest).await.unwrap();
    let mut killed = BTreeSet::new();
    let mut tokens = BTreeSet::new();
    let mut proven = false;
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
        if let Some(moment) = moment(&status)
            && killed.insert(moment)
        {
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
        if status.phase == Phase::Soaking && killed.contains(&(Phase::Soaking, false)) && !proven {
            it_is_proven_by_what_flows_back(&world, &upgrade).await;
            proven = true;
            let finalized = json!({ "spec": { "desiredState": "Finalized" } });
            upgrade.patch(finalized).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A phase may be over between two looks; those that take their time must have been hit.
    let committed = (Phase::CuttingOver, true);
    for moment in [Phase::Cloning, Phase::Upgrading, Phase::CuttingOver, Phase::Soaking].map(|phase| (phase, false)) {
        assert!(killed.contains(&moment), "not killed in {moment:?}: {killed:?}");
    }
    assert!(
        killed.contains(&committed),
        "not killed after the commit point: {killed:?}"
    );
    for cluster in [SOURCE, TARGET] {
        assert_eq!(ours(&support::traces_on(&world, cluster).await), [""; 0], "{cluster}");
    }
    world.scale_application(0).await.unwrap();
    let verdict = world.judge(TARGET).await.unwrap();
    assert!(verdict.is_clean() && verdict.acknowledged > 0, "{verdict:?}");
    operator.terminate().await.unwrap();
    world.stop().await.unwrap();
}

/// When it is killed: in each phase; in the cutover once the application is at zero, since that is where it hurts, and
/// once more after the commit point, which takes the snapshots of the fence with it; in the soak once it has begun to
/// compare by what flows back.
fn moment(status: &PostgresUpgradeStatus) -> Option<(Phase, bool)> {
    let cutover = status.cutover.as_ref();
    let committed = cutover.is_some_and(|cutover| cutover.state == Some(CutoverState::Committed));
    let due = match status.phase {
        Phase::CuttingOver => committed || cutover.is_some_and(|cutover| cutover.steps.len() > 2),
        Phase::Soaking => status.databases[0].reverse_verification.is_some(),
        _ => true,
    };
    due.then_some((status.phase, committed))
}

/// The application writes meanwhile, and afterwards what the comparison made is gone.
async fn it_is_proven_by_what_flows_back(world: &World, upgrade: &Upgrade) {
    let acknowledged = support::acknowledged(world);
    let proof = |status: &PostgresUpgradeStatus| {
        let verification = status.verification.as_ref();
        verification.and_then(|verification| verification.pinned_proof)
    };
    let dropped = |status: &PostgresUpgradeStatus| status.databases[0].reverse_verification.is_none();
    let status = upgrade
        .wait_for("the proof", CUTOVER_LIMIT, |status| {
            proof(status).is_some() && dropped(status)
        })
        .await
        .unwrap();
    assert_eq!(proof(&status), Some(PinnedProof::EqualLive), "{:?}", status.message);
    assert!(
        support::acknowledged(world) > acknowledged,
        "the application does not write"
    );
    let until = Instant::now() + SOON;
    loop {
        let left = ours(&support::traces_on(world, TARGET).await);
        if !left
            .iter()
            .any(|line| line.contains("verify") || line.contains("_feed_"))
        {
            return;
        }
        assert!(Instant::now() < until, "left: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is this operator's, apart from what it leaves on the old database on purpose.
fn ours(traces: &str) -> Vec<String> {
    let ours = traces.lines().filter(|line| line.contains("pgupgrade"));
    let guard = |line: &&str| line.starts_with("trigger pgupgrade_guard") || line.starts_with("function pgupgrade.");
    ours.filter(|line| !guard(line) && *line != "schema pgupgrade")
        .map(ToOwned::to_owned)
        .collect()
}
