//! What a fault is.
use std::fmt;

use pgupgrade_verify::Kind;

/// How a fault is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every row is read under writes. A table without a key is read in a pair of snapshots.
    FullPass,
    /// Every row is read in one pair of snapshots.
    PinnedPair,
    /// The verification slot tells of a change that replication applies wrongly.
    ChangedKeys,
    /// The target's slot tells of writes that did not come from the source; tables of which it can't tell by keys are
    /// read anew.
    ForeignFeed,
    /// The verdict, once nobody writes, without being told of writes of others.
    Verdict,
    /// As [`Self::Verdict`], told of writes of others.
    WatchedVerdict,
    /// The positions of the sequences, once nobody writes.
    Sequences,
    /// The fingerprint of what is no row.
    Fingerprint,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FullPass => "full pass",
            Self::PinnedPair => "pinned pair",
            Self::ChangedKeys => "changed keys",
            Self::ForeignFeed => "foreign feed",
            Self::Verdict => "verdict",
            Self::WatchedVerdict => "verdict, watched",
            Self::Sequences => "sequences",
            Self::Fingerprint => "fingerprint",
        })
    }
}

/// What has to be said of a table, no more and no less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Each row by its key: `column=value, …`, how it differs, and in which columns.
    Keys(Vec<(String, Kind, Vec<&'static str>)>),
    /// So many rows, of which each example differs this way.
    Many(u64, Kind),
    /// So many rows of a table without a key.
    Keyless(u64),
}

/// A fault, or a control: a change of the target that is none.
#[derive(Clone, Debug)]
pub struct Fault {
    pub name: String,
    /// A table and a condition: these rows of the target are put back afterwards.
    pub rows: Option<(&'static str, String)>,
    /// Run on the source before replication begins.
    pub before: Option<String>,
    /// Makes it on the target.
    pub make: String,
    /// Run on the source afterwards.
    pub then: String,
    /// Run on the target before the rows are put back.
    pub undo: String,
    /// Run on the source at last.
    pub undo_on_source: String,
    /// Whether triggers and rules stay out of it, as for a session of replication.
    pub past_triggers: bool,
    /// Whether a full pass is made by a verification slot that is created after the fault.
    pub before_slot: bool,
    /// Each of these ways has to find it.
    pub ways: Vec<Way>,
    /// The tables that differ by it, or the sequence or other object; none for a control.
    pub found: Vec<(&'static str, Rows)>,
}

impl Fault {
    /// A fault in rows of a table with a key.
    pub fn new(name: &str, table: &'static str, rows: &str, make: &str) -> Self {
        Self {
            name: name.to_owned(),
            rows: Some((table, rows.to_owned())),
            before: None,
            make: make.to_owned(),
            then: String::new(),
            undo: String::new(),
            undo_on_source: String::new(),
            past_triggers: false,
            before_slot: false,
            ways: vec![Way::FullPass, Way::ForeignFeed],
            found: Vec::new(),
        }
    }

    /// A fault that its own statement undoes.
    pub fn undone(name: &str, make: &str, undo: &str) -> Self {
        let undo = undo.to_owned();
        Self {
            rows: None,
            undo,
            ..Self::new(name, "", "", make)
        }
    }

    /// A change of a row by replication that a trigger on the target makes wrong.
    pub fn wrong_apply(name: &str, when: &str, body: &str, then: &str) -> Self {
        let make = format!(
            "CREATE FUNCTION faults.wrong() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$; \
             CREATE TRIGGER wrong BEFORE {when} EXECUTE FUNCTION faults.wrong(); \
             ALTER TABLE faults.applied ENABLE ALWAYS TRIGGER wrong"
        );
        let drop = "DROP TRIGGER wrong ON faults.applied; DROP FUNCTION faults.wrong()";
        Self {
            then: then.to_owned(),
            ..Self::undone(name, &make, drop).by(&[Way::ChangedKeys])
        }
    }

    pub fn by(mut self, ways: &[Way]) -> Self {
        self.ways = ways.to_vec();
        self
    }

    /// A row is found by its key.
    pub fn key(self, table: &'static str, key: &str, kind: Kind, columns: &[&'static str]) -> Self {
        self.keys(table, &[(key, kind, columns)])
    }

    pub fn keys(mut self, table: &'static str, keys: &[(&str, Kind, &[&'static str])]) -> Self {
        let keys = keys
            .iter()
            .map(|(key, kind, columns)| ((*key).to_owned(), *kind, columns.to_vec()));
        self.found.push((table, Rows::Keys(keys.collect())));
        self
    }

    pub fn rows(mut self, table: &'static str, rows: Rows) -> Self {
        self.found.push((table, rows));
        self
    }

    /// What the source does at last.
    pub fn settled(mut self, undo: &str, on_source: &str) -> Self {
        self.undo = format!("{}; {undo}", self.undo);
        on_source.clone_into(&mut self.undo_on_source);
        self
    }

    pub fn past_triggers(mut self) -> Self {
        self.past_triggers = true;
        self
    }

    /// Whether it is none.
    pub fn is_control(&self) -> bool {
        self.found.is_empty()
    }

    /// The statements that make it.
    pub fn script(&self) -> String {
        if self.past_triggers {
            format!(
                "SET session_replication_role = replica; {}; RESET session_replication_role",
                self.make
            )
        } else {
            self.make.clone()
        }
    }
}
