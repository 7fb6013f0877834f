//! Snapshots as files: `snapshots/<tenant>/<fleet>/<seq, 20 digits>.snapshot` in the data directory.
//!
//! They are beside the database and not in it, so that a large one can be written by another thread
//! and never stands in the log before an append. A file is one line of JSON (the header), then the
//! body as `encoding` says.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SqliteReader;
use crate::damage::{Damage, Place, What};
use crate::{
    Error, FleetKey, Hash, SNAPSHOT_BYTES_MAX, SealedSnapshot, Snapshot, SnapshotSaver, fs, hash,
};

const SUFFIX: &str = ".snapshot";
const HEADER_BYTES_MAX: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Header {
    /// The version of this file's format: 1.
    snapshot: u32,
    fleet: FleetKey,
    seq: u64,
    at: u64,
    format: u32,
    #[serde(with = "hash::hex")]
    chain: Hash,
    #[serde(with = "hash::hex")]
    hash: Hash,
    encoding: u8,
    bytes: u64,
}

fn dir_of(dir: &Path, fleet: &FleetKey) -> PathBuf {
    fs::fleet_dir(&dir.join("snapshots"), fleet)
}

fn path_of(dir: &Path, fleet: &FleetKey, seq: u64) -> PathBuf {
    dir_of(dir, fleet).join(format!("{seq:020}{SUFFIX}"))
}

pub(super) fn list(dir: &Path, fleet: &FleetKey) -> Result<Vec<u64>, Error> {
    let names = fs::files(&dir_of(dir, fleet), SUFFIX)?;
    Ok(names
        .into_iter()
        .filter_map(|(name, _)| name.parse().ok())
        .collect())
}

pub(super) fn load(
    dir: &Path,
    fleet: &FleetKey,
    seq: u64,
) -> Result<Option<SealedSnapshot>, Error> {
    let path = path_of(dir, fleet, seq);
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", &path, error)),
    };
    let mut file = std::io::BufReader::new(file);
    let mut line = vec![];
    let mut body = vec![];
    let read = (&mut file)
        .take(HEADER_BYTES_MAX)
        .read_until(b'\n', &mut line)
        .and_then(|_| {
            file.take(SNAPSHOT_BYTES_MAX as u64 + 1)
                .read_to_end(&mut body)
        });
    read.map_err(|error| Error::io("read", &path, error))?;
    let undecodable = |why: String| {
        let place = Place::Snapshot { seq };
        Damage {
            fleet: fleet.clone(),
            place,
            what: What::Undecodable { why },
        }
    };
    let header: Header =
        serde_json::from_slice(&line).map_err(|error| undecodable(format!("header: {error}")))?;
    if (header.snapshot, &header.fleet, header.seq) != (1, fleet, seq) {
        return Err(undecodable("the header is of another snapshot".to_owned()).into());
    }
    if header.bytes != body.len() as u64 {
        let why = format!(
            "the body has {} bytes, the header says {}",
            body.len(),
            header.bytes
        );
        return Err(undecodable(why).into());
    }
    let Header {
        fleet,
        seq,
        at,
        format,
        chain,
        hash,
        encoding,
        ..
    } = header;
    Ok(Some(SealedSnapshot {
        fleet,
        seq,
        at,
        format,
        chain,
        hash,
        encoding,
        body,
    }))
}

/// Files that a crash left half written.
pub(super) fn remove_leftovers(dir: &Path) -> Result<(), Error> {
    for (_, tenant) in fs::files(&dir.join("snapshots"), "")? {
        for (_, fleet) in fs::files(&tenant, "")? {
            for (_, path) in fs::files(&fleet, ".tmp")? {
                std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
            }
        }
    }
    Ok(())
}

/// Writes snapshots; only files and a reader, so any thread may hold it.
pub(super) struct Saver {
    reader: SqliteReader,
    dir: PathBuf,
    kept: usize,
}

impl Saver {
    pub fn new(reader: SqliteReader, dir: &Path, kept: usize) -> Saver {
        Saver {
            reader,
            dir: dir.to_owned(),
            kept: kept.max(1),
        }
    }
}

impl SnapshotSaver for Saver {
    fn save(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let chain = crate::snapshot::chain_of(&mut self.reader, snapshot)?;
        let sealed = SealedSnapshot::seal(snapshot, &chain);
        let SealedSnapshot {
            fleet,
            seq,
            at,
            format,
            chain,
            hash,
            encoding,
            body,
        } = sealed;
        let path = path_of(&self.dir, &fleet, seq);
        let bytes = body.len() as u64;
        let header = Header {
            snapshot: 1,
            fleet,
            seq,
            at,
            format,
            chain,
            hash,
            encoding,
            bytes,
        };
        fs::replace(&path, |file| {
            serde_json::to_writer(&mut *file, &header)?;
            file.write_all(b"\n")?;
            file.write_all(&body)
        })?;
        let seqs = list(&self.dir, &snapshot.fleet)?;
        for seq in &seqs[..seqs.len().saturating_sub(self.kept)] {
            let path = path_of(&self.dir, &snapshot.fleet, *seq);
            std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
        }
        Ok(())
    }
}
