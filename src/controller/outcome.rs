//! What a phase tells the driver, and what becomes of it in the status. Pure.
use std::time::Duration;

use jiff::Timestamp;

use crate::api::conditions::{self, Conditions, seconds};
use crate::api::{AttemptOutcome, Phase, PhaseRecord, PostgresUpgradeStatus, WaitStatus};

/// What a phase tells the driver to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The phase is done: persist the next one, then reconcile at once.
    Advance(Phase),
    /// Something that ends by itself is under way.
    Wait {
        /// When to look again.
        after: Duration,
        /// How long this wait may last before a person is told that it takes too long.
        limit: Duration,
        /// Machine-readable, the reason of the `Ready` condition.
        reason: &'static str,
        /// What, waiting for what, how far, and what the user can do.
        message: String,
    },
    /// Only the user can help.
    Hold {
        /// Machine-readable, the reason of the `Stalled` condition.
        reason: &'static str,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// This attempt is worthless: drop what it made and begin the next one with a new clone.
    NextAttempt {
        /// Machine-readable, recorded with the attempt.
        reason: &'static str,
        /// Why this attempt can't be used.
        message: String,
    },
    /// The resource has reached its end, and there is more to say than which.
    Conclude {
        /// The final phase.
        phase: Phase,
        /// Machine-readable, where it says more than the phase's name.
        reason: &'static str,
        /// What it ended with.
        message: String,
    },
    /// Nothing is left to do.
    Rest {
        /// What the resource ended with.
        message: String,
    },
    /// No retry can mend it: clean up, then `Failed`.
    Fail {
        /// Machine-readable.
        reason: &'static str,
        /// What happened.
        message: String,
    },
}

impl Outcome {
    /// A wait that is looked at again after `after` and reported as too long after `limit`.
    #[must_use]
    pub fn wait(after: Duration, limit: Duration, reason: &'static str, message: impl Into<String>) -> Self {
        Self::Wait {
            after,
            limit,
            reason,
            message: message.into(),
        }
    }

    /// Stops until the user changes something.
    #[must_use]
    pub fn hold(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Hold {
            reason,
            message: message.into(),
        }
    }
}

/// When the driver looks at the object again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After this time.
    After(Duration),
    /// When somebody changes the object.
    OnChange,
}

/// How long a resource that only a person can help is left alone before it is looked at again, since what was wrong
/// may have been mended outside the object (a Secret created, a grant given).
const HOLD_INTERVAL: Duration = Duration::from_secs(15);

/// Enters the outcome of a phase into the status and says when to look again.
pub fn settle(status: &mut PostgresUpgradeStatus, outcome: Outcome, generation: Option<i64>, now: Timestamp) -> Again {
    status.observed_generation = generation;
    match outcome {
        Outcome::Advance(next) => {
            enter(status, next, now);
            status.wait = None;
            if next.is_final() {
                status.completed_at.get_or_insert(seconds(now));
            }
            conclude(
                status,
                next.name(),
                next.purpose().to_owned(),
                Verdict::of(next),
                generation,
                now,
            );
            if next.is_final() {
                Again::OnChange
            } else {
                Again::After(Duration::ZERO)
            }
        }
        Outcome::Wait {
            after,
            limit,
            reason,
            message,
        } => {
            let since = waiting_since(status, reason, now);
            let waited = now.duration_since(since).unsigned_abs();
            let verdict = if waited > limit {
                Verdict::Stalled("DeadlineExceeded")
            } else {
                Verdict::Progressing
            };
            let message = if waited > limit {
                format!(
                    "{message} (for {}, longer than the expected {}: look into it)",
                    whole(waited),
                    whole(limit)
                )
            } else {
                message
            };
            status.wait = Some(WaitStatus {
                reason: reason.to_owned(),
                since: Some(seconds(since)),
            });
            conclude(status, reason, message, verdict, generation, now);
            Again::After(after)
        }
        Outcome::Hold { reason, message } => {
            status.wait = None;
            conclude(status, reason, message, Verdict::Stalled(reason), generation, now);
            Again::After(HOLD_INTERVAL)
        }
        Outcome::Conclude { phase, reason, message } => {
            enter(status, phase, now);
            status.completed_at.get_or_insert(seconds(now));
            conclude(status, reason, message, Verdict::Ended, generation, now);
            Again::OnChange
        }
        Outcome::Rest { message } => {
            let phase = status.phase;
            conclude(status, phase.name(), message, Verdict::Ended, generation, now);
            Again::OnChange
        }
        Outcome::NextAttempt { reason, message } => next_attempt(status, reason, message, generation, now),
        Outcome::Fail { reason, message } => {
            end_attempt(status, AttemptOutcome::Failed, reason, now);
            enter(status, Phase::Aborting, now);
            conclude(status, reason, message, Verdict::Progressing, generation, now);
            Again::After(Duration::ZERO)
        }
    }
}

