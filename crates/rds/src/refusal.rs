//! Why an upgrade was refused: RDS says so in events and logs only.
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::SourceType;
use jiff::{SignedDuration, Timestamp};

use crate::{Cluster, Error, Instance, Rds};

/// Longer texts help nobody; in bytes.
const MAX_TEXT: usize = 2000;
/// How far our clock and that of AWS may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Portions of at most 1 MiB that are read of one log.
const MAX_PORTIONS: usize = 16;
/// Logs with the reason, the better one first. `pg_upgrade_server.log` has none ("Upgrading the PostgreSQL DB engine",
/// RDS user guide).
const LOGS: [&str; 2] = ["pg_upgrade_precheck.log", "pg_upgrade_internal.log"];

impl Rds {
    /// Why an upgrade that was asked for at `since` did not take place: what the events say (of the cluster and of its
    /// members, since a cluster's refusal has come as either) and what the upgrade's log says. `None`: no event of a
    /// refusal, so wait on.
    ///
    /// # Errors
    /// As RDS answers to the question for events.
    pub async fn upgrade_failure(
        &self,
        cluster: &Cluster,
        members: &[Instance],
        since: Timestamp,
    ) -> Result<Option<String>, Error> {
        let earliest = earliest(since, cluster.created);
        let mut events = self
            .events(&cluster.identifier, SourceType::DbCluster, earliest)
            .await?;
        for member in members {
            events.extend(
                self.events(&member.identifier, SourceType::DbInstance, earliest)
                    .await?,
            );
        }
        let refusals = events.into_iter().filter(|(_, message)| is_refusal(message));
        let Some((_, event)) = refusals.max_by_key(|(second, _)| *second) else {
            return Ok(None);
        };
        for member in members {
            match self.upgrade_log(&member.identifier, earliest).await {
                Ok(Some((name, log))) => return Ok(Some(bounded(explained(&event, &name, &log)))),
                Ok(None) => {}
                Err(error) => return Ok(Some(bounded(format!("{event} Its log can't be read: {error}")))),
            }
        }
        Ok(Some(bounded(event)))
    }

    /// Time (in seconds of the epoch) and message of each.
    async fn events(&self, identifier: &str, kind: SourceType, since: Timestamp) -> Result<Vec<(i64, String)>, Error> {
        let call = self
            .client
            .describe_events()
            .source_identifier(identifier)
            .source_type(kind)
            .start_time(DateTime::from_secs(since.as_second()));
        let pages = call
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        let events = pages.map_err(Error::of("DescribeEvents", identifier))?;
        let event = |event: &aws_sdk_rds::types::Event| Some((event.date()?.secs(), event.message()?.to_owned()));
        Ok(events.iter().filter_map(event).collect())
    }

    /// Name and content of the newest log with a reason.
    async fn upgrade_log(&self, instance: &str, since: Timestamp) -> Result<Option<(String, String)>, Error> {
        let call = self
            .client
            .describe_db_log_files()
            .db_instance_identifier(instance)
            .filename_contains("pg_upgrade")
            .file_last_written(since.as_millisecond());
        let pages = call
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await;
        let files = pages.map_err(Error::of("DescribeDBLogFiles", instance))?;
        for kind in LOGS {
            let names = files
                .iter()
                .filter_map(|file| Some((file.last_written(), file.log_file_name()?)));
            if let Some((_, name)) = names.filter(|(_, name)| name.contains(kind)).max() {
                return Ok(Some((name.to_owned(), self.log(instance, name).await?)));
            }
        }
        Ok(None)
    }

