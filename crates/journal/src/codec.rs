//! How bytes of a body lie on disk: raw, or one zstd frame that `zstd -d` reads too.
//!
//! zstd at level 1 was chosen over lz4 by measurement (AMD EPYC, one core, permit events of 354
//! bytes with repeating keys; µs per event):
//!
//! | batch | lz4 block: ratio, in, out | zstd 1: ratio, in, out |
//! |---|---|---|
//! | 1    | 1.04, 0.79, 0.13 | 1.30, 3.19, 1.15 |
//! | 8    | 3.08, 0.29, 0.10 | 4.92, 0.65, 0.32 |
//! | 64   | 4.32, 0.20, 0.10 | 9.24, 0.28, 0.15 |
//! | 1000 | 4.71, 0.25, 0.08 | 10.5, 0.33, 0.10 |
//!
//! Twice the ratio for 0.1 µs: the bytes saved in the log and the database cost more than that to
//! sync. A lone event gains nothing worth 3 µs and stays raw. `examples/codec.rs` measures again.
//!
//! Bytes from disk are hostile until proven: the declared size is checked before anything is
//! allocated, and must come out exactly.

use std::borrow::Cow;
use std::cell::RefCell;

/// The bytes as they are.
pub const RAW: u8 = 0;
/// One zstd frame that declares its content size.
pub const ZSTD: u8 = 1;

/// Below this a body stays raw: see the table above.
const COMPRESS_BYTES_MIN: usize = 1024;
const LEVEL: i32 = 1;

thread_local! {
    // Contexts are reused: making one costs more than compressing a batch of 64.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Chooses the encoding. A compressor that fails or does not help leaves the bytes raw.
pub fn encode(bytes: &[u8]) -> (u8, Cow<'_, [u8]>) {
    if bytes.len() >= COMPRESS_BYTES_MIN
        && let Ok(frame) = compress(bytes)
        && frame.len() < bytes.len() - bytes.len() / 8
    {
        return (ZSTD, Cow::Owned(frame));
    }
    (RAW, Cow::Borrowed(bytes))
}

fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(zstd::bulk::Compressor::new(LEVEL)?),
        };
        compressor.compress(bytes)
    })
}

/// Undoes [`encode`]. Refuses what is, or claims to be, longer than `most` bytes.
pub fn decode(encoding: u8, stored: Cow<'_, [u8]>, most: usize) -> Result<Vec<u8>, String> {
    match encoding {
        RAW if stored.len() <= most => Ok(stored.into_owned()),
        RAW => Err(format!("{} bytes pass the limit of {most}", stored.len())),
        ZSTD => decompress(&stored, most),
        other => Err(format!("encoding {other} is not known")),
    }
}

fn decompress(frame: &[u8], most: usize) -> Result<Vec<u8>, String> {
    let declared = match zstd::zstd_safe::get_frame_content_size(frame) {
        Ok(Some(size)) => size,
        Ok(None) => return Err("the zstd frame does not declare its size".to_owned()),
        Err(_) => return Err("the bytes are not a zstd frame".to_owned()),
    };
    let size = usize::try_from(declared).ok().filter(|size| *size <= most);
    let size = size.ok_or_else(|| format!("{declared} declared bytes pass the limit of {most}"))?;
    let bytes = DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(zstd::bulk::Decompressor::new()?),
        };
        decompressor.decompress(frame, size)
    });
    match bytes {
        Ok(bytes) if bytes.len() == size => Ok(bytes),
        Ok(bytes) => Err(format!(
            "{} bytes came out, {size} were declared",
            bytes.len()
        )),
        Err(error) => Err(format!("the zstd frame is broken: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_and_random_stay_raw() {
        assert_eq!(encode(b"[1]").0, RAW);
        assert_eq!(encode(&[7; 5000]).0, ZSTD);
        let mut x = 1u64;
        let noise: Vec<u8> = (0..5000)
            .map(|_| {
                x = x
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (x >> 56) as u8
            })
            .collect();
        assert_eq!(encode(&noise).0, RAW);
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let (encoding, frame) = encode(&[0; 1 << 20]);
        assert!(frame.len() < 200);
        let why = decode(encoding, frame, 1 << 19).unwrap_err();
        assert_eq!(why, "1048576 declared bytes pass the limit of 524288");
    }

    proptest! {
        #[test]
        fn round_trip(bytes in proptest::collection::vec(0u8..4, 0..5000)) {
            let (encoding, stored) = encode(&bytes);
            prop_assert_eq!(decode(encoding, stored, 5000).unwrap(), bytes);
        }

        #[test]
        fn hostile_bytes_never_panic(encoding in 0u8..4, bytes: Vec<u8>, at in 0usize..400, bit in 0u8..8) {
            let _ = decode(encoding, Cow::Borrowed(&bytes), 1 << 16);
            let (_, frame) = encode(&[b'x'; 4096]);
            let mut frame = frame.into_owned();
            let at = at % frame.len();
            frame[at] ^= 1 << bit;
            if let Ok(out) = decode(ZSTD, Cow::Owned(frame), 1 << 16) {
                prop_assert!(out.len() <= 1 << 16);
            }
        }
    }
}
