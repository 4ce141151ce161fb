//! What was found, and what it comes to.
use pgupgrade_verify::schema::{Finding, SuspectIndex};
use pgupgrade_verify::{Report, SequenceDifference, Verdict};
use serde::Serialize;

use super::{DIFFERENT, EQUAL, UNDECIDED};

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) rows: Report,
    pub(super) schema: Option<Vec<Finding>>,
    /// Why the schemas could not be compared: the rows' result counts all the same.
    pub(super) schema_error: Option<String>,
    /// Indexes on the target by another version of a collation.
    pub(super) indexes: Option<Vec<SuspectIndex>>,
    /// Why they could not be looked for.
    pub(super) indexes_error: Option<String>,
    pub(super) sequences: Option<Sequences>,
    /// Why the sequences could not be read.
    pub(super) sequences_error: Option<String>,
    /// Whether sequences have to stand at the same value.
    #[serde(skip)]
    pub(super) sequences_count: bool,
}

/// Sequences that do not stand at the same value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Sequences {
    /// Nobody writes: whatever differs was not carried over.
    Different(Vec<SequenceDifference>),
    /// Logical replication does not carry them: those that have to be set before the target is written to. It does not
    /// count as a difference.
    Behind(Vec<SequenceDifference>),
}

/// What was found of each part, or why nothing was; none for a part that was left out.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) schema: Option<Result<Vec<Finding>, String>>,
    pub(super) indexes: Option<Result<Vec<SuspectIndex>, String>>,
    pub(super) sequences: Option<Result<Sequences, String>>,
    /// Whether sequences have to stand at the same value.
    pub(super) sequences_count: bool,
}

impl Outcome {
    pub(super) fn new(rows: Report, parts: Parts) -> Self {
        let verdict = verdict(rows.verdict(), &parts);
        let (schema, schema_error) = split(parts.schema);
        let (indexes, indexes_error) = split(parts.indexes);
        let (sequences, sequences_error) = split(parts.sequences);
        Self {
            verdict,
            rows,
            schema,
            schema_error,
            indexes,
            indexes_error,
            sequences,
            sequences_error,
            sequences_count: parts.sequences_count,
        }
    }

    pub(super) fn code(&self) -> u8 {
        match self.verdict {
            Verdict::Equal => EQUAL,
            Verdict::Different => DIFFERENT,
            Verdict::Undecided => UNDECIDED,
        }
    }
}

fn split<T>(part: Option<Result<T, String>>) -> (Option<T>, Option<String>) {
    match part {
        None => (None, None),
        Some(Ok(found)) => (Some(found), None),
        Some(Err(error)) => (None, Some(error)),
    }
}

/// One difference decides; without one, all that should have been compared has to have been.
fn verdict(rows: Verdict, parts: &Parts) -> Verdict {
    let Parts {
        schema,
        indexes,
        sequences,
        sequences_count,
    } = parts;
    let schema_differs = found(schema.as_ref()).any(Finding::is_difference);
    let index_is_broken = found(indexes.as_ref()).any(SuspectIndex::is_broken);
    let sequence_differs = matches!(sequences, Some(Ok(Sequences::Different(all))) if !all.is_empty());
    let open = found(schema.as_ref()).any(Finding::is_unreadable)
        || found(indexes.as_ref()).any(SuspectIndex::is_unchecked)
        || matches!(schema, Some(Err(_)))
        || matches!(indexes, Some(Err(_)))
        || (*sequences_count && matches!(sequences, Some(Err(_))));
    match rows {
        _ if schema_differs || index_is_broken || sequence_differs => Verdict::Different,
        Verdict::Equal if open => Verdict::Undecided,
        verdict => verdict,
    }
}

fn found<T>(part: Option<&Result<Vec<T>, String>>) -> impl Iterator<Item = &T> {
    part.into_iter().flatten().flatten()
}
