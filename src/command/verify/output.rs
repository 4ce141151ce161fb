//! The result for people and for programs.
use std::io::Write as _;

use pgupgrade_verify::{Left, Remnant, Verdict};
use serde::Serialize;

use super::Failure;
use super::outcome::{Outcome, Sequences};

pub(super) fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::Print)
}

/// Tells something that is not the result. A terminal that is gone must not end what takes things back.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

/// What comes from a database must not move the cursor.
fn printable(line: &str) -> String {
    line.chars()
        .flat_map(|character| {
            let shown = if character.is_control() && character != '\n' {
                character.escape_default().to_string()
            } else {
                character.to_string()
            };
            shown.chars().collect::<Vec<_>>()
        })
        .collect()
}

/// The result for programs.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    left: &'a [Remnant],
}

pub(super) fn json(outcome: &Outcome, left: Option<&Left>) -> Result<String, Failure> {
    let left = remnants(left);
    let text = serde_json::to_string_pretty(&Printed { outcome, left });
    Ok(text.map_err(|error| Failure::Print(error.into()))? + "\n")
}

pub(super) fn error_as_json(error: &Failure, left: Option<&Left>) -> String {
    let value = serde_json::json!({
        "verdict": Verdict::Undecided,
        "error": error.to_string(),
        "left": remnants(left),
    });
    format!("{value:#}\n")
}

fn remnants(left: Option<&Left>) -> &[Remnant] {
    left.map_or(&[], |left| left.0.as_slice())
}

pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = lines(outcome)
        .iter()
        .map(|line| printable(&line.replace('\n', "\\n")))
        .collect::<Vec<_>>()
        .join("\n");
    text.push('\n');
    text
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let rows = &outcome.rows;
    let mut lines = vec![format!(
        "{}: {} tables, {} rows, {} MB on the source in {:.1} s",
        outcome.verdict,
        rows.tables.len(),
        rows.rows,
        rows.bytes / 1_000_000,
        rows.elapsed.as_secs_f64(),
    )];
    lines.extend(
        rows.tables
            .iter()
            .filter(|table| !table.equal)
            .map(|table| format!("  differs: {table}")),
    );
    let undecided = rows
        .tables
        .iter()
        .filter_map(|table| Some((table, table.undecided.as_ref()?)));
    lines.extend(undecided.map(|(table, why)| format!("  undecided: {}: {why}", table.name)));
    lines.extend(
        rows.skipped
            .iter()
            .map(|skipped| format!("  not compared: {} ({})", skipped.name, skipped.reason)),
    );
    if rows.foreign.transactions > 0 {
        lines.push(format!(
            "  {} transactions wrote on the target past replication, to {}",
            rows.foreign.transactions,
            rows.foreign.tables.join(", ")
        ));
    }
    lines.extend(sequences(outcome));
    lines.extend(schema(outcome));
    lines.extend(indexes(outcome));
    lines
}

fn sequences(outcome: &Outcome) -> Vec<String> {
    match (&outcome.sequences, &outcome.sequences_error) {
        (Some(Sequences::Different(different)), _) => different
            .iter()
            .map(|sequence| format!("  sequence differs: {sequence}"))
            .collect(),
        (Some(Sequences::Behind(behind)), _) if behind.is_empty() => Vec::new(),
        (Some(Sequences::Behind(behind)), _) => {
            let named: Vec<String> = behind.iter().map(ToString::to_string).collect();
            vec![format!(
                "  note: {} sequences are behind, which logical replication does not carry; set them before the target is written to: {}",
                named.len(),
                named.join("; ")
            )]
        }
        (None, Some(error)) if outcome.sequences_count => {
            vec![format!("  undecided: the sequences could not be compared: {error}")]
        }
        (None, Some(error)) => vec![format!("  note: the sequences could not be read: {error}")],
        (None, None) => vec!["  the sequences were not compared".to_owned()],
    }
}

fn indexes(outcome: &Outcome) -> Vec<String> {
    if let Some(error) = &outcome.indexes_error {
        return vec![format!("  undecided: indexes could not be checked: {error}")];
    }
    let indexes = outcome.indexes.iter().flatten();
    let (mut lines, mut sound) = (Vec::new(), 0);
    for index in indexes {
        match index {
            broken if broken.is_broken() => lines.push(format!("  differs: {broken}")),
            open if open.is_unchecked() => lines.push(format!("  undecided: {open}")),
            _ => sound += 1,
        }
    }
    if sound > 0 {
        lines.push(format!(
            "  {sound} indexes by another version of a collation were checked and are in order"
        ));
    }
    lines
}

fn schema(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(findings) = &outcome.schema else {
        lines.push(match &outcome.schema_error {
            None => "  the schemas were not compared".to_owned(),
            Some(error) => format!("  undecided: the schemas could not be compared: {error}"),
        });
        return lines;
    };
    let unreadable = findings.iter().filter(|finding| finding.is_unreadable());
    let different = findings.iter().filter(|finding| finding.is_difference());
    lines.extend(different.map(|finding| format!("  schema differs: {finding}")));
    lines.extend(unreadable.map(|finding| format!("  schema not compared: {finding}")));
    let benign: Vec<_> = findings
        .iter()
        .filter(|finding| !finding.is_difference() && !finding.is_unreadable())
        .collect();
    if !benign.is_empty() {
        lines.push(format!(
            "  {} differences of the schemas come from the versions",
            benign.len()
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_value_does_not_move_the_cursor() {
        assert_eq!(printable("ü \u{1b}[2J\r\u{7}"), "ü \\u{1b}[2J\\r\\u{7}");
    }
}
