use secrecy::ExposeSecret;

use super::*;

/// One value found by itself, and what becomes of it when only the host changes, and when the port does too.
const REWRITTEN: &[(&str, &str, &str)] = &[
    ("<old>", "<new>", "<new>"),
    ("<old>.", "<new>", "<new>"),
    (
        "SHOP-PROD.cluster-abc.EU-west-1.rds.amazonaws.com\n",
        "<new>\n",
        "<new>\n",
    ),
    ("<old-ro>", "<new-ro>", "<new-ro>"),
    ("db.shop.example", "<new>", "<new>"),
    ("<old>,<old-ro>", "<new>,<new-ro>", "<new>,<new-ro>"),
    ("<old>:5432", "<new>:5432", "<new>:6000"),
    (" <old>:5432\n", " <new>:5432\n", " <new>:6000\n"),
    ("db:5432", "<new>:5432", "<new>:6000"),
    (
        "<old>:5432,<old-ro>:5432",
        "<new>:5432,<new-ro>:5432",
        "<new>:6000,<new-ro>:6000",
    ),
    ("postgres://<old>", "postgres://<new>", "postgres://<new>:6000"),
    ("postgres://<old>:", "postgres://<new>:", "postgres://<new>:6000"),
    (
        "postgresql://<old>:5432/shop",
        "postgresql://<new>:5432/shop",
        "postgresql://<new>:6000/shop",
    ),
    (
        "postgresql://app:p%40ss%2Fw0rd@<old>:5432/shop?sslmode=verify-full&options=-c%20x%3D5432#f",
        "postgresql://app:p%40ss%2Fw0rd@<new>:5432/shop?sslmode=verify-full&options=-c%20x%3D5432#f",
        "postgresql://app:p%40ss%2Fw0rd@<new>:6000/shop?sslmode=verify-full&options=-c%20x%3D5432#f",
    ),
    (
        "postgres://u:p@<old>,<old-ro>:5432/shop?target_session_attrs=any",
        "postgres://u:p@<new>,<new-ro>:5432/shop?target_session_attrs=any",
        "postgres://u:p@<new>:6000,<new-ro>:6000/shop?target_session_attrs=any",
    ),
    (
        "postgres://db:db@db:5432/db?user=db",
        "postgres://db:db@<new>:5432/db?user=db",
        "postgres://db:db@<new>:6000/db?user=db",
    ),
    (
        "postgres://u:p@shop%2Dprod.cluster-abc.eu-west-1.rds.amazonaws.com/shop",
        "postgres://u:p@<new>/shop",
        "postgres://u:p@<new>:6000/shop",
    ),
    (
        "postgres://<old>@<old>/<old>",
        "postgres://<old>@<new>/<old>",
        "postgres://<old>@<new>:6000/<old>",
    ),
    (
        "postgresql+asyncpg://u:p@<old>/s",
        "postgresql+asyncpg://u:p@<new>/s",
        "postgresql+asyncpg://u:p@<new>:6000/s",
    ),
    ("ecto://u:p@<old>/s", "ecto://u:p@<new>/s", "ecto://u:p@<new>:6000/s"),
    (
        "r2dbc:pool:postgresql://<old>/s",
        "r2dbc:pool:postgresql://<new>/s",
        "r2dbc:pool:postgresql://<new>:6000/s",
    ),
    (
        "jdbc:postgresql://<old>:5432/shop?user=a&password=b@<old>",
        "jdbc:postgresql://<new>:5432/shop?user=a&password=b@<old>",
        "jdbc:postgresql://<new>:6000/shop?user=a&password=b@<old>",
    ),
    (
        "jdbc:aws-wrapper:postgresql://<old>,<old-ro>/shop",
        "jdbc:aws-wrapper:postgresql://<new>,<new-ro>/shop",
        "jdbc:aws-wrapper:postgresql://<new>:6000,<new-ro>:6000/shop",
    ),
    ("host=<old>", "host=<new>", "host=<new> port=6000"),
    (
        "host=<old> port=5432 user=db dbname=db",
        "host=<new> port=5432 user=db dbname=db",
        "host=<new> port=6000 user=db dbname=db",
    ),
    (
        "user='o\\'db' password='host=<old> \\\\' host = '<old>' port= '5432'",
        "user='o\\'db' password='host=<old> \\\\' host = '<new>' port= '5432'",
        "user='o\\'db' password='host=<old> \\\\' host = '<new>' port= '6000'",
    ),
    (
        "host=<old>,<old-ro> port=5432,5432",
        "host=<new>,<new-ro> port=5432,5432",
        "host=<new>,<new-ro> port=6000,6000",
    ),
    (
        "dbname=s host=<old>,<old-ro> port=5432",
        "dbname=s host=<new>,<new-ro> port=5432",
        "dbname=s host=<new>,<new-ro> port=6000",
    ),
    (
        "host='<old>' dbname=s",
        "host='<new>' dbname=s",
        "host='<new>' port=6000 dbname=s",
    ),
];

