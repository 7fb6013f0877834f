//! The durable journal: batches of events, appended in order, synced, chained by hash.
//!
//! It is stage 4 of a command's path: `runtime` hands over the events of a batch, the journal makes
//! them durable, and only then does anyone hear of them. Event bytes are opaque JSON here: what they
//! mean is for `core` to know.
//!
//! Invariants
//! - I3. `Committed` is returned only after the batch is durable; readers see nothing earlier.
//! - I4. An append ends as `Committed`, `Failed` (certainly not written) or `Unknown`. After
//!   `Unknown` the instance refuses every further append until it is opened again.
//! - I14. A fleet's batches have no gap and chain by hash from an anchor to a head; damage is
//!   noticed, named and refused.
//!
//! Left to others: what is in an event, who may write (the epoch is the caller's), when to take a
//! snapshot and when to prune.
//!
//! The types in the order a batch meets them: [`Batch`] → [`Row`] → [`Journal`] → [`Reader`] →
//! [`verify`]. The crate's README has the byte formats and how to add a store.

pub mod archive;
mod audit;
mod batch;
mod codec;
mod damage;
mod error;
pub mod fs;
mod hash;
mod journal;
mod key;
pub mod memory;
mod prune;
mod reader;
mod report;
mod row;
mod snapshot;
pub mod sqlite;
mod verify;

pub use audit::{audit, audit_archives};
pub use batch::{BODY_BYTES_MAX, Batch};
pub use damage::{Damage, Place, What};
pub use error::Error;
pub use hash::{GENESIS, Hash, Hex};
pub use journal::{Anchor, Head, Journal, Outcome, Pruned, SnapshotSaver};
pub use key::FleetKey;
pub use memory::Memory;
pub use reader::Reader;
pub use report::{FleetReport, Report};
pub use row::Row;
pub use snapshot::{SNAPSHOT_BYTES_MAX, SealedSnapshot, Snapshot};
pub use sqlite::{Options, Sqlite};
pub use verify::{Extent, verify};
