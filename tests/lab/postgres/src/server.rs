//! One data folder and its server process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::binaries::{run_blocking, tail};
use crate::copy::Copy;
use crate::process::Process;
use crate::{Binaries, Error, Identity, Result, account, freeze};

/// A connection to a server.
pub type Client = tokio_postgres::Client;

/// How long a server may take to get ready, crash recovery included.
const READY: Duration = Duration::from_mins(2);
/// How long a server may take to stop.
const STOP: Duration = Duration::from_mins(1);

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The loopback address to listen on.
    pub address: Ipv4Addr,
    /// The TCP port; names the socket as well.
    pub port: u16,
    /// Name of the bootstrap superuser, who needs no password on the socket.
    pub superuser: String,
    /// Password of the superuser for TCP; without one it can be reached on the socket only.
    pub password: Option<String>,
    /// Configuration parameters by name, unquoted.
    pub parameters: BTreeMap<String, String>,
    /// Lines of `pg_hba.conf` that follow the superuser's line for the socket.
    pub host_rules: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST,
            port: 5432,
            superuser: "postgres".into(),
            password: None,
            parameters: BTreeMap::new(),
            host_rules: "host all all all scram-sha-256\nhost replication all all scram-sha-256\n".into(),
        }
    }
}

/// How a server is stopped: `pg_ctl stop`'s modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions and writes a checkpoint.
    Fast,
    /// Ends at once, as a crash; the next start recovers.
    Immediate,
}

/// One data folder with its server, running or not. The server ends when this is dropped, or its process dies.
///
/// The folder holds `data`, `socket`, `log` and `tls`.
#[derive(Debug)]
pub struct Server {
    binaries: Binaries,
    folder: PathBuf,
    options: Options,
    tls: bool,
    process: Option<Process>,
}

impl Server {
    /// Makes a new data folder in `folder` by `initdb`, with checksums. With an identity the server speaks TLS.
    ///
    /// # Errors
    /// [`Error::SocketPath`] for a long folder, [`Error::Io`], [`Error::Program`] when `initdb` fails.
    pub async fn create(
        binaries: &Binaries,
        folder: &Path,
        options: Options,
        identity: Option<&Identity>,
    ) -> Result<Self> {
        let server = Self::open(binaries, folder, options, identity)?;
        server.initialize(&server.binaries, "data").await?;
        Ok(server)
    }

