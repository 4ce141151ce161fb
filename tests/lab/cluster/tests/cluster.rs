//! One real cluster for all cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, ServiceAccount};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use lab_cluster::Cluster;
use serde_json::json;

use support::{Case, container_status, deployment, is_alive, object, wait};

#[tokio::test(flavor = "multi_thread")]
async fn workloads_run_as_processes() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let cluster = Cluster::start(folder.path()).await.unwrap();
    eprintln!("cluster started in {:?}", began.elapsed());

    let version = cluster.admin().apiserver_version().await.unwrap();
    assert_eq!(
        (version.major.as_str(), version.minor.as_str()),
        ("1", "37"),
        "{version:?}"
    );

    let case = Case::new(&cluster, folder.path(), "cases").await;
    deployment_with_secret(&case).await;
    readiness_is_held(&case).await;
    crash_is_restarted(&case).await;
    job_completes(&case).await;
    missing_command_is_shown(&case).await;
    grace_period_is_kept(&case).await;
    service_account_is_limited(&case).await;

    let pids = case.start_sleepers("last", 2).await;
    let began = Instant::now();
    cluster.stop().await.unwrap();
    eprintln!("cluster stopped in {:?}", began.elapsed());
    assert!(
        pids.iter().all(|pid| !is_alive(*pid)),
        "processes of Pods outlived the cluster"
    );
}

/// A Deployment becomes ready with a Secret's value in its environment, really ends when scaled to zero, and comes back
/// with the value that the Secret has then.
async fn deployment_with_secret(case: &Case<'_>) {
    let secrets: Api<Secret> = case.api();
    let secret = |value: &str| Secret {
        metadata: object("connection"),
        data: Some(BTreeMap::from([("host".to_owned(), ByteString(value.into()))])),
        ..Secret::default()
    };
    secrets
        .create(&PostParams::default(), &secret("old.example"))
        .await
        .unwrap();
    let script = r#"echo "$$$$ $DATABASE_HOST $OWN_ADDRESS" > "$OUT/$HOSTNAME"; echo "writing to $DATABASE_HOST"
        trap 'exit 0' TERM; while :; do sleep 0.1; done"#;
    let mut writer = deployment("writer", 3, script);
    writer["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        { "name": "OUT", "value": case.out() },
        { "name": "DATABASE_HOST", "valueFrom": { "secretKeyRef": { "name": "connection", "key": "host" } } },
        { "name": "OWN_ADDRESS", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
    ]);
    let began = Instant::now();
    case.create::<Deployment>(writer).await;
    case.wait_ready("writer", 3).await;
    eprintln!("3 Pods ready in {:?}", began.elapsed());

    let first = case.lines();
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|line| line[1] == "old.example"), "{first:?}");
    let addresses: std::collections::BTreeSet<_> = first.iter().map(|line| line[2].clone()).collect();
    assert!(
        addresses.len() == 3 && addresses.iter().all(|a| a.starts_with("127.22.")),
        "{addresses:?}"
    );
    let pids: Vec<i32> = first.iter().map(|line| line[0].parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)));

    logs_and_exec_work(case);

    let began = Instant::now();
    case.scale("writer", 0).await;
    wait("the processes to end", || async {
        pids.iter().all(|pid| !is_alive(*pid))
    })
    .await;
    let ended = began.elapsed();
    wait("the Pods to go", || async { case.pods("app=writer").await.is_empty() }).await;
    eprintln!("3 Pods scaled to zero in {:?} (processes {ended:?})", began.elapsed());

    case.clear();
    secrets
        .replace("connection", &PostParams::default(), &secret("new.example"))
        .await
        .unwrap();
    let began = Instant::now();
    case.scale("writer", 3).await;
    case.wait_ready("writer", 3).await;
    eprintln!("3 Pods back in {:?}", began.elapsed());
    let second = case.lines();
    assert!(
        second.len() == 3 && second.iter().all(|line| line[1] == "new.example"),
        "{second:?}"
    );
    case.remove::<Deployment>("writer").await;
}

/// `kubectl logs` and `kubectl exec` go through the API server to the node agent, both sides by TLS.
fn logs_and_exec_work(case: &Case<'_>) {
    let output = case.kubectl(&["logs", "deployment/writer", "--tail=1"]);
    assert_eq!(output.trim(), "writing to old.example");
    let output = case.kubectl(&[
        "exec",
        "deployment/writer",
        "--",
        "sh",
        "-c",
        "echo host is $DATABASE_HOST",
    ]);
    assert_eq!(output.trim(), "host is old.example");
    let mut failing = case.cluster.kubectl();
    let ended = failing
        .args([
            "-n",
            case.namespace,
            "exec",
            "deployment/writer",
            "--",
            "sh",
            "-c",
            "exit 4",
        ])
        .output();
    assert_eq!(ended.unwrap().status.code(), Some(4));
}

