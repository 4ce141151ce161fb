//! Deployments go down and come back.
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use pgupgrade::kubernetes::{Error, pods, workloads};
use serde_json::json;

use crate::support::{LIMIT, OURS, Space, create_deployment};

fn quiet(_: &str) {}

pub async fn a_deployment_goes_down_and_comes_back_as_it_was(space: &Space) {
    let (client, name) = (&space.client, space.name.as_str());
    // Its end takes a while, as it does where requests are still served.
    let slow = "trap 'sleep 2; kill $!' TERM; sleep 1000 & wait";
    create_deployment(space, "shop-api", 3, &["sh", "-c", slow]).await;
    // Same labels: its Pods are none of the other's.
    create_deployment(space, "shop", 1, &["sleep", "1000"]).await;
    let started = workloads::read(client, name, "shop-api").await.unwrap();
    let started = workloads::wait_until_ready(client, name, &started, LIMIT, quiet)
        .await
        .unwrap();
    let old = pods::pods_of(client, name, &started).await.unwrap();
    assert_eq!(old.len(), 3, "{old:?}");

    let down = workloads::scale_to_zero(client, name, "shop-api", OURS).await.unwrap();
    assert_eq!(
        (down.replicas, down.recorded_replicas(), down.owner.as_deref()),
        (0, Some(3), Some(OURS))
    );
    let mut heard = Vec::new();
    workloads::wait_until_gone(client, name, &down, LIMIT, |message| {
        heard.push(message.to_owned());
    })
    .await
    .unwrap();
    assert!(heard.iter().any(|message| message.contains("left")), "{heard:?}");
    assert!(pods::pods_of(client, name, &down).await.unwrap().is_empty());
    let again = workloads::scale_to_zero(client, name, "shop-api", OURS).await.unwrap();
    assert_eq!(again.generation, down.generation);
    for other in [
        workloads::scale_to_zero(client, name, "shop-api", "a/b/c").await,
        workloads::restore(client, name, "shop-api", "a/b/c").await,
    ] {
        assert!(matches!(other, Err(Error::OwnedByAnother { .. })), "{other:?}");
    }

    let up = workloads::restore(client, name, "shop-api", OURS).await.unwrap();
    assert_eq!(
        (up.replicas, up.owner.as_deref(), up.recorded.as_deref()),
        (3, None, None)
    );
    let up = workloads::wait_until_ready(client, name, &up, LIMIT, quiet)
        .await
        .unwrap();
    let new = pods::pods_of(client, name, &up).await.unwrap();
    assert!(new.len() == 3 && new.iter().all(|pod| !old.contains(pod)), "{new:?}");
    let nothing = workloads::restore(client, name, "shop-api", OURS).await.unwrap();
    assert_eq!(nothing.generation, up.generation);

    assert_eq!(pods::end_pods(client, name, &old).await.unwrap(), 0, "they are gone");
    let impostor = pods::PodRef {
        uid: old[0].uid.clone(),
        ..new[0].clone()
    };
    assert_eq!(
        pods::end_pods(client, name, &[impostor]).await.unwrap(),
        0,
        "another Pod of the same name"
    );
    assert_eq!(pods::end_pods(client, name, &new[..1]).await.unwrap(), 1);
}

pub async fn whoever_raises_a_deployment_that_is_down_is_noticed_at_once(space: &Space) {
    let (client, name) = (&space.client, space.name.as_str());
    create_deployment(space, "shop-api", 1, &["sleep", "1000"]).await;
    let first = workloads::read(client, name, "shop-api").await.unwrap();
    workloads::wait_until_ready(client, name, &first, LIMIT, quiet)
        .await
        .unwrap();
    let down = workloads::scale_to_zero(client, name, "shop-api", OURS).await.unwrap();
    let api: Api<Deployment> = Api::namespaced(client.clone(), name);
    let raise = Patch::Merge(json!({ "spec": { "replicas": 4 } }));
    api.patch("shop-api", &PatchParams::default(), &raise).await.unwrap();
    let result = workloads::wait_until_gone(client, name, &down, LIMIT, quiet).await;
    assert!(matches!(result, Err(Error::Reverted { replicas: 4, .. })), "{result:?}");
    let up = workloads::restore(client, name, "shop-api", OURS).await.unwrap();
    assert_eq!((up.replicas, up.owner), (4, None), "what somebody has set stays");
}

pub async fn a_deployment_that_does_not_get_ready_says_why_at_the_deadline(space: &Space) {
    let (client, name) = (&space.client, space.name.as_str());
    create_deployment(space, "shop-api", 2, &["/no/such/program"]).await;
    let first = workloads::read(client, name, "shop-api").await.unwrap();
    let began = Instant::now();
    let wait = workloads::wait_until_ready(client, name, &first, Duration::from_secs(3), quiet).await;
    let error = wait.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.starts_with("Deployment/shop-api is not ready after 3s: 0 of 2 Pods ready; shop-api-"),
        "{message}"
    );
}
