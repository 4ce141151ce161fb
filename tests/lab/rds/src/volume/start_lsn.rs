//! Where the WAL of a stopped data folder ends: the start LSN of a clone.

use std::path::Path;

use lab_postgres::{Binaries, Error, Result, Server};

/// Size of a WAL page and of a segment (`src/include/pg_config_manual.h`, initdb's default).
const PAGE: u64 = 8192;
const SEGMENT: u64 = 16 << 20;

/// The end of the last record, which is where recovery will end. Read by `pg_waldump` alone.
pub(super) async fn end_of_wal(server: &Server) -> Result<Option<String>> {
    let Some(redo) = redo_location(server.binaries(), &server.data_dir()).await? else {
        return Ok(None);
    };
    let wal = server.data_dir().join("pg_wal").display().to_string();
    let dump = |quiet: bool| {
        let mut arguments = vec![format!("--path={wal}"), format!("--start={redo}")];
        arguments.extend(quiet.then(|| "--quiet".to_owned()));
        arguments
    };
    let messages = output(server.binaries().run("pg_waldump", dump(true), server.folder()).await)?;
    if let Some(lsn) = invalid_record_at(&messages) {
        return Ok(Some(lsn));
    }
    // The end is a page's or segment's end, for which there are other words.
    let records = output(server.binaries().run("pg_waldump", dump(false), server.folder()).await)?;
    Ok(records.lines().rev().find_map(end_of_record))
}

/// The redo location of the last checkpoint, as `pg_controldata` tells it.
pub(super) async fn redo_location(binaries: &Binaries, data: &Path) -> Result<Option<String>> {
    let text = binaries
        .run("pg_controldata", vec![data.display().to_string()], Path::new("/"))
        .await?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Latest checkpoint's REDO location:"));
    Ok(line.map(|lsn| lsn.trim().to_owned()))
}

/// `pg_waldump` fails at the end of what was written; what it says is what is wanted.
fn output(result: Result<String>) -> Result<String> {
    match result {
        Err(Error::Program { output, .. }) => Ok(output),
        other => other,
    }
}

fn invalid_record_at(messages: &str) -> Option<String> {
    let (_, rest) = messages.split_once("invalid record length at ")?;
    let lsn: String = rest
        .chars()
        .take_while(|character| character.is_ascii_hexdigit() || *character == '/')
        .collect();
    parse(&lsn).map(|_| lsn)
}

/// The end of the record that a line of `pg_waldump` describes.
fn end_of_record(line: &str) -> Option<String> {
    let length = line.split_once("len (rec/tot):")?.1.split_once(',')?.0;
    let total: u64 = length.split_once('/')?.1.trim().parse().ok()?;
    let mut position = parse(line.split_once("lsn: ")?.1.split(',').next()?)?;
    let mut rest = total.next_multiple_of(8);
    loop {
        let space = PAGE - position % PAGE;
        if rest <= space {
            position += rest;
            return Some(format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff));
        }
        rest -= space;
        position += space;
        // A page begins with a header, longer on a segment's first one (src/include/access/xlog_internal.h).
        position += if position % SEGMENT == 0 { 40 } else { 24 };
    }
}

fn parse(lsn: &str) -> Option<u64> {
    let (high, low) = lsn.trim().split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_wal_as_printed() {
        let old =
            "pg_waldump: fatal: error in WAL record at 0/1727F90: invalid record length at 0/1727FC8: wanted 24, got 0";
        let new = "pg_waldump: error: error in WAL record at 0/1A2B3C0: invalid record length at 0/1A2B3F8: expected at least 24, got 0";
        assert_eq!(invalid_record_at(old).as_deref(), Some("0/1727FC8"));
        assert_eq!(invalid_record_at(new).as_deref(), Some("0/1A2B3F8"));
        assert_eq!(
            invalid_record_at("pg_waldump: error: could not find file \"000000010000000000000002\""),
            None
        );
    }

    #[test]
    fn ends_of_records() {
        let line = |total: u64, lsn: &str| {
            let head = "rmgr: Transaction len (rec/tot):";
            format!("{head}     34/{total:>6}, tx:        740, lsn: {lsn}, prev 0/01727F58, desc: COMMIT")
        };
        for (total, lsn, end) in [
            (34, "0/01727F90", "0/1727FB8"),
            (112, "0/01727F90", "0/1728000"),
            (113, "0/01727F90", "0/1728020"),
            (32, "0/01FFFFF0", "0/2000038"),
            (9000, "0/01727F90", "0/172A2E8"),
        ] {
            assert_eq!(
                end_of_record(&line(total, lsn)).as_deref(),
                Some(end),
                "{total} at {lsn}"
            );
        }
    }
}
