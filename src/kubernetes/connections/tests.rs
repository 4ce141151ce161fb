mod rewriting;

use super::*;
use secrecy::ExposeSecret;

const OLD: &str = "shop-prod.cluster-abc.eu-west-1.rds.amazonaws.com";
const OLD_RO: &str = "shop-prod.cluster-ro-abc.eu-west-1.rds.amazonaws.com";
const NEW: &str = "shop-prod-18.cluster-abc.eu-west-1.rds.amazonaws.com";
const NEW_RO: &str = "shop-prod-18.cluster-ro-abc.eu-west-1.rds.amazonaws.com";

type Values<'a> = &'a [(&'a str, &'a str)];

fn old() -> Endpoints {
    Endpoints {
        writer: OLD.to_owned(),
        reader: Some(OLD_RO.to_owned()),
        port: 5432,
        aliases: vec!["db.shop.example".to_owned(), "db".to_owned()],
    }
}

fn new(port: u16) -> Endpoints {
    Endpoints {
        writer: NEW.to_owned(),
        reader: Some(NEW_RO.to_owned()),
        port,
        aliases: Vec::new(),
    }
}

/// Values with OLD, `OLD_RO`, NEW and `NEW_RO` written as words.
fn spelled(text: &str) -> String {
    text.replace("<old>", OLD)
        .replace("<old-ro>", OLD_RO)
        .replace("<new>", NEW)
        .replace("<new-ro>", NEW_RO)
}

fn data(values: &[(&str, &str)]) -> Data {
    values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), spelled(value).into_bytes()))
        .collect()
}

fn changed(plan: &Plan) -> Vec<(&str, String)> {
    let value = |change: &Change| {
        change
            .new_value
            .expose_secret()
            .replace(NEW_RO, "<new-ro>")
            .replace(NEW, "<new>")
    };
    plan.changes
        .iter()
        .map(|change| (change.key.as_str(), value(change)))
        .collect()
}

#[test]
fn values_of_which_it_is_not_certain_where_they_lead_are_problems() {
    let table = [
        ("postgres://u:p@ss@<old>/s", "percent-encode"),
        ("postgres://u:p#x@<old>/s", "percent-encode"),
        ("postgres://<old>?x=@other.example", "percent-encode"),
        ("postgres://u:p@other.example/s?host=<old>", "options name a host"),
        ("postgres://u:p@<old>/s?hostaddr=10.0.0.1", "options name a host"),
        ("postgres:///s?host=<old>&port=5432", "options name a host"),
        ("postgres://u@<old>/s?%68ost=other.example", "options name a host"),
        ("jdbc:postgresql://<old>/s?PGHOST=other.example", "options name a host"),
        ("postgres://u:p@<old>,other.example/s", "besides the source"),
        ("<old>,other.example", "besides the source"),
        ("host=<old>,/tmp", "besides the source"),
        ("jdbc:postgresql://<old>,other.example/s", "besides the source"),
        ("postgres://u:p@<old>:6432/s", "port that is not the source's"),
        ("host=<old> port=6432", "port that is not the source's"),
        ("host=<old> hostaddr=10.0.0.1", "hostaddr"),
        ("host=other.example host=<old>", "twice"),
        ("host=<old>,<old-ro> port=1,2,3", "number of ports"),
    ];
    for (value, part) in table {
        let problems = plan(&data(&[("KEY", value)]), &[], &old(), &new(5432)).unwrap_err();
        let [problem] = problems.as_slice() else {
            panic!("{value}: {problems:?}")
        };
        assert!(problem.to_string().contains(part), "{value}: {problem}");
        assert_eq!(problem.problem("shop-db").reason, "ConnectionAmbiguous");
        assert_eq!(find(&data(&[("KEY", value)]), &[], &old()).unwrap_err(), problems);
    }
}

fn key(key: &str, format: Option<Format>, role: Option<Role>) -> KeySpec {
    KeySpec {
        key: key.to_owned(),
        format,
        role,
    }
}

