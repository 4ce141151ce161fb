//! The container image without a container engine: the Dockerfile is read, the program is built by the Dockerfile's own
//! script and started in a root folder that holds nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};

/// For the build, in seconds: it compiles every dependency when nothing is cached.
const BUILD_DEADLINE: &str = "1200";
/// For one start of the program, in seconds.
const START_DEADLINE: &str = "60";

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{}", process::id()));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("create {}: {error}", path.display()));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The Dockerfile's instructions; those on several lines as one.
fn dockerfile() -> Vec<String> {
    let text = fs::read_to_string(project("Dockerfile")).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    lines
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

/// What becomes the image: the instructions from the last FROM on.
fn last_stage() -> Vec<String> {
    let all = dockerfile();
    let begin = all.iter().rposition(|line| line.starts_with("FROM ")).expect("a FROM");
    all[begin..].to_vec()
}

/// The arguments of the last such instruction.
fn argument(instructions: &[String], name: &str) -> String {
    let found = instructions.iter().rev().find_map(|line| line.strip_prefix(name));
    found
        .unwrap_or_else(|| panic!("the image has no {name}"))
        .trim()
        .to_owned()
}

/// A process that ends with the test and at its deadline, together with its children.
fn bounded(seconds: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "timeout", "--kill-after=10", seconds]);
    command.arg(program);
    command
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Builds the program as the Dockerfile does, only not optimised. The target folder is its own one, so that its lock and
/// its flags don't meet those of other builds, and it is kept, so that only what has changed is compiled.
fn build(program: &Path) {
    let targets = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("static");
    let output = bounded(BUILD_DEADLINE, project("hack/static-build"))
        .arg(program)
        .env("PROFILE", "dev")
        .env("CARGO_TARGET_DIR", targets)
        .output()
        .unwrap();
    assert!(output.status.success(), "hack/static-build: {}", said(&output));
}

/// Ways to start a program with another root folder: as root, and in a user namespace.
fn ways(user: &str) -> [Vec<String>; 2] {
    [
        vec!["chroot".to_owned(), format!("--userspec={user}")],
        ["unshare", "--map-root-user", "chroot"].map(str::to_owned).to_vec(),
    ]
}

fn start(way: &[String], root: &Path, entrypoint: &str, argument: &str) -> Output {
    bounded(START_DEADLINE, &way[0])
        .args(&way[1..])
        .arg(root)
        .args([entrypoint, argument])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap()
}

#[test]
fn the_image_is_from_scratch_and_its_user_is_not_root() {
    let image = last_stage();
    assert_eq!(image[0], "FROM scratch");
    let user = argument(&image, "USER ");
    let ids: Vec<u32> = user
        .split(':')
        .map(|id| id.parse().unwrap_or_else(|_| panic!("USER {user} is not numeric")))
        .collect();
    assert_eq!(ids.len(), 2, "USER {user} names no group");
    assert!(ids.iter().all(|id| *id != 0), "USER {user} is root");
    assert!(
        !image.iter().any(|line| line.starts_with("RUN ")),
        "nothing can run in an empty image"
    );
}

#[test]
fn the_entrypoint_is_what_the_script_has_built() {
    let all = dockerfile();
    let run = all
        .iter()
        .find(|line| line.starts_with("RUN ") && line.contains(" hack/static-build "));
    let built = run
        .and_then(|line| line.split(' ').next_back())
        .expect("hack/static-build");
    let image = last_stage();
    let entrypoint: Vec<String> = serde_yaml::from_str(&argument(&image, "ENTRYPOINT ")).unwrap();
    assert!(image.contains(&"COPY --from=build /image/ /".to_owned()), "{image:?}");
    assert_eq!(entrypoint, [built.strip_prefix("/image").unwrap()]);
}

#[test]
fn the_program_needs_nothing_but_itself() {
    let folder = Folder::new();
    let image = last_stage();
    let entrypoint: Vec<String> = serde_yaml::from_str(&argument(&image, "ENTRYPOINT ")).unwrap();
    let entrypoint = entrypoint[0].as_str();
    let program = folder.0.join(entrypoint.trim_start_matches('/'));
    build(&program);
    let files: Vec<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files, [program.as_path()]);

    let ldd = said(
        &bounded(START_DEADLINE, "ldd")
            .arg(&program)
            .env("LC_ALL", "C")
            .output()
            .unwrap(),
    );
    assert!(
        ldd.contains("statically linked") || ldd.contains("not a dynamic executable"),
        "{ldd}"
    );

    let ways = ways(&argument(&image, "USER "));
    let tried = ways
        .each_ref()
        .map(|way| start(way, &folder.0, entrypoint, "--version"));
    let works = tried.iter().position(|output| output.status.success()).unwrap_or_else(|| {
        panic!(
            "the program starts in an empty root folder neither as root nor in a user namespace; let the test run as root, \
             or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)\n\
             chroot: {}\nunshare: {}",
            said(&tried[0]),
            said(&tried[1])
        )
    });
    let version = String::from_utf8_lossy(&tried[works].stdout);
    assert_eq!(version.trim_end(), concat!("pgupgrade ", env!("CARGO_PKG_VERSION")));

    let definition = start(&ways[works], &folder.0, entrypoint, "crd");
    assert!(definition.status.success(), "pgupgrade crd: {}", said(&definition));
    let kept = fs::read_to_string(project("crds/pgupgrade.dev_postgresupgrades.yaml")).unwrap();
    assert!(
        String::from_utf8_lossy(&definition.stdout) == kept,
        "crds/ is not what the program prints; run make crds"
    );
}
