//! One component of the cluster as a child process, which ends with its runner.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::{Error, Result};

/// A process ends at once when killed, unless it hangs in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// A running component. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: &'static str,
    pub(crate) log: PathBuf,
    pid: Pid,
    ended: watch::Receiver<Option<ExitStatus>>,
    waiter: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a program with its output in a log file. The kernel kills it when the thread that started it ends, which is
    /// a thread of its own that waits for it; so it never outlives its runner, even one that is killed.
    pub(crate) fn start(name: &'static str, command: &Command, log: &Path) -> Result<Self> {
        let output = File::create(log).map_err(Error::file("create", log))?;
        let errors = output.try_clone().map_err(Error::file("open", log))?;
        let mut wrapped = Command::new("setpriv");
        wrapped
            .args(["--pdeathsig", "KILL", "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        let (pid, ended, waiter) = spawn(name, wrapped).map_err(|source| Error::Spawn {
            program: format!("{name} with setpriv of util-linux"),
            source,
        })?;
        Ok(Self {
            name,
            log: log.to_owned(),
            pid,
            ended,
            waiter: Some(waiter),
        })
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// The last lines of its log.
    pub(crate) fn tail(&self) -> String {
        const LINES: usize = 20;
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// Asks it to end, and kills it when it has not done so in time.
    pub(crate) async fn stop(mut self, limit: Duration) -> Result<()> {
        for (signal, limit) in [(Signal::SIGTERM, limit), (Signal::SIGKILL, KILL_LIMIT)] {
            self.signal(signal);
            if tokio::time::timeout(limit, self.ended.wait_for(Option::is_some))
                .await
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(Error::StillRunning {
            component: self.name,
            pid: self.pid.as_raw(),
        })
    }

    fn signal(&self, signal: Signal) {
        if self.status().is_none() {
            // The only failure possible is that it ended just now.
            let _ = kill(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(waiter) = self.waiter.take() {
            // The thread only waits for the process just killed and has nothing to tell.
            let _ = waiter.join();
        }
    }
}

type Spawned = (Pid, watch::Receiver<Option<ExitStatus>>, JoinHandle<()>);

fn spawn(name: &str, mut command: Command) -> std::io::Result<Spawned> {
    let (started, start) = std::sync::mpsc::channel();
    let (end, ended) = watch::channel(None);
    let waiter = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || match command.spawn() {
            Err(error) => drop(started.send(Err(error))),
            Ok(mut child) => {
                drop(started.send(Ok(child.id())));
                let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(-1));
                end.send_replace(Some(status));
            }
        })?;
    let pid = start.recv().map_err(std::io::Error::other)??;
    Ok((Pid::from_raw(pid.cast_signed()), ended, waiter))
}