#[test]
fn keys_that_are_spelled_out_are_the_only_ones_and_must_be_what_they_say() {
    let data = data(&[
        ("HOST", "<old>"),
        ("RO", "<old>"),
        ("ALIAS", "db"),
        ("OTHER", "other.example"),
        ("NEW", "<new>"),
        ("FILE", "host: <old>"),
        ("LINES", "host=<old>\nport=5432\n"),
        ("PORT", "5432"),
        ("NEWPORT", "6000"),
        ("OTHERPORT", "3306"),
    ]);
    let ok = |spec: KeySpec| plan(&data, &[spec], &old(), &new(6000)).unwrap();
    let expected = |spec: KeySpec, key: &str, value: &str| assert_eq!(changed(&ok(spec)), [(key, value.to_owned())]);
    expected(key("HOST", Some(Format::Host), None), "HOST", "<new>");
    expected(key("RO", Some(Format::Host), Some(Role::Reader)), "RO", "<new-ro>");
    expected(key("ALIAS", None, None), "ALIAS", "<new>");
    expected(key("PORT", Some(Format::Port), None), "PORT", "6000");
    expected(key("PORT", None, None), "PORT", "6000");
    expected(
        key("LINES", Some(Format::KeywordValue), None),
        "LINES",
        "host=<new>\nport=6000\n",
    );
    assert_eq!(ok(key("NEW", None, None)).already, ["NEW"]);
    assert_eq!(ok(key("NEWPORT", None, None)).already, ["NEWPORT"]);
    let same_port = plan(&data, &[key("PORT", None, None)], &old(), &new(5432)).unwrap();
    assert!(same_port.changes.is_empty() && same_port.already == ["PORT"]);

    let table = [
        (key("GONE", None, None), "KeyNotFound"),
        (key("OTHER", None, None), "NoConnectionToSource"),
        (key("OTHERPORT", None, None), "NoConnectionToSource"),
        (key("FILE", None, None), "ConnectionNotRecognised"),
        (key("FILE", Some(Format::Uri), None), "ConnectionNotRecognised"),
        (key("HOST", Some(Format::Uri), None), "ConnectionNotRecognised"),
        (key("HOST", Some(Format::Port), None), "ConnectionNotRecognised"),
        (key("LINES", None, None), "ConnectionNotRecognised"),
    ];
    for (spec, reason) in &table {
        let problems = plan(&data, std::slice::from_ref(spec), &old(), &new(6000)).unwrap_err();
        assert_eq!(
            problems[0].problem("shop-db").reason,
            *reason,
            "{spec:?}: {}",
            problems[0]
        );
    }
    let all: Vec<KeySpec> = table.iter().map(|(spec, _)| spec.clone()).collect();
    assert_eq!(
        plan(&data, &all, &old(), &new(6000)).unwrap_err().len(),
        all.len(),
        "all problems at once"
    );
}

#[test]
fn a_port_follows_the_host_that_it_belongs_to() {
    // values → keys that are rewritten when the port changes
    let table: [(Values, &[&str]); 9] = [
        (&[("DB_HOST", "<old>"), ("DB_PORT", "5432")], &["DB_HOST", "DB_PORT"]),
        (&[("host", "<old>"), ("port", "5432\n")], &["host", "port"]),
        (&[("PGHOST", "<old>"), ("PGPORT", "5432")], &["PGHOST", "PGPORT"]),
        (&[("ENDPOINT", "<old>"), ("DB_PORT", "5432")], &["DB_PORT", "ENDPOINT"]),
        (
            &[("DB_HOST", "<old>"), ("REDIS_HOST", "redis"), ("REDIS_PORT", "5432")],
            &["DB_HOST"],
        ),
        (&[("DB_HOST", "<old>"), ("DB_PORT", "3306")], &["DB_HOST"]),
        (&[("DB_HOST", "<old>"), ("DB_POOL", "5432")], &["DB_HOST"]),
        (&[("DB_HOST", "other.example"), ("DB_PORT", "5432")], &[]),
        (&[("DB_HOST", "<old>"), ("DB_PORT", "05432")], &["DB_HOST"]),
    ];
    for (values, expected) in table {
        let data = data(values);
        let moved = plan(&data, &[], &old(), &new(6000)).unwrap();
        assert_eq!(
            moved
                .changes
                .iter()
                .map(|change| change.key.as_str())
                .collect::<Vec<_>>(),
            expected,
            "{values:?}"
        );
        let found = find(&data, &[], &old()).unwrap();
        assert_eq!(
            found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(),
            expected,
            "{values:?}"
        );
        let stayed = plan(&data, &[], &old(), &new(5432)).unwrap();
        assert!(
            stayed.changes.iter().all(|change| change.format != Format::Port),
            "{values:?}"
        );
    }
}

