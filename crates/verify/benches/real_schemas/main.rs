//! The schemas of applications that nobody here wrote, with the data that they come with. Needs Debian's and Python's
//! package registries: `make real-schemas`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab_postgres::{Binaries, FolderLock, Scratch, cache_dir};
use pgupgrade_verify::{Options, Report, Tables};
use support::Pair;

const FILL: &str = include_str!("fill.sql");
const FAULTS: &str = include_str!("faults.sql");
const TRYTON: &str = include_str!("tryton.txt");

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return; // run as a test
    }
    zabbix().await;
    ejabberd().await;
    kamailio().await;
    tryton_with_modules().await;
}

/// Where an application's tables come from.
enum Origin {
    /// SQL scripts in a Debian package.
    Debian {
        version: &'static str,
        sha256: &'static str,
        /// Folders or files below `usr/share`, in the order in which they are run, each once.
        scripts: &'static [&'static str],
    },
    /// A program that makes them.
    Tryton,
}

/// Loads an application on the source, copies it to the target, compares, damages the target, compares again.
async fn application(name: &'static str, origin: Origin, from: u16, to: u16) {
    let pair = Pair::start(from, to).await;
    match origin {
        Origin::Debian {
            version,
            sha256,
            scripts,
        } => {
            let folder = debian(name, version, sha256);
            let mut seen = BTreeSet::new();
            for script in scripts {
                for file in files(&folder.join("usr/share").join(script)) {
                    if seen.insert(file.clone()) {
                        psql(pair.source_server(), &read(&file), true);
                    }
                }
            }
        }
        Origin::Tryton => tryton(&pair),
    }
    psql(pair.source_server(), FILL, false);
    copy(&pair, to).await;
    let options = Options {
        search: Duration::from_mins(1),
        ..Options::default()
    };
    let report = pair.compare(&Tables::All, &options).await;
    println!("{}", summary(name, &report));
    let unequal: Vec<_> = report.tables.iter().filter(|table| !table.equal).collect();
    assert!(unequal.is_empty(), "{unequal:?}");
    assert!(report.tables.len() > 15 && report.rows > 500);
    every_fault_is_found(&pair, &options, &report).await;
}

/// Damages one row of each table, and wants all of these tables and none else to differ.
async fn every_fault_is_found(pair: &Pair, options: &Options, report: &Report) {
    let with_rows: BTreeSet<_> = report
        .tables
        .iter()
        .filter(|table| table.rows > 0)
        .map(|table| table.name.clone())
        .collect();
    let mut damaged = BTreeSet::new();
    pair.on_target
        .batch_execute("SET session_replication_role = replica")
        .await
        .unwrap();
    for row in pair.on_target.query(FAULTS, &[]).await.unwrap() {
        let name = pgupgrade_postgres::QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        for statement in row.get::<_, Vec<String>>(2) {
            if matches!(pair.on_target.execute(&statement, &[]).await, Ok(1)) {
                damaged.insert(name);
                break;
            }
        }
    }
    assert_eq!(damaged, with_rows);
    let report = pair.compare(&Tables::All, options).await;
    let found: BTreeSet<_> = report
        .tables
        .iter()
        .filter(|table| !table.equal)
        .map(|table| table.name.clone())
        .collect();
    assert_eq!(found, damaged);
    let keyed = report.tables.iter().filter(|table| !table.equal && has_key(table));
    let named = keyed.clone().filter(|table| table.examples.len() == 1).count();
    assert_eq!(named, keyed.count(), "each row that differs is named");
    println!(
        "  {} faults, all found, {named} rows named, {:.1} s",
        damaged.len(),
        report.elapsed.as_secs_f64()
    );
}

fn has_key(table: &pgupgrade_verify::TableResult) -> bool {
    !table.notes.iter().any(|note| note.starts_with("no key"))
}

fn summary(name: &str, report: &Report) -> String {
    let without = report.tables.iter().filter(|table| !has_key(table)).count();
    let mut text = format!(
        "{name}: {} tables, {without} without a key, {} rows, {} bytes, compared in {:.1} s",
        report.tables.len(),
        report.rows,
        report.bytes,
        report.elapsed.as_secs_f64()
    );
    for table in &report.tables {
        for note in table
            .notes
            .iter()
            .filter(|note| note.starts_with("columns read as text"))
        {
            write!(text, "\n  {}: {note}", table.name).unwrap();
        }
    }
    text
}

/// Dumps the source with the programs of the target's version, as PostgreSQL advises, and restores there.
async fn copy(pair: &Pair, to: u16) {
    let binaries = Binaries::fetch(to).await.unwrap();
    let server = pair.source_server().server();
    let dump = binaries
        .command("pg_dump")
        .unwrap()
        .args(["-U", "postgres", "-d", "postgres", "-h"])
        .arg(server.socket_dir())
        .args(["-p", &server.options().port.to_string()])
        .output()
        .unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    psql(pair.target_server(), &String::from_utf8(dump.stdout).unwrap(), true);
}

