//! What is compared beside rows and definitions: where sequences stand, and whether indexes are in order.
use super::Servers;

const SEQUENCES: &str = r#"
    CREATE SEQUENCE "Num.bers";
    CREATE SEQUENCE down INCREMENT -1;
    CREATE SEQUENCE same;
    CREATE TABLE line (id serial PRIMARY KEY);
"#;

/// Nobody writes: each sequence has to stand at the same value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_that_stand_elsewhere() {
    let servers = Servers::start(14, 18).await;
    servers.both(SEQUENCES).await;
    let fenced = ["--skip-schema"];
    servers.verify(&fenced).await.expect(0, &["equal: 4 tables"]);
    let advance = "SELECT setval('\"Num.bers\"', 120); SELECT nextval('line_id_seq') FROM generate_series(1, 5); \
                   SELECT nextval('down')";
    servers.both("SELECT nextval('same')").await;
    servers.on_source.batch_execute(advance).await.unwrap();
    let said = servers.verify(&fenced).await;
    said.expect(
        1,
        &[
            "different: 4 tables",
            r#"sequence differs: "public"."Num.bers": 120 on the source, 1, not taken yet on the target"#,
            r#"sequence differs: "public"."line_id_seq": 5 on the source, 1, not taken yet on the target"#,
            // The first value, taken here and not there.
            r#"sequence differs: "public"."down": -1 on the source, -1, not taken yet on the target"#,
        ],
    );
    assert_eq!(said.out.matches("sequence differs").count(), 3, "{}", said.out);
    let said = servers.verify(&["--skip-schema", "--json"]).await;
    said.expect(1, &[]);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["verdict"], "different");
    let different = serde_json::json!({
        "name": "public.Num.bers",
        "source": { "last_value": 120, "is_called": true },
        "target": { "last_value": 1, "is_called": false },
        "behind": true,
    });
    assert_eq!(value["sequences"]["different"][0], different, "{value}");

    let left_out = servers.verify(&["--skip-schema", "--skip-sequences"]).await;
    left_out.expect(0, &["the sequences were not compared"]);
    let of_no_table = servers.verify(&["--skip-schema", "--table", "public.orders"]).await;
    of_no_table.expect(0, &["equal: 1 tables"]);
    let of_a_table = servers.verify(&["--skip-schema", "--table", "public.line"]).await;
    of_a_table.expect(1, &["line_id_seq"]);
    assert_eq!(of_a_table.out.matches("sequence differs").count(), 1);

    let set = "SELECT setval('\"Num.bers\"', 120); SELECT setval('line_id_seq', 5); SELECT nextval('down')";
    servers.on_target.batch_execute(set).await.unwrap();
    servers.verify(&fenced).await.expect(0, &["equal: 4 tables"]);
    servers.on_target.batch_execute("DROP SEQUENCE same").await.unwrap();
    let said = servers.verify(&fenced).await;
    said.expect(1, &[r#""public"."same": 1 on the source, missing on the target"#]);

    let plain = "CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain; \
                 CREATE SEQUENCE same";
    servers.on_target.batch_execute(plain).await.unwrap();
    let target = servers.uri(&servers.target, "target.pem");
    let target = target.replacen("postgres@", "plain:plain@", 1);
    let as_plain = ["--skip-schema", "--table", "public.line", "--target", &target];
    let said = servers.verify(&as_plain).await;
    said.expect(
        2,
        &[
            "not decided: 1 tables",
            "undecided: the sequences",
            "no SELECT on the sequences",
        ],
    );
}

/// Logical replication does not carry them, so they are no difference; but somebody has to set them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_that_are_behind_under_replication() {
    let servers = Servers::replicated(16, 17).await;
    servers.both(SEQUENCES).await;
    for how in ["--live", "--pinned"] {
        let said = servers.verify(&[how, "--skip-schema"]).await;
        said.expect(0, &["equal: 3 tables"]);
        assert!(!said.out.contains("sequence"), "{}", said.out);
    }
    let advance = "SELECT setval('\"Num.bers\"', 120); SELECT setval('down', -7); SELECT setval('same', 5)";
    servers.on_source.batch_execute(advance).await.unwrap();
    // One that was set beyond the source's is no matter.
    servers
        .on_target
        .batch_execute("SELECT setval('same', 1000)")
        .await
        .unwrap();
    for how in ["--live", "--pinned"] {
        let said = servers.verify(&[how, "--skip-schema"]).await;
        said.expect(
            0,
            &[
                "equal: 3 tables",
                "note: 2 sequences are behind, which logical replication does not carry",
                r#""public"."Num.bers": 120 on the source, 1, not taken yet on the target"#,
                r#""public"."down": -7 on the source, -1, not taken yet on the target"#,
            ],
        );
        assert!(!said.out.contains("same"), "{}", said.out);
    }
    let said = servers.verify(&["--live", "--skip-schema", "--json"]).await;
    said.expect(0, &[]);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["sequences"]["behind"].as_array().unwrap().len(), 2, "{value}");
    servers.nothing_is_left().await;
}

/// Indexes whose collation has another version than the one that they were made with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_by_another_version_of_a_collation() {
    let servers = Servers::start(17, 18).await;
    let index = "CREATE COLLATION other (provider = builtin, locale = 'C.UTF-8'); \
                 CREATE TABLE \"by other\" (id integer PRIMARY KEY, a text COLLATE other); \
                 INSERT INTO \"by other\" SELECT g, 'a' || g FROM generate_series(1, 1000) g; \
                 CREATE INDEX \"by.a\" ON \"by other\" (a)";
    servers.both(index).await;
    let arguments = ["--skip-roles"];
    servers.verify(&arguments).await.expect(0, &["equal: 4 tables"]);
    let upgraded = "UPDATE pg_collation SET collversion = '0.9' WHERE collname = 'other'";
    servers.on_target.batch_execute(upgraded).await.unwrap();
    let said = servers.verify(&arguments).await;
    said.expect(
        2,
        &[
            "not decided: 4 tables",
            r#"undecided: index "public"."by.a" of "public"."by other""#,
            "version 0.9 on record, 1 in use on the target",
            "run CREATE EXTENSION amcheck, or REINDEX INDEX CONCURRENTLY \"public\".\"by.a\"",
        ],
    );
    assert!(!said.out.contains("differs"), "{}", said.out);
    let said = servers.verify(&["--skip-roles", "--json"]).await;
    said.expect(2, &[]);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["verdict"], "undecided");
    assert_eq!(value["indexes"][0]["index"], "public.by.a");
    assert!(value["indexes"][0]["checked"]["notChecked"].is_string(), "{value}");
    let said = servers.verify(&["--skip-roles", "--skip-index-check"]).await;
    said.expect(0, &["equal: 4 tables"]);

    servers.both("CREATE EXTENSION amcheck").await;
    let said = servers.verify(&arguments).await;
    said.expect(
        0,
        &["1 indexes by another version of a collation were checked and are in order"],
    );
    let turned = "UPDATE pg_index SET indoption = '1' WHERE indexrelid = '\"by.a\"'::regclass";
    servers.both(turned).await;
    let said = servers.verify(&arguments).await;
    said.expect(
        1,
        &[
            "different: 4 tables",
            r#"differs: index "public"."by.a" of "public"."by other""#,
            "run REINDEX INDEX CONCURRENTLY \"public\".\"by.a\"",
        ],
    );
    servers.on_target.batch_execute("REINDEX INDEX \"by.a\"").await.unwrap();
    servers.verify(&arguments).await.expect(0, &["are in order"]);
}