#[test]
fn a_word_that_may_mean_anything_counts_only_where_the_key_says_host() {
    let data = data(&[
        ("DB_HOST", "db"),
        ("DB_NAME", "db"),
        ("DB_USER", "db"),
        ("password", "db"),
    ]);
    assert_eq!(
        changed(&plan(&data, &[], &old(), &new(5432)).unwrap()),
        [("DB_HOST", "<new>".to_owned())]
    );
}

#[test]
fn the_source_inside_of_a_larger_text_is_told_and_left() {
    let data = data(&[
        ("config.json", "{\"url\": \"postgres://u:p@<old>:5432/s\"}"),
        ("URL", "postgres://u:p@<old>/s"),
        ("URLS", "postgres://u:p@<old>/s,postgres://u:p@<old-ro>/s"),
        (
            "alike.json",
            "{\"host\": \"x<old>\", \"other\": \"<old>.example\", \"third\": \"a.<old>\"}",
        ),
        ("end", "see <old>. Or not"),
        ("word", "the db"),
    ]);
    assert_eq!(mentions(&data, &[], &old()), ["URLS", "config.json", "end"]);
    assert_eq!(
        mentions(&data, &[key("end", None, None)], &old()),
        ["URL", "URLS", "config.json", "end"]
    );
}

#[test]
fn a_reader_needs_a_reader_endpoint() {
    let to = Endpoints {
        reader: None,
        ..new(5432)
    };
    let problems = plan(&data(&[("RO", "<old-ro>")]), &[], &old(), &to).unwrap_err();
    assert_eq!(problems, [KeyProblem::NoReader { key: "RO".to_owned() }]);
    let data = data(&[("RO", "<old-ro>")]);
    let writer = plan(&data, &[key("RO", None, Some(Role::Writer))], &old(), &to).unwrap();
    assert_eq!(changed(&writer), [("RO", "<new>".to_owned())]);
}

#[test]
fn which_side_a_secret_names() {
    let table: [(Values, Points); 7] = [
        (&[("URL", "postgres://<old>/s"), ("RO", "<old-ro>")], Points::Source),
        (&[("URL", "postgres://<new>/s"), ("PORT", "5432")], Points::Target),
        (&[("URL", "postgres://<new>/s"), ("RO", "<old-ro>")], Points::Mixed),
        (&[("URL", "postgres://<new>,<old>/s")], Points::Target),
        (
            &[("URL", "postgres://other.example/s"), ("PORT", "5432")],
            Points::Neither,
        ),
        (&[("DB_NAME", "db")], Points::Neither),
        (&[], Points::Neither),
    ];
    for (values, points) in table {
        assert_eq!(points_at(&data(values), &[], &old(), &new(5432)), points, "{values:?}");
    }
    let mixed = data(&[("URL", "postgres://<new>/s"), ("RO", "<old-ro>")]);
    assert_eq!(
        points_at(&mixed, &[key("URL", None, None)], &old(), &new(5432)),
        Points::Target
    );
    let half = data(&[("URL", "postgres://u@<new>,<old-ro>/s")]);
    assert_eq!(
        changed(&plan(&half, &[], &old(), &new(5432)).unwrap()),
        [("URL", "postgres://u@<new>,<new-ro>/s".to_owned())]
    );
}

#[test]
fn no_value_shows_in_debug_output_or_problems() {
    let data = data(&[
        ("A", "postgres://u:hunter2@<old>/s"),
        ("B", "postgres://u:hunter2@<old>:1/s"),
    ]);
    let spec = [key("A", None, None)];
    let plan = plan(&data, &spec, &old(), &new(5432)).unwrap();
    let shown = format!("{plan:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains(NEW) && shown.contains("REDACTED"),
        "{shown}"
    );
    let problems = super::plan(&data, &[], &old(), &new(5432)).unwrap_err();
    let shown = format!("{problems:?} {}", problems[0]);
    assert!(!shown.contains("hunter2") && !shown.contains("postgres://"), "{shown}");
}
