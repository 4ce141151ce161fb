//! One postmaster, which ends with its runner.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::{Error, Result};

/// A running child process, waited for by a thread of its own.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts the command on a thread that lives as long as the process: a parent-death signal is sent when the
    /// *thread* that started it ends, not when the whole parent does.
    pub(crate) fn start(mut command: Command, name: &str) -> Result<Self> {
        let (started, start) = std::sync::mpsc::channel();
        let (end, ended) = watch::channel(None);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || match command.spawn() {
                Err(error) => drop(started.send(Err(error))),
                Ok(mut child) => {
                    drop(started.send(Ok(child.id())));
                    let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(-1));
                    end.send_replace(Some(status));
                }
            })
            .map_err(Error::io("start a thread"))?;
        let pid = start
            .recv()
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(Error::io(format!("start {name}")))?;
        Ok(Self {
            pid: Pid::from_raw(pid.cast_signed()),
            ended,
        })
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Sends a signal unless the process has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.status().is_none() {
            // The only failure possible is that it ended just now.
            let _ = kill(self.pid, signal);
        }
    }

    /// Waits for the end; `None` when it has not come in time.
    pub(crate) async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let ended = tokio::time::timeout(limit, self.ended.wait_for(Option::is_some)).await;
        ended.ok()?.ok().and_then(|status| *status)
    }
}