/// Capturing drops what an abandoned attempt left and then begins the next one.
fn next_attempt(
    status: &mut PostgresUpgradeStatus,
    reason: &'static str,
    message: String,
    generation: Option<i64>,
    now: Timestamp,
) -> Again {
    end_attempt(status, AttemptOutcome::Abandoned, reason, now);
    enter(status, Phase::Capturing, now);
    conclude(status, reason, message, Verdict::Progressing, generation, now);
    Again::After(Duration::ZERO)
}

fn end_attempt(status: &mut PostgresUpgradeStatus, outcome: AttemptOutcome, reason: &str, now: Timestamp) {
    if let Some(attempt) = status.attempts.last_mut() {
        attempt.outcome = outcome;
        attempt.reason = Some(reason.to_owned());
        attempt.finished_at = Some(seconds(now));
    }
}

#[derive(Clone, Copy)]
enum Verdict {
    Progressing,
    Stalled(&'static str),
    Ended,
}

impl Verdict {
    fn of(phase: Phase) -> Self {
        if phase.is_final() {
            Self::Ended
        } else {
            Self::Progressing
        }
    }
}

fn waiting_since(status: &PostgresUpgradeStatus, reason: &str, now: Timestamp) -> Timestamp {
    status
        .wait
        .as_ref()
        .filter(|wait| wait.reason == reason)
        .and_then(|wait| wait.since.as_ref())
        .map_or(now, |since| since.0)
}

fn enter(status: &mut PostgresUpgradeStatus, next: Phase, now: Timestamp) {
    if let Some(record) = status.phases.last_mut()
        && record.finished_at.is_none()
    {
        record.finished_at = Some(seconds(now));
    }
    status.phase = next;
    status.wait = None;
    status.phases.push(PhaseRecord {
        name: next,
        started_at: Some(seconds(now)),
        finished_at: next.is_final().then(|| seconds(now)),
    });
    let excess = status.phases.len().saturating_sub(MAX_PHASE_RECORDS);
    status.phases.drain(..excess);
}

const MAX_PHASE_RECORDS: usize = 48;

fn conclude(
    status: &mut PostgresUpgradeStatus,
    reason: &str,
    message: String,
    verdict: Verdict,
    generation: Option<i64>,
    now: Timestamp,
) {
    let phase = status.phase;
    let mut conditions = Conditions::new(&mut status.conditions, generation, now);
    let served = phase.serves_from_target();
    conditions.set(
        conditions::READY,
        served,
        if served { phase.name() } else { reason },
        &message,
    );
    match verdict {
        Verdict::Progressing => {
            conditions.set(conditions::RECONCILING, true, phase.name(), &message);
            conditions.set(conditions::STALLED, false, "Progressing", "");
        }
        Verdict::Stalled(why) => {
            conditions.set(conditions::RECONCILING, false, phase.name(), &message);
            conditions.set(conditions::STALLED, true, why, &message);
        }
        Verdict::Ended => {
            conditions.set(conditions::RECONCILING, false, phase.name(), &message);
            let failed = phase == Phase::Failed;
            conditions.set(
                conditions::STALLED,
                failed,
                if failed { reason } else { phase.name() },
                &message,
            );
        }
    }
    status.message = Some(message);
}

fn whole(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, _) => format!("{h}h{m}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::AttemptStatus;
    use crate::api::conditions::{READY, RECONCILING, STALLED, find, holds};

    const POLL: Duration = Duration::from_secs(10);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn in_phase(phase: Phase) -> PostgresUpgradeStatus {
        PostgresUpgradeStatus {
            phase,
            attempt: Some(1),
            attempts: vec![AttemptStatus {
                number: 1,
                ..AttemptStatus::default()
            }],
            ..PostgresUpgradeStatus::default()
        }
    }

    fn wait(reason: &'static str) -> Outcome {
        Outcome::wait(POLL, Duration::from_secs(100), reason, "waiting")
    }

    #[test]
    fn each_outcome_becomes_a_phase_conditions_and_the_next_look() {
        let text = || "text".to_owned();
        // outcome, phase afterwards, Ready's reason, Reconciling, Stalled, next look
        let table = [
            (
                Outcome::Advance(Phase::Pinning),
                Phase::Pinning,
                "Pinning",
                true,
                false,
                Again::After(Duration::ZERO),
            ),
            (
                Outcome::Advance(Phase::Soaking),
                Phase::Soaking,
                "Soaking",
                true,
                false,
                Again::After(Duration::ZERO),
            ),
            (
                Outcome::Advance(Phase::Aborted),
                Phase::Aborted,
                "Aborted",
                false,
                false,
                Again::OnChange,
            ),
            (
                wait("Cloning"),
                Phase::Cloning,
                "Cloning",
                true,
                false,
                Again::After(POLL),
            ),
            (
                Outcome::hold("SourceNotFound", "x"),
                Phase::Cloning,
                "SourceNotFound",
                false,
                true,
                Again::After(HOLD_INTERVAL),
            ),
            (
                Outcome::NextAttempt {
                    reason: "CutPointRefused",
                    message: text(),
                },
                Phase::Capturing,
                "CutPointRefused",
                true,
                false,
                Again::After(Duration::ZERO),
            ),
            (
                Outcome::Fail {
                    reason: "AttemptsExhausted",
                    message: text(),
                },
                Phase::Aborting,
                "AttemptsExhausted",
                true,
                false,
                Again::After(Duration::ZERO),
            ),
            (
                Outcome::Conclude {
                    phase: Phase::Failed,
                    reason: "AttemptsExhausted",
                    message: text(),
                },
                Phase::Failed,
                "AttemptsExhausted",
                false,
                true,
                Again::OnChange,
            ),
            (
                Outcome::Rest { message: text() },
                Phase::Cloning,
                "Cloning",
                false,
                false,
                Again::OnChange,
            ),
        ];
        for (outcome, phase, reason, reconciling, stalled, again) in table {
            let mut status = in_phase(Phase::Cloning);
            let case = format!("{outcome:?}");
            assert_eq!(settle(&mut status, outcome, Some(3), at(50)), again, "{case}");
            assert_eq!(status.phase, phase, "{case}");
            assert_eq!(status.observed_generation, Some(3), "{case}");
            assert_eq!(find(&status.conditions, READY).unwrap().reason, reason, "{case}");
            assert_eq!(holds(&status.conditions, READY), phase.serves_from_target(), "{case}");
            assert_eq!(holds(&status.conditions, RECONCILING), reconciling, "{case}");
            assert_eq!(holds(&status.conditions, STALLED), stalled, "{case}");
            assert_eq!(status.completed_at.is_some(), phase.is_final(), "{case}");
        }
    }

    #[test]
    fn an_attempt_that_ends_is_on_record() {
        let table = [
            (
                Outcome::NextAttempt {
                    reason: "SlotLost",
                    message: String::new(),
                },
                AttemptOutcome::Abandoned,
            ),
            (
                Outcome::Fail {
                    reason: "SlotLost",
                    message: String::new(),
                },
                AttemptOutcome::Failed,
            ),
        ];
        for (outcome, expected) in table {
            let mut status = in_phase(Phase::Replicating);
            settle(&mut status, outcome, None, at(50));
            let attempt = status.attempts.last().unwrap();
            assert_eq!(
                (attempt.outcome, attempt.reason.as_deref()),
                (expected, Some("SlotLost"))
            );
            assert_eq!(attempt.finished_at, Some(seconds(at(50))));
        }
    }

    #[test]
    fn a_wait_that_lasts_too_long_is_told_as_such() {
        let mut status = in_phase(Phase::Cloning);
        settle(&mut status, wait("Cloning"), None, at(0));
        settle(&mut status, wait("Cloning"), None, at(100));
        assert!(!holds(&status.conditions, STALLED));
        settle(&mut status, wait("Cloning"), None, at(161));
        let stalled = find(&status.conditions, STALLED).unwrap();
        assert_eq!(
            (stalled.status.as_str(), stalled.reason.as_str()),
            ("True", "DeadlineExceeded")
        );
        assert!(
            status
                .message
                .as_ref()
                .unwrap()
                .contains("for 2m41s, longer than the expected 1m40s")
        );
        // Another reason is another wait.
        settle(&mut status, wait("Other"), None, at(170));
        assert!(!holds(&status.conditions, STALLED));
    }

    #[test]
    fn phases_have_a_beginning_and_an_end() {
        let mut status = in_phase(Phase::Preflight);
        settle(&mut status, Outcome::Advance(Phase::PreparingSource), None, at(1));
        settle(&mut status, Outcome::Advance(Phase::Capturing), None, at(5));
        assert_eq!(status.phases.len(), 2);
        assert_eq!(status.phases[0].name, Phase::PreparingSource);
        assert_eq!(status.phases[0].finished_at, Some(seconds(at(5))));
        assert_eq!(status.phases[1].finished_at, None);
    }
}
