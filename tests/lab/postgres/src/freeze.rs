//! Holding a server still, so that its files are those of one instant, as in a storage snapshot.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Error, Result};

/// How long the processes of a server may take to stand still.
const STANDSTILL: Duration = Duration::from_secs(20);

/// Runs `work` while the postmaster `pid` and all its children are stopped between two instructions, and returns what
/// it returned. They go on afterwards in any case.
///
/// # Errors
/// [`Error::Io`] when a process does not stop within 20 seconds; then `work` has not run.
pub fn frozen<T>(pid: Pid, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut held = Held(Vec::new());
    held.stop(pid)?;
    // Only the postmaster starts processes, and it stands still; one that it started last may show up late.
    loop {
        let fresh: Vec<Pid> = children(pid)
            .into_iter()
            .filter(|child| !held.0.contains(child))
            .collect();
        if fresh.is_empty() {
            break;
        }
        for child in fresh {
            held.stop(child)?;
        }
    }
    work()
}

/// The processes that stand still; they go on when this is dropped.
struct Held(Vec<Pid>);

impl Held {
    fn stop(&mut self, pid: Pid) -> Result<()> {
        self.0.push(pid);
        if kill(pid, Signal::SIGSTOP).is_err() {
            return Ok(());
        }
        let deadline = Instant::now() + STANDSTILL;
        // A process in a disk write stops only when that is done.
        while !stands_still(pid) {
            if Instant::now() > deadline {
                let source = std::io::Error::from(std::io::ErrorKind::TimedOut);
                return Err(Error::Io {
                    what: format!("stop process {pid}"),
                    source,
                });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            // One that was killed meanwhile needs nothing.
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

/// Whether a process is stopped, or gone.
fn stands_still(pid: Pid) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    // The program's name may hold spaces and parentheses; the state follows the last one.
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().next());
    matches!(state, Some("T" | "t" | "Z" | "X") | None)
}

fn children(pid: Pid) -> Vec<Pid> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|child| child.parse().ok())
        .map(Pid::from_raw)
        .collect()
}