/// A Pod is ready when its probe succeeds and no sooner, and not any more when it fails.
async fn readiness_is_held(case: &Case<'_>) {
    let gate = case.path("gate");
    let mut probed = deployment("probed", 1, "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    probed["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = json!({
        "exec": { "command": ["test", "-e", gate] }, "periodSeconds": 1, "failureThreshold": 1,
    });
    case.create::<Deployment>(probed).await;
    wait("the Pod to run", || async {
        case.phase("app=probed").await == "Running"
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(case.ready_replicas("probed").await, 0);
    std::fs::write(&gate, "").unwrap();
    let began = Instant::now();
    case.wait_ready("probed", 1).await;
    eprintln!("ready {:?} after the probe could succeed", began.elapsed());
    std::fs::remove_file(&gate).unwrap();
    wait("readiness to be lost", || async {
        case.ready_replicas("probed").await == 0
    })
    .await;
    case.remove::<Deployment>("probed").await;
}

/// A container that ends is started again: the first time at once, then after a pause.
async fn crash_is_restarted(case: &Case<'_>) {
    case.clear();
    let script = format!("date +%s%N >> {}/crashes; echo crashing; exit 3", case.out());
    case.create::<Deployment>(deployment("crashing", 1, &script)).await;
    wait("the back-off", || async {
        let pods = case.pods("app=crashing").await;
        let waiting = container_status(&pods).and_then(|status| status.state?.waiting?.reason);
        waiting.as_deref() == Some("CrashLoopBackOff")
    })
    .await;
    let status = container_status(&case.pods("app=crashing").await).unwrap();
    assert_eq!(status.last_state.unwrap().terminated.unwrap().exit_code, 3);
    wait("three starts", || async { case.lines().len() >= 3 }).await;
    let times: Vec<u64> = case.lines().iter().map(|line| line[0].parse().unwrap()).collect();
    let pause = |i: usize| Duration::from_nanos(times[i + 1] - times[i]);
    assert!(pause(0) < Duration::from_millis(900), "{times:?}");
    assert!(pause(1) >= Duration::from_secs(1), "{times:?}");
    case.remove::<Deployment>("crashing").await;
}

/// A Job's Pod that ends well is not started again and completes the Job.
async fn job_completes(case: &Case<'_>) {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "once" },
        "spec": { "template": { "spec": {
            "restartPolicy": "Never",
            "initContainers": [{ "name": "first", "image": "none", "command": ["true"] }],
            "containers": [{ "name": "main", "image": "none", "command": ["sh", "-c"], "args": ["exit 0"] }],
        } } },
    });
    case.create::<Job>(job).await;
    let jobs: Api<Job> = case.api();
    wait("the Job", || async {
        jobs.get("once").await.unwrap().status.and_then(|s| s.succeeded) == Some(1)
    })
    .await;
}

/// Images are not run: a container without a command waits and says why.
async fn missing_command_is_shown(case: &Case<'_>) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "image-only", "labels": { "app": "image-only" } },
        "spec": { "containers": [{ "name": "main", "image": "nginx" }] },
    });
    case.create::<Pod>(pod).await;
    wait("the reason", || async {
        let waiting = container_status(&case.pods("app=image-only").await).and_then(|status| status.state?.waiting);
        waiting.is_some_and(|waiting| waiting.message.unwrap_or_default().contains("no command"))
    })
    .await;
    case.remove::<Pod>("image-only").await;
}

/// A process that ignores SIGTERM lives until the grace period is over, its children with it.
async fn grace_period_is_kept(case: &Case<'_>) {
    case.clear();
    let script = format!(
        "trap '' TERM; sleep 600 & echo $$$$ > {0}/a; echo $! > {0}/b; wait; wait",
        case.out()
    );
    let mut stubborn = deployment("stubborn", 1, &script);
    stubborn["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(1);
    case.create::<Deployment>(stubborn).await;
    wait("both processes", || async { case.lines().len() == 2 }).await;
    let pids: Vec<i32> = case.lines().iter().map(|line| line[0].parse().unwrap()).collect();
    let began = Instant::now();
    case.scale("stubborn", 0).await;
    wait("both processes to end", || async {
        pids.iter().all(|pid| !is_alive(*pid))
    })
    .await;
    let took = began.elapsed();
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(5),
        "{took:?}"
    );
    case.remove::<Deployment>("stubborn").await;
}

/// A `ServiceAccount` may do what its roles say and nothing else.
async fn service_account_is_limited(case: &Case<'_>) {
    let accounts: Api<ServiceAccount> = case.api();
    let account = ServiceAccount {
        metadata: object("reader"),
        ..ServiceAccount::default()
    };
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let path = case
        .cluster
        .service_account_kubeconfig(case.namespace, "reader")
        .await
        .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let secrets: Api<Secret> = Api::default_namespaced(support::client(&path).await);
    let refused = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "{refused}"
    );
    case.kubectl(&["create", "role", "reader", "--verb=list", "--resource=secrets"]);
    case.kubectl(&[
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        "--serviceaccount=cases:reader",
    ]);
    wait("the role to count", || async {
        secrets.list(&ListParams::default()).await.is_ok()
    })
    .await;
    case.cluster
        .service_account_kubeconfig(case.namespace, "unknown")
        .await
        .unwrap_err();
}

/// A runner that is killed takes all components and the Pods' processes with it.
#[tokio::test(flavor = "multi_thread")]
async fn everything_ends_with_a_killed_runner() {
    let folder = tempfile::tempdir().unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_lab-cluster"))
        .args(["run", "--dir"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn();
    let mut runner = support::Runner(command.unwrap());
    let line = runner.first_line();
    let path = line
        .strip_prefix("export KUBECONFIG=")
        .expect("the line with KUBECONFIG");
    let client = support::client(path.as_ref()).await;
    let pids = support::start_sleepers(&client, "default", folder.path(), "doomed", 2).await;
    let components = support::descendants(runner.0.id());
    assert!(components.len() >= 5, "{components:?}");

    drop(runner);
    wait("all processes to end", || async {
        pids.iter().chain(&components).all(|pid| !is_alive(*pid))
    })
    .await;
}
