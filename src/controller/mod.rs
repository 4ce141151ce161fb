//! The controller: watches `PostgresUpgrade` objects and moves each through its phases.
pub mod context;
pub mod driver;
pub mod leader;
pub mod names;
pub mod outcome;
pub mod record;
pub mod scope;
pub mod tasks;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::controller::Action;
use kube::runtime::{Config, Controller, watcher};
use kube::{Api, ResourceExt};

use crate::api::PostgresUpgrade;
use crate::error::Error;
use context::Context;

/// How many resources are reconciled at the same time.
const CONCURRENCY: u16 = 32;

/// Reconciles every resource until `stop` is ready.
pub async fn run(context: Arc<Context>, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let upgrades: Api<PostgresUpgrade> = Api::all(context.client.clone());
    Controller::new(upgrades, watcher::Config::default().any_semantic())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop)
        .run(driver::reconcile, retry, context)
        .for_each(|result| async move {
            if let Err(error) = result {
                tracing::debug!(%error, "reconcile queue");
            }
        })
        .await;
}

#[allow(clippy::needless_pass_by_value)] // the signature is the controller's
fn retry(object: Arc<PostgresUpgrade>, error: &Error, context: Arc<Context>) -> Action {
    if error.is_conflict() {
        return Action::requeue(Duration::from_millis(100));
    }
    tracing::warn!(%error, resource = %object.name_any(), namespace = object.namespace(), "reconcile failed");
    Action::requeue(context.settings.poll)
}
