//! A major version upgrade in place, by `pg_upgrade --link`.

use std::path::{Path, PathBuf};

use lab_postgres::{Binaries, Error, Result, StopMode};

use super::{Volume, prelude, start_lsn};

const OBSTACLES: &str = include_str!("../../sql/upgrade_obstacles.sql");

/// How an upgrade ended.
#[derive(Debug)]
pub(crate) enum Upgraded {
    /// The volume has the new version; its server is stopped.
    Done,
    /// The volume is as it was, for this reason; its server may be stopped.
    Refused(String),
    /// The volume has neither version.
    Broken(String),
}

impl Volume {
    /// What RDS finds before it takes the server offline; `None` when nothing stands in the way.
    pub(crate) async fn upgrade_obstacles(&self) -> Result<Option<String>> {
        let client = self.connect("postgres").await?;
        let slots_block = self.server.binaries().major() < 17;
        let rows = client
            .query(OBSTACLES, &[&slots_block])
            .await
            .map_err(|source| self.server.sql_error(source))?;
        let reasons: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        if reasons.is_empty() {
            return Ok(None);
        }
        let reasons = reasons.join("\n");
        for name in ["pg_upgrade_precheck", "pg_upgrade_internal"] {
            self.write_log(name, &format!("Upgrade could not be run\n{reasons}\n"));
        }
        Ok(Some(reasons))
    }

    /// Makes the new version's data folder and runs `pg_upgrade`. `start_options` go to the new server while it does.
    pub(crate) async fn upgrade(&mut self, target: &Binaries, start_options: &str) -> Result<Upgraded> {
        let leftover = self.server.folder().join("data.new");
        let _ = std::fs::remove_dir_all(&leftover);
        let new = self.server.initialize(target, "data.new").await?;
        self.stop(StopMode::Fast).await?;
        let arguments = self.arguments(&new, start_options);
        let result = target.run("pg_upgrade", arguments, self.server.folder()).await;
        self.collect_logs(&new.join("pg_upgrade_output.d"));
        match result {
            Ok(text) => {
                self.write_log("pg_upgrade_internal", &text);
                self.replace_data(target, &new).await?;
                Ok(Upgraded::Done)
            }
            Err(Error::Program { output, .. }) => {
                self.write_log("pg_upgrade_internal", &output);
                let reason = failed_check(&output);
                // `--link` renames the control file just before it links the first file.
                if self.server.data_dir().join("global/pg_control").exists() {
                    remove(&new)?;
                    return Ok(Upgraded::Refused(reason));
                }
                Ok(Upgraded::Broken(reason))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether replication slots lie in the stopped volume.
    pub(crate) fn has_slots(&self) -> bool {
        let folder = self.server.data_dir().join("pg_replslot");
        std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// After the first start with the new version: roles and functions that it does not carry over.
    pub(crate) async fn refurnish(&self) -> Result<()> {
        prelude::refurnish(self).await
    }

    fn arguments(&self, new: &Path, start_options: &str) -> Vec<String> {
        let options = self.server.options();
        let mut arguments: Vec<String> = ["--link", "--retain", "--jobs=2", "--no-sync"].map(Into::into).into();
        arguments.extend([
            format!("--old-bindir={}", self.server.binaries().bin_dir().display()),
            format!("--old-datadir={}", self.server.data_dir().display()),
            format!("--new-datadir={}", new.display()),
            format!("--socketdir={}", self.server.socket_dir().display()),
            format!("--username={}", options.superuser),
            format!("--old-port={}", options.port),
            format!("--new-port={}", options.port),
            "--old-options=-c logging_collector=off".to_owned(),
            format!("--new-options={start_options}"),
        ]);
        arguments
    }

    async fn replace_data(&mut self, target: &Binaries, new: &Path) -> Result<()> {
        let data = self.server.data_dir();
        remove(&data)?;
        remove(&new.join("pg_upgrade_output.d"))?;
        std::fs::rename(new, &data).map_err(io(format!("rename {}", new.display())))?;
        self.server.set_binaries(target.clone());
        // The new version counts its WAL anew: a start LSN is a plausible number then, and means nothing.
        if self.start_lsn.is_some() {
            self.start_lsn = start_lsn::redo_location(target, &data).await?;
        }
        Ok(())
    }

    /// Keeps what `pg_upgrade` left, under the names that RDS uses.
    fn collect_logs(&self, output: &Path) {
        for file in files_below(output) {
            let name = file
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            // The internal log is the program's output, which is written in any case.
            if name == "pg_upgrade_internal.log" {
                continue;
            }
            if let Ok(content) = std::fs::read(&file) {
                let stem = name.strip_suffix(".log").unwrap_or(&name);
                self.write_log(stem, &String::from_utf8_lossy(&content));
            }
        }
    }

    fn write_log(&self, name: &str, content: &str) {
        let time = jiff::Timestamp::now().strftime("%Y-%m-%d-%H%M%S");
        let extension = if name.contains('.') { "" } else { ".log" };
        let path = self.server.log_dir().join(format!("{name}{extension}.{time}"));
        if let Err(error) = std::fs::write(&path, content) {
            tracing::warn!(path = %path.display(), %error, "a log of the upgrade is lost");
        }
    }
}

/// The failed check in `pg_upgrade`'s output: from the line that says "fatal" on.
fn failed_check(output: &str) -> String {
    let lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let first = lines
        .iter()
        .position(|line| line.ends_with("fatal"))
        .unwrap_or(lines.len().saturating_sub(5));
    lines[first..].join(" ")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] })
        .collect()
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io(format!("remove {}", folder.display()))(error))
        }
        _ => Ok(()),
    }
}

fn io(what: String) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io { what, source }
}