fn psql(server: &Scratch, script: &str, strict: bool) {
    let server = server.server();
    let mut command = server.binaries().command("psql").unwrap();
    command
        .args(["-X", "-q", "-U", "postgres", "-d", "postgres", "-h"])
        .arg(server.socket_dir())
        .args(["-p", &server.options().port.to_string()])
        .args(["-v", if strict { "ON_ERROR_STOP=1" } else { "ON_ERROR_STOP=0" }]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let script = script.to_owned();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    writer.join().unwrap().unwrap();
    for line in errors.lines().filter(|line| line.contains("no rows for")) {
        println!("  {line}");
    }
}

/// The unpacked package, from the cache.
fn debian(package: &str, version: &str, sha256: &str) -> PathBuf {
    let folder = cache_dir().join("real-schemas").join(format!("{package}-{version}"));
    let _lock = FolderLock::acquire(&folder).unwrap();
    if folder.join("usr").is_dir() {
        return folder;
    }
    std::fs::create_dir_all(&folder).unwrap();
    run(Command::new("apt-get")
        .args(["download", &format!("{package}={version}")])
        .current_dir(&folder));
    let file = files(&folder)
        .into_iter()
        .find(|file| file.extension().is_some_and(|end| end == "deb"))
        .unwrap();
    let sum = run(Command::new("sha256sum").arg(&file));
    assert_eq!(sum.split_whitespace().next(), Some(sha256), "{package} {version}");
    run(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&folder));
    folder
}

/// Tryton with some forty modules, which its own program installs into the database.
fn tryton(pair: &Pair) {
    let folder = cache_dir().join("real-schemas").join("tryton-7.0.59");
    let _lock = FolderLock::acquire(&folder).unwrap();
    if !folder.join("ready").is_file() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        std::fs::write(folder.join("requirements.txt"), TRYTON).unwrap();
        run(Command::new(folder.join("bin/pip"))
            .args([
                "install",
                "-q",
                "--require-hashes",
                "--only-binary",
                ":all:",
                "--no-deps",
                "-r",
                "requirements.txt",
            ])
            .current_dir(&folder));
        std::fs::write(folder.join("ready"), "").unwrap();
    }
    let (scratch, secret) = (pair.source_server(), folder.join("password"));
    std::fs::write(&secret, "long enough for Tryton").unwrap();
    let modules = TRYTON
        .lines()
        .filter_map(|line| line.strip_prefix("trytond-"))
        .filter_map(|line| line.split("==").next());
    run(Command::new(folder.join("bin/trytond-admin"))
        .args([
            "-d",
            "postgres",
            "--email",
            "admin@example.org",
            "--activate-dependencies",
            "-l",
            "de",
            "-u",
        ])
        .args(
            ["ir", "res"]
                .map(str::to_owned)
                .into_iter()
                .chain(modules.map(|name| name.replace('-', "_"))),
        )
        .env("TRYTONPASSFILE", &secret)
        .env(
            "TRYTOND_DATABASE_URI",
            format!(
                "postgresql://postgres:{}@{}:{}/",
                scratch.password(),
                scratch.host(),
                scratch.port()
            ),
        ));
}

/// A file, or those in a folder, by name.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn read(file: &Path) -> String {
    if file.extension().is_some_and(|end| end == "gz") {
        return run(Command::new("gzip").arg("-dc").arg(file));
    }
    std::fs::read_to_string(file).unwrap()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Monitoring: a large configuration, and histories.
async fn zabbix() {
    let origin = Origin::Debian {
        version: "1:6.0.14+dfsg-1+b1",
        sha256: "22409d687e33f64eb70ad52269f570ddb26c2844da0e252cfe15e5a9111a0efa",
        scripts: &[
            "zabbix-server-pgsql/schema.sql.gz",
            "zabbix-server-pgsql/images.sql.gz",
            "zabbix-server-pgsql/data.sql.gz",
        ],
    };
    application("zabbix-server-pgsql", origin, 15, 18).await;
}

/// A chat server: nearly no table has a primary key.
async fn ejabberd() {
    let origin = Origin::Debian {
        version: "23.01-1",
        sha256: "74c3dc01851b6c4956f65e825a9197abbb2d511cade4a5c08e8bad6f81f58b72",
        scripts: &["ejabberd/sql/pg.sql"],
    };
    application("ejabberd", origin, 14, 17).await;
}

/// A telephone exchange: many small tables.
async fn kamailio() {
    let origin = Origin::Debian {
        version: "5.6.3-2",
        sha256: "d5817c20233b1616d759a0f546bddaf364b1f95d443b159da0273dfc0b65fb9a",
        scripts: &["kamailio/postgres/standard-create.sql", "kamailio/postgres"],
    };
    application("kamailio-postgres-modules", origin, 15, 17).await;
}

/// Business software: hundreds of tables that an object mapper made.
async fn tryton_with_modules() {
    application("tryton", Origin::Tryton, 15, 18).await;
}
