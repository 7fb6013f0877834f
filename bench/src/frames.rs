//! Sessions spoken raw, as Redis is beside them: no client library stands between.
use crate::lanes::Did;
use crate::world::agent_id;
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The frames a lane waits for; what else they tell is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Frame<'f> {
    Welcome {},
    Granted {
        id: usize,
        permit: &'f str,
    },
    Finished {
        id: usize,
    },
    #[serde(other)]
    Other,
}

/// One session that keeps `lanes` permits going, each asked for, granted, finished, one after the other.
pub async fn session(addr: SocketAddr, number: usize, lanes: usize, end: Instant) -> Option<Did> {
    let mut socket = Socket::open(addr).await?;
    let hello = format!(
        r#"{{"hello":{{"id":0,"protocol":1,"agent":"{}","instance":"raw-{lanes}"}}}}"#,
        agent_id(number)
    );
    socket.text(&hello);
    let (mut did, mut count) = (Did::nothing(), 0);
    let mut asked = vec![Instant::now(); lanes];
    let mut open = lanes;
    while open > 0 {
        socket.exchange().await?;
        while let Some(text) = socket.next() {
            let frame = serde_json::from_slice(&socket.read[text.clone()]).ok()?;
            let mut ask = |lane: usize, socket: &mut Socket| {
                if Instant::now() >= end {
                    open -= 1;
                    return;
                }
                count += 1;
                let account = count % 1_000;
                asked[lane] = Instant::now();
                socket.text(&format!(
                    r#"{{"request":{{"id":{lane},"permit":{{"action":"payment.send","resources":[{{"path":"ledger/eu/{number}-{lane}/{account}","mode":"exclusive"}}]}}}}}}"#
                ));
            };
            match frame {
                Frame::Welcome {} => (0..lanes).for_each(|lane| ask(lane, &mut socket)),
                Frame::Granted { id: lane, permit } => {
                    did.took(asked[lane]);
                    let finish = format!(
                        r#"{{"finish":{{"id":{lane},"permit":"{permit}","ending":"completed"}}}}"#
                    );
                    socket.text(&finish);
                }
                Frame::Finished { id: lane } => {
                    did.pairs += 1;
                    ask(lane, &mut socket);
                }
                Frame::Other => return None,
            }
        }
    }
    Some(did)
}

struct Socket {
    stream: TcpStream,
    read: Vec<u8>,
    /// Where the first frame that was not taken begins.
    taken: usize,
    write: Vec<u8>,
}

impl Socket {
    async fn open(addr: SocketAddr) -> Option<Socket> {
        let mut stream = TcpStream::connect(addr).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let upgrade = format!(
            "GET /v1/fleets/main/session HTTP/1.1\r\nhost: {addr}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        Some(Socket {
            stream,
            read: Vec::with_capacity(64 * 1024),
            taken: 0,
            write: Vec::new(),
        })
    }

    /// A text frame, masked with zeros, which change nothing.
    fn text(&mut self, text: &str) {
        self.write.push(0x81);
        match u8::try_from(text.len()) {
            Ok(short) if short < 126 => self.write.push(0x80 | short),
            _ => {
                self.write.push(0x80 | 126);
                self.write.extend((text.len() as u16).to_be_bytes());
            }
        }
        self.write.extend([0; 4]);
        self.write.extend(text.as_bytes());
    }

    /// Writes what was said and waits for something to read.
    async fn exchange(&mut self) -> Option<()> {
        self.stream.write_all(&self.write).await.ok()?;
        self.write.clear();
        self.read.drain(..self.taken);
        self.taken = 0;
        let count = self.stream.read_buf(&mut self.read).await.ok()?;
        (count > 0).then_some(())
    }

    /// Where the text of the next whole frame lies.
    fn next(&mut self) -> Option<std::ops::Range<usize>> {
        let rest = &self.read[self.taken..];
        let (from, length) = match rest {
            [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            [_, short, ..] if *short < 126 => (2, usize::from(*short)),
            _ => return None,
        };
        if rest.len() < from + length {
            return None;
        }
        let begin = self.taken + from;
        self.taken = begin + length;
        Some(begin..self.taken)
    }
}
