//! The record of the steps in the status, and the deadline over each of them.
use std::time::{Duration, Instant};

use crate::api::conditions::micros;
use crate::api::{CutoverStep, StepStatus};
use crate::controller::scope::now;
use crate::error::Error;

use super::{Cutover, Setback};

/// For steps before the deadline runs: refreshing materialized views takes its time.
const LONGEST: Duration = Duration::from_mins(30);

impl Cutover<'_> {
    /// Runs one step within what the deadline leaves, and records when it began and how long it took.
    pub(super) async fn step(
        &mut self,
        step: CutoverStep,
        run: impl AsyncFnOnce(&mut Self) -> Result<(), Setback>,
    ) -> Result<(), Setback> {
        let began = Instant::now();
        let allowed = self.remaining().min(LONGEST);
        let entered = async |cutover: &mut Self| {
            let failed = |error| Setback::Failed {
                step: step.name(),
                error: Box::new(error),
            };
            cutover.enter(step).await.map_err(failed)?;
            run(cutover).await
        };
        let result = match tokio::time::timeout(allowed, entered(self)).await {
            Ok(result) => result,
            Err(_) => Err(Setback::Deadline(step.name())),
        };
        self.leave(step, began, result.is_ok());
        result
    }

    /// A step is on record before it does anything.
    ///
    /// # Errors
    /// Where the status can't be written.
    pub async fn enter(&mut self, step: CutoverStep) -> Result<(), Error> {
        if let Some(cutover) = &mut self.scope.status.cutover {
            cutover.steps.retain(|known| known.name != step);
            cutover.steps.push(StepStatus {
                name: step,
                started_at: Some(micros(now())),
                duration_millis: None,
            });
        }
        self.scope.status.message = Some(format!("cutting over: {}", step.name()));
        self.scope.persist().await
    }

    /// Enters how long the step took; written with the next one.
    pub fn leave(&mut self, step: CutoverStep, began: Instant, ok: bool) {
        let millis = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let steps = self
            .scope
            .status
            .cutover
            .iter_mut()
            .flat_map(|cutover| &mut cutover.steps);
        for known in steps.filter(|known| known.name == step) {
            known.duration_millis = Some(millis);
        }
        tracing::info!(resource = %self.scope.owner(), step = step.name(), millis, ok, "cutover step");
    }
}
