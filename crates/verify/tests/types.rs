//! Values of every type are alike on servers of different versions, and no change of one is missed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod support;
#[path = "support/values.rs"]
mod values;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use pgupgrade_postgres::{QualifiedName, quote_literal};
use pgupgrade_verify::{Kind, Options, Report, Tables};
use support::Pair;
use values::{BUILT_IN, NEWER, OF_USERS};

type Values = &'static [&'static str];

fn table(index: usize) -> String {
    format!("own.\"of {index}\"")
}

/// An array of one row of values or more, as text: of a domain over arrays the constructor makes none.
fn array(kind: &str, rows: &[&[Option<&str>]]) -> String {
    let between = if kind == "box" { ";" } else { "," };
    let item = |value: Option<&str>| {
        let quoted = |value: &str| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        value.map_or_else(|| "NULL".to_owned(), quoted)
    };
    let row = |row: &&[Option<&str>]| row.iter().copied().map(item).collect::<Vec<_>>().join(between);
    let rows: Vec<String> = rows.iter().map(row).collect();
    let text = match rows.as_slice() {
        [row] => format!("{{{row}}}"),
        rows => format!("{{{{{}}}}}", rows.join(&format!("}}{between}{{"))),
    };
    format!("{}::{kind}[]", quote_literal(&text))
}

fn square(kind: &str, values: &[&str]) -> String {
    let (first, second) = (Some(values[0]), Some(values[1]));
    array(kind, &[&[first, second], &[second, None]])
}

/// A table for each type: values, then arrays of them with NULL, more than one dimension and lower bounds.
fn tables(types: &[(&str, Values)]) -> String {
    let mut script = "CREATE TABLE own.marker (); CREATE ROLE \"The role\";\n".to_owned();
    for (index, (kind, values)) in types.iter().enumerate() {
        let table = table(index);
        writeln!(
            script,
            "CREATE TABLE {table} (id int PRIMARY KEY, v {kind}, a {kind}[]);"
        )
        .unwrap();
        let literals: Vec<String> = values
            .iter()
            .map(|value| format!("{}::{kind}", quote_literal(value)))
            .collect();
        for (row, literal) in literals.iter().enumerate() {
            writeln!(
                script,
                "INSERT INTO {table} VALUES ({row}, {literal}, ARRAY[{literal}]);"
            )
            .unwrap();
        }
        let (first, second) = (quote_literal(values[0]), quote_literal(values[1]));
        let (square, flat) = (square(kind, values), array(kind, &[&[Some(values[0]), None]]));
        writeln!(
            script,
            "INSERT INTO {table} VALUES (-1, NULL, NULL), (-2, NULL, '{{}}'), (-3, {first}, {flat}),
             (-4, {first}, {square});
             INSERT INTO {table} (id) VALUES (-5); UPDATE {table} SET a[3] = {second}, a[4] = {first} WHERE id = -5;"
        )
        .unwrap();
    }
    script
}

/// The tables that differ, by number. Each difference must be a changed row that is named.
fn different(report: &Report, key: &str) -> BTreeSet<usize> {
    let differ = report.tables.iter().filter(|table| !table.equal);
    differ
        .map(|table| {
            assert_eq!(table.problem, None);
            let [example] = table.examples.as_slice() else {
                panic!("{table}");
            };
            assert_eq!((example.key.as_str(), example.kind), (key, Kind::Changed), "{table}");
            table.name.name.strip_prefix("of ").unwrap().parse().unwrap()
        })
        .collect()
}

async fn every_type(from: u16, to: u16) {
    let pair = Pair::start(from, to).await;
    // From here on the same names have other OIDs on the target.
    pair.on_target
        .batch_execute("CREATE TYPE earlier AS ENUM ('x'); CREATE TABLE first_here (a earlier[])")
        .await
        .unwrap();
    let mut types: Vec<(&str, Values)> = [BUILT_IN, OF_USERS].concat();
    if from.min(to) >= 17 {
        types.extend_from_slice(NEWER);
    }
    let script = tables(&types);
    for side in [&pair.on_source, &pair.on_target] {
        side.batch_execute(include_str!("support/values.sql")).await.unwrap();
        side.batch_execute(&script).await.unwrap();
    }
    let names = (0..types.len()).map(|index| QualifiedName::new("own", format!("of {index}")));
    let all = Tables::Named(names.collect());
    let options = Options {
        examples: 2,
        ..Options::default()
    };
    let report = pair.compare(&all, &options).await;
    let unequal: Vec<_> = report.tables.iter().filter(|table| !table.equal).collect();
    assert!(unequal.is_empty(), "{unequal:?}");
    assert!(report.tables.iter().all(|table| table.rows >= 7));

    let everything: BTreeSet<usize> = (0..types.len()).collect();
    for (column, row, id) in [
        ("v", 1, 0),
        ("a", 1, 0),
        ("v", 0, -1),
        ("v", -1, 0),
        ("a", -2, -1),
        ("a", -3, -4),
    ] {
        let mut change = "BEGIN;\n".to_owned();
        for index in 0..types.len() {
            let table = table(index);
            writeln!(
                change,
                "UPDATE {table} SET {column} = (SELECT {column} FROM {table} WHERE id = {row}) WHERE id = {id};"
            )
            .unwrap();
        }
        pair.on_target.batch_execute(&change).await.unwrap();
        pair.on_target.batch_execute("COMMIT").await.unwrap();
        let found = different(&pair.compare(&all, &options).await, &format!("id={id}"));
        let missed: Vec<_> = everything.difference(&found).map(|index| types[*index].0).collect();
        assert!(missed.is_empty(), "{column} of {id}: {missed:?}");
        // Undone, and written anew as by an apply.
        let mut undo = String::new();
        for (index, (kind, values)) in types.iter().enumerate() {
            let (table, first, square) = (table(index), quote_literal(values[0]), square(kind, values));
            let array = array(kind, &[&[Some(values[0])]]);
            writeln!(
                undo,
                "UPDATE {table} SET v = {first}, a = {array} WHERE id = 0;
                 UPDATE {table} SET v = NULL, a = NULL WHERE id = -1;
                 UPDATE {table} SET a = {square} WHERE id = -4;"
            )
            .unwrap();
        }
        pair.on_target.batch_execute(&undo).await.unwrap();
    }
    assert_eq!(pair.compare(&all, &options).await.differences, 0, "all undone");
    other_forms(&pair).await;
}

/// One value that each side holds in another form.
async fn other_forms(pair: &Pair) {
    pair.on_source
        .batch_execute(include_str!("support/forms_source.sql"))
        .await
        .unwrap();
    pair.on_target
        .batch_execute(include_str!("support/forms_target.sql"))
        .await
        .unwrap();
    let forms = Tables::Named(vec![QualifiedName::new("own", "forms")]);
    let report = pair.compare(&forms, &Options::default()).await;
    assert_eq!(
        (report.differences, report.tables[0].rows),
        (0, 2),
        "{:?}",
        report.tables
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_alike_on_14_and_18() {
    every_type(14, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_alike_on_15_and_17() {
    every_type(15, 17).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_alike_on_17_and_18() {
    every_type(17, 18).await;
}

/// The way back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_is_alike_on_18_and_16() {
    every_type(18, 16).await;
}
