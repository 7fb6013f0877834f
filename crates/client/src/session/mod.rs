//! A session: one agent instance's WebSocket, kept alive.
//!
//! ```text
//! Session (cheap to clone) → orders → task ⇄ socket        desk: who waits for what (no IO)
//!                            signals ←┘                    link: one connection, from nothing to welcome
//! ```
//!
//! - Requests are pipelined by id: many may be without their answer.
//! - Heartbeats are sent when nothing else was said.
//! - After a cut it comes back with growing pauses and resumes its epoch; what had no answer is said again under the same
//!   request id. What cannot be told for certain ends as an error, never as a grant.
//! - Halts are acknowledged at once, unless told otherwise.
mod desk;
mod link;
mod signal;
mod task;
#[cfg(test)]
mod tests;

pub use signal::{Signal, Standing, Turn};

use crate::ask::Asking;
use crate::error::{Error, Kind, Result};
use desk::{Desk, Heard, Order, What, text};
use fleet_types::approval::{AnswerBody, Counted};
use fleet_types::budget::Cost;
use fleet_types::lock::Claim;
use fleet_types::permit::{Decision, Ending, Grant};
use fleet_types::session::{
    AcknowledgeHalt, Answer, Ask as AskFrame, Bye, ClientFrame, Extend, FRAME_BYTES_MAX, Finish,
    Finished, Offer, PermitRequest, Ready, Renew, Report, Vote,
};
use fleet_types::{
    AgentId, ApprovalId, ConflictId, Epoch, FleetId, HaltId, InstanceId, Labels, Millis, PermitId,
    RequestId, Text, conflict,
};
use link::Link;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use task::Task;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Frames that wait for the task: as many as may be without their answer, so that the next batch is at hand.
const ORDERS: usize = 1_024;
/// Signals kept for a listener that is slow; past it, the oldest are lost and the listener is told so.
const SIGNALS: usize = 1_024;

/// Who connects to what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server, such as `http://127.0.0.1:7077`.
    pub url: String,
    /// The fleet.
    pub fleet: FleetId,
    /// The agent.
    pub agent: AgentId,
    /// Which of its connections; unique within the agent.
    pub instance: InstanceId,
    /// The key; absent where the server asks for none.
    pub key: Option<String>,
    /// For selectors.
    pub labels: Labels,
    /// Whether halts are acknowledged as they come; false: by [`Session::acknowledge`].
    pub acknowledge: bool,
    /// Whether `ready` is said at once after a failure; false: by [`Session::ready`], once cleaned up.
    pub ready: bool,
    /// How long calls wait for a server that is not there, at the start and after a cut, before they fail.
    pub patience: Duration,
    /// The first pause between two attempts to connect.
    pub pause_min: Duration,
    /// The longest.
    pub pause_max: Duration,
    ids: Arc<AtomicU64>,
}

impl Options {
    /// With every default.
    #[must_use]
    pub fn new(
        url: impl Into<String>,
        fleet: FleetId,
        agent: AgentId,
        instance: InstanceId,
    ) -> Self {
        Options {
            url: url.into(),
            fleet,
            agent,
            instance,
            key: None,
            labels: Labels::default(),
            acknowledge: true,
            ready: true,
            patience: Duration::from_secs(10),
            pause_min: Duration::from_millis(50),
            pause_max: Duration::from_secs(3),
            ids: Arc::new(AtomicU64::new(1)),
        }
    }

    /// With this key.
    #[must_use]
    pub fn key(mut self, key: Option<String>) -> Self {
        self.key = key.filter(|key| !key.is_empty());
        self
    }

