//! What waits for an answer, and what each frame means for it. No socket, no clock: frames in, frames out.
//!
//! Assumptions
//! - An answer carries the id of its frame. A decision about a queued request comes later, by permit, without one.
//! - A permit request repeated under its request id gets the first answer (I5). So after a cut every unanswered request
//!   is repeated, and every one that waits too: its decision may have been told to nobody. What such a repeat grants
//!   may have been taken back meanwhile: it is renewed before anyone hears of it, and what cannot be renewed is an error.
//! - An immediate halt takes back everything in its reach, and no frame tells of each.
mod hear;

use super::signal::{Signal, Turn};
use crate::error::{Error, Result};
use fleet_types::approval::Counted;
use fleet_types::permit::{Decision, Grant};
use fleet_types::session::{self, ClientFrame, Finished, Halt, Ready, Renew};
use fleet_types::{Code, HaltId, PermitId};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// What a caller hears.
pub(super) enum Heard {
    Turn(Turn),
    Finished(Finished),
    Grant(Grant),
    Counted(Counted),
    Done,
}

pub(super) type Reply = oneshot::Sender<Result<Heard>>;

/// A frame to be sent, and who waits for its answer.
pub(super) struct Order {
    pub id: u64,
    pub frame: Utf8Bytes,
    pub what: What,
    pub reply: Reply,
}

/// What a frame asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A permit; whether the caller wants the last word, or the first.
    Request { last_word: bool },
    /// The end of one.
    Finish(PermitId),
    /// A longer lease.
    Renew(PermitId),
    /// More for one that is held.
    Extend(PermitId),
    /// Something that is simply done.
    Plain,
    /// Good-bye.
    Bye,
}

/// A frame without its answer.
struct Pending {
    frame: Utf8Bytes,
    purpose: Purpose,
    /// It was sent before, over a connection that was cut, or its wait may have ended unheard.
    repeated: bool,
}

/// Why a frame was sent.
enum Purpose {
    /// For a caller.
    Order {
        what: What,
        reply: Option<Reply>,
        queued: bool,
    },
    /// To see whether what a repeat granted is still held.
    Confirm {
        permit: PermitId,
        reply: Option<Reply>,
        queued: bool,
    },
    /// To see whether what was held before a cut is still held.
    Check(PermitId),
    /// For nobody.
    Nothing,
}

/// A request, or an extension, whose decision is still to come.
struct Waits {
    id: u64,
    frame: Utf8Bytes,
    what: What,
    /// Absent: the caller has heard "queued", and hears the rest as a signal.
    reply: Option<Reply>,
}

/// What the driver must do.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Go,
    /// Good-bye was answered.
    Left,
    /// The epoch is over.
    Ended,
    /// The server says why it closes the session.
    Told(Error),
}

/// Decisions that came before the answer "queued" are kept up to this number: no more can be without an answer.
const EARLY_MAX: usize = session::IN_FLIGHT_MAX;
/// Frames without an answer: the server refuses more, and the checks of our own need some room.
const IN_FLIGHT_MAX: usize = session::IN_FLIGHT_MAX - 24;

pub(super) struct Desk {
    ids: Arc<AtomicU64>,
    acknowledges: bool,
    pending: HashMap<u64, Pending>,
    waiting: HashMap<PermitId, Waits>,
    extending: HashMap<PermitId, Waits>,
    early: HashMap<PermitId, Decision>,
    held: BTreeSet<PermitId>,
    halts: Vec<Halt>,
    /// To be sent.
    pub out: VecDeque<Utf8Bytes>,
    /// To be told.
    pub signals: Vec<Signal>,
}

impl Desk {
    pub fn new(ids: Arc<AtomicU64>, acknowledges: bool) -> Self {
        Desk {
            ids,
            acknowledges,
            pending: HashMap::new(),
            waiting: HashMap::new(),
            extending: HashMap::new(),
            early: HashMap::new(),
            held: BTreeSet::new(),
            halts: Vec::new(),
            out: VecDeque::new(),
            signals: Vec::new(),
        }
    }

    /// How many more frames may be sent before an answer.
    pub fn room(&self) -> usize {
        IN_FLIGHT_MAX.saturating_sub(self.pending.len())
    }

    pub fn halts(&self) -> &[Halt] {
        &self.halts
    }

    /// Sends a caller's frame.
    pub fn order(&mut self, order: Order) {
        let Order {
            id,
            frame,
            what,
            reply,
        } = order;
        self.out.push_back(frame.clone());
        let purpose = Purpose::Order {
            what,
            reply: Some(reply),
            queued: false,
        };
        self.expect(id, frame, purpose, false);
    }

    /// Sends a frame of our own, with the next id.
    fn send(&mut self, purpose: Purpose, frame: impl FnOnce(u64) -> ClientFrame) {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let frame = text(&frame(id));
        self.out.push_back(frame.clone());
        self.expect(id, frame, purpose, false);
    }

