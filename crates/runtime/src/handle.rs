//! The cheap end of a fleet's writer: what doors hold.
use fleet_core::State;
use fleet_types::instance::InstanceKey;
use fleet_types::permit::{Denial, Grant};
use fleet_types::{Answer, Envelope, Epoch, HaltId, PermitId, Record, Seq, halt};
use std::sync::Arc;

/// What an instance's session is told without asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// A permit it waited for was granted.
    Granted(Grant),
    /// A permit it waited for was denied.
    Denied(Denial),
    /// A permit it held was taken back.
    Revoked {
        /// Which.
        permit: PermitId,
        /// Why: `halted`, `expired` …
        code: fleet_types::Code,
    },
    /// A halt reaches it: acknowledge.
    Halted {
        /// Which.
        halt: HaltId,
        /// As ordered.
        order: Arc<halt::Order>,
    },
    /// A halt over it was released.
    Released {
        /// Which.
        halt: HaltId,
    },
    /// Its epoch has ended: another session took over, or it missed its heartbeats.
    Ended {
        /// The epoch that ended.
        epoch: Epoch,
    },
}

/// Where answers go; called on the runtime's own thread, must not block.
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
}

/// A fleet, as its doors see it. Cheap to clone.
#[derive(Clone)]
pub struct Handle {}

impl Handle {
    /// Puts a command into the inbox; the answer goes to `outbox` with `tag` when it is durable.
    ///
    /// # Errors
    /// At once, without an answer later, when the inbox refuses it.
    pub fn submit(&self, _: Envelope, _: &Arc<dyn Outbox>, _tag: u64) -> Result<(), Failure> {
        Err(Failure::Unavailable)
    }

    /// Asks and waits for the durable answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn call(&self, _: Envelope) -> Result<Answer, Failure> {
        Err(Failure::Unavailable)
    }

    /// Reads the state in order with the commands before it; heard only when all it saw is durable.
    ///
    /// # Errors
    /// When the fleet is not serving.
    pub async fn read<R: Send + 'static>(
        &self,
        _: impl FnOnce(&State) -> R + Send + 'static,
    ) -> Result<R, Failure> {
        Err(Failure::Unavailable)
    }

    /// Signals for this instance go to `outbox` from now on (a later attach replaces it).
    pub fn attach(&self, _: &InstanceKey, _: Epoch, _outbox: &Arc<dyn Outbox>) {}

    /// No session any more; heartbeats decide when that is a failure.
    pub fn detach(&self, _: &InstanceKey, _: Epoch) {}

    /// The instance is alive. Not journaled.
    pub fn heartbeat(&self, _: &InstanceKey, _: Epoch) {}

    /// Durable records after `after`, oldest first, from memory or the journal; waits for at least one.
    ///
    /// # Errors
    /// When the fleet stops, or `after` lies before what retention kept.
    pub async fn records_after(
        &self,
        _after: Seq,
        _max: usize,
    ) -> Result<Vec<Arc<Record>>, Failure> {
        Err(Failure::Unavailable)
    }
}
