//! One session's task: reads what the socket has, has it carried out, writes what has gathered.
use crate::problem::Problem;
use crate::session::port::Port;
use crate::session::talk::{End, Talk};
use crate::session::wire::{self, Decoder, Message};
use fleet_types::Code;
use fleet_types::session::FRAME_BYTES_MAX;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Room for answers that a session keeps between writes; more is given back.
const OUT_BYTES_KEPT: usize = 256 * 1024;

/// A session over one socket.
pub struct Connection<P> {
    decoder: Decoder,
    talk: Talk<P>,
}

/// What woke the session.
#[derive(Default)]
struct Wake {
    /// So many bytes came in; 0: the client is gone.
    read: Option<usize>,
    /// The socket is broken, or it is time to end.
    end: Option<End>,
}

impl<P: Port> Connection<P> {
    /// A session that nobody has said hello in.
    #[must_use]
    pub fn new(port: P) -> Self {
        Connection {
            decoder: Decoder::new(FRAME_BYTES_MAX),
            talk: Talk::new(port),
        }
    }

    /// Serves the session to its end.
    pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut stream: S) {
        let port = Arc::clone(&self.talk.port);
        let patience = port.patience();
        let mut interrupted = pin!(port.interrupted());
        let mut hello = pin!(tokio::time::sleep(patience.hello));
        loop {
            let wake = poll_fn(|cx| {
                let mut wake = Wake::default();
                if let Poll::Ready(why) = interrupted.as_mut().poll(cx) {
                    wake.end = Some(End::Interrupted(why));
                } else if self.talk.awaits_hello() && hello.as_mut().poll(cx).is_ready() {
                    wake.end = Some(End::NoHello);
                } else {
                    return self.poll(cx, &mut stream);
                }
                Poll::Ready(wake)
            })
            .await;
            if let Some(count) = wake.read {
                self.decoder.filled(count);
            }
            self.talk.tell().await;
            if wake.read == Some(0) {
                self.talk.close(None);
            } else {
                self.hear().await;
            }
            if let Some(end) = wake.end {
                self.talk.end(&end);
            }
            if self.talk.pile.is_overflown() {
                self.talk
                    .close(Some((1008, "what it was told was not read in time")));
            }
            let written = write(&mut stream, &mut self.talk.out, patience.write).await;
            if !written || self.talk.is_closed() {
                break;
            }
        }
        if let Some(who) = self.talk.who() {
            port.detach(&who.key, self.talk.outbox());
        }
        // The client may be gone already.
        let _ = tokio::time::timeout(patience.write, stream.shutdown()).await;
    }

    /// Waits for bytes, for answers, or for both.
    fn poll<S: AsyncRead + Unpin>(&mut self, cx: &mut Context<'_>, stream: &mut S) -> Poll<Wake> {
        let mut wake = Wake::default();
        let told = self.talk.pile.is_waiting(cx.waker());
        if self.talk.reads() {
            let mut buffer = ReadBuf::new(self.decoder.space());
            match Pin::new(stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => wake.read = Some(buffer.filled().len()),
                Poll::Ready(Err(_)) => wake.end = Some(End::Broken),
                Poll::Pending if told => {}
                Poll::Pending => return Poll::Pending,
            }
        } else if !told {
            return Poll::Pending;
        }
        Poll::Ready(wake)
    }

    /// Carries out every whole frame that has been read.
    async fn hear(&mut self) {
        let Connection { decoder, talk } = self;
        let mut heard = false;
        while talk.reads() {
            match decoder.message() {
                Ok(Some(Message::Text(bytes))) => talk.frame(bytes).await,
                Ok(Some(Message::Binary)) => talk.malformed(
                    None,
                    Problem::new(Code::Malformed, "a binary message; send JSON as text"),
                ),
                Ok(Some(Message::Ping(content))) => wire::pong(&mut talk.out, content),
                Ok(Some(Message::Pong)) => {}
                Ok(Some(Message::Close)) => talk.close(Some((1000, ""))),
                Ok(None) => break,
                Err(broken) => talk.broken(broken),
            }
            heard = true;
        }
        talk.submit_batch();
        if heard {
            talk.heartbeat();
        }
    }
}

/// Writes everything; false when the client did not take it in time, or is gone.
async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    out: &mut Vec<u8>,
    patience: Duration,
) -> bool {
    if out.is_empty() {
        return true;
    }
    // Mostly the socket takes all at once, and no timer is needed.
    let first = poll_fn(|cx| match Pin::new(&mut *stream).poll_write(cx, out) {
        Poll::Ready(written) => Poll::Ready(written),
        Poll::Pending => Poll::Ready(Ok(0)),
    })
    .await;
    let written = match first {
        Ok(count) if count == out.len() => true,
        Ok(count) => matches!(
            tokio::time::timeout(patience, stream.write_all(&out[count..])).await,
            Ok(Ok(()))
        ),
        Err(_) => false,
    };
    let flushed = written && stream.flush().await.is_ok();
    out.clear();
    if out.capacity() > OUT_BYTES_KEPT {
        out.shrink_to(OUT_BYTES_KEPT);
    }
    flushed
}
