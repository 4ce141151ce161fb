//! The account that servers run as: PostgreSQL refuses to run as root.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User, geteuid};

use crate::{Error, Result};

/// The uid and gid to run servers as, or `None` when the runner's own will do.
pub(crate) fn unprivileged() -> Result<Option<(u32, u32)>> {
    if geteuid() != Uid::from_raw(0) {
        return Ok(None);
    }
    let nobody = User::from_name("nobody").ok().flatten().ok_or(Error::NoAccount)?;
    Ok(Some((nobody.uid.as_raw(), nobody.gid.as_raw())))
}

/// Gives one file or folder (not what is in it) to the account that servers run as. Does nothing when not root.
///
/// # Errors
/// [`Error::Io`] when the owner cannot be changed, [`Error::NoAccount`] when there is no such account.
pub fn hand_over(path: &Path) -> Result<()> {
    match unprivileged()? {
        None => Ok(()),
        Some((uid, gid)) => {
            chown(path, Some(uid), Some(gid)).map_err(Error::io(format!("change the owner of {}", path.display())))
        }
    }
}

/// A command that runs `program` from `folder` as the unprivileged account, ended by `death_signal` when the thread
/// that starts it ends.
///
/// Where the folder lies below one that others may not traverse (`/root`), the account keeps the one capability to do
/// so; `no_setuid_fixup` lets `access(2)` see it.
pub(crate) fn command(folder: &Path, program: &str, death_signal: Option<&str>) -> Result<Command> {
    let account = unprivileged()?;
    let path = folder.join(program);
    if account.is_none() && death_signal.is_none() {
        return Ok(Command::new(path));
    }
    let mut command = Command::new("setpriv");
    if let Some((uid, gid)) = account {
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={gid}"))
            .arg("--clear-groups");
        if !reachable_by_others(folder) {
            command.args(["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]);
            command.arg("--securebits=+no_setuid_fixup");
        }
    }
    if let Some(signal) = death_signal {
        command.arg(format!("--pdeathsig={signal}"));
    }
    command.arg("--").arg(path);
    Ok(command)
}

/// Whether every folder on the way may be traversed by anyone.
fn reachable_by_others(folder: &Path) -> bool {
    folder.ancestors().all(|ancestor| {
        ancestor.as_os_str().is_empty()
            || std::fs::metadata(ancestor).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
    })
}
