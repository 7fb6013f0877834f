//! A snapshot: the whole state after one event, so that a restart need not replay from the start.
//!
//! Its hash is BLAKE3 over these bytes, integers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `FLEETSN1` |
//! | 2 | length of the fleet key |
//! | n | the fleet key |
//! | 8 | seq |
//! | 8 | at |
//! | 4 | format |
//! | 32 | chain: the hash of the journal row that holds event seq |
//! | 8 | length of the body |
//! | m | the body, uncompressed |
//!
//! `chain` ties it to one history: a snapshot from another copy of the data is noticed.

use std::borrow::Cow;

use crate::codec;
use crate::damage::{Damage, Place, What};
use crate::{Error, FleetKey, Hash, Reader};

/// The largest snapshot body.
pub const SNAPSHOT_BYTES_MAX: usize = 1 << 30;

/// A fleet's state after one event. What the body means is the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose.
    pub fleet: FleetKey,
    /// The state after this event.
    pub seq: u64,
    /// When it was taken, in Unix microseconds.
    pub at: u64,
    /// Which version of the caller's format the body has.
    pub format: u32,
    /// The state.
    pub body: Vec<u8>,
}

/// A snapshot as it lies on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSnapshot {
    /// Whose.
    pub fleet: FleetKey,
    /// The state after this event.
    pub seq: u64,
    /// When it was taken, in Unix microseconds.
    pub at: u64,
    /// The caller's format.
    pub format: u32,
    /// The hash of the journal row that holds event `seq`.
    pub chain: Hash,
    /// The hash of this snapshot; the file head has its bytes.
    pub hash: Hash,
    /// How `body` is stored: 0 as it is, 1 as a zstd frame.
    pub encoding: u8,
    /// The state, stored as `encoding` says.
    pub body: Vec<u8>,
}

fn snapshot_hash(snapshot: &Snapshot, chain: &Hash) -> Hash {
    let fleet = snapshot.fleet.as_str().as_bytes();
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"FLEETSN1");
    hasher.update(&(fleet.len() as u16).to_le_bytes()); // A key has at most 129 bytes.
    hasher.update(fleet);
    hasher.update(&snapshot.seq.to_le_bytes());
    hasher.update(&snapshot.at.to_le_bytes());
    hasher.update(&snapshot.format.to_le_bytes());
    hasher.update(chain);
    hasher.update(&(snapshot.body.len() as u64).to_le_bytes());
    hasher.update(&snapshot.body);
    *hasher.finalize().as_bytes()
}

impl SealedSnapshot {
    /// Seals a snapshot to the row whose hash is `chain`.
    pub fn seal(snapshot: &Snapshot, chain: &Hash) -> SealedSnapshot {
        let (encoding, body) = codec::encode(&snapshot.body);
        SealedSnapshot {
            fleet: snapshot.fleet.clone(),
            seq: snapshot.seq,
            at: snapshot.at,
            format: snapshot.format,
            chain: *chain,
            hash: snapshot_hash(snapshot, chain),
            encoding,
            body: body.into_owned(),
        }
    }

    /// Decodes the body and checks it against its hash.
    pub fn open(self) -> Result<Snapshot, Damage> {
        let place = Place::Snapshot { seq: self.seq };
        let damage = |fleet, what| Damage { fleet, place, what };
        let body = match codec::decode(self.encoding, Cow::Owned(self.body), SNAPSHOT_BYTES_MAX) {
            Ok(body) => body,
            Err(why) => return Err(damage(self.fleet, What::Undecodable { why })),
        };
        let snapshot = Snapshot {
            fleet: self.fleet,
            seq: self.seq,
            at: self.at,
            format: self.format,
            body,
        };
        let computed = snapshot_hash(&snapshot, &self.chain);
        if computed == self.hash {
            Ok(snapshot)
        } else {
            Err(damage(
                snapshot.fleet,
                What::HashMismatch {
                    stored: self.hash,
                    computed,
                },
            ))
        }
    }
}

/// What every store checks before it saves: the snapshot is of durable events that are still there,
/// and not older than the newest. Returns the hash to seal it to.
pub(crate) fn chain_of(reader: &mut dyn Reader, snapshot: &Snapshot) -> Result<Hash, Error> {
    let Snapshot {
        fleet, seq, body, ..
    } = snapshot;
    let refuse = |why: String| {
        Err(Error::Snapshot {
            fleet: fleet.clone(),
            seq: *seq,
            why,
        })
    };
    if body.len() > SNAPSHOT_BYTES_MAX {
        return refuse(format!(
            "its {} bytes pass the limit of {SNAPSHOT_BYTES_MAX}",
            body.len()
        ));
    }
    if let Some(newest) = reader
        .snapshots(fleet)?
        .last()
        .filter(|newest| *newest > seq)
    {
        return refuse(format!("a newer one exists, of {newest}"));
    }
    let anchor = reader.anchor(fleet)?;
    if *seq > 0 && *seq == anchor.seq {
        return Ok(anchor.hash);
    }
    match reader.rows(fleet, *seq, 1)?.pop() {
        Some(row) if (row.first_seq..=row.last_seq).contains(seq) => Ok(row.hash),
        Some(_) | None => refuse("no batch in the journal holds that event".to_owned()),
    }
}