    /// With these labels.
    #[must_use]
    pub fn labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// With this patience.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// The session's own address.
    fn address(&self) -> Result<String> {
        let base = self.url.trim_end_matches('/');
        let base = match base.split_once("://") {
            Some(("http" | "ws", rest)) => format!("ws://{rest}"),
            Some(("https" | "wss", rest)) => format!("wss://{rest}"),
            _ => {
                return Err(Error::new(
                    Kind::Invalid,
                    format!(
                        "{:?} is no server address; write http://HOST:PORT or https://HOST",
                        self.url
                    ),
                ));
            }
        };
        Ok(format!("{base}/v1/fleets/{}/session", self.fleet))
    }
}

/// A session. Cheap to clone; when the last one is dropped, it says good-bye and what it held is released.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

struct Shared {
    orders: mpsc::Sender<Order>,
    signals: broadcast::Sender<Signal>,
    standing: watch::Receiver<Standing>,
    over: Arc<OnceLock<Error>>,
    ids: Arc<AtomicU64>,
    agent: AgentId,
    /// Begins the request ids of this session.
    prefix: u64,
}

impl Session {
    /// Connects; tries again with growing pauses while the server is not there, as long as the options' patience.
    ///
    /// # Errors
    /// When the server refuses this agent or key, or does not come in time.
    pub async fn connect(options: Options) -> Result<Session> {
        crate::use_ring();
        let first = tokio::time::timeout(options.patience, task::attempts(&options, None));
        let link = match first.await {
            Ok(link) => link?,
            // Once more, to say why.
            Err(_) => Link::open(&options, None).await?,
        };
        let (orders, receiver) = mpsc::channel(ORDERS);
        let (signals, _) = broadcast::channel(SIGNALS);
        let standing = watch::Sender::new(Standing::default());
        let shared = Shared {
            orders,
            signals: signals.clone(),
            standing: standing.subscribe(),
            over: Arc::default(),
            ids: Arc::clone(&options.ids),
            agent: options.agent.clone(),
            prefix: getrandom::u64().map_err(|error| {
                Error::new(
                    Kind::Invalid,
                    format!("the system gives no randomness for request ids: {error}"),
                )
            })?,
        };
        standing.send_modify(|standing| {
            standing.connected = true;
            standing.epoch = link.welcome.epoch;
            standing.halts.clone_from(&link.welcome.halts);
        });
        let task = Task {
            desk: Desk::new(Arc::clone(&options.ids), options.acknowledge),
            options,
            orders: receiver,
            signals,
            standing,
            over: Arc::clone(&shared.over),
            epoch: Epoch(0),
            batch: Vec::new(),
        };
        tokio::spawn(task.run(link));
        Ok(Session {
            shared: Arc::new(shared),
        })
    }

    /// Asks, and waits until it is granted or denied: for its turn too, as long as the request says. A caller that stops
    /// waiting gives the grant back when it comes.
    ///
    /// # Errors
    /// When it was not decided, or is not known to be.
    pub async fn request(&self, ask: impl Asking) -> Result<Decision> {
        self.ask(ask).await.map(|turn| turn.decision)
    }

