//! A run while it is written.
use super::filter::Filter;
use super::run::{Line, put_line};
use super::spans::Spans;
use fleet_journal::FleetKey;
use fleet_types::{Seq, Time};
use serde::{Deserialize, Serialize};
use std::io::{Result, Write};

/// The format of the runs that this build writes and reads.
pub const FORMAT: u32 = 2;
/// How a run begins and ends.
pub const MAGIC: &[u8; MAGIC_LENGTH] = b"FLEETRN1";
pub const MAGIC_LENGTH: usize = 8;
/// A block is closed when it has so many bytes: what one look-up reads, about a hundred answers.
pub const BLOCK_BYTES: usize = 16 << 10;
/// The longest text of an answer; that of a denial which explains itself is far below.
pub const LINE_BYTES_MAX: usize = 1 << 20;
const LEVEL: i32 = 1;

/// What is said of a run in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The version of the format: [`FORMAT`].
    pub run: u32,
    pub fleet: String,
    /// How often its answers were merged.
    pub level: u32,
    /// How many answers.
    pub count: u64,
    /// When the newest was given.
    pub at_last: Time,
    /// The last record that let one of them go.
    pub seq_last: Seq,
    /// What it answers for; an earlier build did not say.
    #[serde(default)]
    pub spans: Option<Spans>,
    /// Where the list of blocks begins.
    pub blocks_at: u64,
    /// Where the filter begins.
    pub filter_at: u64,
}

/// What is known of a run before its first line.
pub struct About<'a> {
    pub fleet: &'a FleetKey,
    /// How often its answers were merged.
    pub level: u32,
    /// The last record that let one of them go.
    pub seq_last: Seq,
    /// What it answers for.
    pub spans: Spans,
    /// How many answers there are at most.
    pub count_max: u64,
}

/// Writes a run, line by line.
pub struct Draft<'a> {
    out: &'a mut dyn Write,
    packer: zstd::bulk::Compressor<'static>,
    meta: Meta,
    filter: Filter,
    offset: u64,
    /// The two parts of the block that is not full yet.
    hashes: Vec<u8>,
    texts: Vec<u8>,
    block_first: u64,
    blocks: Vec<u8>,
}

impl<'a> Draft<'a> {
    /// Begins a run.
    pub fn begin(out: &'a mut dyn Write, about: About<'_>) -> Result<Draft<'a>> {
        out.write_all(MAGIC)?;
        let mut packer = zstd::bulk::Compressor::new(LEVEL)?;
        packer.include_checksum(true)?;
        Ok(Draft {
            out,
            packer,
            meta: Meta {
                run: FORMAT,
                fleet: about.fleet.as_str().to_owned(),
                level: about.level,
                count: 0,
                at_last: Time(0),
                seq_last: about.seq_last,
                spans: Some(about.spans),
                blocks_at: 0,
                filter_at: 0,
            },
            filter: Filter::with_room(about.count_max),
            offset: MAGIC.len() as u64,
            hashes: Vec::new(),
            texts: Vec::new(),
            block_first: 0,
            blocks: Vec::new(),
        })
    }

    /// Adds a line. Hashes must not fall.
    pub fn put(&mut self, line: &Line<'_>) -> Result<()> {
        if line.text.len() > LINE_BYTES_MAX {
            let why = format!("an answer of {} bytes", line.text.len());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, why));
        }
        if self.hashes.is_empty() {
            self.block_first = line.hash;
        }
        put_line(&mut self.hashes, &mut self.texts, line);
        self.filter.insert(line.hash);
        self.meta.count += 1;
        self.meta.at_last = self.meta.at_last.max(line.at);
        if self.hashes.len() + self.texts.len() >= BLOCK_BYTES {
            self.close_block()?;
        }
        Ok(())
    }

    /// Writes what follows the blocks.
    pub fn finish(mut self) -> Result<()> {
        if !self.hashes.is_empty() {
            self.close_block()?;
        }
        self.meta.blocks_at = self.offset;
        let blocks = std::mem::take(&mut self.blocks);
        self.part(&blocks)?;
        self.meta.filter_at = self.offset;
        self.filter.fold(self.meta.count);
        self.part(&self.filter.to_bytes())?;
        let begin = self.offset;
        self.part(&serde_json::to_vec(&self.meta)?)?;
        self.out.write_all(&begin.to_le_bytes())?;
        self.out.write_all(MAGIC)
    }

    fn close_block(&mut self) -> Result<()> {
        self.blocks.extend(self.block_first.to_le_bytes());
        self.blocks.extend(self.offset.to_le_bytes());
        let mut hashes = std::mem::take(&mut self.hashes);
        let mut texts = std::mem::take(&mut self.texts);
        self.part(&hashes)?;
        self.part(&texts)?;
        hashes.clear();
        texts.clear();
        (self.hashes, self.texts) = (hashes, texts);
        Ok(())
    }

    fn part(&mut self, bytes: &[u8]) -> Result<()> {
        let frame = self.packer.compress(bytes)?;
        self.out.write_all(&frame)?;
        self.offset += frame.len() as u64;
        Ok(())
    }
}
