//! A run: many answers in one file that never changes, sorted by hash. `docs/formats.md` shows its bytes.
//!
//! In memory are its filter (12 bits for each answer) and where its blocks begin (about 1.5 bits).
use super::draft::{BLOCK_BYTES, LINE_BYTES_MAX, MAGIC, MAGIC_LENGTH, Meta};
use super::filter::Filter;
use super::place::{Place, Sheet};
use super::spans::{Mark, Spans};
use fleet_core::{Key, Remembered};
use fleet_journal::Error;
use fleet_types::Time;
use std::cell::RefCell;
use std::path::PathBuf;

/// What precedes an answer's text: the time of asking, and the length.
const HEAD_BYTES: usize = 8 + 4;
/// The end of the file: where the description begins, and the magic again.
const TAIL_BYTES: u64 = 8 + MAGIC_LENGTH as u64;
/// A line of the list of blocks, which takes no more than the two frames of its block.
const BEGIN_BYTES: usize = 8 + 8;
/// The description at most: names, numbers, and some spans of time.
const META_BYTES_MAX: usize = 64 << 10;
/// Each part of a block at most, unpacked: it is closed by the line that fills it.
const PART_BYTES_MAX: usize = BLOCK_BYTES + HEAD_BYTES + LINE_BYTES_MAX;
/// Lines of a block at most: so many without any text fill one.
const LINES_MAX: u64 = (BLOCK_BYTES / (8 + HEAD_BYTES) + 1) as u64;
/// More merges than there are answers in the world.
const LEVEL_MAX: u32 = 64;
/// A filter of so many bytes is taken for any count: earlier builds did not fold it when a merge left most answers out.
const FILTER_BYTES_FREE: u64 = 8 << 20;

thread_local! {
    // Making one costs more than a block.
    static UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Why a part of a run cannot be had.
#[derive(Debug)]
pub enum Fault {
    /// The disk fails.
    Io(std::io::Error),
    /// It is not what was written; what is wrong.
    Damaged(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Io(error)
    }
}

fn damaged(what: impl Into<String>) -> Fault {
    Fault::Damaged(what.into())
}

type Result<T, E = Fault> = std::result::Result<T, E>;

/// An open run. What its file says of itself was held against the file's length before anything was made of it.
pub struct Run {
    pub number: u64,
    pub meta: Meta,
    filter: Filter,
    blocks: Vec<Begin>,
    sheet: Box<dyn Sheet>,
    name: PathBuf,
}

/// The first hash of a block and where it begins.
type Begin = (u64, u64);

/// An answer as it lies in a block.
pub struct Line<'a> {
    pub hash: u64,
    pub at: Time,
    pub text: &'a [u8],
}

impl Run {
    /// Reads what stays in memory.
    ///
    /// # Errors
    /// When the file cannot be read or is not what was written.
    pub fn open(place: &dyn Place, number: u64) -> Result<Run, Error> {
        let (sheet, name) = (place.open(number)?, place.name(number));
        let read = read_frame(sheet.as_ref());
        let (meta, filter, blocks) = read.map_err(|fault| told(&name, fault))?;
        Ok(Run {
            number,
            meta,
            filter,
            blocks,
            sheet,
            name,
        })
    }

    /// What it answers for. An earlier build did not say: all before it, then.
    pub fn spans(&self) -> Spans {
        let before = || Spans::one(Mark::default(), Mark::at_end_of(self.meta.at_last));
        self.meta.spans.clone().unwrap_or_else(before)
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.sheet.size()
    }

    /// The newest answer under a key. Nearly always says at once that there is none.
    ///
    /// # Errors
    /// When it may have one and cannot be read.
    pub fn find(&self, hash: u64, key: Key<'_>) -> Result<Option<Remembered>, Error> {
        if !self.filter.may_have(hash) {
            return Ok(None);
        }
        let mut newest: Option<Remembered> = None;
        // Lines of one hash may begin at the end of a block.
        let first = self.blocks.partition_point(|(first, _)| *first < hash);
        for block in first.saturating_sub(1)..self.blocks.len() {
            if self.blocks[block].0 > hash {
                break;
            }
            let block = self.block(block)?;
            if block.hashes.binary_search(&hash).is_err() {
                continue; // The texts are not even unpacked.
            }
            let texts = block.texts().map_err(|fault| self.failed(fault))?;
            let lines = block.lines(&texts).map_err(|fault| self.failed(fault))?;
            for line in lines.iter().filter(|line| line.hash == hash) {
                let entry = line.entry().map_err(|fault| self.failed(fault))?;
                if entry.key() == key && newest.as_ref().is_none_or(|n| n.at() <= entry.at()) {
                    newest = Some(entry);
                }
            }
        }
        Ok(newest)
    }

    /// Reads everything.
    ///
    /// # Errors
    /// When something of it cannot be read, is not what was written, or would not be found.
    pub fn verify(&self) -> Result<(), Error> {
        let mut count = 0;
        for block in 0..self.blocks.len() {
            let block = self.block(block)?;
            let lines = self.verify_block(&block);
            count += lines.map_err(|fault| self.failed(fault))?;
        }
        if count == self.meta.count {
            return Ok(());
        }
        let why = format!("it has {count} answers and says {}", self.meta.count);
        Err(self.failed(damaged(why)))
    }

