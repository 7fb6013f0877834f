//! What a session hears unasked, and how it stands.
use crate::error::Error;
use fleet_types::approval::View;
use fleet_types::permit::{Decision, Denial, Grant};
use fleet_types::session::{DisputeFrame, Halt, Settled};
use fleet_types::txn::Order;
use fleet_types::{Code, Epoch, HaltId, PermitId};
use std::sync::Arc;

/// What a session hears unasked.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// The connection stands, for the first time or again.
    Connected {
        /// In which life.
        epoch: Epoch,
        /// It goes on where it was; false: a new life, in which nothing is held.
        resumed: bool,
    },
    /// The connection is cut; it is being made again.
    Cut,
    /// This agent is asked to approve something: [`Session::answer`](super::Session::answer).
    Approval(Arc<View>),
    /// A halt is in force over this instance.
    Halted(Halt),
    /// It is released.
    Released(HaltId),
    /// A permit is held no longer: stop what it allowed.
    Revoked {
        /// Which.
        permit: PermitId,
        /// Why: `halted`, `timeout` when its lease ran out, `permit_unknown` when it ended while the connection was cut.
        code: Code,
    },
    /// A request that was told "queued" is granted.
    Granted(Grant),
    /// A request that was told "queued" is denied.
    Denied(Denial),
    /// A part of a transaction is this instance's to do; told again until it is reported.
    Transaction(Order),
    /// A conflict that this instance is a party of is taken up: [`super::Session::offer`], or vote.
    Disputed(DisputeFrame),
    /// A conflict that this instance is a party of is settled.
    Settled(Settled),
    /// This life is over: too many heartbeats were missed, or another session took its place.
    Ended(Epoch),
    /// The session is over for good.
    Over(Error),
}

/// How a session stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The server is there. Without it nothing is granted.
    pub connected: bool,
    /// In which life.
    pub epoch: Epoch,
    /// Halts in force over this instance.
    pub halts: Vec<Halt>,
    /// The session is over for good.
    pub over: bool,
}

impl Standing {
    /// Connected, and under no halt.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.connected && self.halts.is_empty()
    }

    /// Under a halt.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        !self.halts.is_empty()
    }
}

/// A decision, and whether it had to be waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What was decided.
    pub decision: Decision,
    /// It was queued first.
    pub queued: bool,
}
