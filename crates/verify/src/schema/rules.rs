//! Differences that two major versions make by themselves, each with its reason.
//!
//! A rule takes as little as it can: what the newer version does by itself, to what it does it, and nothing that a
//! person could have done instead.
use super::Fingerprint;
use super::object::{Key, Object};
use super::text::{self, SEPARATOR, Token};

/// A difference to judge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference<'a> {
    pub(super) source: &'a Fingerprint,
    pub(super) target: &'a Fingerprint,
    pub(super) key: &'a Key,
    /// `None`: one side does not have the object.
    pub(super) attribute: Option<&'a str>,
    /// Of the attribute on the source and on the target; of an object, whether the side has it.
    pub(super) values: (Option<&'a str>, Option<&'a str>),
}

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Two ways to write the same.
    Same,
    /// What the newer version does by itself.
    Benign(&'static str),
    /// A difference.
    Different,
}

type Rule = fn(&Difference<'_>) -> Judgement;

const RULES: &[Rule] = &[
    order_of_columns,
    not_null_constraint,
    quotes,
    qualification,
    maintain,
    extension_version,
    unlogged_sequence,
    platform_roles,
];

/// The first rule that has something to say decides.
pub(super) fn judge(difference: &Difference<'_>) -> Judgement {
    let judged = RULES.iter().map(|rule| rule(difference));
    judged
        .into_iter()
        .find(|judgement| *judgement != Judgement::Different)
        .unwrap_or(Judgement::Different)
}

impl Difference<'_> {
    /// Whether the target has what began with a major version, and the source has not.
    fn crosses(&self, major: i32) -> bool {
        self.source.major < major && self.target.major >= major
    }

    fn is(&self, kind: &str, attribute: &str) -> bool {
        self.key.kind == kind && self.attribute == Some(attribute)
    }

    fn on_source(&self) -> Option<&Object> {
        self.source.objects.get(self.key)
    }

    fn on_target(&self) -> Option<&Object> {
        self.target.objects.get(self.key)
    }
}

/// Columns that one side does not have are found by themselves: the order is that of the others.
fn order_of_columns(difference: &Difference<'_>) -> Judgement {
    let (Some("order of columns"), (Some(source), Some(target))) = (difference.attribute, difference.values) else {
        return Judgement::Different;
    };
    let list = |text: &'_ str| -> Vec<String> { text.split(SEPARATOR).map(str::to_owned).collect() };
    let (source, target) = (list(source), list(target));
    let common = source.iter().filter(|name| target.contains(name));
    if common.eq(target.iter().filter(|name| source.contains(name))) {
        return Judgement::Same;
    }
    Judgement::Different
}

/// From 18 on NOT NULL has a row in `pg_constraint`; before, `attnotnull` is all there is, and it is compared with the
/// column (release notes of 18, "Store column NOT NULL specifications in `pg_constraint`").
fn not_null_constraint(difference: &Difference<'_>) -> Judgement {
    let object = difference.on_source().or(difference.on_target());
    let is_not_null = object.and_then(|object| object.attribute("type")) == Some("not null");
    let unknown = difference.source.major.min(difference.target.major) < 18;
    if difference.key.kind == "constraint" && difference.attribute.is_none() && is_not_null && unknown {
        return Judgement::Same;
    }
    Judgement::Different
}

/// Each version quotes the identifiers that are key words in it (`quote_identifier` in `ruleutils.c`). White space
/// outside of strings has no meaning.
fn quotes(difference: &Difference<'_>) -> Judgement {
    let (Some(_), (Some(source), Some(target))) = (difference.attribute, difference.values) else {
        return Judgement::Different;
    };
    if difference.source.major != difference.target.major
        && is_sql(difference)
        && text::tokens(source) == text::tokens(target)
    {
        return Judgement::Same;
    }
    Judgement::Different
}

/// Attributes that are SQL, or names as the server quotes them.
const SQL: &[&str] = &[
    "attached to",
    "base type",
    "body",
    "check",
    "commutator",
    "conversion",
    "default",
    "definition",
    "function",
    "functions",
    "handler",
    "join estimator",
    "moving transition type",
    "multirange",
    "negator",
    "owned by",
    "parameters",
    "parents",
    "partition bound",
    "partition key",
    "restriction estimator",
    "result",
    "returns",
    "row type",
    "sort operator",
    "stored type",
    "subscripting",
    "subtype",
    "transition type",
    "type",
    "using",
    "validator",
];

/// Whether the attribute holds SQL or names as the server quotes them, and not a name or a text as it is.
fn is_sql(difference: &Difference<'_>) -> bool {
    let attribute = difference.attribute.unwrap_or_default();
    let begins = ["check ", "dictionaries for ", "function ", "operator "];
    difference.key.kind != "foreign server"
        && (SQL.contains(&attribute)
            || attribute.ends_with(" function")
            || begins.iter().any(|prefix| attribute.starts_with(prefix)))
}

