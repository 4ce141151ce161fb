//! Events.

use jiff::Timestamp;

use super::identifier;
use crate::protocol::Xml;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Cluster,
    Instance,
}

impl Source {
    /// `SourceType` on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cluster => "db-cluster",
            Self::Instance => "db-instance",
        }
    }

    fn arn_kind(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Instance => "db",
        }
    }
}

/// The category of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Availability,
    ConfigurationChange,
    Creation,
    Deletion,
    Failure,
    Maintenance,
}

impl Category {
    /// The category on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::ConfigurationChange => "configuration change",
            Self::Creation => "creation",
            Self::Deletion => "deletion",
            Self::Failure => "failure",
            Self::Maintenance => "maintenance",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) source: Source,
    pub(crate) identifier: String,
    pub(crate) category: Category,
    pub(crate) message: String,
    pub(crate) date: Timestamp,
}

impl Event {
    pub(crate) fn now(source: Source, identifier: &str, category: Category, message: String) -> Self {
        Self {
            source,
            identifier: identifier.to_owned(),
            category,
            message,
            date: Timestamp::now(),
        }
    }

    /// The fields of `Event`.
    pub(crate) fn write(&self, xml: &mut Xml) {
        xml.text("SourceIdentifier", &self.identifier);
        xml.text("SourceType", self.source.name());
        xml.text("SourceArn", identifier::arn(self.source.arn_kind(), &self.identifier));
        xml.text("Message", &self.message);
        xml.texts("EventCategories", "EventCategory", [self.category.name()]);
        xml.text("Date", self.date);
    }
}
