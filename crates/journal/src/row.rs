//! A row: a batch sealed by its place in the chain.
//!
//! The hash of a row is BLAKE3 over these bytes, integers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `FLEETJR1` |
//! | 2 | length of the fleet key |
//! | n | the fleet key, `tenant/fleet` |
//! | 8 | first_seq |
//! | 8 | last_seq |
//! | 8 | epoch |
//! | 8 | at |
//! | 32 | prev_hash: the hash of the row before, 32 zero bytes for a fleet's first |
//! | 8 | length of the events text |
//! | m | the events text, uncompressed |
//!
//! The encoding is left out, so that a row may be compressed anew without breaking the chain; a
//! wrong encoding shows as an undecodable body or another hash.

use std::borrow::Cow;

use crate::batch::{BODY_BYTES_MAX, Batch};
use crate::codec;
use crate::damage::{Damage, Place, What};
use crate::{Error, FleetKey, Hash};

/// What lies on disk: the batch sealed by its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose journal.
    pub fleet: FleetKey,
    /// The first event's number.
    pub first_seq: u64,
    /// The last event's number.
    pub last_seq: u64,
    /// The writer's epoch.
    pub epoch: u64,
    /// When, in Unix microseconds.
    pub at: u64,
    /// The hash of the row before.
    pub prev_hash: Hash,
    /// The hash of this row; the file head has its bytes.
    pub hash: Hash,
    /// How `body` is stored: 0 as it is, 1 as a zstd frame.
    pub encoding: u8,
    /// The events, stored as `encoding` says.
    pub body: Vec<u8>,
}

/// What sealing adds to a batch; borrows the events when they stay raw.
pub(crate) struct Seal<'a> {
    pub hash: Hash,
    pub encoding: u8,
    pub body: Cow<'a, [u8]>,
}

/// Seals a batch behind the row whose hash is `prev_hash`. Refuses a malformed batch.
pub(crate) fn seal<'a>(batch: &'a Batch, prev_hash: &Hash) -> Result<Seal<'a>, Error> {
    batch.check()?;
    let hash = row_hash(batch, prev_hash);
    let (encoding, body) = codec::encode(&batch.events);
    Ok(Seal {
        hash,
        encoding,
        body,
    })
}

fn row_hash(batch: &Batch, prev_hash: &Hash) -> Hash {
    let fleet = batch.fleet.as_str().as_bytes();
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"FLEETJR1");
    hasher.update(&(fleet.len() as u16).to_le_bytes()); // A key has at most 129 bytes.
    hasher.update(fleet);
    for number in [batch.first_seq, batch.last_seq, batch.epoch, batch.at] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(prev_hash);
    hasher.update(&(batch.events.len() as u64).to_le_bytes());
    hasher.update(&batch.events);
    *hasher.finalize().as_bytes()
}

impl Row {
    /// Seals a batch behind the row whose hash is `prev_hash` ([`crate::GENESIS`] for the first).
    pub fn seal(batch: &Batch, prev_hash: &Hash) -> Result<Row, Error> {
        let Seal {
            hash,
            encoding,
            body,
        } = seal(batch, prev_hash)?;
        Ok(Row {
            fleet: batch.fleet.clone(),
            first_seq: batch.first_seq,
            last_seq: batch.last_seq,
            epoch: batch.epoch,
            at: batch.at,
            prev_hash: *prev_hash,
            hash,
            encoding,
            body: body.into_owned(),
        })
    }

