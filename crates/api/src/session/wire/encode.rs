//! Writing: many frames into one buffer.
use super::{CLOSE, PONG, TEXT};
use serde::Serialize;

/// Writes a value as one text message.
pub fn text(out: &mut Vec<u8>, value: &impl Serialize) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    if serde_json::to_writer(&mut *out, value).is_err() {
        // Frames are made of strings and numbers; a map with keys that are no strings would be a bug of ours.
        out.truncate(at);
        tracing::error!("a frame could not be written");
        return;
    }
    head(out, at, TEXT);
}

/// Fills the four bytes kept at `at` with the header for all that follows them.
fn head(out: &mut Vec<u8>, at: usize, opcode: u8) {
    let length = out.len() - at - 4;
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        out.copy_within(at + 4.., at + 2);
        out.truncate(at + 2 + length);
        out[at + 1] = short;
    } else if let Ok(middle) = u16::try_from(length) {
        out[at + 1] = 126;
        out[at + 2..at + 4].copy_from_slice(&middle.to_be_bytes());
    } else {
        out.resize(out.len() + 6, 0);
        out.copy_within(at + 4..at + 4 + length, at + 10);
        out[at + 1] = 127;
        out[at + 2..at + 10].copy_from_slice(&(length as u64).to_be_bytes());
    }
    out[at] = 0x80 | opcode;
}

/// Writes a pong.
pub fn pong(out: &mut Vec<u8>, content: &[u8]) {
    control(out, PONG, content);
}

/// Writes the end.
pub fn close(out: &mut Vec<u8>, code: u16, why: &str) {
    let mut content = code.to_be_bytes().to_vec();
    let mut end = why.len().min(123);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    content.extend_from_slice(&why.as_bytes()[..end]);
    control(out, CLOSE, &content);
}

fn control(out: &mut Vec<u8>, opcode: u8, content: &[u8]) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(content);
    head(out, at, opcode);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        for length in [0usize, 1, 123, 124, 65_533, 65_534] {
            let mut out = b"before".to_vec();
            text(&mut out, &"x".repeat(length));
            let header = match length + 2 {
                0..126 => 2,
                126..65_536 => 4,
                _ => 10,
            };
            assert_eq!(out.len(), 6 + header + length + 2, "{length}");
            assert_eq!(out[6], 0x81);
            assert!(out.ends_with(b"\""));
            assert_eq!(out[6 + header], b'"');
        }
    }
}
