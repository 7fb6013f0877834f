//! The session's frames: what an agent's instance and the server say to each other over one WebSocket,
//! and the parts of it that the plain HTTP door shares.
//!
//! Each frame is one JSON object with one key, its kind: `{"heartbeat":{}}`. An agent says `hello` first and hears
//! `welcome`; from then on it may send requests without waiting, each with an `id` of its own choice, and hears one
//! answer with that `id` for each, in any order. Frames without an `id` are told unasked. What a door may refuse
//! is a [`Problem`], the same body that HTTP answers with (RFC 9457).
use crate::agent::Priority;
use crate::budget::Cost;
use crate::code::Code;
use crate::explain::{Gate, GateReport};
use crate::halt::Order;
use crate::id::{ActionName, AgentId, Epoch, HaltId, InstanceId, PermitId, RequestId, Seq};
use crate::lock::{Claim, Held};
use crate::permit::{
    Blocker, BudgetCharge, Denial, Ending, Grant, Holder, Queued, Request, claims, cost, is_zero,
    parameters,
};
use crate::text::{Labels, Text};
use crate::time::{Millis, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// The version of these frames. A change that an older client cannot read gets a new number.
pub const PROTOCOL: u32 = 1;
/// Largest frame an agent may send, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Most requests of one session that may be without their answer.
pub const IN_FLIGHT_MAX: usize = 1_024;
/// A session is closed at this many frames that could not be read.
pub const MALFORMED_MAX: u32 = 16;

/// What an agent's instance says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientFrame {
    /// Who is there: the first frame. Answered by `welcome`.
    Hello(Hello),
    /// Still there. Any other frame says so too. Not answered.
    Heartbeat {},
    /// May this happen now? Answered by `granted`, `queued` or `denied`.
    Request(Ask),
    /// It happened, or failed, or was not needed. Answered by `finished`.
    Finish(Finish),
    /// Holds a permit longer. Answered by `granted`.
    Renew(Renew),
    /// Takes more resources. Answered by `granted`, `extending` or `denied`.
    Extend(Extend),
    /// A halt was seen. Answered by `done` if it has an id.
    AcknowledgeHalt(AcknowledgeHalt),
    /// Cleaned up after a failure. Answered by `done`.
    Ready(Ready),
    /// Good-bye: everything held is released and the session is closed. Answered by `done`.
    Bye(Bye),
}

/// The first frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The client's own number of this frame.
    pub id: u64,
    /// Version of the frames that the client speaks.
    pub protocol: u32,
    /// Who.
    pub agent: AgentId,
    /// On which of its connections.
    pub instance: InstanceId,
    /// The epoch it had: goes on where the last session was cut. Absent: a new life, and everything the former
    /// one held is released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Epoch>,
    /// For selectors.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// A numbered request for a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The client's own number of this frame.
    pub id: u64,
    /// What is wanted.
    pub permit: PermitRequest,
}

/// A request for a permit as it comes through a door: what the door knows already may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermitRequest {
    /// The asker's own id of this request: a repeat gets the first answer and takes effect once.
    /// Over HTTP the header `Idempotency-Key` says the same. Absent: made by the server, and then a repeat is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Who wants it; absent: the session's agent, or the one that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// On which of its connections; absent: the session's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Holder>,
    /// What.
    pub action: ActionName,
    /// On what. All are taken, or none.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "claims"
    )]
    #[schema(max_items = 64)]
    pub resources: Vec<Claim>,
    /// The action's arguments, for rules and for people; at most 16 KiB.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "parameters"
    )]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Box<Map<String, Value>>>,
    /// Most it will cost; reserved until completion tells what it did cost.
    #[serde(
        default,
        skip_serializing_if = "Cost::is_zero",
        deserialize_with = "cost"
    )]
    pub cost: Cost,
    /// 1 (least) to 10 (most urgent); absent: the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How long it will wait for its turn; 0: an answer now.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_ms: Millis,
    /// How long the permit holds unless renewed; absent: the fleet's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Millis>,
    /// For selectors and budgets, such as `execution`.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Record in the answer what every gate saw.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub explain: bool,
}

impl PermitRequest {
    /// The request with what the door knows: who asks, and under which id.
    #[must_use]
    pub fn complete(
        self,
        request_id: RequestId,
        agent: AgentId,
        instance: Option<Holder>,
    ) -> Request {
        Request {
            request_id,
            agent,
            instance,
            action: self.action,
            resources: self.resources,
            parameters: self.parameters,
            cost: self.cost,
            priority: self.priority,
            wait_ms: self.wait_ms,
            ttl_ms: self.ttl_ms,
            labels: self.labels,
            explain: self.explain,
        }
    }
}

/// The end of a permit, over HTTP: which one, and how it ended, stand in the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FinishBody {
    /// Who holds it; absent: the agent that the key is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What it did cost; absent: what was reserved (nothing, if cancelled).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// How long the action took; absent: since the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Millis>,
}

