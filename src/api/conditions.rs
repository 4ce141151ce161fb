//! Conditions, as the Kubernetes API conventions want them. Pure.
//! <https://github.com/kubernetes/community/blob/main/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties>
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime, Time};

/// The application runs on the new database.
pub const READY: &str = "Ready";
/// Something is under way that ends by itself.
pub const RECONCILING: &str = "Reconciling";
/// Only a person can help.
pub const STALLED: &str = "Stalled";
/// Finished as wanted.
pub const SUCCEEDED: &str = "Succeeded";
/// Nothing stands in the way.
pub const PREFLIGHT_PASSED: &str = "PreflightPassed";
/// The last commit of the clone is known.
pub const CUT_POINT_PROVEN: &str = "CutPointProven";
/// Both sides are equal.
pub const VERIFIED: &str = "Verified";
/// A cutover may start.
pub const CUTOVER_ALLOWED: &str = "CutoverAllowed";
/// Changes flow.
pub const REPLICATION_HEALTHY: &str = "ReplicationHealthy";
/// The application's connections and Pods are as they should be.
pub const APPLICATION_CONNECTED: &str = "ApplicationConnected";
/// `spec.desiredState` is reached.
pub const DESIRED_STATE_MET: &str = "DesiredStateMet";

/// The longest message, in characters.
pub(super) const MAX_MESSAGE: usize = 1024;
/// The longest reason, in characters.
pub(super) const MAX_REASON: usize = 128;

/// A list of conditions that all get the same generation and time.
#[derive(Debug)]
pub struct Conditions<'a> {
    list: &'a mut Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl<'a> Conditions<'a> {
    /// Conditions that were true of this generation of the spec, at this time.
    #[must_use]
    pub fn new(list: &'a mut Vec<Condition>, generation: Option<i64>, now: Timestamp) -> Self {
        Self { list, generation, now }
    }

    /// Sets one condition.
    pub fn set(&mut self, type_: &str, holds: bool, reason: &str, message: &str) {
        let status = if holds { "True" } else { "False" };
        set_condition(
            self.list,
            condition(type_, status, reason, message, self.generation, self.now),
        );
    }
}

fn condition(
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: cut(message, MAX_MESSAGE),
        observed_generation: generation,
        last_transition_time: seconds(now),
    }
}

/// Puts a condition into the list. The time of the last transition changes only with the status.
pub fn set_condition(list: &mut Vec<Condition>, mut new: Condition) {
    match list.iter_mut().find(|old| old.type_ == new.type_) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time.clone();
            }
            *old = new;
        }
        None => list.push(new),
    }
}

/// The condition of this type.
#[must_use]
pub fn find<'a>(list: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    list.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of this type is True.
#[must_use]
pub fn holds(list: &[Condition], type_: &str) -> bool {
    find(list, type_).is_some_and(|condition| condition.status == "True")
}

/// A time as `metav1.Time` has it: whole seconds.
#[must_use]
pub fn seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// The first characters of a text, with a sign where something is missing.
/// A time with microseconds, as `MicroTime` has them.
#[must_use]
pub fn micros(time: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time))
}

pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_changes_with_the_status_only() {
        let mut list = Vec::new();
        Conditions::new(&mut list, Some(1), at(10)).set(READY, false, "Preflight", "a");
        Conditions::new(&mut list, Some(2), at(20)).set(READY, false, "Cloning", "b");
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].reason.as_str(), list[0].message.as_str()), ("Cloning", "b"));
        assert_eq!(list[0].observed_generation, Some(2));
        assert_eq!(list[0].last_transition_time, seconds(at(10)));
        Conditions::new(&mut list, Some(2), at(30)).set(READY, true, "Soaking", "");
        assert_eq!(list[0].last_transition_time, seconds(at(30)));
        assert!(holds(&list, READY) && !holds(&list, STALLED));
        assert_eq!(find(&list, READY).unwrap().status, "True");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }

    #[test]
    fn times_have_whole_seconds() {
        let time = Timestamp::from_millisecond(1_999).unwrap();
        assert_eq!(serde_json::to_value(seconds(time)).unwrap(), "1970-01-01T00:00:01Z");
        assert_eq!(seconds(time).0, at(1));
    }
}