#[test]
fn values_that_name_the_source_are_rewritten_in_host_and_port_only() {
    for &(value, same_port, other_port) in REWRITTEN {
        let data = data(&[("KEY", value)]);
        for (to, expected) in [(new(5432), same_port), (new(6000), other_port)] {
            let plan = plan(&data, &[], &old(), &to).unwrap_or_else(|problems| panic!("{value}: {problems:?}"));
            assert_eq!(changed(&plan), [("KEY", spelled_back(expected))], "{value}");
            let again = Data::from([(
                "KEY".to_owned(),
                plan.changes[0].new_value.expose_secret().as_bytes().to_vec(),
            )]);
            let again = super::plan(&again, &[], &old(), &to).unwrap();
            assert!(
                again.changes.is_empty() && again.already == ["KEY"],
                "{value}: not idempotent"
            );
        }
        assert_eq!(points_at(&data, &[], &old(), &new(5432)), Points::Source, "{value}");
    }
}

/// `<old>` stands for itself in what is expected, `<new>` is compared as a word.
fn spelled_back(expected: &str) -> String {
    expected.replace("<old>", OLD).replace("<old-ro>", OLD_RO)
}

#[test]
fn values_that_only_look_alike_are_never_touched() {
    let table = [
        "x<old>",
        "<old>x",
        "<old>.example.com",
        "shop-prod",
        "xshop-prod.cluster-abc.eu-west-1.rds.amazonaws.com",
        "postgres://<old>@other.example/s",
        "postgres://u:<old>@other.example/s",
        "postgres://other.example/<old>",
        "postgres://other.example/s?application_name=<old>",
        "postgres://other.example,third.example/<old>",
        "postgres://<old>.evil.example/s",
        "postgres://x<old>/s",
        "mysql://u:p@<old>:5432/s",
        "https://<old>/",
        "<old>/path",
        "<old>:6379",
        "<old>:5432x",
        "<old>:99999",
        "jdbc:mysql://<old>/s",
        "jdbc:postgresql:<old>",
        "jdbc:xpostgresql://<old>/s",
        "xpostgres://<old>/s",
        "host=other.example user=<old>",
        "host=other.example password='host=<old>'",
        "user=<old> dbname=s",
        "{\"host\":\"<old>\"}",
        "spring.url=jdbc:postgresql://<old>/s\nspring.user=a",
        "host=<old>\nport=5432",
        "host: <old>",
        "db",
        "",
        "\n",
        ",",
        "host=",
        "host='<old>",
        "postgres://",
        "[<old>",
        "\u{feff}<old>",
    ];
    for value in table {
        let data = data(&[("KEY", value)]);
        let plan = plan(&data, &[], &old(), &new(6000)).unwrap_or_else(|problems| panic!("{value}: {problems:?}"));
        assert!(plan.changes.is_empty(), "{value}: {:?}", changed(&plan));
        assert!(plan.already.is_empty(), "{value}");
    }
    let binary = Data::from([("KEY".to_owned(), [OLD.as_bytes(), b"\xff"].concat())]);
    assert!(plan(&binary, &[], &old(), &new(5432)).unwrap().changes.is_empty());
}

#[test]
fn addresses_of_both_families_are_endpoints_too() {
    let from = Endpoints {
        writer: "127.21.0.1".to_owned(),
        reader: None,
        port: 5432,
        aliases: vec![],
    };
    let to = Endpoints {
        writer: "fd00::2".to_owned(),
        reader: None,
        port: 5433,
        aliases: vec![],
    };
    let table = [
        ("127.21.0.1", "fd00::2"),
        ("127.21.0.1:5432", "[fd00::2]:5433"),
        ("postgres://u:p@127.21.0.1:5432/s", "postgres://u:p@[fd00::2]:5433/s"),
        ("host=127.21.0.1 port=5432", "host=fd00::2 port=5433"),
    ];
    for (old_value, new_value) in table {
        let forth = plan(&data(&[("K", old_value)]), &[], &from, &to).unwrap();
        assert_eq!(forth.changes[0].new_value.expose_secret(), new_value);
        let back = plan(&data(&[("K", new_value)]), &[], &to, &from).unwrap();
        assert_eq!(
            back.changes[0].new_value.expose_secret(),
            old_value,
            "a rollback gives the same bytes"
        );
    }
    let long = data(&[
        ("K", "postgres://[FD00:0:0::0002]:5433/s"),
        ("L", "127.21.0.11"),
        ("M", "1127.21.0.1"),
    ]);
    assert_eq!(find(&long, &[], &to).unwrap()[0].key, "K");
    assert!(find(&long, &[], &from).unwrap().is_empty());
}

#[test]
fn no_text_however_broken_makes_it_fail() {
    let whole = [
        "postgres://u:p@<old>:5432,[::1]:1/s?a=%2",
        "jdbc:postgresql://<old>:5432/s",
        "host = '<old>' port='5432'",
        "[::1]:5432,<old>:5432",
    ];
    for text in whole.map(spelled) {
        for at in 0..=text.len() {
            for inserted in [
                "", "é", "'", "\\", "@", "[", "]", "%", ",", "://", "\0", " ", "=", "\u{2028}",
            ] {
                for broken in [
                    format!("{}{inserted}", &text[..at]),
                    format!("{}{inserted}{}", &text[..at], &text[at..]),
                ] {
                    let data = Data::from([("HOST".to_owned(), broken.into_bytes())]);
                    let _ = plan(&data, &[], &old(), &new(6000));
                    let _ = points_at(&data, &[], &old(), &new(6000));
                }
            }
        }
    }
}
