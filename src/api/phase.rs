//! The steps of an upgrade.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The step that an upgrade is at. In the order in which they run; the last five are the way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Read-only: finds everything that stands in the way, and freezes the inputs.
    #[default]
    Preflight,
    /// Logical replication, the replication role, the operator's own schema, replica identities.
    PreparingSource,
    /// Publication, then replication slot, then marker rows.
    Capturing,
    /// The copy-on-write clone.
    Cloning,
    /// Proves which commit is the last one in the clone.
    Pinning,
    /// The clone gets the new major version.
    Upgrading,
    /// Statistics, and VACUUM where wanted.
    Optimizing,
    /// The upgraded clone catches up.
    Replicating,
    /// Compares while writes go on.
    Verifying,
    /// Waits for the approval, and for conditions under which a cutover can succeed.
    AwaitingCutover,
    /// Moves the application.
    CuttingOver,
    /// The application is served by the new database, and the old one follows it.
    Soaking,
    /// Drops what the upgrade needed.
    CleaningUp,
    /// The end that was wanted.
    Succeeded,
    /// Attempts used up, or what no retry can mend.
    Failed,
    /// Puts everything back.
    Aborting,
    /// Given up on request, everything as it was.
    Aborted,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 17] = [
        Self::Preflight,
        Self::PreparingSource,
        Self::Capturing,
        Self::Cloning,
        Self::Pinning,
        Self::Upgrading,
        Self::Optimizing,
        Self::Replicating,
        Self::Verifying,
        Self::AwaitingCutover,
        Self::CuttingOver,
        Self::Soaking,
        Self::CleaningUp,
        Self::Succeeded,
        Self::Failed,
        Self::Aborting,
        Self::Aborted,
    ];

    /// Its name in the status, in conditions, events and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "Preflight",
            Self::PreparingSource => "PreparingSource",
            Self::Capturing => "Capturing",
            Self::Cloning => "Cloning",
            Self::Pinning => "Pinning",
            Self::Upgrading => "Upgrading",
            Self::Optimizing => "Optimizing",
            Self::Replicating => "Replicating",
            Self::Verifying => "Verifying",
            Self::AwaitingCutover => "AwaitingCutover",
            Self::CuttingOver => "CuttingOver",
            Self::Soaking => "Soaking",
            Self::CleaningUp => "CleaningUp",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Aborting => "Aborting",
            Self::Aborted => "Aborted",
        }
    }

    /// What the phase is for, in words for the user who waits for it.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Preflight => "looking at everything that has to be met; nothing is changed",
            Self::PreparingSource => "preparing the source: replication role, schema pgupgrade, replica identities",
            Self::Capturing => "creating publication and replication slot on the source; marker rows begin",
            Self::Cloning => "cloning the source copy-on-write",
            Self::Pinning => "proving which transaction is the last one in the clone",
            Self::Upgrading => "upgrading the clone to the new major version",
            Self::Optimizing => "collecting statistics on the upgraded clone",
            Self::Replicating => "subscribing the upgraded clone from the proven position",
            Self::Verifying => "comparing every row and the schemas while the application writes",
            Self::AwaitingCutover => "in step with the source; the cutover is offered next",
            Self::CuttingOver => "cutting over: the application moves to the new database",
            Self::Soaking => "the application runs on the new database; reverse replication to the old one",
            Self::CleaningUp => "dropping slots, publications, subscriptions and roles on both sides",
            Self::Succeeded => "done",
            Self::Failed => "failed; the source is as it was",
            Self::Aborting => "taking everything back: slot, publication, role, guard, schema, clone",
            Self::Aborted => "aborted; the source is as it was",
        }
    }

    /// Whether nothing follows it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Aborted)
    }

    /// Whether the application runs on the new database: from the end of the cutover on.
    #[must_use]
    pub const fn serves_from_target(self) -> bool {
        matches!(self, Self::Soaking | Self::CleaningUp | Self::Succeeded)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_status() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
        assert!(Phase::ALL.is_sorted());
    }
}
