//! The whole way, and what comes after it.
use lab_world::{Options, PODS, SOURCE};
use pgupgrade::api::{Phase, PinnedProof, VerificationDepth, Writer, conditions};

use crate::support::{self, SOON};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_manifest_takes_a_live_database_to_the_next_major_version() {
    let (_folder, world) = support::world(Options::default()).await;
    let operator = world.start_operator("one").await.unwrap();
    world.scale_application(PODS).await.unwrap();
    let rogue = world.start_rogue().await.unwrap();
    let manifest = support::manifest(&world).await;
    let upgrade = world.create(manifest.clone()).await.unwrap();
    let token = support::offered(&upgrade).await;
    let status = support::finish(&upgrade, &token).await;

    assert_eq!(status.writer, Some(Writer::Target));
    let verification = status.verification.as_ref().unwrap();
    assert!(verification.rows_verified.unwrap() > 0);
    // The soak of a second may be over before that is through; it is not left open.
    assert!(matches!(
        verification.pinned_proof,
        Some(PinnedProof::Equal | PinnedProof::Lost)
    ));
    assert_eq!(verification.depth, Some(VerificationDepth::Full));
    what_was_compared_is_written_down(&world).await;
    assert!(status.cutover.as_ref().unwrap().write_gap_millis.unwrap() > 0);
    assert!(conditions::holds(&status.conditions, conditions::READY));
    assert!(conditions::holds(&status.conditions, conditions::SUCCEEDED));
    assert!(conditions::holds(&status.conditions, conditions::CUT_POINT_PROVEN));
    assert_eq!(support::replicas(&world).await, PODS.to_string());
    world.scale_application(0).await.unwrap();
    rogue.stop().await.unwrap();
    let verdict = world.judge("shop-prod-18").await.unwrap();
    assert!(
        verdict.is_clean() && verdict.acknowledged > 0 && verdict.write_gap_millis.is_some(),
        "{verdict:?}"
    );
    assert!(
        verdict.rogue_acknowledged > 0 && verdict.rogue_refused > 0,
        "{verdict:?}"
    );

    no_slot_times_out(&world).await;
    the_old_database_stays_fenced(&world).await;
    applying_again_changes_nothing(&world, &upgrade, &manifest).await;
    a_new_resource_finds_it_done(&world, &upgrade, &manifest).await;
    operator.terminate().await.unwrap();
    world.stop().await.unwrap();
}

async fn what_was_compared_is_written_down(world: &lab_world::World) {
    let keys = "go-template={{range $key, $_ := .binaryData}}{{$key}} {{end}}";
    let arguments = ["-n", "shop", "get", "configmap", "shop-report", "-o", keys];
    let keys = world.kubectl(&arguments).await.unwrap();
    assert_eq!(keys.trim(), "known.json.gz report.json.gz");
}

/// The new database's parameter group says so, whatever the family's default is.
async fn no_slot_times_out(world: &lab_world::World) {
    let cluster = world.aws.describe_db_clusters().db_cluster_identifier("shop-prod-18");
    let cluster = cluster.send().await.unwrap();
    let group = cluster.db_clusters()[0]
        .db_cluster_parameter_group()
        .unwrap()
        .to_owned();
    let parameters = world.aws.describe_db_cluster_parameters().source("user");
    let parameters = parameters.db_cluster_parameter_group_name(group).send().await.unwrap();
    let timeout = parameters
        .parameters()
        .iter()
        .find(|parameter| parameter.parameter_name() == Some("idle_replication_slot_timeout"));
    assert_eq!(timeout.unwrap().parameter_value(), Some("0"));
}

async fn the_old_database_stays_fenced(world: &lab_world::World) {
    let old = world.admin(SOURCE).await.unwrap();
    let refused = old
        .execute("INSERT INTO shop.carts (id, content) VALUES ('late', '{}')", &[])
        .await
        .unwrap_err();
    assert_eq!(
        refused.code().map(|code| code.code().to_owned()),
        Some("25006".to_owned()),
        "{refused:?}"
    );
    let state = old.query_one("SELECT state FROM pgupgrade.fence", &[]).await.unwrap();
    assert_eq!(state.get::<_, String>(0), "closed");
    let left = support::traces(world).await;
    for gone in [
        "slot pgupgrade",
        "role pgupgrade",
        "publication pgupgrade",
        "subscription pgupgrade",
    ] {
        assert!(!left.contains(gone), "{gone} in {left}");
    }
}

async fn applying_again_changes_nothing(
    world: &lab_world::World,
    upgrade: &lab_world::Upgrade,
    manifest: &serde_json::Value,
) {
    let before = upgrade.status().await.unwrap();
    upgrade
        .patch(serde_json::json!({ "spec": manifest["spec"] }))
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let after = upgrade.status().await.unwrap();
    assert_eq!(after.phase, before.phase);
    assert_eq!(after.attempts, before.attempts);
    assert_eq!(world.clusters().await.unwrap().len(), 2);
}

/// As Argo CD does after somebody deleted the object by mistake.
async fn a_new_resource_finds_it_done(
    world: &lab_world::World,
    upgrade: &lab_world::Upgrade,
    manifest: &serde_json::Value,
) {
    upgrade.delete(SOON).await.unwrap();
    let again = world.create(manifest.clone()).await.unwrap();
    let status = again
        .wait_for("AlreadyUpgraded", SOON, |status| status.phase.is_final())
        .await
        .unwrap();
    assert_eq!(status.phase, Phase::Succeeded);
    let succeeded = conditions::find(&status.conditions, conditions::SUCCEEDED).unwrap();
    assert_eq!(succeeded.reason, "AlreadyUpgraded");
    assert!(status.attempts.is_empty());
    again.delete(SOON).await.unwrap();

    // The connections elsewhere: nobody knows what is right.
    let old = world.application_uri(SOURCE).await.unwrap();
    let secret = serde_json::json!({ "stringData": { "DATABASE_URL": old } });
    world
        .apply::<k8s_openapi::api::core::v1::Secret>("shop-db", secret)
        .await
        .unwrap();
    let third = world.create(manifest.clone()).await.unwrap();
    let stalled = |status: &pgupgrade::api::PostgresUpgradeStatus| {
        conditions::find(&status.conditions, conditions::STALLED)
            .is_some_and(|condition| condition.reason == "SourceAlreadyMoved")
    };
    third.wait_for("SourceAlreadyMoved", SOON, stalled).await.unwrap();
    assert_eq!(world.clusters().await.unwrap().len(), 2);
    third.delete(SOON).await.unwrap();
}