    fn verify_block(&self, block: &Block) -> Result<u64> {
        let texts = block.texts()?;
        let lines = block.lines(&texts)?;
        for line in &lines {
            let entry = line.entry()?;
            let is_its_own = entry.key().hash() == line.hash && entry.at() == line.at;
            if !is_its_own || line.at > self.meta.at_last || !self.filter.may_have(line.hash) {
                return Err(damaged("an answer is not where it is looked for"));
            }
        }
        Ok(lines.len() as u64)
    }

    /// How many blocks it has.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Reads a block.
    ///
    /// # Errors
    /// When it cannot be read or is not what was written.
    pub fn block(&self, block: usize) -> Result<Block, Error> {
        let (first, begin) = self.blocks[block];
        let next = self.blocks.get(block + 1).copied();
        let end = next.map_or(self.meta.blocks_at, |(_, begin)| begin);
        let read = || {
            let frames = read(
                self.sheet.as_ref(),
                begin,
                end,
                2 * packed_max(PART_BYTES_MAX),
            )?;
            let block = Block::of(frames)?;
            let last = block.hashes.last().copied().unwrap_or_default();
            let is_beyond = next.is_some_and(|(next, _)| last > next);
            if block.hashes.first() != Some(&first) || is_beyond {
                return Err(damaged("a block is not the one that its list says"));
            }
            Ok(block)
        };
        read().map_err(|fault| self.failed(fault))
    }

    /// Says which file could not be read.
    pub fn failed(&self, fault: Fault) -> Error {
        told(&self.name, fault)
    }
}

fn told(name: &std::path::Path, fault: Fault) -> Error {
    match fault {
        Fault::Io(error) => Error::io("read", name, error),
        Fault::Damaged(why) => Error::Corrupt {
            path: name.to_owned(),
            why,
        },
    }
}

/// What stands around the blocks.
fn read_frame(sheet: &dyn Sheet) -> Result<(Meta, Filter, Vec<Begin>)> {
    let end = sheet.size().checked_sub(TAIL_BYTES);
    let end = end.filter(|end| *end >= MAGIC_LENGTH as u64);
    let end = end.ok_or_else(|| damaged("it is too short for a run"))?;
    let mut head = [0; MAGIC_LENGTH];
    sheet.read(0, &mut head)?;
    let mut tail = [0; TAIL_BYTES as usize];
    sheet.read(end, &mut tail)?;
    let (begin, magic) = tail.split_at(8);
    if head != *MAGIC || magic != MAGIC {
        return Err(damaged("it does not begin and end as a run does"));
    }
    let begin = word(begin);
    let meta = read_part(sheet, "the description", (begin, end), META_BYTES_MAX)?;
    let meta: Meta = serde_json::from_slice(&meta)
        .map_err(|error| damaged(format!("the description: {error}")))?;
    if meta.level > LEVEL_MAX {
        return Err(damaged(format!(
            "it says that it is of level {}",
            meta.level
        )));
    }
    let place = (meta.blocks_at, meta.filter_at);
    let list = read_part(sheet, "the list of blocks", place, list_max(&meta)?)?;
    let blocks = blocks(&list, meta.blocks_at)?;
    let most = blocks.len() as u64 * LINES_MAX;
    if meta.count > most || meta.count < blocks.len() as u64 {
        let (count, blocks) = (meta.count, blocks.len());
        return Err(damaged(format!("{count} answers in {blocks} blocks")));
    }
    let most = Filter::bytes_max(meta.count).max(FILTER_BYTES_FREE);
    let filter = read_part(sheet, "the filter", (meta.filter_at, begin), most as usize)?;
    let filter = Filter::from_bytes(&filter).ok_or_else(|| damaged("the filter has no size"))?;
    Ok((meta, filter, blocks))
}

/// Bytes of the list of blocks at most: no more than those of the blocks.
fn list_max(meta: &Meta) -> Result<usize> {
    let bytes = meta.blocks_at.checked_sub(MAGIC_LENGTH as u64);
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| damaged("the list of blocks has no place"))
}

/// Where the blocks begin: one behind the other, the first at once, and none of them large.
fn blocks(list: &[u8], end: u64) -> Result<Vec<Begin>> {
    if !list.len().is_multiple_of(BEGIN_BYTES) {
        return Err(damaged("the list of blocks is cut"));
    }
    let blocks = list.chunks_exact(BEGIN_BYTES);
    let blocks: Vec<Begin> = blocks.map(|b| (word(b), word(&b[8..]))).collect();
    let most = 2 * packed_max(PART_BYTES_MAX) as u64;
    let mut at = MAGIC_LENGTH as u64;
    for (number, (first, begin)) in blocks.iter().enumerate() {
        let next = blocks.get(number + 1);
        let (next_first, next_begin) = next.copied().unwrap_or((u64::MAX, end));
        let length = next_begin
            .checked_sub(*begin)
            .filter(|n| *n > 0 && *n <= most);
        if *begin != at || length.is_none() || *first > next_first {
            return Err(damaged(format!("the list of blocks, at block {number}")));
        }
        at = next_begin;
    }
    if at != end {
        return Err(damaged("the list of blocks does not reach their end"));
    }
    Ok(blocks)
}

