//! The tables. `docs/formats.md` shows them; a change here is a new version there.

/// Written to `application_id`: "FLJR".
pub(crate) const APPLICATION_ID: i32 = 0x464c_4a52;

/// Written to `user_version`.
pub(crate) const VERSION: i32 = 1;

/// What a new file is made with.
///
/// `batch` is a log: `id` is the order of commits over all fleets, pages fill completely and the
/// end of the table is always in memory. (Measured against a key of fleet and number, with 1 and
/// with 200 fleets: as fast or faster to write, and nothing limits the numbers.)
pub const SCHEMA: &str = "\
CREATE TABLE head (           -- one row per fleet: where its journal begins and ends
  id          INTEGER PRIMARY KEY,
  fleet       TEXT NOT NULL UNIQUE,     -- tenant/fleet
  last_seq    INTEGER NOT NULL,         -- the last event
  hash        BLOB NOT NULL,            -- of the last row
  epoch       INTEGER NOT NULL,         -- of the last writer
  at          INTEGER NOT NULL,         -- of the last batch, Unix microseconds
  anchor_seq  INTEGER NOT NULL,         -- the last pruned event, or 0
  anchor_hash BLOB NOT NULL             -- of the row that held it, or 32 zero bytes
) STRICT;
CREATE TABLE batch (          -- one row per batch, append-only
  id        INTEGER PRIMARY KEY,        -- order of commits over all fleets
  fleet     INTEGER NOT NULL,           -- head.id
  first_seq INTEGER NOT NULL,
  last_seq  INTEGER NOT NULL,
  epoch     INTEGER NOT NULL,
  at        INTEGER NOT NULL,           -- Unix microseconds
  prev_hash BLOB NOT NULL,              -- of the row before, or 32 zero bytes
  hash      BLOB NOT NULL,              -- BLAKE3, see row.rs
  encoding  INTEGER NOT NULL,           -- of body: 0 as it is, 1 one zstd frame
  body      BLOB NOT NULL,              -- a JSON array of the events
  UNIQUE (fleet, first_seq)
) STRICT;
";