    /// Takes over a folder whose `data` exists already or is put there before the start.
    ///
    /// # Errors
    /// [`Error::SocketPath`] for a long folder, [`Error::Io`].
    pub fn open(binaries: &Binaries, folder: &Path, options: Options, identity: Option<&Identity>) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io(format!("create {}", folder.display())))?;
        let folder = folder
            .canonicalize()
            .map_err(Error::io(format!("resolve {}", folder.display())))?;
        account::hand_over(&folder)?;
        for (name, mode) in [("socket", 0o700), ("log", 0o755), ("tls", 0o700)] {
            make_folder(&folder.join(name), mode)?;
        }
        let server = Self {
            binaries: binaries.clone(),
            folder,
            options,
            tls: identity.is_some(),
            process: None,
        };
        let socket = server.socket_dir().join(format!(".s.PGSQL.{}", server.options.port));
        if socket.as_os_str().len() > 107 {
            return Err(Error::SocketPath(socket));
        }
        if let Some(identity) = identity {
            let tls = server.folder.join("tls");
            write_private(&tls.join("server.crt"), &identity.certificate_pem)?;
            write_private(&tls.join("server.key"), &identity.key_pem)?;
        }
        Ok(server)
    }

    /// Runs `initdb` of any version into a folder of the given name beside `data`, and returns its path.
    ///
    /// # Errors
    /// [`Error::Program`] when `initdb` fails.
    pub async fn initialize(&self, binaries: &Binaries, name: &str) -> Result<PathBuf> {
        let data = self.folder.join(name);
        let mut arguments: Vec<String> = ["-k", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-U"]
            .iter()
            .map(ToString::to_string)
            .collect();
        arguments.push(self.options.superuser.clone());
        arguments.push(format!("--pgdata={}", data.display()));
        let secret = self.folder.join("tls").join("password");
        if let Some(password) = &self.options.password {
            write_private(&secret, password)?;
            arguments.push(format!("--pwfile={}", secret.display()));
        }
        let result = binaries.run("initdb", arguments, &self.folder).await;
        if self.options.password.is_some() {
            std::fs::remove_file(&secret).map_err(Error::io(format!("remove {}", secret.display())))?;
        }
        result.map(|_| data)
    }

    /// The programs that this server runs.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Other programs for the next start, after `data` was upgraded.
    pub fn set_binaries(&mut self, binaries: Binaries) {
        self.binaries = binaries;
    }

    /// How the server is set up. Changes count from the next [`Self::start`] or [`Self::reload`].
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The same, to be changed.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// The server's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder of the Unix socket, for `host=`.
    #[must_use]
    pub fn socket_dir(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// The folder for log files. The server's own standard error goes to `postmaster.log` in it.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The postmaster's process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.process
            .as_ref()
            .filter(|process| process.status().is_none())
            .map(Process::pid)
    }

    /// Starts the server and waits until it accepts connections.
    ///
    /// # Errors
    /// [`Error::Running`], [`Error::Ended`] with the log when it ends, [`Error::NotReady`] after two minutes.
    pub async fn start(&mut self) -> Result<()> {
        if self.pid().is_some() {
            return Err(Error::Running(self.folder.clone()));
        }
        self.configure()?;
        // One left by a crash names a process that is gone; the server would look twice before it takes over.
        let _ = std::fs::remove_file(self.data_dir().join("postmaster.pid"));
        let log_file = self.log_dir().join("postmaster.log");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log_file)
            .map_err(Error::io(format!("open {}", log_file.display())))?;
        let errors = log.try_clone().map_err(Error::io("duplicate a file handle"))?;
        let mut command = self.binaries.bound_command("postgres", "INT")?;
        command.arg("-D").arg(self.data_dir()).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.process = Some(Process::start(command, "postgres")?);
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY;
        while !self.says_ready() {
            let status = self.process.as_ref().and_then(Process::status);
            if let Some(status) = status {
                self.process = None;
                let (folder, log) = (self.folder.clone(), self.log_tail());
                return Err(Error::Ended {
                    folder,
                    status: status.to_string(),
                    log,
                });
            }
            if Instant::now() > deadline {
                let (folder, log) = (self.folder.clone(), self.log_tail());
                return Err(Error::NotReady {
                    folder,
                    seconds: READY.as_secs(),
                    log,
                });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// The eighth line of `postmaster.pid`, as `pg_ctl` reads it.
    fn says_ready(&self) -> bool {
        let content = std::fs::read_to_string(self.data_dir().join("postmaster.pid")).unwrap_or_default();
        content
            .lines()
            .nth(7)
            .is_some_and(|status| matches!(status.trim(), "ready" | "standby"))
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read(self.log_dir().join("postmaster.log")).unwrap_or_default();
        tail(&String::from_utf8_lossy(&log), 2000).to_owned()
    }

    /// Stops the server if it runs.
    ///
    /// # Errors
    /// [`Error::NotStopped`] when it has not ended after a minute; then it is killed.
    pub async fn stop(&mut self, mode: StopMode) -> Result<()> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        process.signal(match mode {
            StopMode::Fast => Signal::SIGINT,
            StopMode::Immediate => Signal::SIGQUIT,
        });
        if process.wait(STOP).await.is_none() {
            process.signal(Signal::SIGKILL);
            return Err(Error::NotStopped {
                folder: self.folder.clone(),
                seconds: STOP.as_secs(),
            });
        }
        Ok(())
    }

    /// Writes the configuration and has the running server read it.
    ///
    /// # Errors
    /// [`Error::NotRunning`], [`Error::Io`].
    pub fn reload(&self) -> Result<()> {
        let process = self.process.as_ref().filter(|process| process.status().is_none());
        let process = process.ok_or_else(|| Error::NotRunning(self.folder.clone()))?;
        self.configure()?;
        process.signal(Signal::SIGHUP);
        Ok(())
    }

    /// Connects as the superuser over the Unix socket. The connection ends when the client is dropped.
    ///
    /// # Errors
    /// [`Error::Sql`] when the server refuses.
    pub async fn connect(&self, database: &str) -> Result<Client> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(self.socket_dir())
            .port(self.options.port)
            .user(&self.options.superuser)
            .dbname(database);
        config.application_name("lab").connect_timeout(Duration::from_secs(10));
        let connected = config.connect(tokio_postgres::NoTls).await;
        let (client, connection) = connected.map_err(|source| self.sql_error(source))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        Ok(client)
    }

    /// Wraps a driver error with this server's folder.
    #[must_use]
    pub fn sql_error(&self, source: tokio_postgres::Error) -> Error {
        Error::Sql {
            folder: self.folder.clone(),
            source,
        }
    }

    /// Copies the data folder to `target`, which must not exist, as it is at one instant at the end of the copying.
    /// Returns for how long a running server stood still for that.
    ///
    /// A server started on the copy recovers as after a crash.
    ///
    /// # Errors
    /// [`Error::Io`] when copying fails; the server runs on in any case.
    pub async fn frozen_copy(&self, target: &Path) -> Result<Duration> {
        let (data, target, pid) = (self.data_dir(), target.to_owned(), self.pid());
        run_blocking(move || {
            let copy = Copy::begin(&data, &target)?;
            let begin = Instant::now();
            match pid {
                Some(pid) => freeze::frozen(pid, || copy.finish())?,
                None => copy.finish()?,
            }
            Ok(begin.elapsed())
        })
        .await
    }

    /// Writes `lab.conf`, included by `postgresql.conf`, and `pg_hba.conf`.
    fn configure(&self) -> Result<()> {
        let data = self.data_dir();
        let mut content = String::new();
        for (name, value) in self.settings() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                content,
                "{name} = '{}'",
                value.replace('\\', "\\\\").replace('\'', "''")
            );
        }
        write_private(&data.join("lab.conf"), &content)?;
        let main = data.join("postgresql.conf");
        let text = std::fs::read_to_string(&main).map_err(Error::io(format!("read {}", main.display())))?;
        if !text.contains("include 'lab.conf'") {
            write_private(&main, &format!("{text}\ninclude 'lab.conf'\n"))?;
        }
        let superuser = &self.options.superuser;
        let rules = format!(
            "local all \"{superuser}\" trust\nlocal replication \"{superuser}\" trust\n{}",
            self.options.host_rules
        );
        write_private(&data.join("pg_hba.conf"), &rules)
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = self.options.parameters.clone();
        let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
        set("listen_addresses", self.options.address.to_string());
        set("port", self.options.port.to_string());
        set("unix_socket_directories", self.socket_dir().display().to_string());
        if self.tls {
            set("ssl", "on".into());
            set(
                "ssl_cert_file",
                self.folder.join("tls/server.crt").display().to_string(),
            );
            set("ssl_key_file", self.folder.join("tls/server.key").display().to_string());
        }
        settings
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &self.process {
            process.signal(Signal::SIGQUIT);
        }
    }
}

fn make_folder(path: &Path, mode: u32) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::io(format!("create {}", path.display())))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(Error::io(format!("set permissions of {}", path.display())))?;
    account::hand_over(path)
}

/// Writes a file that only the server's account may read.
fn write_private(path: &Path, content: &str) -> Result<()> {
    std::fs::write(path, content).map_err(Error::io(format!("write {}", path.display())))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(Error::io(format!("set permissions of {}", path.display())))?;
    account::hand_over(path)
}
