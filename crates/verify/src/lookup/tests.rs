#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::collections::BTreeMap;

use lab_postgres::Scratch;
use pgupgrade_postgres::QualifiedName;

use super::*;
use crate::catalog;
use crate::{Tables, side};

const SEED: u64 = 7;
const SCHEMA: &str = "Weird 'S\"";

struct World {
    readings: BTreeMap<String, Reading>,
    sides: [(Client, Side); 2],
    statements: [Statements; 2],
    _servers: [Scratch; 2],
}

impl World {
    async fn start(from: u16, to: u16) -> Self {
        let (source, target) = tokio::join!(Scratch::start(from), Scratch::start(to));
        let servers = [source.unwrap(), target.unwrap()];
        let target = servers[1].client("postgres").await.unwrap();
        target
            .batch_execute("CREATE TYPE shift AS ENUM ('x'); CREATE DOMAIN more AS int; CREATE TABLE early ()")
            .await
            .unwrap();
        for server in &servers {
            let client = server.client("postgres").await.unwrap();
            client.batch_execute(include_str!("tests.sql")).await.unwrap();
        }
        target
            .batch_execute(
                "SET search_path = \"Weird 'S\"\"\"; ALTER TABLE n_target DROP CONSTRAINT n_target_pkey; \
                ALTER TABLE k_composite DROP CONSTRAINT k_composite_pkey, ADD UNIQUE (t, k1, \"Order\")",
            )
            .await
            .unwrap();
        let sides = [
            (session(&servers[0], Side::Source).await, Side::Source),
            (session(&servers[1], Side::Target).await, Side::Target),
        ];
        let [(source, _), (target, _)] = &sides;
        let on_source = catalog::read(source, Side::Source).await.unwrap();
        let names: Vec<QualifiedName> = on_source
            .keys()
            .filter(|(schema, _)| schema == SCHEMA)
            .map(|(schema, name)| QualifiedName::new(schema, name))
            .collect();
        let plan = catalog::plan_of(source, target, &Tables::Named(names)).await.unwrap();
        assert_eq!(plan.problems.len(), 0, "{:?}", plan.problems);
        let readings = plan
            .readings
            .into_iter()
            .map(|reading| (reading.name.name.clone(), reading));
        Self {
            readings: readings.collect(),
            sides,
            statements: Default::default(),
            _servers: servers,
        }
    }

    fn reading(&self, name: &str) -> &Reading {
        self.readings.get(name).unwrap()
    }
}

async fn session(server: &Scratch, side: Side) -> Client {
    let client = server.client("postgres").await.unwrap();
    side::begin(&client, side, None).await.unwrap();
    prepare(&client, side).await.unwrap();
    client
}

/// All rows as a reader of the whole table has them.
async fn all_rows(client: &Client, side: Side, reading: &Reading) -> HashMap<Vec<u8>, u128> {
    let mut rows = HashMap::new();
    let mut buffer = Vec::new();
    side::each_row(client, side, &reading.all(), &reading.name, |row| {
        let mut key = Vec::new();
        reading.key(row, &mut key)?;
        let canonical = reading.canon.apply(Fields::new(row)?, &mut buffer)?;
        rows.insert(key, xxh3_128_with_seed(canonical, SEED));
        Ok(())
    })
    .await
    .unwrap();
    rows
}

async fn keys_find_their_rows(from: u16, to: u16) {
    let world = World::start(from, to).await;
    let mut keyed = 0;
    for (name, reading) in &world.readings {
        if name.starts_with("n_") {
            assert!(reading.key.is_empty() && reading.key_positions.is_empty(), "{name}");
            assert!(reading.notes.iter().any(|note| note.starts_with("no key: ")), "{name}");
            continue;
        }
        keyed += 1;
        assert!(!reading.key.is_empty(), "{name}: {:?}", reading.notes);
        let [(source, _), _] = &world.sides;
        let rows = all_rows(source, Side::Source, reading).await;
        assert!(!rows.is_empty(), "{name}");
        let keys: Vec<&[u8]> = rows.keys().map(Vec::as_slice).collect();
        let twice = [keys.as_slice(), &keys].concat();
        for (client, side) in &world.sides {
            assert_eq!(all_rows(client, *side, reading).await, rows, "{name}");
            assert_eq!(
                rows_by_key(client, &world.statements[side.index()], *side, reading, &twice, SEED)
                    .await
                    .unwrap(),
                rows,
                "{name}"
            );
            assert_eq!(
                rows_by_key(client, &world.statements[side.index()], *side, reading, &[], SEED)
                    .await
                    .unwrap()
                    .len(),
                0,
                "{name}"
            );
            assert!(
                rows_by_key(
                    client,
                    &world.statements[side.index()],
                    *side,
                    reading,
                    &[&[0, 0, 0, 9]],
                    SEED
                )
                .await
                .is_err(),
                "{name}"
            );
            let shown = show(client, *side, reading, keys[0]).await.unwrap().expect(name);
            assert_eq!(shown.columns.len(), reading.names().len());
            assert_eq!(shown.hashes.len(), reading.names().len());
            assert_eq!(
                show_key(client, *side, reading, keys[0]).await.unwrap(),
                shown.key,
                "{name}"
            );
            assert!(by_index(client, reading, *side).await, "{name}");
        }
    }
    assert_eq!(keyed, 30);
    what_a_reading_tells(&world);
    an_equal_key_is_not_the_same(&world).await;
    rows_are_shown(&world).await;
}

