//! `make demo`: a whole upgrade on this machine, watched and judged.
mod report;
mod watch;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use lab_ledger::judge::pace::Pace;
use lab_world::{Error, NAMESPACE, Operator, Options, PODS, SOURCE, Upgrade, World};
use pgupgrade::api::PostgresUpgradeStatus;

use report::Report;

/// Upgrades a shop's database under load, from a manifest to an application that runs on the new version.
#[derive(Debug, Parser)]
struct Cli {
    /// The source's major version.
    #[arg(long, env = "FROM", default_value_t = 17, value_parser = clap::value_parser!(u16).range(14..=17))]
    from: u16,
    /// The target's major version.
    #[arg(long, env = "TO", default_value_t = 18, value_parser = clap::value_parser!(u16).range(15..=18))]
    to: u16,
    /// The size of the shop's database in MiB.
    #[arg(long, env = "MEGABYTES", default_value_t = 220)]
    megabytes: u32,
    /// Leave the world up until ctrl-c, and print how to look around in it.
    #[arg(long, env = "KEEP", num_args = 0..=1, default_missing_value = "1", default_value = "0")]
    keep: String,
    /// Where report.json goes.
    #[arg(long, default_value = "target/demo")]
    output: PathBuf,
}

/// How long the application writes before anything is done.
const WARM_UP: Duration = Duration::from_secs(3);
/// From the manifest until the offer.
const UPGRADE_LIMIT: Duration = Duration::from_mins(10);
/// From the approval until the end.
const CUTOVER_LIMIT: Duration = Duration::from_mins(3);

#[tokio::main]
async fn main() -> ExitCode {
    // A second provider can only come from another call, which there is none of.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Box::pin(run(&Cli::parse())).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(cli: &Cli) -> Result<bool, Error> {
    if cli.to <= cli.from {
        return Err(Error::Unexpected(format!(
            "TO={} is not newer than FROM={}",
            cli.to, cli.from
        )));
    }
    let folder = lab_postgres::Folder::create().map_err(lab_rds::Error::from)?;
    let whole = tokio::select! {
        whole = upgrade(cli, folder.path()) => whole?,
        _ = tokio::signal::ctrl_c() => return Err(Error::Unexpected("interrupted".to_owned())),
    };
    whole.report.print();
    whole.report.write(&cli.output)?;
    if cli.keep != "0" {
        look_around(&whole.world, &whole.target).await?;
    }
    whole.operator.terminate().await?;
    whole.world.stop().await?;
    Ok(whole.report.is_good())
}

/// A world after its upgrade.
struct Whole {
    world: World,
    operator: Operator,
    target: String,
    report: Report,
}

async fn upgrade(cli: &Cli, folder: &Path) -> Result<Whole, Error> {
    let begun = Instant::now();
    let say = |text: &str| {
        println!("[{:6.1} s] {text}", begun.elapsed().as_secs_f64());
        // Nobody reads a demo that can't be written.
        let _ = std::io::stdout().flush();
    };
    say(&format!(
        "preparing: Kubernetes, RDS with an Aurora PostgreSQL {} cluster of {} MiB",
        cli.from, cli.megabytes
    ));
    let options = Options {
        from: cli.from,
        megabytes: cli.megabytes,
        ..Options::default()
    };
    let world = World::start(folder, options).await?;
    let operator = world.start_operator("demo").await?;
    say(&format!(
        "starting the application: {PODS} Pods, and a rogue writer beside them"
    ));
    world.scale_application(PODS).await?;
    let rogue = world.start_rogue().await?;
    tokio::time::sleep(WARM_UP).await;
    let floor = restart_floor(&world).await?;
    say(&format!(
        "the application scaled to zero and back, with nothing else done: {floor:.0} ms without a write"
    ));
    let manifest = manifest(&world, cli, folder).await?;
    say(&format!(
        "kubectl apply -f {manifest}   # deploy/examples/shop.yaml to {} with a soak of 5 s",
        cli.to
    ));
    world.kubectl(&["apply", "-f", &manifest]).await?;
    let finished = watch_and_approve(&world, &world.upgrade("shop"), &say).await?;
    world.scale_application(0).await?;
    rogue.stop().await?;
    let target = finished
        .resolved
        .as_ref()
        .and_then(|resolved| resolved.target_identifier.clone())
        .unwrap_or_default();
    say("judging: what every table must hold, recomputed from what the application was told");
    let verdict = world.judge(&target).await?;
    let rewritten = secret_names(&world, &target).await?;
    world.scale_application(PODS).await?;
    let report = Report::new(&finished, &verdict, floor, begun.elapsed(), rewritten);
    Ok(Whole {
        world,
        operator,
        target,
        report,
    })
}

