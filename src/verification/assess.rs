//! What follows from what the comparison has found. Pure.
use pgupgrade_verify::TableResult;

use super::Seen;
use crate::api::AcceptedDifference;

/// What is left after all rows were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Tables that differ with consent.
    pub accepted: Vec<String>,
    /// What only the fence can decide.
    pub undecided: Vec<String>,
    /// How the schemas differ: nothing is cut over before that is mended.
    pub schema: Vec<String>,
    /// Indexes that are out of order: nothing is cut over before they are built anew.
    pub indexes: Vec<String>,
}

/// Where a comparison without an unexplained difference stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Not every table was read so far.
    Reading(String),
    /// Every table was.
    Verified(Remaining),
}

/// Names shown of each kind: a message is a line for people.
const SHOWN: usize = 5;

/// Draws the conclusion.
///
/// # Errors
/// Which rows differ without anybody having accepted that.
pub fn assess(seen: &Seen, accepted: &[AcceptedDifference]) -> Result<Compared, String> {
    let Some(report) = seen.report.as_ref().or(seen.changed.as_ref()) else {
        return Ok(Compared::Reading(how_far(seen)));
    };
    let different: Vec<&TableResult> = report.tables.iter().filter(|table| !table.equal).collect();
    let (consent, problem): (Vec<&TableResult>, Vec<&TableResult>) =
        different.into_iter().partition(|table| is_accepted(table, accepted));
    if !problem.is_empty() {
        return Err(some(&problem));
    }
    if seen.report.is_none() {
        let changed = "what changed since the clone is compared";
        return Ok(Compared::Reading(format!("{}; {changed}", how_far(seen))));
    }
    let undecided = report.tables.iter().filter_map(|table| {
        let why = table.undecided.as_ref()?;
        Some(format!("{}: {why}", table.name.plain()))
    });
    let schema = seen.schema.iter().filter(|finding| finding.is_difference());
    Ok(Compared::Verified(Remaining {
        accepted: consent.iter().map(|table| table.name.plain()).collect(),
        undecided: report.undecided.clone().into_iter().chain(undecided).collect(),
        schema: schema.map(ToString::to_string).collect(),
        indexes: seen.indexes.broken(),
    }))
}

/// Whether somebody has consented to the table being different.
#[must_use]
pub fn is_accepted(table: &TableResult, accepted: &[AcceptedDifference]) -> bool {
    accepted.iter().any(|one| one.table == table.name.plain())
}

fn how_far(seen: &Seen) -> String {
    let progress = &seen.progress;
    let indexes = if seen.indexes.checking {
        "; indexes by another version of a collation are checked"
    } else {
        ""
    };
    format!(
        "{} of {} tables, {} rows read on both sides{indexes}",
        progress.tables_done, progress.tables, progress.rows
    )
}

/// The first of them, and how many there are besides.
pub fn some(all: &[impl ToString]) -> String {
    let mut shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    if all.len() > SHOWN {
        shown.push(format!("and {} more", all.len() - SHOWN));
    }
    shown.join("; ")
}

#[cfg(test)]
mod tests {
    use pgupgrade_postgres::QualifiedName;
    use pgupgrade_verify::{Depth, Report};

    use super::*;

    fn table(name: &str, differing: u64, undecided: Option<&str>) -> TableResult {
        TableResult {
            name: QualifiedName::new("public", name),
            depth: Some(Depth::Full),
            rows: 10,
            target_rows: 10,
            equal: differing == 0,
            problem: None,
            differing,
            estimated: false,
            examples: Vec::new(),
            undecided: undecided.map(str::to_owned),
            notes: Vec::new(),
        }
    }

    fn seen(tables: Vec<TableResult>, undecided: Option<&str>) -> Seen {
        Seen {
            report: Some(Report {
                tables,
                undecided: undecided.map(str::to_owned),
                ..Report::default()
            }),
            ..Seen::default()
        }
    }

    #[test]
    fn only_an_accepted_difference_goes_on() {
        let accepted = [AcceptedDifference {
            table: "public.audit".to_owned(),
            comment: None,
        }];
        assert!(matches!(assess(&Seen::default(), &accepted), Ok(Compared::Reading(_))));
        let equal = table("orders", 0, None);
        // tables, why they may not be all; whether it may go on, accepted, undecided
        let cases = [
            (vec![equal.clone()], None, true, 0, 0),
            (vec![equal.clone(), table("audit", 3, None)], None, true, 1, 0),
            (
                vec![table("orders", 1, None), table("audit", 3, None)],
                None,
                false,
                0,
                0,
            ),
            (vec![table("orders", 1, Some("hot"))], None, false, 0, 0),
            (vec![table("orders", 0, Some("hot"))], None, true, 0, 1),
            (vec![equal], Some("a table was created"), true, 0, 1),
        ];
        for (tables, why, goes_on, accepted_tables, undecided) in cases {
            let case = format!("{tables:?} {why:?}");
            match assess(&seen(tables, why), &accepted) {
                Ok(Compared::Verified(remaining)) => {
                    assert!(goes_on, "{case}");
                    let found = (remaining.accepted.len(), remaining.undecided.len());
                    assert_eq!(found, (accepted_tables, undecided), "{case}");
                }
                other => assert!(!goes_on, "{case}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_changed_tells_of_a_difference_before_all_is_read() {
        let changed = |differing| Seen {
            changed: seen(vec![table("orders", differing, None)], None).report,
            ..Seen::default()
        };
        assert!(matches!(assess(&changed(0), &[]), Ok(Compared::Reading(_))));
        assert!(assess(&changed(1), &[]).is_err());
    }

    #[test]
    fn a_long_list_is_a_line() {
        let all: Vec<u8> = (0..8).collect();
        assert_eq!(some(&all), "0; 1; 2; 3; 4; and 3 more");
        assert_eq!(some(&all[..2]), "0; 1");
    }
}
