//! The cheap end of a fleet's writer: what doors hold.
use crate::agenda::Agenda;
use crate::follow::Follower;
use crate::heartbeats::Heartbeats;
use crate::inbox::{Inbox, Lane};
use crate::policies::{self, Began, Desk, Judged, Sight};
use crate::post::Post;
use crate::tail::Tail;
use crate::turn::Then;
use crate::writer::Work;
use fleet_core::State;
use fleet_core::signal::{Signal, To};
use fleet_types::instance::InstanceKey;
use fleet_types::permit::Request;
use fleet_types::policy::Verdict;
use fleet_types::{Answer, Envelope, Epoch, Record, Seq, TxnId};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Where answers go; called on the runtime's own threads, must not block.
pub trait Outbox: Send + Sync {
    /// The answer to the command that was submitted with this tag, now durable.
    fn answer(&self, tag: u64, answer: Result<Answer, Failure>);
    /// Something the instance must know, now durable.
    fn signal(&self, signal: Signal);
    /// Several answers are followed by one `flush`: time to wake whoever writes to the socket.
    fn flush(&self);
}

/// Why there is no answer. The command may or may not have taken effect only for `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// More work than the queue takes; the lowest priority is refused first.
    #[error("queue full, try again in {retry_after_ms} ms")]
    Overloaded {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// Starting, stopping or recovering.
    #[error("fleet is not serving now")]
    Unavailable,
    /// The journal cannot take writes now (disk full); nothing was changed; reads go on.
    #[error("journal takes no writes now: {0}")]
    ReadOnly(String),
    /// Maybe written, maybe not: repeat with the same request id.
    #[error("outcome is not known, repeat with the same request id")]
    Unknown,
    /// What was asked for lies before what retention kept.
    #[error("sequence is older than what the journal keeps, {0} is the oldest")]
    Pruned(u64),
}

/// What the writer, the scribe and the doors of one fleet share.
pub(crate) struct Shared {
    pub inbox: Inbox,
    pub post: Post,
    pub heartbeats: Heartbeats,
    pub tail: Tail,
    pub agenda: Agenda,
    /// Whether the journal refused a write and it is not time yet to try again.
    pub read_only: AtomicBool,
    /// Where requests wait for policies, in front of the inbox.
    pub desk: Desk,
}