/// A longer lease, over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RenewBody {
    /// Who holds it; absent: the agent that the key is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// From now on; absent: as long as first asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Millis>,
}

/// More for a permit that is held, over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    /// Who holds it; absent: the agent that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What more; a resource it holds already, in a stronger mode, is an upgrade.
    #[serde(deserialize_with = "claims")]
    #[schema(max_items = 64)]
    pub resources: Vec<Claim>,
    /// How long it will wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_ms: Millis,
}

/// The end of a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// The client's own number of this frame.
    pub id: u64,
    /// Which permit.
    pub permit: PermitId,
    /// How it ended.
    pub ending: Ending,
    /// What it did cost; absent: what was reserved (nothing, if cancelled).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// How long the action took; absent: since the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Millis>,
}

/// A longer lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The client's own number of this frame.
    pub id: u64,
    /// Which permit.
    pub permit: PermitId,
    /// From now on; absent: as long as first asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<Millis>,
}

/// More for a permit that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// The client's own number of this frame.
    pub id: u64,
    /// Which permit.
    pub permit: PermitId,
    /// What more.
    #[serde(deserialize_with = "claims")]
    #[schema(max_items = 64)]
    pub resources: Vec<Claim>,
    /// How long it will wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_ms: Millis,
}

/// A halt was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeHalt {
    /// The client's own number of this frame; absent: no answer is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Which halt.
    pub halt: HaltId,
    /// Permits it still works on.
    #[serde(default)]
    pub in_flight: u32,
}

/// Ready again after a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The client's own number of this frame.
    pub id: u64,
}

/// Good-bye.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bye {
    /// The client's own number of this frame.
    pub id: u64,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

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
    /// A halt reaches this instance: obey, then acknowledge.
    Halt(Halt),
    /// A halt over this instance was released.
    Released(Released),
    /// This epoch is over; the session is closed.
    Ended(Ended),
    /// A frame was not carried out.
    Problem(ProblemFrame),
}

/// The session stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
pub struct Granted {
    /// Of the frame this answers; absent when told unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The permit.
    pub permit: PermitId,
    /// What it holds, each with its fencing token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Held>,
    /// It is taken back at this time unless renewed or finished.
    pub expires_at: Time,
    /// What every gate saw, when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explain: Vec<GateReport>,
}

impl Granted {
    /// The frame for a grant.
    #[must_use]
    pub fn new(id: Option<u64>, grant: Grant) -> Self {
        Granted {
            id,
            permit: grant.permit,
            resources: grant.resources,
            expires_at: grant.expires_at,
            explain: grant.explain,
        }
    }
}

/// A request or an extension waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
pub struct Done {
    /// Of the frame this answers.
    pub id: u64,
    /// As of this place in the journal; absent: things were as asked already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

/// A permit was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// Which.
    pub permit: PermitId,
    /// Why: `halted`, `holder_gone`, …
    pub code: Code,
}

/// A halt in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Halt {
    /// Which.
    pub halt: HaltId,
    /// As ordered.
    #[schema(value_type = Order)]
    pub order: Arc<Order>,
}

/// A halt was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Released {
    /// Which.
    pub halt: HaltId,
}

/// An epoch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

/// What is wrong and what to do, as RFC 9457 has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The code's page in the documentation.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's one sentence.
    pub title: String,
    /// The HTTP status, over a session too.
    pub status: u16,
    /// A stable code.
    pub code: Code,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// Which field, where one is to blame: `resources[2].path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every field that is to blame, where more than one could be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// When trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// This occurrence: the id of the HTTP request, as in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The answer to a permit request, where that is what was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Box<Denial>>,
}

/// One field that is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Its path in the body: `resources[2].path`.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_as_the_schema_says() {
        for good in [
            r#"{"hello":{"id":1,"protocol":1,"agent":"a","instance":"i","resume":3,"labels":{}}}"#,
            r#"{"heartbeat":{}}"#,
            r#"{"request":{"id":2,"permit":{"action":"payment.send","resources":[{"path":"ledger/1","mode":"exclusive"}]}}}"#,
            r#"{"finish":{"id":3,"permit":"p17","ending":"completed"}}"#,
            r#"{"acknowledge_halt":{"halt":"h4"}}"#,
            r#"{"bye":{"id":9}}"#,
        ] {
            serde_json::from_str::<ClientFrame>(good).unwrap();
        }
        for bad in [
            r#"{"heartbeat":{"x":1}}"#,
            r#"{"request":{"id":2,"permit":{"action":"payment.send","rush":true}}}"#,
            r#"{"dance":{}}"#,
            r#"{"bye":{"id":9},"heartbeat":{}}"#,
            r#"{"request":{"id":2,"permit":{"action":"a","resources":[{"path":"x","mode":"shared"},{"path":"x","mode":"shared"}]}}}"#,
        ] {
            assert!(
                serde_json::from_str::<ClientFrame>(bad).is_err(),
                "{bad} was taken"
            );
        }
    }
}