    /// Decodes the body and checks the row against its own hash.
    pub fn open(self) -> Result<Batch, Damage> {
        let place = Place::Batch {
            first_seq: self.first_seq,
            last_seq: self.last_seq,
        };
        let damage = |fleet, what| Damage { fleet, place, what };
        if self.first_seq == 0 || self.last_seq < self.first_seq {
            let why = "its numbers are not a range from 1".to_owned();
            return Err(damage(self.fleet, What::Undecodable { why }));
        }
        let events = match codec::decode(self.encoding, Cow::Owned(self.body), BODY_BYTES_MAX) {
            Ok(events) => events,
            Err(why) => return Err(damage(self.fleet, What::Undecodable { why })),
        };
        let batch = Batch {
            fleet: self.fleet,
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            epoch: self.epoch,
            at: self.at,
            events,
        };
        let computed = row_hash(&batch, &self.prev_hash);
        if computed == self.hash {
            Ok(batch)
        } else {
            Err(damage(
                batch.fleet,
                What::HashMismatch {
                    stored: self.hash,
                    computed,
                },
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GENESIS, Hex};

    fn batch(events: &str) -> Batch {
        Batch {
            fleet: "acme/main".parse().unwrap(),
            first_seq: 1,
            last_seq: 2,
            epoch: 3,
            at: 1_760_000_000_000_000,
            events: events.as_bytes().to_vec(),
        }
    }

    /// The byte format is for ever: this hash was computed from the table in the file head.
    #[test]
    fn the_hash_is_the_documented_one() {
        let row = Row::seal(&batch("[1,2]"), &GENESIS).unwrap();
        let mut bytes = b"FLEETJR1\x09\x00acme/main".to_vec();
        for number in [1u64, 2, 3, 1_760_000_000_000_000] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([0; 32]);
        bytes.extend(5u64.to_le_bytes());
        bytes.extend(b"[1,2]");
        assert_eq!(blake3::hash(&bytes).as_bytes(), &row.hash);
        let pinned = "a12563177864bda13763ea763f13c3b93f5dff3f05adba42e7f40c688d672a7f";
        assert_eq!(Hex(&row.hash).to_string(), pinned);
    }

    #[test]
    fn every_bit_counts() {
        let bits = 0..8u8;
        let long = format!("[1,\"{}\"]", "permit ".repeat(300));
        for events in ["[1,2]", &long] {
            let row = Row::seal(&batch(events), &GENESIS).unwrap();
            assert_eq!(row.clone().open().unwrap(), batch(events));
            for bit in bits.clone() {
                for at in 0..row.body.len() {
                    let mut row = row.clone();
                    row.body[at] ^= 1 << bit;
                    // A zstd frame has a few bits that do not change what comes out.
                    if let Ok(opened) = row.open() {
                        assert_eq!(opened, batch(events));
                    }
                }
                let changes: [fn(&mut Row, u8); 7] = [
                    |row, bit| row.first_seq ^= 1 << bit,
                    |row, bit| row.last_seq ^= 1 << bit,
                    |row, bit| row.epoch ^= 1 << bit,
                    |row, bit| row.at ^= 1 << bit,
                    |row, bit| row.prev_hash[31] ^= 1 << bit,
                    |row, bit| row.hash[0] ^= 1 << bit,
                    |row, bit| row.encoding ^= 1 << bit,
                ];
                for change in changes {
                    let mut row = row.clone();
                    change(&mut row, bit);
                    assert!(row.open().is_err());
                }
            }
        }
    }

    /// A hash proves nothing of a row that was forged whole; its numbers must not lead a reader astray.
    #[test]
    fn forged_numbers_are_refused() {
        for (first_seq, last_seq) in [(5, 4), (0, 1)] {
            let batch = Batch {
                first_seq,
                last_seq,
                ..batch("[]")
            };
            let hash = row_hash(&batch, &GENESIS);
            let Batch {
                fleet,
                epoch,
                at,
                events: body,
                ..
            } = batch;
            let (prev_hash, encoding) = (GENESIS, codec::RAW);
            let row = Row {
                fleet,
                first_seq,
                last_seq,
                epoch,
                at,
                prev_hash,
                hash,
                encoding,
                body,
            };
            let said = row.open().unwrap_err().to_string();
            assert!(
                said.ends_with("undecodable: its numbers are not a range from 1"),
                "{said}"
            );
        }
    }
}
