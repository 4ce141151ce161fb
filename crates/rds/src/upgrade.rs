//! Major upgrades, and why one was refused.
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::SourceType;
use jiff::Timestamp;

use crate::{Cluster, Error, Instance, Rds};

/// More of a log than this helps nobody.
const MAX_TEXT: usize = 2000;

impl Rds {
    /// Asks for a major upgrade under new parameter groups. RDS prechecks it first; a refusal is no error of this call,
    /// see [`Rds::upgrade_failure`].
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn upgrade_cluster(
        &self,
        cluster: &Cluster,
        version: &str,
        cluster_group: &str,
        instance_group: &str,
    ) -> Result<(), Error> {
        let call = self
            .client
            .modify_db_cluster()
            .db_cluster_identifier(&cluster.identifier)
            .engine_version(version)
            .allow_major_version_upgrade(true)
            .db_cluster_parameter_group_name(cluster_group)
            .db_instance_parameter_group_name(instance_group)
            .apply_immediately(true);
        call.send().await.map(drop).map_err(Error::of("ModifyDBCluster", &cluster.identifier))
    }

    /// Why an upgrade that was asked for at `since` did not take place: what the events say (of the cluster and of its
    /// members, a cluster's refusal has come as either) and the end of the newest upgrade log. `None`: neither says so.
    ///
    /// # Errors
    /// As RDS answers.
    pub async fn upgrade_failure(
        &self,
        cluster: &Cluster,
        members: &[Instance],
        since: Timestamp,
    ) -> Result<Option<String>, Error> {
        let mut events = self.events(&cluster.identifier, SourceType::DbCluster, since).await?;
        for member in members {
            events.extend(self.events(&member.identifier, SourceType::DbInstance, since).await?);
        }
        let Some(refusal) = events.into_iter().rfind(|event| is_refusal(event)) else { return Ok(None) };
        let mut text = refusal;
        for member in members {
            if let Some(log) = self.newest_upgrade_log(&member.identifier).await? {
                text = format!("{text}; {log}");
            }
        }
        if text.len() > MAX_TEXT {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
        }
        Ok(Some(text))
    }

    async fn events(&self, identifier: &str, kind: SourceType, since: Timestamp) -> Result<Vec<String>, Error> {
        let call = self
            .client
            .describe_events()
            .source_identifier(identifier)
            .source_type(kind)
            .start_time(DateTime::from_secs(since.as_second()));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let events = pages.map_err(Error::of("DescribeEvents", identifier))?;
        Ok(events.iter().filter_map(|event| event.message().map(str::to_owned)).collect())
    }

    async fn newest_upgrade_log(&self, instance: &str) -> Result<Option<String>, Error> {
        let call = self.client.describe_db_log_files().db_instance_identifier(instance).filename_contains("pg_upgrade");
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let files = pages.map_err(Error::of("DescribeDBLogFiles", instance))?;
        let newest = files.iter().max_by_key(|file| file.last_written()).and_then(|file| file.log_file_name());
        let Some(name) = newest else { return Ok(None) };
        let call = self.client.download_db_log_file_portion().db_instance_identifier(instance).log_file_name(name).marker("0");
        let answer = call.send().await.map_err(Error::of("DownloadDBLogFilePortion", name))?;
        Ok(answer.log_file_data().map(|data| format!("{name}: {}", condensed(data))))
    }
}

/// Messages of RDS-EVENT-0174, -0158 and -0270 ("Amazon RDS event categories and event messages").
fn is_refusal(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["cannot be upgraded", "can't be upgraded", "could not be upgraded", "upgrade failed", "rolled back"]
        .iter()
        .any(|words| message.contains(words))
}

/// A log on one line, without rulers.
fn condensed(log: &str) -> String {
    let lines = log.lines().map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric));
    lines.collect::<Vec<_>>().join(" / ")
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
        assert_eq!(condensed("a\n-----\n\n  b  \n"), "a / b");
    }
}
