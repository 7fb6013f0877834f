//! Archives: what prune removed, as text that needs none of our code to be read.
//!
//! One file per prune: `<tenant>/<fleet>/<first_seq>-<last_seq>.jsonl.zst`, zstd over lines of JSON.
//! The first line is the header, then one line per batch with its events as they were sealed. The
//! hashes are those of the rows, so an archive continues the chain of the one before it and ends at
//! the anchor of the journal.

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::batch::{BODY_BYTES_MAX, count_elements};
use crate::{Anchor, Error, FleetKey, Hash, Reader, Row, codec, fs, hash};

const SUFFIX: &str = ".jsonl.zst";
const LEVEL: i32 = 3;
/// A line holds one batch and some hashes.
const LINE_BYTES_MAX: u64 = BODY_BYTES_MAX as u64 + 4096;

#[derive(Serialize, Deserialize)]
struct Header {
    /// The version of the archive format: 1.
    archive: u32,
    fleet: FleetKey,
    first_seq: u64,
    last_seq: u64,
    batches: u64,
    /// The hash of the row before the first.
    #[serde(with = "hash::hex")]
    prev_hash: Hash,
    /// The hash of the last row.
    #[serde(with = "hash::hex")]
    hash: Hash,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    first_seq: u64,
    last_seq: u64,
    epoch: u64,
    at: u64,
    #[serde(with = "hash::hex")]
    prev_hash: Hash,
    #[serde(with = "hash::hex")]
    hash: Hash,
    #[serde(borrow)]
    events: &'a RawValue,
}

/// A sound archive file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// Whose journal.
    pub fleet: FleetKey,
    /// Batches in it.
    pub batches: u64,
    /// Events in it.
    pub events: u64,
    /// What it continues: the end of the archive before, or number 0.
    pub begin: Anchor,
    /// Where it ends: the beginning of the next, or the anchor of the journal.
    pub end: Anchor,
}

/// Writes rows, which must be a sound piece of one chain, durably below `root`.
pub(crate) fn write(root: &Path, rows: &[Row]) -> Result<PathBuf, Error> {
    let [first, .., last] = rows else {
        return match rows {
            [only] => write_between(root, only, only, rows),
            _ => Err(Error::Archive {
                path: root.to_owned(),
                why: "there is nothing to archive".to_owned(),
            }),
        };
    };
    write_between(root, first, last, rows)
}

fn write_between(root: &Path, first: &Row, last: &Row, rows: &[Row]) -> Result<PathBuf, Error> {
    let dir = fs::fleet_dir(root, &first.fleet);
    let path = dir.join(format!(
        "{:020}-{:020}{SUFFIX}",
        first.first_seq, last.last_seq
    ));
    let header = Header {
        archive: 1,
        fleet: first.fleet.clone(),
        first_seq: first.first_seq,
        last_seq: last.last_seq,
        batches: rows.len() as u64,
        prev_hash: first.prev_hash,
        hash: last.hash,
    };
    fs::replace(&path, |file| {
        let mut file = zstd::Encoder::new(file, LEVEL)?;
        serde_json::to_writer(&mut file, &header)?;
        file.write_all(b"\n")?;
        rows.iter().try_for_each(|row| write_line(&mut file, row))?;
        file.finish().map(drop)
    })?;
    remove_covered(&dir, first.first_seq, last.last_seq)?;
    Ok(path)
}

fn write_line(file: &mut impl Write, row: &Row) -> std::io::Result<()> {
    let stored = std::borrow::Cow::Borrowed(&row.body[..]);
    let events =
        codec::decode(row.encoding, stored, BODY_BYTES_MAX).map_err(std::io::Error::other)?;
    let Row {
        first_seq,
        last_seq,
        epoch,
        at,
        prev_hash,
        hash,
        ..
    } = *row;
    let events = serde_json::from_slice(&events)?;
    serde_json::to_writer(
        &mut *file,
        &Line {
            first_seq,
            last_seq,
            epoch,
            at,
            prev_hash,
            hash,
            events,
        },
    )?;
    file.write_all(b"\n")
}

/// A crash between archive and removal leaves a file whose batches are archived again later, maybe
/// with more behind them: the larger file replaces it.
fn remove_covered(dir: &Path, first_seq: u64, last_seq: u64) -> Result<(), Error> {
    for (name, path) in fs::files(dir, SUFFIX)? {
        if let Some((first, last)) = range(&name)
            && first == first_seq
            && last < last_seq
        {
            std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
        }
    }
    fs::sync_dir(dir)
}

