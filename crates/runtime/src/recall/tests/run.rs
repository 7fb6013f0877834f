//! Files that are not what was written, or that nobody wrote.
use super::{Disk, evicted, key, shelf};
use crate::recall::draft::{FORMAT, MAGIC, Meta};
use crate::recall::place::{InMemory, Place};
use crate::recall::{Recall, Shelf};
use fleet_journal::Error;
use serde_json::{Value, json};

/// A run with some blocks.
fn written() -> Vec<u8> {
    let disk = Disk::new();
    let mut recall = Recall::new(shelf(disk.clone()), None, 4_000);
    (0..400).for_each(|number| recall.push(evicted(number)));
    recall.flush().unwrap();
    let sheet = disk.open(1).unwrap();
    let mut bytes = vec![0; sheet.size() as usize];
    sheet.read(0, &mut bytes).unwrap();
    bytes
}

/// What is said of a file: nothing, when all in it can be read.
fn told(bytes: &[u8]) -> Option<String> {
    let place = InMemory::with_room(usize::MAX);
    place.write(1, &mut |out| out.write_all(bytes)).unwrap();
    let opened = Shelf::open(key(), Box::new(place));
    match opened.and_then(|shelf| shelf.verify()) {
        Ok(()) => None,
        Err(Error::Corrupt { path, why }) => {
            assert!(path.ends_with("000000000001.run"), "{}", path.display());
            Some(why)
        }
        Err(other) => panic!("{}", other.chain()),
    }
}

/// Whether every answer is found as it was.
fn is_whole(bytes: &[u8]) -> bool {
    let place = InMemory::with_room(usize::MAX);
    place.write(1, &mut |out| out.write_all(bytes)).unwrap();
    let runs = Shelf::open(key(), Box::new(place)).unwrap().runs();
    (0..400).map(|number| evicted(number).entry).all(|entry| {
        let found = Shelf::find(&runs, entry.key().hash(), entry.key());
        found.unwrap() == Some(entry)
    })
}

#[test]
fn whatever_is_changed_or_cut_is_told() {
    let bytes = written();
    assert_eq!(told(&bytes), None);
    for at in 0..bytes.len() {
        // All of what stands around the blocks, some of the blocks.
        if at % 41 == 0 || at < 40 || at + 250 > bytes.len() {
            for bit in [0, 5] {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                // Some bits of a frame mean nothing.
                assert!(
                    told(&bytes).is_some() || is_whole(&bytes),
                    "bit {bit} of byte {at}"
                );
            }
            assert!(told(&bytes[..at]).is_some(), "cut at {at}");
        }
    }
}

fn frame(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

/// A sound run whose description says something else.
fn forged(field: &str, value: Value) -> Vec<u8> {
    let mut bytes = written();
    let tail = bytes.len() - 16;
    let begin = u64::from_le_bytes(bytes[tail..tail + 8].try_into().unwrap());
    let meta = zstd::bulk::decompress(&bytes[begin as usize..tail], 1 << 20).unwrap();
    let mut meta: Value = serde_json::from_slice(&meta).unwrap();
    assert!(meta.get(field).is_some());
    meta[field] = value;
    bytes.truncate(begin as usize);
    bytes.extend(frame(meta.to_string().as_bytes()));
    bytes.extend(begin.to_le_bytes());
    bytes.extend(MAGIC);
    bytes
}

#[test]
fn what_a_file_says_of_itself_is_not_believed() {
    assert_eq!(told(&forged("level", json!(3))), None);
    for (field, value) in [
        ("count", json!(u64::MAX)),
        ("count", json!(1)),
        ("count", json!(401)),
        ("count", json!(u64::MAX / 12)),
        ("level", json!(u32::MAX)),
        ("at_last", json!(5)),
        ("blocks_at", json!(0)),
        ("blocks_at", json!(u64::MAX)),
        ("blocks_at", json!(9)),
        ("filter_at", json!(u64::MAX)),
        ("filter_at", json!(8)),
    ] {
        let why = told(&forged(field, value.clone()));
        assert!(why.is_some(), "{field}: {value}");
    }
}

/// A run of these parts, whatever is in them.
fn assembled(blocks: &[u8], list: &[u8], filter: &[u8], count: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(blocks);
    let blocks_at = bytes.len() as u64;
    bytes.extend(list);
    let filter_at = bytes.len() as u64;
    bytes.extend(filter);
    let begin = bytes.len() as u64;
    let meta = Meta {
        run: FORMAT,
        fleet: key().as_str().to_owned(),
        level: 0,
        count,
        at_last: super::MORNING,
        seq_last: fleet_types::Seq(9),
        spans: None,
        blocks_at,
        filter_at,
    };
    bytes.extend(frame(&serde_json::to_vec(&meta).unwrap()));
    bytes.extend(begin.to_le_bytes());
    bytes.extend(MAGIC);
    bytes
}

#[test]
fn a_part_that_says_it_is_large_is_not_unpacked() {
    let zeros = frame(&vec![0; 256 << 20]);
    assert!(zeros.len() < 64 << 10);
    let (nothing, one) = (frame(&[]), frame(&[0; 32]));
    fn why(blocks: &[u8], list: &[u8], filter: &[u8], count: u64) -> String {
        told(&assembled(blocks, list, filter, count)).unwrap()
    }
    assert_eq!(told(&assembled(&[], &nothing, &one, 0)), None);
    assert!(why(&[], &zeros, &one, 0).contains("the list of blocks"));
    assert!(why(&[], &nothing, &zeros, 0).contains("the filter"));
    let list = [7u64.to_le_bytes(), 8u64.to_le_bytes()].concat();
    let block = [frame(&7u64.to_le_bytes()), zeros.clone()].concat();
    let large = why(&block, &frame(&list), &frame(&[0xff; 32]), 1);
    assert!(large.contains("the texts of a block"), "{large}");
    let block = [zeros, one].concat();
    let large = why(&block, &frame(&list), &frame(&[0xff; 32]), 1);
    assert!(large.contains("the hashes of a block"), "{large}");
}
