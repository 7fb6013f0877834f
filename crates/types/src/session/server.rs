//! What the server says.
use super::Problem;
use crate::approval::{Counted, View};
use crate::budget::Cost;
use crate::code::Code;
use crate::conflict::{Dispute, Way};
use crate::explain::{Gate, GateReport};
use crate::halt::Order;
use crate::id::{ConflictId, Epoch, HaltId, PermitId, Seq};
use crate::lock::{Held, ResourceVersion};
use crate::permit::{Blocker, BudgetCharge, Denial, Ending, Grant, Queued, Request};
use crate::text::Text;
use crate::time::{Millis, Time};
use crate::txn;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What the server says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerFrame {
    /// The session stands.
    Welcome(Welcome),
    /// A permit holds: at once, later (no id), longer or more.
    Granted(Granted),
    /// A request waits; its decision will be told without an id, by permit.
    Queued(Waiting),
    /// A permit waits for more and goes on holding what it holds.
    Extending(Waiting),
    /// A request, or an extension, may not happen: at once, or later (no id).
    Denied(Denied),
    /// A permit that waited for more holds it now: all that it holds.
    Extended(Granted),
    /// A permit does not get the more it waited for; it goes on holding what it held.
    ExtensionDenied(Denied),
    /// A permit ended.
    Finished(Finished),
    /// It is done, as of this place in the journal.
    Done(Done),
    /// A permit was taken back: stop what it allowed.
    Revoked(Revoked),
    /// The agent is asked to approve: answer.
    Approval(Approval),
    /// A voice was counted.
    Counted(CountedFrame),
    /// A halt reaches this instance: obey, then acknowledge.
    Halt(Halt),
    /// A halt over this instance was released.
    Released(Released),
    /// A part of a transaction is this instance's to do: do it, and report. Told again until it is reported; a repeat has the
    /// same transaction, branch and phase.
    Transaction(txn::Order),
    /// A conflict that it is a party of is taken up: it may answer, or vote.
    Dispute(DisputeFrame),
    /// A conflict that it was a party of is settled.
    Settled(Settled),
    /// This epoch is over; the session is closed.
    Ended(Ended),
    /// A frame was not carried out.
    Problem(ProblemFrame),
}

/// The session stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WelcomeFrame)]
pub struct Welcome {
    /// The id of the hello.
    pub id: u64,
    /// Version of the frames from now on.
    pub protocol: u32,
    /// The instance's epoch: say it to resume.
    pub epoch: Epoch,
    /// Whether it must clean up and say `ready` before it gets permits.
    pub recovering: bool,
    /// How often it must be heard of.
    pub heartbeat_ms: Millis,
    /// Halts in force over it: obey, then acknowledge each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub halts: Vec<Halt>,
}

/// A permit holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GrantedFrame)]
pub struct Granted {
    /// Of the frame this answers; absent when told unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The permit.
    pub permit: PermitId,
    /// What it holds, each with its fencing token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Held>,
    /// The versions of what it holds, of those whose versions are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<ResourceVersion>,
    /// It is taken back at this time unless renewed or finished.
    pub expires_at: Time,
    /// What every gate saw, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<GateReport>,
    /// The request as policies changed it, if they did: this is what may happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Request>)]
    pub changed: Option<Arc<Request>>,
}

impl Granted {
    /// The frame for a grant.
    #[must_use]
    pub fn new(id: Option<u64>, grant: Grant) -> Self {
        Granted {
            id,
            permit: grant.permit,
            resources: grant.resources,
            versions: grant.versions,
            expires_at: grant.expires_at,
            explain: grant.explain,
            changed: grant.changed,
        }
    }
}

/// A request or an extension waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WaitingFrame)]
pub struct Waiting {
    /// Of the frame this answers.
    pub id: u64,
    /// The permit it will become, or the one to be extended.
    pub permit: PermitId,
    /// How many of those that wait for the same thing come before it.
    pub position: u64,
    /// What it waits for.
    pub waits_for: Blocker,
    /// It is denied at this time if its turn has not come.
    pub until: Time,
    /// What every gate saw, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<GateReport>,
}

impl Waiting {
    /// The frame for a wait.
    #[must_use]
    pub fn new(id: u64, queued: Queued) -> Self {
        Waiting {
            id,
            permit: queued.permit,
            position: queued.position,
            waits_for: queued.waits_for,
            until: queued.until,
            explain: queued.explain,
        }
    }
}

/// A request may not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeniedFrame)]
pub struct Denied {
    /// Of the frame this answers; absent when told unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The request's place in the journal, in the form of a permit.
    pub permit: PermitId,
    /// Why, as a stable code with a page in the documentation.
    pub code: Code,
    /// Which gate said so.
    pub gate: Gate,
    /// Why, in words.
    pub reason: Text,
    /// What stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocker: Option<Blocker>,
    /// When asking again makes sense; absent: only after something changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<Millis>,
    /// What every gate saw, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<GateReport>,
}

impl Denied {
    /// The frame for a denial.
    #[must_use]
    pub fn new(id: Option<u64>, denial: Denial) -> Self {
        Denied {
            id,
            permit: denial.permit,
            code: denial.code,
            gate: denial.gate,
            reason: denial.reason,
            blocker: denial.blocker,
            retry_after_ms: denial.retry_after_ms,
            explain: denial.explain,
        }
    }
}

/// A permit ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FinishedFrame)]
pub struct Finished {
    /// Of the frame this answers.
    pub id: u64,
    /// Which.
    pub permit: PermitId,
    /// How.
    pub ending: Ending,
    /// What was posted to each budget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub posted: Vec<BudgetCharge>,
    /// What it cost beyond what the budgets could bear.
    #[serde(default, skip_serializing_if = "Cost::is_zero")]
    pub overrun: Cost,
}

/// It is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DoneFrame)]
pub struct Done {
    /// Of the frame this answers.
    pub id: u64,
    /// As of this place in the journal; absent: things were as asked already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

/// A permit was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RevokedFrame)]
pub struct Revoked {
    /// Which.
    pub permit: PermitId,
    /// Why: `halted`, `holder_gone`, …
    pub code: Code,
}

/// The agent is asked to approve something. All its instances are told; one answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalFrame)]
pub struct Approval {
    /// The question, and all that is known of it.
    #[schema(value_type = View)]
    pub approval: Arc<View>,
}

/// A voice was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountedFrame {
    /// Of the frame this answers.
    pub id: u64,
    /// What it brought about.
    #[serde(flatten)]
    pub counted: Counted,
}

/// A halt in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HaltFrame)]
pub struct Halt {
    /// Which.
    pub halt: HaltId,
    /// As ordered.
    #[schema(value_type = Order)]
    pub order: Arc<Order>,
}

/// A halt was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleasedFrame)]
pub struct Released {
    /// Which.
    pub halt: HaltId,
}

/// A conflict is taken up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DisputeFrame {
    /// Which.
    pub conflict: ConflictId,
    /// Who is a party, how it will be settled, and until when.
    #[schema(value_type = Dispute)]
    pub dispute: Arc<Dispute>,
}

/// A conflict is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SettledFrame)]
pub struct Settled {
    /// Which.
    pub conflict: ConflictId,
    /// How.
    pub how: Way,
    /// Who goes first, where that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<PermitId>,
}

/// An epoch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EndedFrame)]
pub struct Ended {
    /// Which.
    pub epoch: Epoch,
}

/// A problem with a frame, or with the session when it has no id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProblemFrame {
    /// Of the frame that was not carried out, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
}
