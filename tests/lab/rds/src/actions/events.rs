//! `DescribeEvents`.

use jiff::{SignedDuration, Timestamp};

use super::answers;
use crate::lab::Lab;
use crate::protocol::{Fault, Request, Xml};
use crate::state::{Event, identifier};

const SOURCE_TYPES: [&str; 9] = [
    "blue-green-deployment",
    "custom-engine-version",
    "db-cluster",
    "db-cluster-snapshot",
    "db-instance",
    "db-parameter-group",
    "db-proxy",
    "db-security-group",
    "db-snapshot",
];

/// Events of the last hour, or of `Duration` minutes, or from `StartTime` on; oldest first.
pub(super) fn describe(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let (kind, source) = (
        request.text("SourceType"),
        request.text("SourceIdentifier").map(identifier::plain),
    );
    if source.is_some() && kind.is_none() {
        return Err(Fault::combination(
            "SourceType must be specified if SourceIdentifier is.",
        ));
    }
    if let Some(kind) = kind.filter(|kind| !SOURCE_TYPES.contains(kind)) {
        return Err(Fault::invalid_value(format!("Invalid source type: {kind}")));
    }
    let minutes: i64 = request.number("Duration")?.unwrap_or(60);
    let end = request.time("EndTime")?.unwrap_or(Timestamp::MAX);
    let begin = match request.time("StartTime")? {
        Some(begin) => begin,
        None => Timestamp::now()
            .checked_sub(SignedDuration::from_mins(minutes))
            .map_err(|_| Fault::invalid_value("The duration is out of range."))?,
    };
    let categories = request.texts("EventCategories", "EventCategory");
    let world = lab.world();
    let matches = |event: &&Event| {
        (begin..=end).contains(&event.date)
            && kind.is_none_or(|kind| kind == event.source.name())
            && source.as_ref().is_none_or(|source| *source == event.identifier)
            && (categories.is_empty() || categories.iter().any(|category| category == event.category.name()))
    };
    let events: Vec<&Event> = world.events.iter().filter(matches).collect();
    answers::list(request, ("Events", "Event"), events, |xml, event| event.write(xml))
}
