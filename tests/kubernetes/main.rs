//! The application's objects, on a real cluster whose Pods are processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod permissions;
mod secrets;
mod support;
mod workloads;

use lab_cluster::Cluster;
use lab_postgres::Folder;
use support::Space;

/// One cluster for all: starting it takes longer than all of them together.
#[tokio::test]
async fn the_applications_objects() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = Folder::create().unwrap();
    let cluster = Cluster::start(folder.path()).await.unwrap();
    let space = async |name| Space::create(cluster.admin(), name).await;
    tokio::join!(
        async {
            secrets::a_plan_changes_its_keys_only_and_only_what_was_read(&space("plan").await).await;
        },
        async {
            secrets::a_ca_bundle_comes_from_either_kind_of_object(&space("bundle").await).await;
        },
        async {
            secrets::a_record_grows_and_is_forgotten(&space("record").await).await;
        },
        async {
            workloads::a_deployment_goes_down_and_comes_back_as_it_was(&space("scale").await).await;
        },
        async {
            workloads::whoever_raises_a_deployment_that_is_down_is_noticed_at_once(&space("revert").await).await;
        },
        async {
            workloads::a_deployment_that_does_not_get_ready_says_why_at_the_deadline(&space("unready").await).await;
        },
        async {
            permissions::what_is_not_permitted_is_found_before_and_told_exactly(&space("rights").await, &cluster).await;
        },
    );
    cluster.stop().await.unwrap();
}