fn range(name: &str) -> Option<(u64, u64)> {
    let (first, last) = name.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Verifies one archive file: its header, each batch against its hash, and the chain.
pub fn verify(path: &Path) -> Result<Report, Error> {
    let bad = |why: String| Error::Archive {
        path: path.to_owned(),
        why,
    };
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
            Error::io("open", path, error)
        }
        _ => bad(error.to_string()),
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut file = std::io::BufReader::new(zstd::Decoder::new(file).map_err(failed)?);
    let mut text = vec![];
    let mut next_line = |text: &mut Vec<u8>| -> Result<bool, Error> {
        text.clear();
        (&mut file)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', text)
            .map_err(failed)?;
        Ok(!text.is_empty())
    };
    next_line(&mut text)?;
    let header: Header =
        serde_json::from_slice(&text).map_err(|error| bad(format!("header: {error}")))?;
    if header.archive != 1 {
        return Err(bad(format!("format {} is not known", header.archive)));
    }
    let begin = Anchor {
        seq: header.first_seq.saturating_sub(1),
        hash: header.prev_hash,
    };
    let mut report = Report {
        path: path.to_owned(),
        fleet: header.fleet,
        batches: 0,
        events: 0,
        begin,
        end: begin,
    };
    while next_line(&mut text)? {
        let line: Line<'_> = serde_json::from_slice(&text).map_err(|error| {
            bad(format!(
                "batch at {}: {error}",
                report.end.seq.saturating_add(1)
            ))
        })?;
        check_line(&mut report, &line).map_err(bad)?;
    }
    if (report.end.seq, report.end.hash, report.batches)
        != (header.last_seq, header.hash, header.batches)
    {
        return Err(bad(format!(
            "it ends at {}, its header says {}",
            report.end.seq, header.last_seq
        )));
    }
    Ok(report)
}

fn check_line(report: &mut Report, line: &Line<'_>) -> Result<(), String> {
    let Line {
        first_seq,
        last_seq,
        epoch,
        at,
        prev_hash,
        hash,
        events,
    } = *line;
    if (first_seq, prev_hash) != (report.end.seq.saturating_add(1), report.end.hash) {
        return Err(format!(
            "batch {first_seq}..={last_seq} does not follow {}",
            report.end.seq
        ));
    }
    let body = events.get().as_bytes().to_vec();
    let row = Row {
        fleet: report.fleet.clone(),
        first_seq,
        last_seq,
        epoch,
        at,
        prev_hash,
        hash,
        encoding: codec::RAW,
        body,
    };
    let batch = row.open().map_err(|damage| damage.to_string())?;
    match count_elements(&batch.events) {
        Ok(count) if count == batch.count() => {}
        Ok(_) | Err(_) => {
            return Err(format!(
                "batch {first_seq}..={last_seq} has not as many events as numbers"
            ));
        }
    }
    report.batches += 1;
    report.events += batch.count();
    report.end = Anchor {
        seq: last_seq,
        hash,
    };
    Ok(())
}

/// Verifies every archive below `root`, oldest first, and that they continue each other.
pub(crate) fn verify_all(
    root: &Path,
    mut reader: Option<&mut dyn Reader>,
) -> Result<Vec<Report>, Error> {
    let mut reports: Vec<Report> = vec![];
    for (_, tenant) in fs::files(root, "")? {
        for (_, fleet) in fs::files(&tenant, "")? {
            let mut before: Option<Report> = None;
            for (_, path) in fs::files(&fleet, SUFFIX)? {
                let report = verify(&path)?;
                if let Some(before) = &before
                    && report.begin != before.end
                {
                    let why = format!(
                        "it begins after {}, the one before ends at {}",
                        report.begin.seq, before.end.seq
                    );
                    return Err(Error::Archive { path, why });
                }
                before = Some(report.clone());
                reports.push(report);
            }
            if let (Some(last), Some(reader)) = (before, reader.as_deref_mut()) {
                check_anchor(last, reader)?;
            }
        }
    }
    Ok(reports)
}

/// The last archive ends at the anchor; after a crash before the removal it ends behind it, in rows
/// that are still there.
fn check_anchor(last: Report, reader: &mut dyn Reader) -> Result<(), Error> {
    let anchor = reader.anchor(&last.fleet)?;
    if last.end == anchor {
        return Ok(());
    }
    if last.end.seq > anchor.seq
        && let Some(row) = reader.rows(&last.fleet, last.end.seq, 1)?.pop()
        && (Anchor {
            seq: row.last_seq,
            hash: row.hash,
        }) == last.end
    {
        return Ok(());
    }
    let why = format!(
        "it ends at {}, the journal begins after {}",
        last.end.seq, anchor.seq
    );
    Err(Error::Archive {
        path: last.path,
        why,
    })
}