/// Whether the server's plan for the lookup reads no whole table.
async fn by_index(client: &Client, reading: &Reading, side: Side) -> bool {
    let lookup = reading.lookup(side, reading.columns());
    let oids: Vec<u32> = reading.on(side).key.iter().map(|column| column.array).collect();
    let types = "SELECT string_agg(format_type(oid, NULL), ', ' ORDER BY place) FROM unnest($1::oid[]) WITH ORDINALITY AS p (oid, place)";
    let types: String = client.query_one(types, &[&oids]).await.unwrap().get(0);
    let plan = format!("PREPARE p ({types}) AS {lookup}");
    let arguments = vec!["NULL"; oids.len()].join(", ");
    client.batch_execute(&plan).await.unwrap();
    let plan = client
        .simple_query(&format!("EXPLAIN EXECUTE p ({arguments})"))
        .await
        .unwrap();
    client.batch_execute("DEALLOCATE p").await.unwrap();
    let plan = format!("{plan:?}");
    plan.contains("Index") && !plan.contains("Seq Scan")
}

fn what_a_reading_tells(world: &World) {
    let composite = world.reading("k_composite");
    assert_eq!(composite.key, ["Order", "k1", "t"]);
    assert_eq!(composite.key_positions, [2, 0, 3]);

    assert_eq!(world.reading("k_included").key, ["id"]);
    assert_eq!(world.reading("k_full_unique").key, ["a", "b"]);
    for side in [Side::Source, Side::Target] {
        let relation = world.reading("k_int").on(side);
        assert!(relation.oid >= 16384 && relation.filenode != 0 && relation.bytes > 0);
    }
    let moods = [Side::Source, Side::Target].map(|side| world.reading("k_enum").on(side).key[0].kind);
    assert_ne!(moods[0], moods[1], "the sides number their types by themselves");
    let notes = &world.reading("n_regclass").notes;
    assert!(notes[0].starts_with("columns read as text: id (regclass)"), "{notes:?}");
}

fn key_of(values: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::new();
    for value in values {
        key.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        key.extend_from_slice(value);
    }
    key
}

async fn an_equal_key_is_not_the_same(world: &World) {
    for (client, side) in &world.sides {
        for table in ["k_citext"] {
            let (same, equal) = (key_of(&[b"Abc"]), key_of(&[b"ABC"]));
            let reading = world.reading(table);
            let rows = rows_by_key(client, &world.statements[side.index()], *side, reading, &[&equal], SEED)
                .await
                .unwrap();
            assert!(rows.is_empty(), "{table}");
            let rows = rows_by_key(
                client,
                &world.statements[side.index()],
                *side,
                reading,
                &[&equal, &same],
                SEED,
            )
            .await
            .unwrap();
            assert_eq!(rows.keys().collect::<Vec<_>>(), [&same], "{table}");
            assert_eq!(show(client, *side, reading, &equal).await.unwrap(), None);
        }
    }
}

async fn rows_are_shown(world: &World) {
    let [(source, _), (target, _)] = &world.sides;
    let reading = world.reading("k_int");
    let shown = show(source, Side::Source, reading, &key_of(&[&5_i32.to_be_bytes()]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shown.key, "id=5");
    let column = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    let columns = [
        column("v", "value 5"),
        column("id", "5"),
        column("f", "NaN"),
        column("a", "{1,NULL}"),
    ];
    assert_eq!(shown.columns, columns);
    let absent = key_of(&[&5000_i32.to_be_bytes()]);
    assert_eq!(show(target, Side::Target, reading, &absent).await.unwrap(), None);
    assert_eq!(
        show_key(target, Side::Target, reading, &absent).await.unwrap(),
        "id=5000"
    );
    let reading = world.reading("k_enum");
    let happy = key_of(&["Happy \"é\"".as_bytes()]);
    assert_eq!(
        show_key(target, Side::Target, reading, &happy).await.unwrap(),
        "id=Happy \"é\""
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_find_their_rows_on_14_and_18() {
    keys_find_their_rows(14, 18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_find_their_rows_on_17_and_15() {
    keys_find_their_rows(17, 15).await;
}
