//! Has the application left this source already? The fence row says so, whatever the resource is. Pure.
use super::observation::Observation;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The source is the application's database.
    No,
    /// Closed, and the connections are on a target of the wanted version: nothing is left to do.
    AlreadyUpgraded(String),
    /// Closed, but the connections are elsewhere.
    Elsewhere(String),
    /// Another resource works on it.
    Owned(String),
}

/// Decides from the fence row, the owner row and the connections.
pub fn decide(seen: &Observation, uid: &str, wanted_major: &str) -> Moved {
    let Some(source) = &seen.source else { return Moved::No };
    if let Some(fence) = source.fence.as_ref().filter(|fence| fence.closed) {
        let connections = &seen.application.connections;
        let on_target = !connections.is_empty() && connections.iter().all(|connection| connection.on_target);
        let as_wanted = fence.target_version.as_deref() == Some(wanted_major);
        return match (on_target, as_wanted) {
            (true, true) => Moved::AlreadyUpgraded(format!(
                "already upgraded: the source's fence is closed and the connections are on {} of version {wanted_major}",
                fence.target
            )),
            (true, false) => Moved::Elsewhere(format!(
                "the source was left for {}, which runs version {}, not {wanted_major}; name that cluster as the source",
                fence.target,
                fence.target_version.as_deref().unwrap_or("unknown")
            )),
            (false, _) => Moved::Elsewhere(format!(
                "the source's fence is closed, its successor is {}, but the connections are not on it: point them there, or restore the source by hand",
                fence.target
            )),
        };
    }
    match &source.owner {
        Some((resource, other)) if other != uid => Moved::Owned(format!(
            "schema pgupgrade in the source belongs to {resource} (uid {other}): delete that PostgresUpgrade first, or drop the schema if it is gone for good"
        )),
        _ => Moved::No,
    }
}

#[cfg(test)]
mod tests {
    use super::super::observation::{Application, Connection, Fence, Source};
    use super::*;

    fn seen(closed: Option<bool>, on_target: bool, version: Option<&str>, owner: Option<&str>) -> Observation {
        Observation {
            application: Application {
                connections: vec![Connection {
                    name: "db".to_owned(),
                    keys: Vec::new(),
                    mentions: Vec::new(),
                    on_target,
                }],
                ..Application::default()
            },
            source: Some(Source {
                fence: closed.map(|closed| Fence {
                    closed,
                    target: "new:5432".to_owned(),
                    target_version: version.map(str::to_owned),
                }),
                owner: owner.map(|uid| ("ns/other".to_owned(), uid.to_owned())),
                ..Source::default()
            }),
            ..Observation::default()
        }
    }

    #[test]
    fn the_fence_row_tells_whether_the_source_was_left() {
        let table = [
            ("never used", seen(None, false, None, None), "No"),
            ("ours, open", seen(Some(false), false, None, Some("me")), "No"),
            (
                "another's, open",
                seen(Some(false), false, None, Some("other")),
                "Owned",
            ),
            (
                "closed, on the target",
                seen(Some(true), true, Some("18"), Some("other")),
                "AlreadyUpgraded",
            ),
            (
                "closed, target of another version",
                seen(Some(true), true, Some("17"), Some("other")),
                "Elsewhere",
            ),
            (
                "closed, version unknown",
                seen(Some(true), true, None, Some("other")),
                "Elsewhere",
            ),
            (
                "closed, connections elsewhere",
                seen(Some(true), false, Some("18"), Some("me")),
                "Elsewhere",
            ),
            ("source not reached", Observation::default(), "No"),
        ];
        for (case, seen, expected) in table {
            assert!(
                format!("{:?}", decide(&seen, "me", "18")).starts_with(expected),
                "{case}"
            );
        }
    }
}
