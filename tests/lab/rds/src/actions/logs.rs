//! Log files of an instance: of its server, and what upgrades left.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use super::answers;
use crate::lab::Lab;
use crate::protocol::{Fault, Request, Xml};

/// The most that one portion holds, in bytes.
const PORTION: u64 = 1 << 20;
/// The folder in all names.
const FOLDER: &str = "error/";

struct LogFile {
    name: String,
    size: u64,
    written: u64,
}

pub(super) fn describe(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let folder = folder(lab, request)?;
    let part = request.text("FilenameContains").unwrap_or_default();
    let since: u64 = request.number("FileLastWritten")?.unwrap_or_default();
    let least: u64 = request.number("FileSize")?.unwrap_or_default();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // The server's standard error has no counterpart on RDS.
        let Ok(metadata) = entry.metadata() else { continue };
        if name == "postmaster.log" || !metadata.is_file() {
            continue;
        }
        let time = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let written = time
            .and_then(|time| u64::try_from(time.as_millis()).ok())
            .unwrap_or_default();
        files.push(LogFile {
            name: format!("{FOLDER}{name}"),
            size: metadata.len(),
            written,
        });
    }
    files.retain(|file| file.name.contains(part) && file.written >= since && file.size >= least);
    files.sort_by(|left, right| left.name.cmp(&right.name));
    answers::list(
        request,
        ("DescribeDBLogFiles", "DescribeDBLogFilesDetails"),
        files,
        |xml, file| {
            xml.text("LogFileName", file.name);
            xml.text("LastWritten", file.written);
            xml.text("Size", file.size);
        },
    )
}

/// A portion begins at the marker; with a number of lines and no marker it is the file's end (API reference).
pub(super) fn download(lab: &Lab, request: &Request) -> Result<Xml, Fault> {
    let name = request.required("LogFileName")?;
    let missing = || Fault::log_file_not_found(name);
    let plain = name.strip_prefix(FOLDER).unwrap_or(name);
    if plain.contains('/') || plain.starts_with('.') {
        return Err(missing());
    }
    let mut file = std::fs::File::open(folder(lab, request)?.join(plain)).map_err(|_| missing())?;
    let size = file.metadata().map_err(|_| missing())?.len();
    let lines: Option<usize> = request.number("NumberOfLines")?;
    let marker = request.text("Marker").map(str::parse::<u64>).transpose();
    let marker = marker.map_err(|_| Fault::invalid_value("The marker is not valid."))?;
    let begin = match (marker, lines) {
        (Some(marker), _) => marker.min(size),
        (None, Some(_)) => size.saturating_sub(PORTION),
        (None, None) => 0,
    };
    let mut content = Vec::new();
    let read = file
        .seek(SeekFrom::Start(begin))
        .and_then(|_| file.take(PORTION).read_to_end(&mut content));
    read.map_err(|error| Fault::internal(error.to_string()))?;
    let (skipped, kept) = cut(&content, lines, marker.is_none());
    let end = begin + (skipped + kept.len()) as u64;
    let mut xml = Xml::default();
    xml.text("LogFileData", String::from_utf8_lossy(kept));
    xml.text("Marker", end);
    xml.text("AdditionalDataPending", end < size);
    Ok(xml)
}

/// The first (or last) lines of a portion, whole lines where there is more than one, and what was skipped before them.
fn cut(content: &[u8], lines: Option<usize>, from_end: bool) -> (usize, &[u8]) {
    let ends: Vec<usize> = content
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1)
        .collect();
    match lines {
        Some(lines) if from_end => {
            let begin = ends.len().checked_sub(lines + 1).map_or(0, |index| ends[index]);
            (begin, &content[begin..])
        }
        Some(lines) if ends.len() > lines => (0, &content[..lines.checked_sub(1).map_or(0, |index| ends[index])]),
        _ if content.len() as u64 == PORTION => (0, &content[..ends.last().copied().unwrap_or(content.len())]),
        _ => (0, content),
    }
}

fn folder(lab: &Lab, request: &Request) -> Result<PathBuf, Fault> {
    let world = lab.world();
    let instance = world.instance(request.required("DBInstanceIdentifier")?)?;
    Ok(world.cluster(&instance.cluster)?.log_folder.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions() {
        let text = b"one\ntwo\nthree\n";
        for (lines, from_end, skipped, kept) in [
            (None, false, 0, "one\ntwo\nthree\n"),
            (Some(2), false, 0, "one\ntwo\n"),
            (Some(9), false, 0, "one\ntwo\nthree\n"),
            (Some(1), true, 8, "three\n"),
            (Some(9), true, 0, "one\ntwo\nthree\n"),
        ] {
            assert_eq!(
                cut(text, lines, from_end),
                (skipped, kept.as_bytes()),
                "{lines:?} {from_end}"
            );
        }
    }
}
