//! Copying a data folder in two passes: one while its server runs, one for what has changed since, so that the server
//! stands still for the second only.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::{Error, Result, account};

/// A write sets a file's time before the content is there: how much later a reader may still see the old content.
const SETTLED: Duration = Duration::from_secs(10);
/// How much of two files is compared at once.
const BLOCK: usize = 1 << 17;
/// What names the running process is no part of a copy.
const LEFT_OUT: [&str; 2] = ["postmaster.pid", "postmaster.opts"];

/// A copy under way.
pub(crate) struct Copy {
    source: PathBuf,
    target: PathBuf,
    /// Files that can have changed only if what is kept here of them has.
    settled: HashMap<PathBuf, Stamp>,
}

/// Number, length and time of a file.
type Stamp = (u64, u64, SystemTime);

fn stamp(metadata: &Metadata) -> Option<Stamp> {
    Some((metadata.ino(), metadata.len(), metadata.modified().ok()?))
}

impl Copy {
    /// The first pass, from `source` to `target`, which must not exist.
    pub(crate) fn begin(source: &Path, target: &Path) -> Result<Self> {
        let mut copy = Self {
            source: source.to_owned(),
            target: target.to_owned(),
            settled: HashMap::new(),
        };
        let now = SystemTime::now();
        for (path, metadata) in entries(source)? {
            let (from, to) = copy.paths(&path);
            if metadata.is_dir() {
                make_folder(&to, &metadata)?;
            } else if copy_whole(&from, &to)?
                && let Some(stamp) = stamp(&metadata)
                && now.duration_since(stamp.2).is_ok_and(|age| age > SETTLED)
            {
                copy.settled.insert(path, stamp);
            }
        }
        Ok(copy)
    }

    /// The second pass, while nothing changes the source: makes the copy equal to it.
    pub(crate) fn finish(self) -> Result<()> {
        let entries = entries(&self.source)?;
        for (path, metadata) in &entries {
            let (from, to) = self.paths(path);
            if metadata.is_dir() {
                if !to.exists() {
                    make_folder(&to, metadata)?;
                }
            } else if !to.exists() {
                copy_whole(&from, &to)?;
            } else if self.settled.get(path) != stamp(metadata).as_ref() {
                equalize(&from, &to).map_err(Error::io(format!("copy {}", from.display())))?;
            }
        }
        self.remove_what_is_gone(&entries)
    }

    fn remove_what_is_gone(&self, present: &[(PathBuf, Metadata)]) -> Result<()> {
        let present: std::collections::HashSet<&Path> = present.iter().map(|(path, _)| path.as_path()).collect();
        for (path, metadata) in entries(&self.target)?.into_iter().rev() {
            if present.contains(path.as_path()) {
                continue;
            }
            let gone = self.target.join(path);
            // In reverse order a folder comes after what is in it.
            let removed = if metadata.is_dir() {
                std::fs::remove_dir(&gone)
            } else {
                std::fs::remove_file(&gone)
            };
            removed.map_err(Error::io(format!("remove {}", gone.display())))?;
        }
        Ok(())
    }

    fn paths(&self, path: &Path) -> (PathBuf, PathBuf) {
        (self.source.join(path), self.target.join(path))
    }
}

/// All files and folders below a folder (and itself, as the empty path), by relative path, a folder before what is in
/// it.
fn entries(root: &Path) -> Result<Vec<(PathBuf, Metadata)>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        let full = root.join(&path);
        let metadata = match std::fs::symlink_metadata(&full) {
            Err(error) if error.kind() == ErrorKind::NotFound && !path.as_os_str().is_empty() => continue,
            other => other.map_err(Error::io(format!("look at {}", full.display())))?,
        };
        if metadata.is_symlink() {
            let source = std::io::Error::new(ErrorKind::Unsupported, "tablespaces cannot be copied");
            return Err(Error::Io {
                what: format!("copy {}", full.display()),
                source,
            });
        }
        if metadata.is_dir() {
            match std::fs::read_dir(&full) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io(format!("read {}", full.display()))(error)),
                Ok(content) => open.extend(content.flatten().map(|entry| path.join(entry.file_name()))),
            }
        }
        if !LEFT_OUT.iter().any(|name| path == Path::new(name)) {
            found.push((path, metadata));
        }
    }
    Ok(found)
}

fn make_folder(path: &Path, like: &Metadata) -> Result<()> {
    std::fs::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, like.permissions()))
        .map_err(Error::io(format!("create {}", path.display())))?;
    account::hand_over(path)
}

/// Copies one file; `false` when it has gone meanwhile.
fn copy_whole(from: &Path, to: &Path) -> Result<bool> {
    match std::fs::copy(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound && !from.exists() => Ok(false),
        Err(error) => Err(Error::io(format!("copy {}", from.display()))(error)),
        Ok(_) => account::hand_over(to).map(|()| true),
    }
}

/// Writes the blocks in which two files differ: reading is a good deal faster than writing.
fn equalize(from: &Path, to: &Path) -> std::io::Result<()> {
    let (source, target) = (File::open(from)?, File::options().read(true).write(true).open(to)?);
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let (mut wanted, mut found) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut offset = 0;
    while offset < length {
        let size = usize::try_from(length - offset).map_or(BLOCK, |rest| rest.min(BLOCK));
        source.read_exact_at(&mut wanted[..size], offset)?;
        target.read_exact_at(&mut found[..size], offset)?;
        if wanted[..size] != found[..size] {
            target.write_all_at(&wanted[..size], offset)?;
        }
        offset += size as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files that grow, shrink, change in the middle, come and go between the passes.
    #[test]
    fn second_pass_makes_the_copy_equal() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("source"), folder.path().join("target"));
        let write = |name: &str, content: &[u8]| {
            let path = source.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        let large = vec![7; 3 * BLOCK + 5];
        for (name, content) in [
            ("grows", &b"1"[..]),
            ("shrinks", b"123"),
            ("base/changes", &large),
            ("base/gone/x", b"x"),
        ] {
            write(name, content);
        }
        write("same", b"same");
        let old = SystemTime::now() - 2 * SETTLED;
        File::options()
            .write(true)
            .open(source.join("same"))
            .unwrap()
            .set_modified(old)
            .unwrap();
        write("postmaster.pid", b"1");
        let copy = Copy::begin(&source, &target).unwrap();
        assert_eq!(copy.settled.len(), 1);
        let mut changed = large;
        changed[BLOCK + 1] = 8;
        for (name, content) in [
            ("grows", &b"12"[..]),
            ("shrinks", b""),
            ("base/changes", &changed),
            ("new/y", b"y"),
        ] {
            write(name, content);
        }
        std::fs::remove_dir_all(source.join("base/gone")).unwrap();
        copy.finish().unwrap();
        std::fs::remove_file(source.join("postmaster.pid")).unwrap();
        let content = |root: &Path| {
            let mut all: Vec<_> = entries(root).unwrap();
            all.sort_by(|left, right| left.0.cmp(&right.0));
            all.into_iter()
                .map(|(path, _)| (std::fs::read(root.join(&path)).ok(), path))
                .collect::<Vec<_>>()
        };
        assert_eq!(content(&target), content(&source));
        assert_eq!(content(&target).len(), 8);
    }
}