/// From 16 on a view on one relation names its columns without it: the rules of views have no entries for OLD and NEW
/// (commit 1b4d280ea of PostgreSQL, "Remove unnecessary ruletable entries"). Only the outermost query of one relation
/// is written so, where a column can be of that relation only; and the relation itself is compared.
fn qualification(difference: &Difference<'_>) -> Judgement {
    let (Some(source), Some(target)) = difference.values else {
        return Judgement::Different;
    };
    if !difference.crosses(16) || !difference.is("relation", "definition") {
        return Judgement::Different;
    }
    if loses_qualification(&text::tokens(source), &text::tokens(target)) {
        return Judgement::Benign("from 16 on a view on one relation names its columns without the relation");
    }
    Judgement::Different
}

/// Whether the second text is the first without some `relation.` before a column.
fn loses_qualification(source: &[Token<'_>], target: &[Token<'_>]) -> bool {
    let mut rest = source;
    for token in target {
        rest = match rest {
            [first, after @ ..] if first == token => after,
            [Token::Word(_), Token::Other('.'), column @ Token::Word(_), after @ ..] if column == token => after,
            _ => return false,
        };
    }
    rest.is_empty()
}

/// Privileges on tables before 17.
const TABLE_PRIVILEGES: [&str; 7] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
];

/// From 17 on there is MAINTAIN, and who has all privileges, as every owner does, has it too (documentation,
/// "Privileges"). Who lacks one of the others was given it by somebody.
fn maintain(difference: &Difference<'_>) -> Judgement {
    let grantee = difference
        .attribute
        .and_then(|name| name.strip_prefix("grant MAINTAIN to "));
    let (Some(grantee), (None, Some(value))) = (grantee, difference.values) else {
        return Judgement::Different;
    };
    let has_all = |object: Option<&Object>| {
        let mut names = TABLE_PRIVILEGES
            .iter()
            .map(|privilege| format!("grant {privilege} to {grantee}"));
        names.all(|name| object.and_then(|object| object.entry(&name)) == Some(value))
    };
    if !difference.crosses(17) || !has_all(difference.on_source()) || !has_all(difference.on_target()) {
        return Judgement::Different;
    }
    // An owner's privileges are those that nobody has given.
    if grantee == "its owner" {
        return Judgement::Same;
    }
    Judgement::Benign("from 17 on all privileges on a table include MAINTAIN")
}

/// An extension may be brought up to the version that fits the newer server (`ALTER EXTENSION … UPDATE`).
fn extension_version(difference: &Difference<'_>) -> Judgement {
    let (Some(source), Some(target)) = difference.values else {
        return Judgement::Different;
    };
    if difference.is("extension", "version") && is_newer(target, source) {
        return Judgement::Benign("the target has a newer version of the extension");
    }
    Judgement::Different
}

/// Whether a version of numbers between dots comes after another.
fn is_newer(version: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u32>> { text.split('.').map(|part| part.parse().ok()).collect() };
    match (numbers(version), numbers(than)) {
        (Some(version), Some(than)) => version > than,
        _ => false,
    }
}

/// Until 14 the sequence of a column of an unlogged table is permanent, from 15 on it is unlogged as its table is
/// (release notes of 15, "Allow unlogged sequences").
fn unlogged_sequence(difference: &Difference<'_>) -> Judgement {
    if !difference.crosses(15)
        || !difference.is("sequence", "persistence")
        || difference.values != (Some("permanent"), Some("unlogged"))
    {
        return Judgement::Different;
    }
    let table = difference
        .on_target()
        .and_then(|sequence| sequence.attribute("owned by"));
    let table = table
        .and_then(|owner| owner.rsplit_once(", column "))
        .map(|(table, _)| Key {
            kind: "relation",
            name: text::without_needless_quotes(table),
        });
    let object = table.and_then(|table| difference.target.objects.get(&table));
    if object.and_then(|table| table.attribute("persistence")) == Some("unlogged") {
        return Judgement::Benign("from 15 on the sequence of an unlogged table is unlogged");
    }
    Judgement::Different
}

