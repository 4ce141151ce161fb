//! A world for one test, and what several tests look at.
use std::time::Duration;

use lab_ledger::judge::pace::Pace;
use lab_postgres::Folder;
use lab_world::{DATABASE, Options, SOURCE, Upgrade, World};
use pgupgrade::api::{Phase, PostgresUpgradeStatus};
use serde_json::{Value, json};

/// From the manifest until the offer, with everything else that the machine does at the same time.
pub const UPGRADE_LIMIT: Duration = Duration::from_mins(4);
/// From the approval until the end.
pub const CUTOVER_LIMIT: Duration = Duration::from_mins(2);
/// For what should happen at once.
pub const SOON: Duration = Duration::from_secs(30);

/// A started world and its folder, which goes when this is dropped.
pub async fn world(options: Options) -> (Folder, World) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = Folder::create().unwrap();
    let world = World::start(folder.path(), options).await.unwrap();
    (folder, world)
}

/// The example with a soak that is over at once.
pub async fn manifest(world: &World) -> Value {
    let mut manifest = world.example().await.unwrap();
    manifest["spec"]["soak"] = json!({ "duration": "1s" });
    manifest
}

/// Waits for the offer and returns its token.
pub async fn offered(upgrade: &Upgrade) -> String {
    let status = upgrade.reaches(Phase::AwaitingCutover, UPGRADE_LIMIT).await.unwrap();
    assert_eq!(status.phase, Phase::AwaitingCutover, "{:?}", status.message);
    let status = upgrade
        .wait_for("a token", SOON, |status| token(status).is_some())
        .await
        .unwrap();
    token(&status).unwrap()
}

/// The token on offer.
pub fn token(status: &PostgresUpgradeStatus) -> Option<String> {
    status.cutover.as_ref().and_then(|cutover| cutover.token.clone())
}

/// Approves, and waits for the end.
pub async fn finish(upgrade: &Upgrade, token: &str) -> PostgresUpgradeStatus {
    upgrade.approve(token).await.unwrap();
    let status = upgrade
        .wait_for("the end", CUTOVER_LIMIT, |status| status.phase.is_final())
        .await
        .unwrap();
    assert_eq!(status.phase, Phase::Succeeded, "{:?}", status.message);
    status
}

/// What an upgrade could leave on the source, as text.
pub async fn traces(world: &World) -> String {
    traces_on(world, SOURCE).await
}

/// What an upgrade could leave on a cluster, as text.
pub async fn traces_on(world: &World, cluster: &str) -> String {
    let client = world.admin(cluster).await.unwrap();
    let sql = "SELECT coalesce(string_agg(x, E'\\n' ORDER BY x), '') FROM (
        SELECT 'schema ' || nspname AS x FROM pg_catalog.pg_namespace WHERE nspname NOT LIKE 'pg\\_temp%' AND nspname NOT LIKE 'pg\\_toast\\_temp%'
        UNION ALL SELECT 'role ' || rolname || ' ' || rolreplication::text FROM pg_catalog.pg_roles
        UNION ALL SELECT 'publication ' || pubname FROM pg_catalog.pg_publication
        UNION ALL SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription
        UNION ALL SELECT 'slot ' || slot_name FROM pg_catalog.pg_replication_slots
        UNION ALL SELECT 'trigger ' || tgname || ' ' || tgrelid::regclass::text FROM pg_catalog.pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT 'identity ' || oid::regclass::text || ' ' || relreplident::text FROM pg_catalog.pg_class
            WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text IN ('shop', 'audit')
        UNION ALL SELECT 'function ' || oid::regprocedure::text FROM pg_catalog.pg_proc WHERE pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
    ) AS all_of_it";
    let row = client.query_one(sql, &[]).await.unwrap();
    format!("database {DATABASE}\n{}", row.get::<_, String>(0))
}

/// The application's objects with their versions, and the parameter groups.
pub async fn surroundings(world: &World) -> String {
    let columns = "custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion,A:.metadata.annotations";
    let objects = world
        .kubectl(&["-n", "shop", "get", "secrets,configmaps,deployments", "-o", columns])
        .await
        .unwrap();
    let groups = world.aws.describe_db_cluster_parameter_groups().send().await.unwrap();
    let groups: Vec<&str> = groups
        .db_cluster_parameter_groups()
        .iter()
        .filter_map(|group| group.db_cluster_parameter_group_name())
        .collect();
    let clusters = world.clusters().await.unwrap();
    format!("{objects}\n{groups:?}\n{clusters:?}")
}

/// How many transactions the application was told to have been committed.
pub fn acknowledged(world: &World) -> u64 {
    let pace = Pace::read(&world.ledger).unwrap();
    pace.servers().iter().map(|server| server.acknowledged).sum()
}

/// Replicas of the application as its Deployment has them.
pub async fn replicas(world: &World) -> String {
    world
        .kubectl(&[
            "-n",
            "shop",
            "get",
            "deployment",
            "shop-api",
            "-o",
            "jsonpath={.spec.replicas}",
        ])
        .await
        .unwrap()
}
