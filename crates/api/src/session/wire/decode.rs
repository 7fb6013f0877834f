//! Reading: many frames from one buffer.
use super::{BINARY, CLOSE, PING, PONG, TEXT};

/// A message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A whole text message.
    Text(&'a [u8]),
    /// A whole binary message: this protocol has none.
    Binary,
    /// To be answered with a pong of the same content.
    Ping(&'a [u8]),
    /// Still there.
    Pong,
    /// The client ends.
    Close,
}

/// What cannot go on, with the code to close with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The close code of RFC 6455 §7.4.
    pub code: u16,
    /// Why.
    pub why: &'static str,
}

/// A read buffer starts at this size and doubles while reads fill it.
const SPARE_MIN: usize = 4 * 1024;
/// Reads are at most this large: enough for some hundred frames, so that a system call is shared by many.
const SPARE_MAX: usize = 64 * 1024;

/// Reads frames.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// How much the next read may take.
    spare: usize,
    /// Small reads in a row.
    quiet: u8,
    /// Parts of a message that comes in pieces, and its kind.
    parts: Vec<u8>,
    parts_kind: Option<u8>,
    bytes_max: usize,
}

impl Decoder {
    /// Reads messages of at most `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Decoder {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            spare: SPARE_MIN,
            quiet: 0,
            parts: Vec::new(),
            parts_kind: None,
            bytes_max,
        }
    }

    /// Where the next read goes; tell how much came with [`Decoder::filled`].
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.start > 0 && self.buffer.len() - self.end < self.spare {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + self.spare {
            self.buffer.resize(self.end + self.spare, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes were read.
    pub fn filled(&mut self, count: usize) {
        let whole = self.buffer.len() - self.end == count;
        self.end += count;
        self.quiet = if count < SPARE_MIN / 4 {
            self.quiet.saturating_add(1)
        } else {
            0
        };
        if whole {
            self.spare = (self.spare * 2).min(SPARE_MAX);
        } else if self.quiet > 64 && self.spare > SPARE_MIN && self.start == 0 {
            // It has become quiet: an idle session keeps little.
            self.quiet = 0;
            self.spare = SPARE_MIN;
            self.buffer.truncate(self.end.max(SPARE_MIN));
            self.buffer.shrink_to_fit();
        }
    }

    /// The next whole message that has been read; `None` when more must be read first.
    ///
    /// # Errors
    /// When the stream is no WebSocket any more, or a message is too large.
    pub fn message(&mut self) -> Result<Option<Message<'_>>, Broken> {
        loop {
            let Some(frame) = self.frame()? else {
                return Ok(None);
            };
            let Frame {
                fin,
                opcode,
                from,
                to,
            } = frame;
            match opcode {
                PING => return Ok(Some(Message::Ping(&self.buffer[from..to]))),
                PONG => return Ok(Some(Message::Pong)),
                CLOSE => return Ok(Some(Message::Close)),
                _ if opcode == 0 => {
                    let Some(kind) = self.parts_kind else {
                        return Err(Broken {
                            code: 1002,
                            why: "a continuation of nothing",
                        });
                    };
                    if self.parts.len() + (to - from) > self.bytes_max {
                        return Err(TOO_LARGE);
                    }
                    self.parts.extend_from_slice(&self.buffer[from..to]);
                    if fin {
                        self.parts_kind = None;
                        return Ok(Some(message(kind, &self.parts)));
                    }
                }
                TEXT | BINARY if self.parts_kind.is_some() => {
                    return Err(Broken {
                        code: 1002,
                        why: "a message within the pieces of another",
                    });
                }
                TEXT | BINARY if fin => return Ok(Some(message(opcode, &self.buffer[from..to]))),
                TEXT | BINARY => {
                    self.parts_kind = Some(opcode);
                    self.parts.clear();
                    self.parts.extend_from_slice(&self.buffer[from..to]);
                }
                _ => {
                    return Err(Broken {
                        code: 1002,
                        why: "a frame of an unknown kind",
                    });
                }
            }
        }
    }

    /// The next whole frame, its mask taken off.
    fn frame(&mut self) -> Result<Option<Frame>, Broken> {
        let bytes = &self.buffer[self.start..self.end];
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
        if first & 0x70 != 0 {
            return Err(Broken {
                code: 1002,
                why: "a reserved bit is set, and no extension was agreed",
            });
        }
        if second & 0x80 == 0 {
            return Err(Broken {
                code: 1002,
                why: "a client's frame must be masked",
            });
        }
        let (length, header) = match (second & 0x7F, rest) {
            (126, [a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 4),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (usize::try_from(length).unwrap_or(usize::MAX), 10)
            }
            (126 | 127, _) => return Ok(None),
            (length, _) => (usize::from(length), 2),
        };
        if opcode & 0x8 != 0 && (length > 125 || !fin) {
            return Err(Broken {
                code: 1002,
                why: "a control frame is longer than 125 bytes or in pieces",
            });
        }
        if length > self.bytes_max {
            return Err(TOO_LARGE);
        }
        if bytes.len() < header + 4 + length {
            return Ok(None);
        }
        let from = self.start + header + 4;
        let to = from + length;
        let mask = [
            bytes[header],
            bytes[header + 1],
            bytes[header + 2],
            bytes[header + 3],
        ];
        unmask(&mut self.buffer[from..to], mask);
        self.start = to;
        Ok(Some(Frame {
            fin,
            opcode,
            from,
            to,
        }))
    }
}

const TOO_LARGE: Broken = Broken {
    code: 1009,
    why: "a message is too large; send a reference instead",
};

struct Frame {
    fin: bool,
    opcode: u8,
    from: usize,
    to: usize,
}

fn message(kind: u8, bytes: &[u8]) -> Message<'_> {
    if kind == TEXT {
        Message::Text(bytes)
    } else {
        Message::Binary
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let mask_number = u32::from_ne_bytes(mask);
    let (quads, rest) = bytes.as_chunks_mut::<4>();
    for quad in quads {
        *quad = (u32::from_ne_bytes(*quad) ^ mask_number).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn frame(first: u8, content: &[u8]) -> Vec<u8> {
        let mask = [7u8, 1, 200, 33];
        let mut bytes = vec![first];
        match content.len() {
            short @ 0..126 => bytes.push(0x80 | short as u8),
            middle @ 126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend((middle as u16).to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        bytes.extend(mask);
        bytes.extend(content.iter().enumerate().map(|(i, b)| b ^ mask[i % 4]));
        bytes
    }

    /// Feeds `bytes` in pieces of `step` and tells what was read.
    fn read(bytes: &[u8], step: usize) -> Vec<String> {
        let mut decoder = Decoder::new(100_000);
        let mut seen = Vec::new();
        for mut piece in bytes.chunks(step) {
            while !piece.is_empty() {
                let space = decoder.space();
                let count = space.len().min(piece.len());
                space[..count].copy_from_slice(&piece[..count]);
                decoder.filled(count);
                piece = &piece[count..];
                loop {
                    match decoder.message() {
                        Ok(Some(Message::Text(text))) if text.len() > 20 => {
                            seen.push(format!("text of {}", text.len()))
                        }
                        Ok(Some(Message::Text(text))) => {
                            seen.push(format!("text {}", String::from_utf8_lossy(text)))
                        }
                        Ok(Some(other)) => seen.push(format!("{other:?}")),
                        Ok(None) => break,
                        Err(broken) => {
                            seen.push(format!("{} {}", broken.code, broken.why));
                            return seen;
                        }
                    }
                }
            }
        }
        seen
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let mut bytes = Vec::new();
        bytes.extend(frame(0x81, b"one"));
        bytes.extend(frame(0x01, b"tw"));
        bytes.extend(frame(0x89, b"hey"));
        bytes.extend(frame(0x80, b"o"));
        bytes.extend(frame(0x81, &[b'x'; 70_000]));
        bytes.extend(frame(0x81, &[b'x'; 300]));
        bytes.extend(frame(0x82, b"bin"));
        bytes.extend(frame(0x88, &[3, 232]));
        let whole = read(&bytes, bytes.len());
        assert_eq!(
            whole,
            [
                "text one",
                "Ping([104, 101, 121])",
                "text two",
                "text of 70000",
                "text of 300",
                "Binary",
                "Close"
            ]
        );
        for step in [1, 2, 3, 7, 1_000, 4_096, 65_536] {
            assert_eq!(read(&bytes, step), whole, "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_no_websocket_is_refused() {
        let mut within = frame(0x01, b"a");
        within.extend(frame(0x81, b"b"));
        for (bytes, expected) in [
            (
                vec![0x81, 0x01, b'x'],
                "1002 a client's frame must be masked",
            ),
            (
                frame(0xC1, b"x"),
                "1002 a reserved bit is set, and no extension was agreed",
            ),
            (frame(0x80, b"x"), "1002 a continuation of nothing"),
            (frame(0x83, b"x"), "1002 a frame of an unknown kind"),
            (
                frame(0x89, &[0; 126]),
                "1002 a control frame is longer than 125 bytes or in pieces",
            ),
            (
                frame(0x81, &[0; 100_001]),
                "1009 a message is too large; send a reference instead",
            ),
            (within, "1002 a message within the pieces of another"),
        ] {
            assert_eq!(read(&bytes, 5), [expected]);
        }
    }
}
