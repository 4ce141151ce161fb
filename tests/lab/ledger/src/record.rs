//! The record: what a writer meant to do and what became of it, one file of JSON lines for each connection.
//!
//! An intent is written before COMMIT is sent and its result before the next transaction begins. An intent without
//! a result is a COMMIT without an answer.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::operation::Operation;

/// A server as it answers a writer: after an upgrade the address, the version or the identifier is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answering {
    /// Host and port that the connection was made to.
    pub address: String,
    /// `server_version_num`.
    pub version: i32,
    /// `system_identifier` of `pg_control_system()`; initdb, and so `pg_upgrade`, makes a new one.
    pub system: String,
}

/// One line. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The first line of a file.
    Writer {
        /// Name of the writer, the same as the file's.
        name: String,
        /// Whether it is the application (false: the rogue).
        application: bool,
    },
    /// A connection was made; lines that follow concern this server.
    Server(Answering),
    /// A transaction is about to be committed.
    Intent {
        /// Its number within the file.
        x: u32,
        /// When.
        t: u64,
        /// Its kind, for people.
        k: String,
        /// Its effects.
        o: Vec<Operation>,
    },
    /// COMMIT was acknowledged.
    Ack {
        /// Number of the transaction.
        x: u32,
        /// When.
        t: u64,
    },
    /// COMMIT was refused: certainly not committed.
    Failed {
        /// Number of the transaction.
        x: u32,
        /// When.
        t: u64,
        /// The SQLSTATE.
        code: String,
    },
    /// COMMIT was sent, and no answer came.
    Unknown {
        /// Number of the transaction.
        x: u32,
        /// When.
        t: u64,
    },
    /// Errors before any COMMIT, of the same code in a row: certainly nothing committed.
    Errors {
        /// The SQLSTATE, `08006` for lost connections.
        code: String,
        /// How many.
        n: u64,
        /// When the first came.
        from: u64,
        /// When the last came.
        to: u64,
    },
}

/// The folder that holds the files of all writers and the baseline.
#[derive(Clone, Debug)]
pub struct LedgerDir(PathBuf);

impl LedgerDir {
    /// The ledger in this folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The file that holds what the tables held before the first writer started.
    #[must_use]
    pub fn baseline(&self) -> PathBuf {
        self.0.join("baseline.json")
    }

    /// The writers' files, sorted by name.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = std::fs::read_dir(&self.0).map_err(|error| Error::file(&self.0, error))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| Error::file(&self.0, error))?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Calls `each` with every line of a writer's file. A last line that was cut off by the writer's death is left out.
///
/// # Errors
/// The file can't be read, or a whole line is not one of [`Line`].
pub fn read(path: &Path, mut each: impl FnMut(Line)) -> Result<(), Error> {
    let mut reader = BufReader::new(File::open(path).map_err(|error| Error::file(path, error))?);
    let mut text = String::new();
    let mut number = 0;
    loop {
        text.clear();
        reader.read_line(&mut text).map_err(|error| Error::file(path, error))?;
        if !text.ends_with('\n') {
            return Ok(());
        }
        number += 1;
        each(serde_json::from_str(&text).map_err(|source| Error::Line {
            path: path.into(),
            number,
            source,
        })?);
    }
}

struct Errors {
    code: String,
    n: u64,
    from: u64,
    to: u64,
}

/// Writes one file of the record.
pub struct Recorder {
    file: File,
    path: PathBuf,
    name: String,
    wall: u64,
    start: Instant,
    transaction: u32,
    open: bool,
    errors: Option<Errors>,
}

impl Recorder {
    /// Makes a new file for a writer. A name that is taken (a container that was restarted in its Pod) gets a number.
    ///
    /// # Errors
    /// The file can't be made or written.
    pub fn create(dir: &LedgerDir, name: &str, application: bool) -> Result<Self, Error> {
        std::fs::create_dir_all(dir.path()).map_err(|error| Error::file(dir.path(), error))?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let name = if attempt == 1 {
                name.to_owned()
            } else {
                format!("{name}.{attempt}")
            };
            let path = dir.path().join(format!("{name}.jsonl"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::file(&path, error)),
                Ok(file) => {
                    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    let wall = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
                    let start = Instant::now();
                    let mut recorder = Self {
                        file,
                        path,
                        name,
                        wall,
                        start,
                        transaction: 0,
                        open: false,
                        errors: None,
                    };
                    recorder.line(&Line::Writer {
                        name: recorder.name.clone(),
                        application,
                    })?;
                    return Ok(recorder);
                }
            }
        }
    }

    /// The writer's name, unique in the ledger: it begins the names of the rows that the writer makes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Records which server answers from now on.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn server(&mut self, server: Answering) -> Result<(), Error> {
        self.close_errors()?;
        self.line(&Line::Server(server))
    }

    /// Records what the next COMMIT does.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn intent(&mut self, kind: &str, operations: Vec<Operation>) -> Result<(), Error> {
        self.close_errors()?;
        self.transaction += 1;
        let line = Line::Intent {
            x: self.transaction,
            t: self.now(),
            k: kind.to_owned(),
            o: operations,
        };
        self.line(&line)?;
        self.open = true;
        Ok(())
    }

    /// Records that the COMMIT was acknowledged.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn acknowledged(&mut self) -> Result<(), Error> {
        self.open = false;
        self.line(&Line::Ack {
            x: self.transaction,
            t: self.now(),
        })
    }

    /// Records that the COMMIT was refused.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn failed(&mut self, code: &str) -> Result<(), Error> {
        self.open = false;
        self.line(&Line::Failed {
            x: self.transaction,
            t: self.now(),
            code: code.to_owned(),
        })
    }

    /// Records that no answer came to the COMMIT.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn unknown(&mut self) -> Result<(), Error> {
        self.open = false;
        self.line(&Line::Unknown {
            x: self.transaction,
            t: self.now(),
        })
    }

    /// Counts an error that came before any COMMIT.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn error(&mut self, code: &str) -> Result<(), Error> {
        let now = self.now();
        if let Some(errors) = self.errors.as_mut().filter(|errors| errors.code == code) {
            errors.n += 1;
            errors.to = now;
            return Ok(());
        }
        self.close_errors()?;
        self.errors = Some(Errors {
            code: code.to_owned(),
            n: 1,
            from: now,
            to: now,
        });
        Ok(())
    }

    /// Writes what is still to be written: the count of errors, and that an open COMMIT got no answer.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn finish(&mut self) -> Result<(), Error> {
        if self.open {
            self.unknown()?;
        }
        self.close_errors()
    }

    fn close_errors(&mut self) -> Result<(), Error> {
        match self.errors.take() {
            None => Ok(()),
            Some(Errors { code, n, from, to }) => self.line(&Line::Errors { code, n, from, to }),
        }
    }

    /// The wall clock as it was at the start, moved on by the monotonic one.
    fn now(&self) -> u64 {
        self.wall + u64::try_from(self.start.elapsed().as_micros()).unwrap_or(0)
    }

    fn line(&mut self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).map_err(|error| Error::file(&self.path, error.into()))?;
        text.push(b'\n');
        self.file
            .write_all(&text)
            .map_err(|error| Error::file(&self.path, error))
    }
}