/// A fleet, as its doors see it. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Handle {
    /// Puts a command into the inbox; the answer goes to `outbox` with `tag` when it is durable.
    ///
    /// # Errors
    /// At once, without an answer later, when the inbox refuses it.
    pub fn submit(
        &self,
        envelope: Envelope,
        outbox: &Arc<dyn Outbox>,
        tag: u64,
    ) -> Result<(), Failure> {
        if self.shared.desk.concerns(&envelope.command) {
            return policies::submit(&self.shared, envelope, outbox, tag);
        }
        let lane = Lane::of(&envelope.command);
        let outbox = outbox.clone();
        let work = Work::Command {
            envelope,
            outbox,
            tag,
        };
        self.shared.inbox.push(lane, work)
    }

    /// Puts several commands into the inbox at once, in order.
    ///
    /// # Errors
    /// When the inbox refuses one, with its tag: those before it were taken, those after it were not looked at.
    pub fn submit_all(
        &self,
        commands: impl Iterator<Item = (Envelope, u64)>,
        outbox: &Arc<dyn Outbox>,
    ) -> Result<(), (u64, Failure)> {
        if self.shared.desk.is_on() {
            for (envelope, tag) in commands {
                let submitted = self.submit(envelope, outbox, tag);
                submitted.map_err(|failure| (tag, failure))?;
            }
            return Ok(());
        }
        let works = commands.map(|(envelope, tag)| {
            let lane = Lane::of(&envelope.command);
            let outbox = outbox.clone();
            let work = Work::Command {
                envelope,
                outbox,
                tag,
            };
            (lane, tag, work)
        });
        self.shared.inbox.push_all(works)
    }

    /// Asks and waits for the durable answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn call(&self, envelope: Envelope) -> Result<Answer, Failure> {
        let (sender, receiver) = oneshot::channel();
        let outbox: Arc<dyn Outbox> = Arc::new(Once(Mutex::new(Some(sender))));
        self.submit(envelope, &outbox, 0)?;
        receiver.await.unwrap_or(Err(Failure::Unavailable))
    }

    /// Reads the state in order with the commands before it; heard only when all it saw is durable.
    ///
    /// # Errors
    /// When the fleet is not serving.
    pub async fn read<R: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let (sender, receiver) = oneshot::channel();
        let read = move |state: &State| -> Then {
            let seen = look(state);
            Box::new(move |outcome| {
                // Whoever asked may have gone away meanwhile.
                let _ = sender.send(outcome.map(|()| seen));
            })
        };
        self.shared
            .inbox
            .push(Lane::Read, Work::Read(Box::new(read)))?;
        receiver.await.unwrap_or(Err(Failure::Unavailable))
    }

    /// What policies say of a request now, without effect.
    ///
    /// # Errors
    /// When they cannot be asked.
    pub async fn judge(&self, request: Arc<Request>) -> Result<Judged, Failure> {
        if !self.shared.desk.is_on() {
            let verdict = Verdict::default();
            return Ok(Judged { request, verdict });
        }
        let clock = self.shared.desk.pool.clock().clone();
        self.look_at_policies(move |sight, began| sight.judge(&request, clock.now(), false, began))
            .await
    }

    /// Uses the fleet as its policies see it, on one of the threads that evaluate them. What it runs is told to
    /// the second argument first, so that one that keeps no bounds is abandoned.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn look_at_policies<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Sight, Began<'_>) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        let (sender, receiver) = oneshot::channel();
        let look = move |sight: Result<(&Arc<Sight>, Began<'_>), Failure>| {
            // Whoever asked may have gone away meanwhile.
            let _ = sender.send(sight.map(|(sight, began)| look(sight, began)));
        };
        policies::look(&self.shared, Box::new(look));
        receiver.await.unwrap_or(Err(Failure::Unavailable))
    }

    /// Signals for this instance go to `outbox` from now on (a later attach replaces it).
    pub fn attach(&self, key: &InstanceKey, epoch: Epoch, outbox: &Arc<dyn Outbox>) {
        self.shared.post.attach(key, epoch, outbox);
    }

    /// No session behind this outbox any more; heartbeats decide when that is a failure.
    pub fn detach(&self, key: &InstanceKey, outbox: &Arc<dyn Outbox>) {
        self.shared.post.detach(key, outbox);
    }

    /// Tells an instance something that is durable, if it is connected here.
    pub fn tell(&self, key: &InstanceKey, signal: Signal) {
        self.shared
            .post
            .deliver(vec![(To::One(key.clone()), signal)]);
    }

    /// The transactions that have changed since this was last called, durably; waits for at least one. For one caller.
    pub async fn changed_txns(&self) -> BTreeSet<TxnId> {
        self.shared.agenda.changed().await
    }

    /// The instance is alive. Not journaled.
    pub fn heartbeat(&self, key: &InstanceKey, epoch: Epoch) {
        self.shared.heartbeats.beat(key, epoch);
    }

    /// Durable records after `after`, oldest first, from memory or the journal; waits for at least one.
    ///
    /// # Errors
    /// When the fleet stops, or `after` lies before what retention kept.
    pub async fn records_after(&self, after: Seq, max: usize) -> Result<Vec<Record>, Failure> {
        self.shared.tail.after(after, max).await
    }

    /// Follows the durable journal behind this place, batch by batch.
    #[must_use]
    pub fn follow(&self, after: Seq) -> Follower {
        Follower::new(self.shared.clone(), after)
    }

    /// Whether commands are refused because the journal takes no writes. When it is time to try again they are not: only
    /// whoever comes then can find out.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.shared.read_only.load(Ordering::Relaxed)
    }

    /// The last durable place in the journal.
    #[must_use]
    pub fn durable(&self) -> Seq {
        self.shared.tail.durable()
    }
}

/// An outbox for one answer.
struct Once(Mutex<Option<oneshot::Sender<Result<Answer, Failure>>>>);

impl Outbox for Once {
    fn answer(&self, _: u64, answer: Result<Answer, Failure>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            let _ = sender.send(answer); // Whoever asked may have gone away meanwhile.
        }
    }
    fn signal(&self, _: Signal) {}
    fn flush(&self) {}
}
