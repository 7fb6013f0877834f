//! A run of stored answers taken apart: what each frame holds, without frames, checksums and places, so that a change of
//! one byte changes one thing. `docs/formats.md` shows what it is made of.
use serde_json::Value;

const MAGIC: &[u8] = b"FLEETRN1";
const UNPACKED_MAX: usize = 1 << 20;

/// What a run of one block holds.
pub struct Parts {
    /// The hashes, the texts, the list of blocks, the filter.
    frames: [Vec<u8>; 4],
    description: Vec<u8>,
}

impl Parts {
    /// Each part stands behind its length of two bytes; the description is the rest.
    #[must_use]
    pub fn read(mut data: &[u8]) -> Option<Parts> {
        let mut frames: [Vec<u8>; 4] = Default::default();
        for frame in &mut frames {
            let (length, rest) = data.split_first_chunk::<2>()?;
            let (part, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
            *frame = part.to_vec();
            data = rest;
        }
        let description = data.to_vec();
        Some(Parts {
            frames,
            description,
        })
    }

    /// As [`Parts::read`] takes them.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for frame in &self.frames {
            let length = u16::try_from(frame.len()).expect("a seed is small");
            data.extend(length.to_le_bytes());
            data.extend(frame);
        }
        data.extend(&self.description);
        data
    }

    /// The file. Where it says that a part begins at 0 it says where that is.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        let mut begins = [0; 4];
        for (begin, frame) in begins.iter_mut().zip(&self.frames) {
            *begin = file.len();
            file.extend(zstd::bulk::compress(frame, 1).expect("memory can be packed"));
        }
        let mut description = self.description.clone();
        if let Ok(Value::Object(mut said)) = serde_json::from_slice(&description) {
            for (name, begin) in [("blocks_at", begins[2]), ("filter_at", begins[3])] {
                if said.get(name) == Some(&Value::from(0)) {
                    said.insert(name.to_owned(), begin.into());
                }
            }
            description = serde_json::to_vec(&said).expect("JSON can be written");
        }
        let begin = file.len() as u64;
        file.extend(zstd::bulk::compress(&description, 1).expect("memory can be packed"));
        file.extend(begin.to_le_bytes());
        file.extend(MAGIC);
        file
    }

    /// Takes a sound run of one block apart.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn unpack(file: &[u8]) -> Parts {
        let (head, tail) = file.split_at(file.len() - MAGIC.len() - 8);
        let mut rest = &head[MAGIC.len()..];
        let mut next = || {
            let size = zstd::zstd_safe::find_frame_compressed_size(rest).expect("a frame");
            let (frame, behind) = rest.split_at(size);
            rest = behind;
            zstd::bulk::decompress(frame, UNPACKED_MAX).expect("a frame")
        };
        let frames = [next(), next(), next(), next()];
        let mut said: Value = serde_json::from_slice(&next()).expect("a description");
        assert!(tail.ends_with(MAGIC), "it is a run of one block");
        said["blocks_at"] = 0.into();
        said["filter_at"] = 0.into();
        let description = serde_json::to_vec(&said).expect("JSON can be written");
        Parts {
            frames,
            description,
        }
    }
}
