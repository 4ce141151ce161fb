//! Temporary folders for servers, removed with what runs in them even when the runner is killed.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{Error, Result, account};

/// A temporary folder that the unprivileged account may write to. When it is dropped, or its process ends in any way,
/// servers that still run in it are ended at once and it is removed: a small shell process waits for that.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    watchdog: Child,
}

impl Folder {
    /// Makes a folder with a short name (sockets want short paths) in the system's folder for temporary files.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made, [`Error::NoAccount`].
    pub fn create() -> Result<Self> {
        let parent = std::env::temp_dir();
        let path = tempfile::Builder::new()
            .prefix("lab-")
            .tempdir_in(&parent)
            .map_err(Error::io(format!("create a folder in {}", parent.display())))?
            .keep();
        Self::adopt(&path)
    }

    /// Takes over an empty folder, or makes it; it goes at the end as one that was made by [`Self::create`].
    ///
    /// # Errors
    /// As [`Self::create`]; [`Error::Io`] as well when something is in it, since that would be lost.
    pub fn adopt(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(Error::io(format!("create {}", path.display())))?;
        let mut entries = std::fs::read_dir(path).map_err(Error::io(format!("read {}", path.display())))?;
        if entries.next().is_some() {
            let source = std::io::ErrorKind::DirectoryNotEmpty.into();
            return Err(Error::Io {
                what: format!("take over {}", path.display()),
                source,
            });
        }
        let path = path
            .canonicalize()
            .map_err(Error::io(format!("resolve {}", path.display())))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711))
            .map_err(Error::io(format!("set permissions of {}", path.display())))?;
        account::hand_over(&path)?;
        // In a session of its own: a signal to the runner's process group must not end it.
        let watchdog = Command::new("setsid")
            .args(["sh", "-c", include_str!("watchdog.sh"), "watchdog"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io("start setsid"))?;
        Ok(Self { path, watchdog })
    }

    /// The folder's path, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder in its place for good and returns its path.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        if let Some(mut stdin) = self.watchdog.stdin.take() {
            // A watchdog that is gone already removes nothing either.
            let _ = stdin.write_all(b"keep\n");
        }
        self.path.clone()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        if let Err(error) = self.watchdog.wait() {
            tracing::warn!(folder = %self.path.display(), %error, "the folder may be left behind");
        }
    }
}
