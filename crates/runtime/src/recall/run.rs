//! A run: many answers in one file that never changes, sorted by hash. `docs/formats.md` shows its bytes.
//!
//! In memory are its filter (12 bits for each answer) and where its blocks begin (about 1.5 bits).
use super::draft::{MAGIC, MAGIC_LENGTH, Meta};
use super::filter::Filter;
use super::place::{Place, Sheet};
use fleet_core::{Key, Remembered};
use fleet_journal::Error;
use fleet_types::Time;
use std::cell::RefCell;
use std::path::PathBuf;

/// What precedes an answer's text: the time of asking, and the length.
const HEAD_BYTES: usize = 8 + 4;
/// The end of the file: where the description begins, and the magic again.
const TAIL_BYTES: u64 = 8 + MAGIC_LENGTH as u64;
/// The largest part of a run that is read at once: filters of 700 million answers.
const PART_BYTES_MAX: u64 = 1 << 30;

thread_local! {
    // Making one costs more than a block.
    static UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// An open run.
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
        let read = || -> std::io::Result<(Meta, Filter, Vec<Begin>)> {
            let end = sheet.size().checked_sub(TAIL_BYTES);
            let end = end.ok_or_else(|| damaged("it is too short"))?;
            let mut tail = [0; TAIL_BYTES as usize];
            sheet.read(end, &mut tail)?;
            let (begin, magic) = tail.split_at(8);
            if magic != MAGIC {
                return Err(damaged("it does not end as a run does"));
            }
            let begin = word(begin);
            let meta = unpack(&read_part(sheet.as_ref(), begin, end)?)?;
            let meta: Meta = serde_json::from_slice(&meta)?;
            let filter = unpack(&read_part(sheet.as_ref(), meta.filter_at, begin)?)?;
            let filter = Filter::from_bytes(&filter).ok_or_else(|| damaged("the filter"))?;
            let blocks = unpack(&read_part(sheet.as_ref(), meta.blocks_at, meta.filter_at)?)?;
            let blocks = blocks.chunks_exact(16);
            let blocks = blocks.map(|block| (word(block), word(&block[8..])));
            Ok((meta, filter, blocks.collect()))
        };
        let (meta, filter, blocks) = read().map_err(|error| Error::io("read", &name, error))?;
        Ok(Run {
            number,
            meta,
            filter,
            blocks,
            sheet,
            name,
        })
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
            let texts = block.texts().map_err(|error| self.failed(error))?;
            let lines = block.lines(&texts).map_err(|error| self.failed(error))?;
            for line in lines.iter().filter(|line| line.hash == hash) {
                let entry: Remembered =
                    serde_json::from_slice(line.text).map_err(|error| self.failed(error.into()))?;
                if entry.key() == key && newest.as_ref().is_none_or(|n| n.at() <= entry.at()) {
                    newest = Some(entry);
                }
            }
        }
        Ok(newest)
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
        let begin = self.blocks[block].1;
        let next = self.blocks.get(block + 1).map(|(_, begin)| *begin);
        let end = next.unwrap_or(self.meta.blocks_at);
        let read = || Block::of(read_part(self.sheet.as_ref(), begin, end)?);
        read().map_err(|error| self.failed(error))
    }

    /// Says which file could not be read.
    pub fn failed(&self, error: std::io::Error) -> Error {
        Error::io("read", &self.name, error)
    }
}

/// A block: a frame of hashes, then a frame of texts. Most looks need no more than the hashes.
pub struct Block {
    hashes: Vec<u64>,
    bytes: Vec<u8>,
    /// Where the texts begin.
    texts_at: usize,
}

impl Block {
    fn of(bytes: Vec<u8>) -> std::io::Result<Block> {
        let size = zstd::zstd_safe::find_frame_compressed_size(&bytes);
        let texts_at = size.map_err(|_| damaged("a block is no zstd frame"))?;
        let hashes = unpack(&bytes[..texts_at])?;
        let hashes = hashes.chunks_exact(8).map(word).collect();
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
    pub fn texts(&self) -> std::io::Result<Vec<u8>> {
        unpack(&self.bytes[self.texts_at..])
    }

    /// The lines, in order.
    ///
    /// # Errors
    /// When they are cut.
    pub fn lines<'a>(&self, mut texts: &'a [u8]) -> std::io::Result<Vec<Line<'a>>> {
        let cut = || damaged("a block is cut");
        let mut lines = Vec::with_capacity(self.hashes.len());
        for hash in &self.hashes {
            let (head, rest) = texts.split_at_checked(HEAD_BYTES).ok_or_else(cut)?;
            let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
            let (text, rest) = rest.split_at_checked(length as usize).ok_or_else(cut)?;
            let (hash, at) = (*hash, Time(word(head)));
            lines.push(Line { hash, at, text });
            texts = rest;
        }
        Ok(lines)
    }
}

/// Appends a line to the two parts of a block.
pub fn put_line(hashes: &mut Vec<u8>, texts: &mut Vec<u8>, line: &Line<'_>) {
    hashes.extend_from_slice(&line.hash.to_le_bytes());
    texts.extend_from_slice(&line.at.0.to_le_bytes());
    texts.extend_from_slice(&(line.text.len() as u32).to_le_bytes()); // Denials are bounded far below.
    texts.extend_from_slice(line.text);
}

fn damaged(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, format!("damaged: {what}"))
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

fn read_part(sheet: &dyn Sheet, begin: u64, end: u64) -> std::io::Result<Vec<u8>> {
    let length = end.checked_sub(begin).filter(|n| *n <= PART_BYTES_MAX);
    let length = length.ok_or_else(|| damaged("a part has no place"))?;
    let mut bytes = vec![0; length as usize];
    sheet.read(begin, &mut bytes)?;
    Ok(bytes)
}

/// A zstd frame knows its length and its checksum.
fn unpack(frame: &[u8]) -> std::io::Result<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(frame);
    let size = size.ok().flatten().filter(|size| *size <= PART_BYTES_MAX);
    let size = size.ok_or_else(|| damaged("a part is no zstd frame"))?;
    UNPACKER.with_borrow_mut(|slot| {
        let unpacker = match slot {
            Some(unpacker) => unpacker,
            None => slot.insert(zstd::bulk::Decompressor::new()?),
        };
        unpacker.decompress(frame, size as usize)
    })
}
