//! The one cache folder, and locks on what is being put into it.

use std::fs::File;
use std::path::{Path, PathBuf};

use fs2::FileExt as _;

use crate::{Error, Result};

/// The folder for everything that is downloaded or built once per version: `$PGUPGRADE_CACHE`, else
/// `~/.cache/pgupgrade`.
#[must_use]
pub fn cache_dir() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("PGUPGRADE_CACHE").unwrap_or_else(|| {
        let home = set("HOME").unwrap_or_else(|| PathBuf::from("/root"));
        home.join(".cache").join("pgupgrade")
    })
}

/// An exclusive lock between processes, held until dropped.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Waits for the lock on `folder`, which need not exist yet. The lock file `<folder>.lock` stays behind: removing
    /// it would let two processes hold two locks of one name.
    ///
    /// # Errors
    /// [`Error::Io`] when the lock file cannot be made.
    pub fn acquire(folder: &Path) -> Result<Self> {
        let mut name = folder.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Error::io(format!("create {}", parent.display())))?;
        }
        let file = File::create(&path).map_err(Error::io(format!("create {}", path.display())))?;
        file.lock_exclusive()
            .map_err(Error::io(format!("lock {}", path.display())))?;
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file releases the lock as well; a failure here has no consequence.
        let _ = fs2::FileExt::unlock(&self.file);
    }
}
