//! Faults in one value of a row, and changes of a value that are none.
use pgupgrade_verify::Kind;

use crate::fault::{Fault, Way};

/// Name, column of `faults.kinds`, its value on the source, and on the target.
type Value = (&'static str, &'static str, &'static str, &'static str);

const VALUES: &[Value] = &[
    ("boolean turned", "flag", "true", "false"),
    ("smallint: sign", "small", "1", "-1"),
    ("bigint: one more", "large", "9007199254740992", "9007199254740993"),
    ("0.0 to -0.0", "d", "0", "'-0'"),
    ("double precision to NaN", "d", "1.5", "'NaN'"),
    (
        "double precision by one in the last place",
        "d",
        "0.1",
        "'0.10000000000000002'",
    ),
    ("real by one in the last place", "r", "0.1", "'0.10000001'"),
    ("numeric 1.0 to 1.00", "num", "1.0", "1.00"),
    ("numeric NaN to Infinity", "num", "'NaN'", "'Infinity'"),
    ("money by a cent", "cash", "12.34", "12.35"),
    ("text: NULL to ''", "t", "NULL", "''"),
    ("text: '' to NULL", "t", "''", "NULL"),
    ("text: trailing space", "t", "'word'", "'word '"),
    ("text: case", "t", "'Word'", "'word'"),
    ("text: no-break space", "t", "'two words'", "U&'two\\00A0words'"),
    ("text: composed to decomposed", "t", "U&'caf\\00E9'", "U&'cafe\\0301'"),
    ("citext: case", "ci", "'Word'", "'word'"),
    ("bpchar: trailing space", "blank", "'ab'", "'ab '"),
    ("bytea: one bit", "b", "'\\x00ff10'", "'\\x00ff11'"),
    ("bytea: empty to NULL", "b", "''", "NULL"),
    ("bit: one bit", "bits", "B'10101010'", "B'10101011'"),
    ("bit varying: one more", "vbits", "B'101'", "B'1010'"),
    ("date by a day", "day", "'2024-02-29'", "'2024-03-01'"),
    ("timestamp to infinity", "at", "'9999-12-31'", "'infinity'"),
    ("timestamp infinity to -infinity", "at", "'infinity'", "'-infinity'"),
    (
        "timestamptz by 1 µs",
        "tz",
        "'2026-01-01 00:00:00.000001+00'",
        "'2026-01-01 00:00:00.000002+00'",
    ),
    ("time 00:00 to 24:00", "clock", "'00:00'", "'24:00'"),
    (
        "timetz: the same instant in another zone",
        "clock_tz",
        "'12:00+00'",
        "'13:00+01'",
    ),
    ("interval 1 mon to 30 days", "span", "'1 mon'", "'30 days'"),
    ("interval 1 day to 24 hours", "span", "'1 day'", "'24 hours'"),
    ("json: white space", "j", "'{\"a\": 1}'", "'{\"a\":1}'"),
    (
        "json: order of keys",
        "j",
        "'{\"a\": 1, \"b\": 2}'",
        "'{\"b\": 2, \"a\": 1}'",
    ),
    ("json: doubled key", "j", "'{\"a\": 1}'", "'{\"a\": 1, \"a\": 1}'"),
    ("jsonb: 1.0 to 1.00", "jb", "'1.0'", "'1.00'"),
    ("jsonb: null to NULL", "jb", "'null'", "NULL"),
    ("xml: white space", "markup", "'<a/>'", "'<a />'"),
    (
        "uuid: one bit",
        "u",
        "'00000000-0000-4000-8000-000000000001'",
        "'00000000-0000-4000-8000-000000000000'",
    ),
    ("inet: length of the mask", "net", "'10.0.0.1/24'", "'10.0.0.1/32'"),
    (
        "macaddr: last byte",
        "mac",
        "'08:00:2b:01:02:03'",
        "'08:00:2b:01:02:04'",
    ),
    ("array: order of elements", "ints", "'{1,2,3}'", "'{1,3,2}'"),
    ("array: lower bound", "ints", "'{1,2,3}'", "'[0:2]={1,2,3}'"),
    ("array: empty to NULL", "ints", "'{}'", "NULL"),
    ("array: dimensions", "ints", "'{1,2}'", "'{{1,2}}'"),
    ("array: NULL to 'NULL'", "words", "'{a,NULL}'", "'{a,\"NULL\"}'"),
    ("array: 0.0 to -0.0", "floats", "'{0}'", "'{-0}'"),
    ("range: to empty", "whole", "'[1,2)'", "'empty'"),
    ("range: bound inclusive", "exact", "'[1,2)'", "'[1,2]'"),
    ("range: no bound to infinity", "exact", "'[1,)'", "'[1,infinity)'"),
    ("multirange: one more", "many", "'{[1,2)}'", "'{[1,2),[3,4)}'"),
    ("enum", "mood", "'ok'", "'happy'"),
    ("domain", "share", "50", "50.0"),
    ("composite: a field", "spot", "'(1,x)'", "'(1,)'"),
    ("point: 0 to -0", "place", "'(0,0)'", "'(0,-0)'"),
    ("tsvector: a weight", "lexemes", "'fat:1A'", "'fat:1B'"),
    (
        "last byte of a value out of line",
        "toasted",
        "repeat('0123456789', 30000)",
        "repeat('0123456789', 29999) || '012345678_'",
    ),
];

/// As [`VALUES`], where both are the same.
const SAME: &[Value] = &[
    (
        "jsonb: order of keys",
        "jb",
        "'{\"a\": 1, \"b\": 2}'",
        "'{\"b\": 2, \"a\": 1, \"a\": 1}'",
    ),
    ("char(n): other padding", "c", "'ab'", "'ab     '"),
    ("int4range: other bounds", "whole", "'[1,5)'", "'(0,4]'"),
    (
        "timestamptz: another zone",
        "tz",
        "'2026-01-01 12:00+00'",
        "'2026-01-01 13:00+01'",
    ),
    ("the same value again", "t", "'same'", "'sa' || 'me'"),
];

pub fn values() -> Vec<Fault> {
    let (faults, controls) = (VALUES.iter().enumerate(), SAME.iter().enumerate());
    let mut all: Vec<Fault> = faults
        .map(|(index, value)| {
            let id = index + 1;
            let mut fault = of(id, value).key("kinds", &format!("id={id}"), Kind::Changed, &[value.1]);
            fault.past_triggers = index % 2 == 1;
            fault.before_slot = index % 6 == 4;
            if index % 8 == 2 {
                fault.ways.push(Way::PinnedPair);
            }
            fault
        })
        .collect();
    all.extend(controls.map(|(index, value)| of(VALUES.len() + index + 1, value)));
    all
}

fn of(id: usize, (name, column, before, after): &Value) -> Fault {
    let set = |value| format!("UPDATE faults.kinds SET {column} = {value} WHERE id = {id}");
    Fault {
        before: Some(set(before)),
        ..Fault::new(name, "faults.kinds", &format!("id = {id}"), &set(after))
    }
}
