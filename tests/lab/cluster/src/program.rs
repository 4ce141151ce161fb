//! The programs that a cluster is made of: found, or built once into the cache folder.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab_postgres::FolderLock;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go");
const PROGRAM: &str = "pgupgrade-lab-kube";
const KUBERNETES: &str = "k8s.io/kubernetes";

/// Where each component's program is: in the folder named by `KUBEBUILDER_ASSETS` (what `setup-envtest` installs), else
/// in the one program built from this crate's Go module, which takes the component's name as its first argument.
#[derive(Clone, Debug)]
pub struct Programs {
    built: PathBuf,
    assets: Option<PathBuf>,
}

impl Programs {
    /// Builds the program unless a build of the same sources is in the cache folder. The first build takes minutes;
    /// another process that wants the same one waits for it.
    ///
    /// # Errors
    /// [`Error::Spawn`] without Go, [`Error::Build`], [`Error::File`], [`Error::Lock`].
    pub async fn ensure() -> Result<Self> {
        let built = tokio::task::spawn_blocking(|| build(Path::new(MODULE), &lab_postgres::cache_dir())).await??;
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty());
        Ok(Self {
            built,
            assets: assets.map(PathBuf::from),
        })
    }

    /// The built program.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.built
    }

    /// A command that runs one component: `etcd`, `kube-apiserver`, `kube-controller-manager`, `kube-scheduler`,
    /// `kubectl` or `node`.
    #[must_use]
    pub fn command(&self, component: &str) -> Command {
        let asset = self.assets.as_ref().map(|folder| folder.join(component));
        if let Some(asset) = asset.filter(|path| is_executable(path)) {
            return Command::new(asset);
        }
        let mut command = Command::new(&self.built);
        command.arg(component);
        command
    }

    /// kubectl: from `KUBEBUILDER_ASSETS` or PATH, else the built one.
    #[must_use]
    pub fn kubectl(&self) -> Command {
        let in_assets = self
            .assets
            .as_ref()
            .is_some_and(|folder| is_executable(&folder.join("kubectl")));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path)
            .map(|folder| folder.join("kubectl"))
            .find(|path| is_executable(path));
        match on_path {
            Some(program) if !in_assets => Command::new(program),
            _ => self.command("kubectl"),
        }
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn build(module: &Path, cache: &Path) -> Result<PathBuf> {
    let version = required_version(&module.join("go.mod"))?;
    let folder = cache
        .join("kubernetes")
        .join(format!("{version}-{}", fingerprint(module)?));
    let program = folder.join(PROGRAM);
    if program.exists() {
        return Ok(program);
    }
    let _lock = FolderLock::acquire(&folder)?;
    if program.exists() {
        return Ok(program);
    }
    std::fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
    tracing::info!(program = %program.display(), "building the local cluster; the first build takes minutes");
    let unfinished = folder.join(format!("{PROGRAM}.unfinished"));
    run_go(module, cache, &version, &unfinished)?;
    std::fs::rename(&unfinished, &program).map_err(Error::file("rename", &unfinished))?;
    Ok(program)
}

fn run_go(module: &Path, cache: &Path, version: &str, output: &Path) -> Result<()> {
    let result = Command::new("go")
        .current_dir(module)
        .args(["build", "-trimpath", "-ldflags", &linker_flags(version), "-o"])
        .arg(output)
        .arg(".")
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly -modcacherw")
        .env("GOMODCACHE", cache.join("go").join("mod"))
        .env("GOCACHE", cache.join("go").join("build"))
        .output()
        .map_err(|source| Error::Spawn {
            program: "go (1.26 or newer)".to_owned(),
            source,
        })?;
    if result.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&result.stderr);
    let lines: Vec<&str> = text.lines().collect();
    Err(Error::Build {
        folder: module.to_owned(),
        status: result.status,
        output: lines[lines.len().saturating_sub(30)..].join("\n"),
    })
}

/// Kubernetes learns its version from the linker; without it, it calls itself `v0.0.0-master+$Format:%H$`, which kubectl
/// and helm cannot parse.
fn linker_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    let package = "k8s.io/component-base/version";
    format!(
        "-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} \
         -X {package}.gitTreeState=clean"
    )
}

/// The version of Kubernetes that `go.mod` requires.
fn required_version(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
    let mut requirements = text.lines().map(|line| line.trim().trim_start_matches("require "));
    let version = requirements.find_map(|line| line.strip_prefix(KUBERNETES)?.strip_prefix(' ')?.split(' ').next());
    version.map(str::to_owned).ok_or_else(|| Error::NoVersion {
        path: path.to_owned(),
        module: KUBERNETES,
    })
}

/// A hash over everything that goes into the program: sources without tests, `go.mod`, `go.sum`.
fn fingerprint(module: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(module, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    for path in &files {
        let content = std::fs::read(path).map_err(Error::file("read", path))?;
        let name = path.strip_prefix(module).unwrap_or(path);
        hash.update(name.as_os_str().as_encoded_bytes());
        hash.update(content.len().to_be_bytes());
        hash.update(&content);
    }
    let digest = hash.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Ok(format!("{:016x}", u64::from_be_bytes(first)))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_source = path.extension() == Some(OsStr::new("go")) && !name.ends_with("_test.go");
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_source || name == "go.mod" || name == "go.sum" {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn version_is_read_from_the_module() {
        let version = required_version(&Path::new(MODULE).join("go.mod")).unwrap();
        let flags = linker_flags(&version);
        assert!(
            flags.contains(&format!(".gitVersion={version} ")) && flags.contains(".gitMajor=1 "),
            "{flags}"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("go.mod");
        std::fs::write(&path, "require k8s.io/kubernetes-more v1.0.0\n").unwrap();
        assert!(matches!(required_version(&path), Err(Error::NoVersion { .. })));
        std::fs::write(&path, "require k8s.io/kubernetes v1.2.3 // indirect\n").unwrap();
        assert_eq!(required_version(&path).unwrap(), "v1.2.3");
    }

    #[test]
    fn fingerprint_covers_sources_and_sums_only() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        write("go.sum", "1");
        write("inner/a.go", "1");
        let first = fingerprint(folder.path()).unwrap();
        for (name, counts) in [
            ("inner/a_test.go", false),
            ("notes.txt", false),
            ("inner/b.go", true),
            ("go.sum", true),
        ] {
            let before = fingerprint(folder.path()).unwrap();
            write(name, "2");
            assert_eq!(fingerprint(folder.path()).unwrap() != before, counts, "{name}");
        }
        std::fs::remove_file(folder.path().join("inner/b.go")).unwrap();
        write("go.sum", "1");
        assert_eq!(fingerprint(folder.path()).unwrap(), first);
    }

    #[test]
    fn assets_are_taken_one_by_one() {
        let assets = tempfile::tempdir().unwrap();
        let etcd = assets.path().join("etcd");
        std::fs::write(&etcd, "").unwrap();
        let programs = Programs {
            built: "/built".into(),
            assets: Some(assets.path().to_owned()),
        };
        assert_eq!(
            programs.command("etcd").get_program(),
            "/built",
            "a file that cannot be run is no program"
        );
        std::fs::set_permissions(&etcd, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(programs.command("etcd").get_program(), etcd.as_os_str());
        let built = programs.command("kube-scheduler");
        assert_eq!(
            (built.get_program(), built.get_args().next()),
            (OsStr::new("/built"), Some(OsStr::new("kube-scheduler")))
        );
    }
}