/// RDS and Aurora keep roles of their own, `rdsadmin` and those that begin with `rds_`, and what those may do with
/// the server's objects, which differ from version to version. What an application's role is a member of is not
/// touched by this.
fn platform_roles(difference: &Difference<'_>) -> Judgement {
    let attribute = difference.attribute.unwrap_or_default();
    let grantee = attribute.split_once(" to ").map_or("", |(_, grantee)| grantee);
    let concerns = match difference.key.kind {
        "role" => difference.key.name.as_str(),
        "setting" => difference.key.name.strip_prefix("role ").unwrap_or_default(),
        "system grant" | "configuration parameter" => grantee,
        _ => return Judgement::Different,
    };
    if concerns == "rdsadmin" || concerns.starts_with("rds_") {
        return Judgement::Benign("the platform keeps this role and its rights itself");
    }
    Judgement::Different
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Finding, Severity};

    type Attributes<'a> = &'a [(&'a str, Option<&'a str>)];
    type Entries<'a> = &'a [(&'a str, &'a str)];

    const BENIGN: &str = "benign";
    const DIFFERENT: &str = "different";

    fn outcome(findings: &[Finding]) -> Vec<&'static str> {
        let outcome = |finding: &Finding| match finding.severity {
            Severity::Benign(_) => BENIGN,
            _ => DIFFERENT,
        };
        findings.iter().map(outcome).collect()
    }

    fn compared(
        (from, to): (i32, i32),
        (kind, name): (&'static str, &str),
        source: (Attributes<'_>, Entries<'_>),
        target: (Attributes<'_>, Entries<'_>),
    ) -> Vec<&'static str> {
        let source = Fingerprint::of(from, &[(kind, name, source.0, source.1)]);
        let target = Fingerprint::of(to, &[(kind, name, target.0, target.1)]);
        outcome(&source.compare(&target))
    }

    const VIEW: &str = "SELECT o.id, 'o.x' AS o FROM app.o WHERE o.id > 1";

    /// Versions, kind, attribute, its values on source and target, and what is found.
    type Case = (
        (i32, i32),
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static [&'static str],
    );

    const CASES: &[Case] = &[
        // A view on one relation
        (
            (15, 16),
            "relation",
            "definition",
            VIEW,
            "SELECT id, 'o.x' AS o FROM app.o WHERE id > 1",
            &[BENIGN],
        ),
        (
            (15, 15),
            "relation",
            "definition",
            VIEW,
            "SELECT id, 'o.x' AS o FROM app.o WHERE id > 1",
            &[DIFFERENT],
        ),
        (
            (16, 18),
            "relation",
            "definition",
            VIEW,
            "SELECT id, 'o.x' AS o FROM app.o WHERE id > 1",
            &[DIFFERENT],
        ),
        (
            (15, 16),
            "relation",
            "definition",
            VIEW,
            "SELECT id, 'x' AS o FROM app.o WHERE id > 1",
            &[DIFFERENT],
        ),
        (
            (15, 16),
            "relation",
            "definition",
            VIEW,
            "SELECT id, 'o.x' AS o FROM o WHERE id > 2",
            &[DIFFERENT],
        ),
        (
            (15, 16),
            "relation",
            "definition",
            VIEW,
            "SELECT x, 'o.x' AS o FROM app.o WHERE id > 1",
            &[DIFFERENT],
        ),
        ((15, 16), "policy", "using", "o.a > 1", "a > 1", &[DIFFERENT]),
        // Key words
        (
            (15, 16),
            "index",
            "definition",
            "ON t (system_user)",
            "ON t (\"system_user\")",
            &[],
        ),
        (
            (15, 16),
            "index",
            "definition",
            "ON t (\"A\")",
            "ON t (a)",
            &[DIFFERENT],
        ),
        (
            (16, 16),
            "index",
            "definition",
            "ON t (a)",
            "ON t (\"a\")",
            &[DIFFERENT],
        ),
        (
            (15, 16),
            "column",
            "default",
            "'a b'::text",
            "'a  b'::text",
            &[DIFFERENT],
        ),
        ((15, 16), "comment", "text", "a b", "a  b", &[DIFFERENT]),
        ((15, 16), "relation", "owner", "a b", "a  b", &[DIFFERENT]),
        ((15, 16), "foreign server", "type", "a b", "a  b", &[DIFFERENT]),
        // Extensions
        ((15, 16), "extension", "version", "1.9", "1.10", &[BENIGN]),
        ((15, 15), "extension", "version", "1.9", "1.10.1", &[BENIGN]),
        ((15, 16), "extension", "version", "1.10", "1.9", &[DIFFERENT]),
        ((15, 16), "extension", "version", "1.9", "1.10next", &[DIFFERENT]),
        ((15, 16), "database", "version", "1.9", "1.10", &[DIFFERENT]),
        // The order of columns
        (
            (15, 16),
            "relation",
            "order of columns",
            "a\u{1f}b",
            "b\u{1f}a",
            &[DIFFERENT],
        ),
        (
            (15, 16),
            "relation",
            "order of columns",
            "a\u{1f}b\u{1f}c",
            "a\u{1f}c\u{1f}d",
            &[],
        ),
        // What one version does not know is not asked
        (
            (14, 15),
            "sequence",
            "persistence",
            "permanent",
            "unlogged",
            &[DIFFERENT],
        ),
        ((14, 15), "role", "may log in", "true", "false", &[DIFFERENT]),
    ];

    #[test]
    fn attributes_are_judged() {
        for (versions, kind, attribute, source, target, expected) in CASES {
            let found = compared(
                *versions,
                (kind, "o"),
                (&[(attribute, Some(source))], &[]),
                (&[(attribute, Some(target))], &[]),
            );
            assert_eq!(&found, expected, "{versions:?} {kind} {attribute} {source} {target}");
        }
    }

    #[test]
    fn an_attribute_of_one_version_is_no_difference_and_null_is() {
        let none: Entries<'_> = &[];
        let relation = ("relation", "t");
        assert!(compared((14, 15), relation, (&[], none), (&[("origin", Some("any"))], none)).is_empty());
        let null: Attributes<'_> = &[("default", None)];
        assert_eq!(
            compared((14, 15), relation, (null, none), (&[("default", Some("1"))], none)),
            [DIFFERENT]
        );
    }

    #[test]
    fn maintain_comes_with_all_the_others_only() {
        let all = |grantee: &str, value: &'static str| -> Vec<(String, &'static str)> {
            TABLE_PRIVILEGES
                .iter()
                .map(|privilege| (format!("grant {privilege} to {grantee}"), value))
                .collect()
        };
        for (grantee, versions, lacks, value, expected) in [
            ("bob", (16, 17), "", "by its owner", vec![BENIGN]),
            ("its owner", (16, 17), "", "by its owner", vec![]),
            ("bob", (17, 18), "", "by its owner", vec![DIFFERENT]),
            ("bob", (15, 18), "TRUNCATE", "by its owner", vec![DIFFERENT]),
            ("its owner", (15, 18), "SELECT", "by its owner", vec![DIFFERENT]),
            ("bob", (15, 18), "", "by its owner with grant option", vec![DIFFERENT]),
        ] {
            let mut source = all(grantee, "by its owner");
            source.retain(|(name, _)| lacks.is_empty() || !name.contains(lacks));
            let mut target = source.clone();
            target.push((format!("grant MAINTAIN to {grantee}"), value));
            let source: Vec<(&str, &str)> = source.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let target: Vec<(&str, &str)> = target.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let found = compared(versions, ("relation", "t"), (&[], &source), (&[], &target));
            assert_eq!(found, expected, "{grantee} {versions:?} {lacks} {value}");
        }
    }

    #[test]
    fn an_object_that_one_side_lacks_is_judged() {
        let not_null: Attributes<'_> = &[("type", Some("not null"))];
        let check: Attributes<'_> = &[("type", Some("check"))];
        for (from, kind, name, attributes, expected) in [
            (17, "constraint", "n on t", not_null, vec![]),
            (18, "constraint", "n on t", not_null, vec![DIFFERENT]),
            (17, "constraint", "n on t", check, vec![DIFFERENT]),
            (17, "role", "rds_reserved", check, vec![BENIGN]),
            (17, "role", "rdsx", check, vec![DIFFERENT]),
            (17, "relation", "rds_table", check, vec![DIFFERENT]),
        ] {
            let source = Fingerprint::of(from, &[]);
            let target = Fingerprint::of(18, &[(kind, name, attributes, &[])]);
            assert_eq!(outcome(&source.compare(&target)), expected, "{from} {kind} {name}");
        }
    }

    #[test]
    fn the_sequence_of_an_unlogged_table_may_become_unlogged() {
        for (table, from, expected) in [
            ("unlogged", 14, vec![BENIGN]),
            ("permanent", 14, vec![DIFFERENT]),
            ("unlogged", 15, vec![DIFFERENT]),
        ] {
            let side = |major, persistence| {
                let owned = [
                    ("owned by", Some("app.\"t\", column id")),
                    ("persistence", Some(persistence)),
                ];
                let table = [("persistence", Some(table))];
                Fingerprint::of(
                    major,
                    &[("sequence", "app.s", &owned, &[]), ("relation", "app.t", &table, &[])],
                )
            };
            let found = side(from, "permanent").compare(&side(15, "unlogged"));
            assert_eq!(outcome(&found), expected, "{table} {from}");
        }
    }

    #[test]
    fn what_the_platform_grants_itself_is_benign() {
        for (kind, entry, expected) in [
            ("system grant", "grant EXECUTE to rds_superuser", vec![BENIGN]),
            ("system grant", "grant EXECUTE to app", vec![DIFFERENT]),
            ("relation", "grant SELECT to rds_superuser", vec![DIFFERENT]),
        ] {
            let found = compared((15, 16), (kind, "o"), (&[], &[]), (&[], &[(entry, "given")]));
            assert_eq!(found, expected, "{kind} {entry}");
        }
    }
}
