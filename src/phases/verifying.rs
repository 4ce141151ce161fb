//! Passes through: the rows are compared under the fence, where nothing proceeds with a difference.
use crate::api::Phase;
use crate::controller::outcome::Outcome;
use crate::controller::scope::Scope;
use crate::error::Error;

#[allow(clippy::unnecessary_wraps)] // as every phase
pub fn run(scope: &mut Scope) -> Result<Outcome, Error> {
    scope.condition(
        "Verified",
        false,
        "InProgress",
        "every row is compared under the fence, before the commit point",
    );
    Ok(Outcome::Advance(Phase::AwaitingCutover))
}
