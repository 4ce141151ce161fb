//! The command `ledger`: the sample application, its rogue companion, and their judge.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use lab_ledger::connection::Database;
use lab_ledger::judge::content::write_baseline;
use lab_ledger::judge::{Verdict, judge};
use lab_ledger::record::LedgerDir;
use lab_ledger::{Error, create_schema, fill, writer};

/// Writes to a database, records every acknowledged commit, and judges later what became of them. The database is
/// named by `DATABASE_URL`, or by `DB_HOST`, `DB_PORT`, `DB_NAME`, `DB_USER` and `DB_PASSWORD`; `DATABASE_CA` is the
/// file of its certificate authority.
#[derive(Parser)]
struct Cli {
    /// Folder of the record.
    #[arg(long, env = "LEDGER_DIR")]
    ledger_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the schema, fills it and writes down what it holds.
    Prepare {
        /// How large the database becomes, in MiB.
        #[arg(long, default_value_t = 200)]
        megabytes: u32,
    },
    /// Writes as the application does, until SIGTERM.
    Write(WriteArgs),
    /// Writes on and on, whatever the server answers, until SIGTERM.
    Rogue(WriteArgs),
    /// Compares the record with what the database holds; exit status 1 where something is wrong.
    Judge {
        /// Prints the verdict as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct WriteArgs {
    /// Name of the Pod; nobody else has it.
    #[arg(long, env = "POD_NAME")]
    pod_name: String,
    /// Transactions a second, over all connections.
    #[arg(long, env = "LEDGER_RATE", default_value_t = 100)]
    rate: u32,
    /// Connections.
    #[arg(long, env = "LEDGER_CONNECTIONS", default_value_t = 4)]
    connections: u32,
    /// A file to make after the first connection, for a readiness probe.
    #[arg(long, env = "READY_FILE")]
    ready_file: Option<PathBuf>,
}

impl WriteArgs {
    fn options(self, ledger: LedgerDir) -> writer::Options {
        let Self {
            pod_name: pod,
            rate,
            connections,
            ready_file,
        } = self;
        writer::Options {
            ledger,
            pod,
            rate,
            connections,
            ready_file,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ledger: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode, Error> {
    let ledger = LedgerDir::new(cli.ledger_dir);
    let database = Database::from_environment()?;
    match cli.command {
        Command::Prepare { megabytes } => {
            let client = database.connect("ledger prepare").await?;
            client.batch_execute("SET statement_timeout = 0").await?;
            create_schema(&client).await?;
            let size = fill(&client, megabytes).await?;
            write_baseline(&ledger, &client).await?;
            println!("{size} bytes");
        }
        Command::Write(args) => writer::write(&database, &args.options(ledger)).await?,
        Command::Rogue(args) => writer::rogue(&database, &args.options(ledger)).await?,
        Command::Judge { json } => {
            let client = database.connect("ledger judge").await?;
            client.batch_execute("SET statement_timeout = 0").await?;
            let verdict = judge(&ledger, &client).await?;
            print(&verdict, json);
            return Ok(if verdict.is_clean() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(verdict: &Verdict, json: bool) {
    if json && let Ok(text) = serde_json::to_string_pretty(verdict) {
        println!("{text}");
        return;
    }
    let Verdict {
        acknowledged,
        found,
        missing,
        doubled,
        invented,
        torn,
        ..
    } = verdict;
    println!(
        "acknowledged {acknowledged}, found {found}, missing {missing}, doubled {doubled}, invented {invented}, half applied {torn}"
    );
    for example in &verdict.examples {
        println!("  {example}");
    }
}
