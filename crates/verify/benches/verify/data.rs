//! Two servers with the same rows.
use std::process::{Command, Stdio};

use lab_postgres::Scratch;
use tokio::try_join;

use crate::reader::{Measured, Reader};

pub const VERSIONS: (u16, u16) = (15, 17);

/// A table and how it is made.
pub struct Table {
    pub name: &'static str,
    pub rows: u64,
    columns: &'static str,
}

/// As those of `pgbench`, with random balances.
pub const NARROW: &str =
    "g::int AS aid, (g / 100000)::int AS bid, (hashint8(g) % 100000) AS abalance, ''::char(84) AS filler";
const WIDE: &str = "g AS id, md5(g::text)::uuid AS token, 'customer ' || g AS name, 'street ' || g % 9999 AS street,
    'city ' || g % 999 AS city, (g % 1000000)::numeric / 100 AS amount, (g % 77)::numeric AS rate,
    '2020-01-01'::timestamptz + g * interval '1 minute' AS created, '2020-01-01'::date + (g % 999)::int AS due,
    g % 2 = 0 AS active, g::float8 / 7 AS score, ARRAY[g, g + 1, g + 2] AS history,
    jsonb_build_object('a', g, 'b', repeat('x', (g % 50)::int), 'c', ARRAY[1, 2, 3]) AS attributes,
    repeat(md5(g::text), 6) AS comment, NULL::text AS nothing, (g % 5)::int2 AS kind, NULLIF(g % 3, 0) AS parent,
    'note ' || g AS note, g * 3 AS version, md5((g + 1)::text) AS checksum";

/// A tenth of the narrow rows, all of them, and as many wide ones as a tenth.
pub fn tables(rows: u64) -> [Table; 3] {
    let table = |name, rows, columns| Table { name, rows, columns };
    [
        table("small", rows / 10, NARROW),
        table("narrow", rows, NARROW),
        table("wide", rows / 10, WIDE),
    ]
}

/// The servers; they end with this.
pub struct Pair {
    source: Scratch,
    target: Scratch,
}

impl Pair {
    pub async fn start() -> Self {
        let parameters = [
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
            ("fsync", "off"),
            ("shared_buffers", "512MB"),
            ("maintenance_work_mem", "512MB"),
            ("max_wal_size", "4GB"),
            ("autovacuum", "off"),
        ];
        let (source, target) = try_join!(
            Scratch::start_with(VERSIONS.0, &parameters),
            Scratch::start_with(VERSIONS.1, &parameters),
        )
        .unwrap();
        Self { source, target }
    }

    /// Makes a table on both servers.
    pub async fn fill(&self, table: &Table) {
        let Table { name, rows, columns } = table;
        let make = format!(
            "CREATE TABLE public.{name} AS SELECT {columns} FROM generate_series(1::bigint, {rows}) g; \
             DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE public.{name} ADD PRIMARY KEY (%I)', attname) \
             FROM pg_attribute WHERE attrelid = 'public.{name}'::regclass AND attnum = 1); END $$"
        );
        let vacuum = format!("VACUUM (FREEZE, ANALYZE) public.{name}");
        let on = async |scratch: &Scratch| {
            let client = scratch.client("postgres").await.unwrap();
            client.batch_execute(&make).await.unwrap();
            client.batch_execute(&vacuum).await.unwrap();
        };
        tokio::join!(on(&self.source), on(&self.target));
    }

    /// Has a reader read a table on both servers, in a process of its own.
    pub fn measure(&self, reader: Reader, table: &Table) -> Measured {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([reader.name(), table.name]).stderr(Stdio::inherit());
        for (side, scratch) in [("SOURCE", &self.source), ("TARGET", &self.target)] {
            let server = scratch.server();
            command
                .env(format!("{side}_PORT"), scratch.port().to_string())
                .env(format!("{side}_PASSWORD"), scratch.password())
                .env(format!("{side}_CA"), scratch.ca_pem())
                .env(format!("{side}_SOCKET"), server.socket_dir())
                .env(format!("{side}_PSQL"), server.binaries().program("psql"));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}: {}", reader.name(), output.status);
        Measured::from_json(&output.stdout)
    }
}
