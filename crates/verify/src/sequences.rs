//! Where the sequences of both sides stand, which logical replication does not carry.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::future::try_join;
use pgupgrade_postgres::QualifiedName;
use pgupgrade_postgres::connection::Session;
use pgupgrade_postgres::sequences::{self, Sequence};
use serde::Serialize;

use crate::side::{Side, sql};
use crate::{Error, Tables, plain};

const OF_TABLES: &str = include_str!("../sql/sequences_of_tables.sql");

/// Where a sequence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SequencePosition {
    /// The value last taken from it, those cached by a session included.
    pub last_value: i64,
    /// Whether the next value lies behind `last_value`, or is it.
    pub is_called: bool,
}

impl fmt::Display for SequencePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_called { "" } else { ", not taken yet" };
        write!(f, "{}{state}", self.last_value)
    }
}

/// A sequence that does not stand at the same value on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceDifference {
    /// Its name.
    #[serde(serialize_with = "plain")]
    pub name: QualifiedName,
    /// Where the source has it; none where it does not.
    pub source: Option<SequencePosition>,
    /// Where the target has it; none where it does not.
    pub target: Option<SequencePosition>,
    /// Whether the target would give values again that the source has given, as far as it does not cycle.
    pub behind: bool,
}

impl fmt::Display for SequenceDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |position: Option<SequencePosition>| {
            position.map_or_else(|| "missing".to_owned(), |position| position.to_string())
        };
        let (source, target) = (shown(self.source), shown(self.target));
        write!(f, "{}: {source} on the source, {target} on the target", self.name)
    }
}

/// The sequences that do not stand at the same `last_value` and `is_called` on both sides, by name; of named tables
/// only those that they take values from. Values of a sequence are no part of a snapshot: what is read is what is there
/// at the moment.
///
/// # Errors
/// [`Error::Sequences`], also where the role may not read one; [`Error::Sql`].
pub async fn differing_sequences(
    source: &Session,
    target: &Session,
    tables: &Tables,
) -> Result<Vec<SequenceDifference>, Error> {
    let (mut on_source, mut on_target) = try_join(read(source, Side::Source), read(target, Side::Target)).await?;
    if let Tables::Named(tables) = tables {
        let (ours, theirs) = try_join(
            of_tables(source, Side::Source, tables),
            of_tables(target, Side::Target, tables),
        )
        .await?;
        let wanted: BTreeSet<Key> = ours.into_iter().chain(theirs).collect();
        on_source.retain(|key, _| wanted.contains(key));
        on_target.retain(|key, _| wanted.contains(key));
    }
    Ok(differences(&on_source, &on_target))
}

type Key = (String, String);

async fn read(session: &Session, side: Side) -> Result<BTreeMap<Key, Sequence>, Error> {
    let all = sequences::read(session).await.map_err(|source| Error::Sequences {
        side: side.name(),
        source: Box::new(source),
    })?;
    let keyed = |sequence: Sequence| ((sequence.name.schema.clone(), sequence.name.name.clone()), sequence);
    Ok(all.into_iter().map(keyed).collect())
}

async fn of_tables(session: &Session, side: Side, tables: &[QualifiedName]) -> Result<Vec<Key>, Error> {
    let (schemas, names): (Vec<&str>, Vec<&str>) = tables.iter().map(|table| (&*table.schema, &*table.name)).unzip();
    let rows = session
        .query(OF_TABLES, &[&schemas, &names])
        .await
        .map_err(sql(side, "looking for the sequences of tables"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn differences(source: &BTreeMap<Key, Sequence>, target: &BTreeMap<Key, Sequence>) -> Vec<SequenceDifference> {
    let position = |sequence: &Sequence| SequencePosition {
        last_value: sequence.last_value,
        is_called: sequence.is_called,
    };
    let keys: BTreeSet<&Key> = source.keys().chain(target.keys()).collect();
    let pairs = keys.into_iter().map(|key| (key, source.get(key), target.get(key)));
    pairs
        .filter(|(_, source, target)| source.map(position) != target.map(position))
        .map(|((schema, name), source, target)| SequenceDifference {
            name: QualifiedName::new(schema, name),
            source: source.map(position),
            target: target.map(position),
            behind: source.zip(target).is_some_and(is_behind),
        })
        .collect()
}

/// By the source's direction.
fn is_behind((source, target): (&Sequence, &Sequence)) -> bool {
    let of = |sequence: &Sequence| (sequence.last_value, sequence.is_called);
    let ((source_value, source_called), (target_value, target_called)) = (of(source), of(target));
    if source_value == target_value {
        return source_called && !target_called;
    }
    (target_value < source_value) == (source.increment > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(increment: i64, last_value: i64, is_called: bool) -> Sequence {
        Sequence {
            name: QualifiedName::new("public", "s"),
            last_value,
            is_called,
            increment,
        }
    }

    #[test]
    fn what_is_behind_depends_on_the_direction() {
        // increment; value and whether it was taken on the source and on the target; whether that is behind
        let table = [
            (1, (10, true), (9, true), true),
            (1, (10, true), (10, false), true),
            (1, (10, false), (10, true), false),
            (1, (10, true), (11, true), false),
            (1, (10, true), (1, false), true),
            (-1, (-10, true), (-9, true), true),
            (-1, (-10, true), (-10, false), true),
            (-1, (-10, true), (-11, true), false),
        ];
        for (increment, source, target, behind) in table {
            let key = ("public".to_owned(), "s".to_owned());
            let side = |(value, called)| BTreeMap::from([(key.clone(), sequence(increment, value, called))]);
            let found = differences(&side(source), &side(target));
            assert_eq!(found.len(), 1, "{source:?} {target:?}");
            assert_eq!(found[0].behind, behind, "{increment} {source:?} {target:?}");
        }
        let same = BTreeMap::from([(("a".to_owned(), "b".to_owned()), sequence(1, 5, true))]);
        assert_eq!(differences(&same, &same), []);
        let missing = differences(&same, &BTreeMap::new());
        assert_eq!(
            missing[0].to_string(),
            r#""a"."b": 5 on the source, missing on the target"#
        );
        assert!(!missing[0].behind);
    }
}
