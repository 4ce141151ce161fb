//! The system libraries that the PostgreSQL builds want.

use std::path::Path;
use std::process::Command;

use crate::binaries::run;
use crate::{Error, Result};

/// Library name prefixes and the Debian packages that bring them.
const PACKAGES: [(&str, &str); 13] = [
    ("libcrypto.so.3", "libssl3"),
    ("libssl.so.3", "libssl3"),
    ("libgssapi_krb5", "libgssapi-krb5-2"),
    ("libkrb5", "libgssapi-krb5-2"),
    ("libk5crypto", "libgssapi-krb5-2"),
    ("libcom_err", "libcom-err2"),
    ("libxml2", "libxml2"),
    ("libxslt", "libxslt1.1"),
    ("libicu", "libicu-dev"),
    ("liblz4", "liblz4-1"),
    ("libzstd", "libzstd1"),
    ("libreadline", "libreadline8"),
    ("libz.so.1", "zlib1g"),
];

/// The programs that are used; extensions that want more libraries are not.
const PROGRAMS: [&str; 4] = ["postgres", "initdb", "psql", "pg_upgrade"];

/// Names of the shared libraries that `ldd` does not find for the build in `root`.
///
/// # Errors
/// [`Error::Program`] or [`Error::Io`] when `ldd` cannot be run.
pub fn missing_libraries(root: &Path) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for program in PROGRAMS {
        let path = root.join("bin").join(program);
        missing.extend(not_found(&run(Command::new("ldd")
            .env("LD_LIBRARY_PATH", root.join("lib"))
            .arg(path))?));
    }
    missing.sort();
    missing.dedup();
    Ok(missing)
}

fn not_found(ldd: &str) -> Vec<String> {
    ldd.lines()
        .filter_map(|line| line.trim().split_once(" => "))
        .filter(|(_, found)| found.starts_with("not found"))
        .map(|(library, _)| library.to_owned())
        .collect()
}

pub(crate) fn check(root: &Path) -> Result<()> {
    // `ldd` on four programs takes 50 ms; the mark makes that once per unpacked build.
    let mark = root.join(".libraries-found");
    if mark.exists() {
        return Ok(());
    }
    let missing = missing_libraries(root)?;
    if !missing.is_empty() {
        return Err(describe(&missing));
    }
    std::fs::write(&mark, "").map_err(Error::io(format!("write {}", mark.display())))
}

fn describe(missing: &[String]) -> Error {
    let mut packages: Vec<&str> = missing
        .iter()
        .filter_map(|library| PACKAGES.iter().find(|(prefix, _)| library.starts_with(prefix)))
        .map(|(_, package)| *package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    let packages = match packages.as_slice() {
        [] => "the packages that hold them".to_owned(),
        names => format!("them on Debian with `apt-get install {}`", names.join(" ")),
    };
    Error::MissingLibraries {
        libraries: missing.join(", "),
        packages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_missing_libraries_and_their_packages() {
        let ldd = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibssl.so.3 => not found\n\tlibcrypto.so.3 => not found\n\
                   \tlibzstd.so.1 => /lib/x86_64-linux-gnu/libzstd.so.1 (0x00007f)\n\tlibxml2.so.2 => not found\n";
        let missing = not_found(ldd);
        assert_eq!(missing, ["libssl.so.3", "libcrypto.so.3", "libxml2.so.2"]);
        let message = describe(&missing).to_string();
        assert!(message.contains("apt-get install libssl3 libxml2"), "{message}");
    }
}