    /// Looks whether a permit is still held: a lease that can be renewed is.
    fn renew(&mut self, permit: PermitId, purpose: Purpose) {
        self.send(purpose, |id| {
            ClientFrame::Renew(Renew {
                id,
                permit,
                ttl_ms: None,
            })
        });
    }

    /// Says that it is ready.
    pub fn ready(&mut self) {
        self.send(Purpose::Nothing, |id| ClientFrame::Ready(Ready { id }));
    }

    /// The same life goes on over a new connection: what has no last word yet is said again.
    pub fn resume(&mut self) {
        self.out.clear();
        self.early.clear();
        self.repeat_waiting();
        self.repeat_extending();
        for pending in self.pending.values_mut() {
            pending.repeated = true;
        }
        self.send_again(|_| true);
        for permit in self.held.clone() {
            self.renew(permit, Purpose::Check(permit));
        }
    }

    /// Puts what waits back among what has no answer.
    fn repeat_waiting(&mut self) {
        for waits in std::mem::take(&mut self.waiting).into_values() {
            self.ask_again(waits);
        }
    }

    fn repeat_extending(&mut self) {
        for waits in std::mem::take(&mut self.extending).into_values() {
            self.ask_again(waits);
        }
    }

    /// Sends what has no answer once more, in order: those that are chosen.
    fn send_again(&mut self, chosen: impl Fn(u64) -> bool) {
        let pending = self.pending.iter().filter(|(id, _)| chosen(**id));
        let mut frames: Vec<_> = pending
            .map(|(id, pending)| (*id, pending.frame.clone()))
            .collect();
        frames.sort_unstable_by_key(|(id, _)| *id);
        self.out.extend(frames.into_iter().map(|(_, frame)| frame));
    }

    /// From now on it is without an answer once more.
    fn ask_again(&mut self, waits: Waits) {
        let purpose = Purpose::Order {
            what: waits.what,
            reply: waits.reply,
            queued: true,
        };
        self.expect(waits.id, waits.frame, purpose, true);
    }

    fn expect(&mut self, id: u64, frame: Utf8Bytes, purpose: Purpose, repeated: bool) {
        let pending = Pending {
            frame,
            purpose,
            repeated,
        };
        self.pending.insert(id, pending);
    }

    /// A life is over: nothing of it is held any more, and nothing will be answered.
    pub fn end(&mut self, error: &Error, code: Code) {
        self.fail(error);
        for permit in std::mem::take(&mut self.held) {
            self.signals.push(Signal::Revoked { permit, code });
        }
    }

    /// Whoever waits hears this, and nothing is said again.
    fn fail(&mut self, error: &Error) {
        self.out.clear();
        self.early.clear();
        let pending = std::mem::take(&mut self.pending).into_values();
        let replies = pending.filter_map(|pending| match pending.purpose {
            Purpose::Order { reply, .. } | Purpose::Confirm { reply, .. } => reply,
            Purpose::Check(_) | Purpose::Nothing => None,
        });
        let waiting = std::mem::take(&mut self.waiting).into_values();
        let extending = std::mem::take(&mut self.extending).into_values();
        let waits = waiting.chain(extending).filter_map(|waits| waits.reply);
        for reply in replies.chain(waits) {
            let _ = reply.send(Err(error.clone()));
        }
    }

    /// Nobody waits any longer for a server that is not there. What was asked for may have been granted: it is said again
    /// when the server is back, and given back then.
    pub fn give_up(&mut self, error: &Error) {
        self.repeat_waiting();
        let mut kept = HashMap::new();
        for (id, mut pending) in std::mem::take(&mut self.pending) {
            match &mut pending.purpose {
                Purpose::Order {
                    what: What::Request { .. },
                    reply,
                    ..
                }
                | Purpose::Confirm { reply, .. } => {
                    if let Some(asker) = reply.take() {
                        let _ = asker.send(Err(error.clone()));
                        // One that nobody listens to.
                        *reply = Some(oneshot::channel().0);
                    }
                    kept.insert(id, pending);
                }
                Purpose::Order { reply, .. } => {
                    if let Some(asker) = reply.take() {
                        let _ = asker.send(Err(error.clone()));
                    }
                }
                Purpose::Check(_) | Purpose::Nothing => {}
            }
        }
        self.pending = kept;
        for waits in std::mem::take(&mut self.extending).into_values() {
            if let Some(asker) = waits.reply {
                let _ = asker.send(Err(error.clone()));
            }
        }
    }

    /// Halts that the server told at hello: all that are in force.
    pub fn welcome(&mut self, halts: Vec<Halt>) {
        let gone: Vec<HaltId> = self
            .halts
            .iter()
            .map(|known| known.halt)
            .filter(|id| halts.iter().all(|halt| halt.halt != *id))
            .collect();
        for halt in gone {
            self.released(halt);
        }
        for halt in halts {
            if !self.note(&halt) {
                self.acknowledge(&halt);
            }
        }
    }
}

/// A frame as text.
pub(super) fn text(frame: &ClientFrame) -> Utf8Bytes {
    // Frames are made of strings and numbers: they always have a JSON form.
    serde_json::to_string(frame).unwrap_or_default().into()
}