/// A block: a frame of hashes, then a frame of texts. Most looks need no more than the hashes.
pub struct Block {
    hashes: Vec<u64>,
    bytes: Vec<u8>,
    /// Where the texts begin.
    texts_at: usize,
}

impl Block {
    fn of(bytes: Vec<u8>) -> Result<Block> {
        let size = zstd::zstd_safe::find_frame_compressed_size(&bytes);
        let texts_at = size.map_err(|_| damaged("a block is no zstd frame"))?;
        let hashes = unpack("the hashes of a block", &bytes[..texts_at], PART_BYTES_MAX)?;
        if !hashes.len().is_multiple_of(8) {
            return Err(damaged("the hashes of a block are cut"));
        }
        let hashes: Vec<u64> = hashes.chunks_exact(8).map(word).collect();
        if !hashes.is_sorted() {
            return Err(damaged("the hashes of a block are not sorted"));
        }
        Ok(Block {
            hashes,
            bytes,
            texts_at,
        })
    }

    /// Unpacks the texts, for [`Block::lines`].
    ///
    /// # Errors
    /// When they are not what was written.
    pub fn texts(&self) -> Result<Vec<u8>> {
        let texts = &self.bytes[self.texts_at..];
        unpack("the texts of a block", texts, PART_BYTES_MAX)
    }

    /// The lines, in order.
    ///
    /// # Errors
    /// When they are cut.
    pub fn lines<'a>(&self, mut texts: &'a [u8]) -> Result<Vec<Line<'a>>> {
        let cut = || damaged("the texts of a block are cut");
        let mut lines = Vec::with_capacity(self.hashes.len());
        for hash in &self.hashes {
            let (head, rest) = texts.split_at_checked(HEAD_BYTES).ok_or_else(cut)?;
            let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
            let (text, rest) = rest.split_at_checked(length as usize).ok_or_else(cut)?;
            let (hash, at) = (*hash, Time(word(head)));
            lines.push(Line { hash, at, text });
            texts = rest;
        }
        if !texts.is_empty() {
            return Err(damaged("a block has more texts than hashes"));
        }
        Ok(lines)
    }
}

impl Line<'_> {
    fn entry(&self) -> Result<Remembered> {
        let entry = serde_json::from_slice(self.text);
        entry.map_err(|error| damaged(format!("an answer: {error}")))
    }
}

/// Appends a line to the two parts of a block.
pub fn put_line(hashes: &mut Vec<u8>, texts: &mut Vec<u8>, line: &Line<'_>) {
    hashes.extend_from_slice(&line.hash.to_le_bytes());
    texts.extend_from_slice(&line.at.0.to_le_bytes());
    texts.extend_from_slice(&(line.text.len() as u32).to_le_bytes());
    texts.extend_from_slice(line.text);
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// Bytes of a frame at most that holds so many.
fn packed_max(bytes: usize) -> usize {
    zstd::zstd_safe::compress_bound(bytes)
}

fn read(sheet: &dyn Sheet, begin: u64, end: u64, bytes_max: usize) -> Result<Vec<u8>> {
    let is_there = begin >= MAGIC_LENGTH as u64 && end <= sheet.size();
    let length = end.checked_sub(begin).filter(|_| is_there);
    let length = length.and_then(|length| usize::try_from(length).ok());
    let length = length.filter(|length| *length <= bytes_max);
    let length = length.ok_or_else(|| damaged(format!("no part can lie at {begin} to {end}")))?;
    let mut bytes = vec![0; length];
    sheet.read(begin, &mut bytes)?;
    Ok(bytes)
}

fn read_part(
    sheet: &dyn Sheet,
    what: &str,
    (begin, end): (u64, u64),
    max: usize,
) -> Result<Vec<u8>> {
    let frame = read(sheet, begin, end, packed_max(max)).map_err(|fault| match fault {
        Fault::Damaged(why) => damaged(format!("{what}: {why}")),
        Fault::Io(error) => Fault::Io(error),
    })?;
    unpack(what, &frame, max)
}

/// A zstd frame knows its length and its checksum.
fn unpack(what: &str, frame: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(frame);
    let size = size.ok().flatten();
    let size = size.ok_or_else(|| damaged(format!("{what}: it is no zstd frame")))?;
    if size > bytes_max as u64 {
        let why = format!("{what}: it says that it has {size} bytes, more than {bytes_max}");
        return Err(damaged(why));
    }
    let unpacked = UNPACKER.with_borrow_mut(|slot| {
        let unpacker = match slot {
            Some(unpacker) => unpacker,
            None => slot.insert(zstd::bulk::Decompressor::new()?),
        };
        unpacker.decompress(frame, size as usize)
    });
    unpacked.map_err(|error| damaged(format!("{what}: {error}")))
}