    /// As [`Session::request`], and tells whether it had to wait.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub async fn ask(&self, ask: impl Asking) -> Result<Turn> {
        self.send_request(ask.into_request(), true).await
    }

    /// Asks, and answers at once: granted, denied or queued. What becomes of a queued one comes as a signal.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub async fn request_now(&self, ask: impl Asking) -> Result<Decision> {
        self.send_request(ask.into_request(), false)
            .await
            .map(|turn| turn.decision)
    }

    async fn send_request(&self, mut permit: PermitRequest, last_word: bool) -> Result<Turn> {
        let id = self.next_id();
        if permit.request_id.is_none() {
            permit.request_id = Some(self.request_id(id));
        }
        // The session's own: left out on the wire.
        if permit.agent.as_ref() == Some(&self.shared.agent) {
            permit.agent = None;
        }
        permit.instance = None;
        let frame = ClientFrame::Request(AskFrame { id, permit });
        match self.call(id, &frame, What::Request { last_word }).await? {
            Heard::Turn(turn) => Ok(turn),
            _ => Err(unexpected()),
        }
    }

    /// The action was done.
    ///
    /// # Errors
    /// When the permit is not held, or the answer is not known.
    pub async fn complete(&self, permit: PermitId) -> Result<Finished> {
        self.finish(permit, Ending::Completed, None, None).await
    }

    /// The action was tried and failed.
    ///
    /// # Errors
    /// As [`Session::complete`].
    pub async fn fail(&self, permit: PermitId) -> Result<Finished> {
        self.finish(permit, Ending::Failed, None, None).await
    }

    /// The action was not begun; a request that waits is withdrawn.
    ///
    /// # Errors
    /// As [`Session::complete`].
    pub async fn cancel(&self, permit: PermitId) -> Result<Finished> {
        self.finish(permit, Ending::Cancelled, None, None).await
    }

    /// Says how it ended, what it did cost and how long it took.
    ///
    /// # Errors
    /// As [`Session::complete`].
    pub async fn finish(
        &self,
        permit: PermitId,
        ending: Ending,
        cost: Option<Cost>,
        latency_ms: Option<Millis>,
    ) -> Result<Finished> {
        let id = self.next_id();
        let frame = ClientFrame::Finish(Finish {
            id,
            permit,
            ending,
            cost,
            latency_ms,
        });
        match self.call(id, &frame, What::Finish(permit)).await? {
            Heard::Finished(finished) => Ok(finished),
            _ => Err(unexpected()),
        }
    }

    /// Holds it longer: so long from now on, or as long as first asked.
    ///
    /// # Errors
    /// As [`Session::complete`].
    pub async fn renew(&self, permit: PermitId, ttl: Option<Millis>) -> Result<Grant> {
        let id = self.next_id();
        let frame = ClientFrame::Renew(Renew {
            id,
            permit,
            ttl_ms: ttl,
        });
        match self.call(id, &frame, What::Renew(permit)).await? {
            Heard::Grant(grant) => Ok(grant),
            _ => Err(unexpected()),
        }
    }

    /// Takes more resources, or holds some in a stronger mode; waits so long for its turn.
    ///
    /// # Errors
    /// As [`Session::complete`]. The permit goes on holding what it held.
    pub async fn extend(
        &self,
        permit: PermitId,
        resources: Vec<Claim>,
        wait: Millis,
    ) -> Result<Decision> {
        let id = self.next_id();
        let frame = ClientFrame::Extend(Extend {
            id,
            permit,
            resources,
            wait_ms: wait,
        });
        match self.call(id, &frame, What::Extend(permit)).await? {
            Heard::Turn(turn) => Ok(turn.decision),
            Heard::Grant(grant) => Ok(Decision::Granted(grant)),
            _ => Err(unexpected()),
        }
    }

    /// Answers an approval that this agent is asked for; a signal brings it. What this brought about.
    ///
    /// # Errors
    /// When it is not open any more, was not asked of this agent, or the answer is not what it takes. `answered_already`
    /// after a cut: the voice was counted before it.
    pub async fn answer(&self, approval: ApprovalId, body: AnswerBody) -> Result<Counted> {
        let id = self.next_id();
        let frame = ClientFrame::Answer(Answer {
            id,
            approval,
            option: body.option,
            fields: body.fields,
            comment: body.comment,
        });
        match self.call(id, &frame, What::Plain).await? {
            Heard::Counted(counted) => Ok(counted),
            _ => Err(unexpected()),
        }
    }

    /// Says that a halt was seen. Needed only where [`Options::acknowledge`] is off.
    ///
    /// # Errors
    /// When there is no such halt, or the session is over.
    pub async fn acknowledge(&self, halt: HaltId, in_flight: u32) -> Result<()> {
        let id = self.next_id();
        let frame = ClientFrame::AcknowledgeHalt(AcknowledgeHalt {
            id: Some(id),
            halt,
            in_flight,
        });
        self.call(id, &frame, What::Plain).await.map(drop)
    }

    /// Says how a part of a transaction went, as [`Signal::Transaction`] has told it.
    ///
    /// # Errors
    /// When it is not this agent's to say, or the session is over.
    pub async fn report(&self, report: fleet_types::txn::Report) -> Result<()> {
        let id = self.next_id();
        let frame = ClientFrame::Report(Report {
            id: Some(id),
            report,
        });
        self.call(id, &frame, What::Plain).await.map(drop)
    }

    /// Offers something to settle a conflict, as the holder of one of its permits.
    ///
    /// # Errors
    /// When nothing is asked over this conflict, or the offer cannot be.
    pub async fn offer(
        &self,
        conflict: ConflictId,
        permit: PermitId,
        answer: conflict::Answer,
    ) -> Result<()> {
        let id = self.next_id();
        let frame = ClientFrame::Offer(Offer {
            id,
            conflict,
            permit,
            answer,
        });
        self.call(id, &frame, What::Plain).await.map(drop)
    }

    /// Votes for who goes first in a conflict.
    ///
    /// # Errors
    /// When this agent has no vote over this conflict.
    pub async fn vote(&self, conflict: ConflictId, winner: PermitId) -> Result<()> {
        let id = self.next_id();
        let frame = ClientFrame::Vote(Vote {
            id,
            conflict,
            winner,
        });
        self.call(id, &frame, What::Plain).await.map(drop)
    }

    /// Says that it has cleaned up after a failure. Needed only where [`Options::ready`] is off.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn ready(&self) -> Result<()> {
        let id = self.next_id();
        self.call(id, &ClientFrame::Ready(Ready { id }), What::Plain)
            .await
            .map(drop)
    }

    /// Says good-bye: what it held is released, and every clone is over.
    ///
    /// # Errors
    /// When the answer is not known; what it held is then released when its heartbeats are missed.
    pub async fn close(&self, reason: &str) -> Result<()> {
        let id = self.next_id();
        let frame = ClientFrame::Bye(Bye {
            id,
            reason: Text::clip(reason),
        });
        self.call(id, &frame, What::Bye).await.map(drop)
    }

    /// What is heard unasked, from now on.
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.shared.signals.subscribe()
    }

    /// How it stands now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.shared.standing.borrow().clone()
    }

    /// Told whenever it stands otherwise.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.shared.standing.clone()
    }

    /// Whose session it is.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.shared.agent
    }

    fn next_id(&self) -> u64 {
        self.shared.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Unique for ever: a random beginning and the frame's number. Short enough to need no allocation.
    fn request_id(&self, id: u64) -> RequestId {
        let mut name = smol_str::SmolStrBuilder::new();
        // Writing into memory does not fail.
        let _ = write!(name, "{:016x}-{id}", self.shared.prefix);
        RequestId::parse(&name.finish()).expect("hexadecimal digits and a dash make a name")
    }

    async fn call(&self, id: u64, frame: &ClientFrame, what: What) -> Result<Heard> {
        let frame = text(frame);
        if frame.len() > FRAME_BYTES_MAX {
            return Err(Error::new(
                Kind::Invalid,
                format!(
                    "a frame of {} bytes is larger than {FRAME_BYTES_MAX}; send a reference instead",
                    frame.len()
                ),
            ));
        }
        let (reply, heard) = oneshot::channel();
        let order = Order {
            id,
            frame,
            what,
            reply,
        };
        if self.shared.orders.send(order).await.is_err() {
            return Err(self.over());
        }
        match heard.await {
            Ok(heard) => heard,
            Err(_) => Err(self.over()),
        }
    }

    fn over(&self) -> Error {
        let over = self.shared.over.get().cloned();
        over.unwrap_or_else(|| Error::new(Kind::Over, "the session is over"))
    }
}

fn unexpected() -> Error {
    Error::new(
        Kind::Protocol,
        "the server gave an answer to another question",
    )
}
