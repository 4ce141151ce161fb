//! What the command is told.
use clap::Args;
use pgupgrade_postgres::QualifiedName;

use super::name::table_name;

/// Compare two databases: every row of every table, the schema, and where sequences stand.
///
/// The result goes to standard output, everything else to standard error. Exit status: 0 where both are equal, 1 where
/// they differ, 2 where that could not be decided, or where something that was made for it could not be removed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The database that counts.
    ///
    /// postgres://role@host:port/database?sslmode=verify-full&sslrootcert=FILE; or sslmode=disable, or a socket's folder
    /// as host. The password is better given by `PGUPGRADE_SOURCE_PASSWORD` or PGPASSWORD than here, where every user
    /// of this machine sees it.
    #[arg(long, value_name = "URI", env = "PGUPGRADE_SOURCE", hide_env_values = true)]
    pub(super) source: String,
    /// The database that should be equal, in the same form.
    ///
    /// Its password by `PGUPGRADE_TARGET_PASSWORD` or PGPASSWORD.
    #[arg(long, value_name = "URI", env = "PGUPGRADE_TARGET", hide_env_values = true)]
    pub(super) target: String,
    /// The database on both servers, instead of those that the URIs name.
    #[arg(long, value_name = "NAME")]
    pub(super) database: Option<String>,
    /// Only this table; may be given several times.
    ///
    /// As SQL has it: public.orders, or public."Orders" where capitals or other characters count. Of a partitioned
    /// table its leaves.
    #[arg(long = "table", value_name = "SCHEMA.NAME", value_parser = table_name)]
    pub(super) tables: Vec<QualifiedName>,
    #[command(flatten)]
    pub(super) how: How,
    #[command(flatten)]
    pub(super) without: Without,
    /// Sessions on each side that read at the same time.
    #[arg(long, default_value_t = 2, value_name = "SESSIONS", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) parallelism: u16,
    /// Read no more than this in a second, of both sides together.
    #[arg(long, value_name = "BYTES")]
    pub(super) max_bytes_per_second: Option<u64>,
    /// Wait while more sessions than this are active on the source.
    #[arg(long, value_name = "SESSIONS")]
    pub(super) pause_above: Option<u32>,
    /// Show this many differing rows of a table; the others are counted.
    #[arg(long, default_value_t = 5, value_name = "ROWS")]
    pub(super) examples: usize,
    /// Show the values that differ, not only their columns' names.
    #[arg(long)]
    pub(super) show_values: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// With --live and --pinned: how long replication and open transactions are waited for.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) patience: u64,
}

const EXAMPLES: &str = "\
Examples:
  Nobody writes, and everything has been replicated:
    pgupgrade verify --source postgres://check@old/shop?sslrootcert=ca.pem --target postgres://check@new/shop?sslrootcert=ca.pem
  The application writes, and the target subscribes to the source:
    pgupgrade verify --live …

Ctrl-C and SIGTERM end it and remove what it has made; a second one leaves that there, and tells how to remove it.";

/// What holds still while the rows are read.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
pub(super) struct How {
    /// Nobody writes, and everything has been replicated [default].
    #[arg(long, help_heading = "Modes, of which one")]
    pub(super) fenced: bool,
    /// Writes go on, and logical replication from source to target with them.
    ///
    /// For that barrier tables in schema pgupgrade, a slot and a publication are made on both sides, and the barrier
    /// tables are added to the publications and subscriptions that are there. All of it is removed at the end.
    #[arg(long, help_heading = "Modes, of which one")]
    pub(super) live: bool,
    /// As --live, but every row is read in one pair of snapshots.
    ///
    /// Both are taken at the same point of logical replication, and held until the end.
    #[arg(long, help_heading = "Modes, of which one")]
    pub(super) pinned: bool,
}

/// What is left out.
#[allow(clippy::struct_excessive_bools)] // each is an option of its own
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Without {
    /// Leave out the schema, and with it the check of indexes.
    #[arg(long, conflicts_with_all = ["skip_roles", "skip_large_objects", "skip_index_check"])]
    pub(super) skip_schema: bool,
    /// Of the schema leave out roles: where their passwords can't be read, as on RDS, it could not be decided.
    #[arg(long)]
    pub(super) skip_roles: bool,
    /// Of the schema leave out what large objects hold.
    #[arg(long)]
    pub(super) skip_large_objects: bool,
    /// Do not check the target's indexes by another version of a collation: it reads each of them and its table, and
    /// without the extension amcheck it could not be decided.
    #[arg(long)]
    pub(super) skip_index_check: bool,
    /// Leave out where sequences stand.
    #[arg(long)]
    pub(super) skip_sequences: bool,
}