    async fn log(&self, instance: &str, name: &str) -> Result<String, Error> {
        let (mut text, mut marker) = (String::new(), "0".to_owned());
        for _ in 0..MAX_PORTIONS {
            let call = self
                .client
                .download_db_log_file_portion()
                .db_instance_identifier(instance);
            let answer = call
                .log_file_name(name)
                .marker(&marker)
                .send()
                .await
                .map_err(Error::of("DownloadDBLogFilePortion", name))?;
            text.push_str(answer.log_file_data().unwrap_or_default());
            let next = answer.marker().unwrap_or_default();
            if !answer.additional_data_pending().unwrap_or_default() || next == marker {
                break;
            }
            next.clone_into(&mut marker);
        }
        Ok(text)
    }
}

/// From when on events and logs count. The clone's own time of birth is on AWS's clock; what an earlier clone of this
/// name left lies before it.
fn earliest(since: Timestamp, created: Option<Timestamp>) -> Timestamp {
    let tolerant = since.checked_sub(SKEW).unwrap_or(since);
    created.map_or(tolerant, |created| created.max(tolerant))
}

/// Messages of RDS-EVENT-0174, -0158 and -0270 ("Amazon RDS event categories and event messages").
fn is_refusal(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "cannot be upgraded",
        "can't be upgraded",
        "could not be upgraded",
        "upgrade failed",
        "rolled back",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// An event with what the log says beyond it.
fn explained(event: &str, name: &str, log: &str) -> String {
    let news: Vec<String> = excerpt(log)
        .into_iter()
        .filter(|line| !event.contains(line.as_str()))
        .collect();
    if news.is_empty() {
        event.to_owned()
    } else {
        format!("{event} {name}: {}", news.join(" / "))
    }
}

/// The lines of a log of `pg_upgrade` from its first `fatal` on; of another log, its end.
fn excerpt(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| line.chars().any(char::is_alphanumeric))
        .collect();
    let fatal = lines.iter().position(|line| {
        let line = line.to_ascii_lowercase();
        line.ends_with("fatal")
            || line.contains("fatal:")
            || line.contains("error:")
            || line.contains("failure, exiting")
    });
    let begin = fatal.unwrap_or_else(|| lines.len().saturating_sub(10));
    lines[begin..]
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT - '…'.len_utf8()));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_progress() {
        let refusals = [
            "Database cluster is in a state that cannot be upgraded: The instance could not be upgraded because …",
            "Database instance is in a state that cannot be upgraded: x",
            "Database instance upgrade failed and was rolled back",
        ];
        let progress = [
            "Upgrade preparation in progress: Starting online upgrade prechecks.",
            "Database cluster engine major version has been upgraded.",
        ];
        assert!(refusals.iter().all(|message| is_refusal(message)));
        assert!(!progress.iter().any(|message| is_refusal(message)));
    }

    #[test]
    fn an_excerpt_begins_where_it_went_wrong() {
        let log = "Performing Consistency Checks\n-----------------------------\nChecking cluster versions       ok\n\
                   Checking for prepared transactions      fatal\n\nThe source cluster contains prepared transactions\n\
                   Failure, exiting\n";
        let expected = [
            "Checking for prepared transactions fatal",
            "The source cluster contains prepared transactions",
            "Failure, exiting",
        ];
        assert_eq!(excerpt(log), expected);
        assert_eq!(excerpt("a\n-----\n\n  b  \n"), ["a", "b"]);
        let lengthy = (0..40).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        assert_eq!(excerpt(&lengthy)[0], "line 30");
        assert_eq!(
            explained("refused: it has slots", "x.log", "it has slots\n"),
            "refused: it has slots"
        );
        assert_eq!(
            explained("refused", "x.log", "it has\n slots\n"),
            "refused x.log: it has / slots"
        );
        let text = bounded("ä".repeat(MAX_TEXT));
        assert!(text.len() <= MAX_TEXT && text.ends_with('…'));
    }

    #[test]
    fn what_an_earlier_clone_of_this_name_left_does_not_count() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(earliest(at(10_000), None), at(9_700));
        assert_eq!(earliest(at(10_000), Some(at(9_990))), at(9_990));
        assert_eq!(earliest(at(10_000), Some(at(1_000))), at(9_700));
    }
}