/// Writes the example for the pair of versions that was asked for, with a short soak; the file's name.
async fn manifest(world: &World, cli: &Cli, folder: &Path) -> Result<String, Error> {
    let mut manifest = world.example().await?;
    manifest["spec"]["target"]["engineVersion"] = cli.to.to_string().into();
    manifest["spec"]["soak"] = serde_json::json!({ "duration": "5s" });
    let file = folder.join("shop.json");
    std::fs::write(&file, manifest.to_string()).map_err(Error::file(&file))?;
    Ok(file.to_string_lossy().into_owned())
}

/// What a restart costs by itself: the same application to zero and back, as the writers saw it.
async fn restart_floor(world: &World) -> Result<f64, Error> {
    let from = micros();
    world.scale_application(0).await?;
    world.scale_application(PODS).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pace = Pace::read(&world.ledger)?;
    Ok(pace
        .longest_pause_millis(from.saturating_sub(1_000_000), micros())
        .unwrap_or_default())
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

async fn watch_and_approve(
    world: &World,
    upgrade: &Upgrade,
    say: &impl Fn(&str),
) -> Result<PostgresUpgradeStatus, Error> {
    let watching = watch::Lines::new(world, upgrade);
    let token = |status: &PostgresUpgradeStatus| status.cutover.as_ref().and_then(|cutover| cutover.token.clone());
    let offered = watching
        .until(UPGRADE_LIMIT, say, |status| {
            token(status).is_some() || status.phase.is_final()
        })
        .await?;
    let Some(token) = token(&offered) else {
        return Err(Error::Unexpected(format!(
            "no cutover is offered: {}",
            offered.message.unwrap_or_default()
        )));
    };
    say(&format!(
        "kubectl annotate pgupgrade shop pgupgrade.dev/approve={token}"
    ));
    upgrade.approve(&token).await?;
    watching
        .until(CUTOVER_LIMIT, say, |status| status.phase.is_final())
        .await
}

/// Whether the Secret names the new cluster.
async fn secret_names(world: &World, target: &str) -> Result<bool, Error> {
    use k8s_openapi::api::core::v1::Secret;
    let secrets: kube::Api<Secret> = kube::Api::namespaced(world.client.clone(), NAMESPACE);
    let secret = secrets.get("shop-db").await?;
    let value = secret
        .data
        .unwrap_or_default()
        .remove("DATABASE_URL")
        .map(|value| value.0)
        .unwrap_or_default();
    let (host, port) = world.endpoint(target).await?;
    Ok(String::from_utf8_lossy(&value).contains(&format!("@{host}:{port}/")))
}

async fn look_around(world: &World, target: &str) -> Result<(), Error> {
    println!("\nThe world stays up until ctrl-c. To look around:");
    println!("  export KUBECONFIG={}", world.cluster.admin_kubeconfig().display());
    println!("  kubectl -n {NAMESPACE} get pgupgrade -o wide");
    for (what, cluster) in [("old", SOURCE), ("new", target)] {
        println!(
            "  psql '{}&sslrootcert={}'   # the {what} database",
            world.application_uri(cluster).await?,
            world.ca_file().display()
        );
    }
    // Without the signal the world would go on for ever, which is what was asked for.
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
