//! What an agent's instance says.
use super::PermitRequest;
use crate::approval::values;
use crate::budget::Cost;
use crate::conflict;
use crate::id::{
    AgentId, ApprovalId, ConflictId, Epoch, FieldId, HaltId, InstanceId, OptionId, PermitId,
};
use crate::lock::Claim;
use crate::permit::{Ending, claims, is_zero};
use crate::text::{Labels, Text};
use crate::time::Millis;
use crate::txn;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

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
    /// Answers an approval that the agent is asked for. Answered by `counted`.
    Answer(Answer),
    /// Offers something to settle a conflict. Answered by `done`.
    Offer(Offer),
    /// Votes over a conflict. Answered by `done`.
    Vote(Vote),
    /// A halt was seen. Answered by `done` if it has an id.
    AcknowledgeHalt(AcknowledgeHalt),
    /// How a part of a transaction went. Answered by `done` if it has an id.
    Report(Report),
    /// Cleaned up after a failure. Answered by `done`.
    Ready(Ready),
    /// Good-bye: everything held is released and the session is closed. Answered by `done`.
    Bye(Bye),
}

/// The first frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = HelloFrame)]
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
#[schema(as = RequestFrame)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The client's own number of this frame.
    pub id: u64,
    /// What is wanted.
    pub permit: PermitRequest,
}

/// The end of a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FinishFrame)]
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
#[schema(as = RenewFrame)]
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
#[schema(as = ExtendFrame)]
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

/// A voice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AnswerFrame)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The client's own number of this frame.
    pub id: u64,
    /// To which approval.
    pub approval: ApprovalId,
    /// Which of its options.
    pub option: OptionId,
    /// What it asks for besides, by field.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "values"
    )]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub fields: BTreeMap<FieldId, Value>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub comment: Text,
}

/// An offer to settle a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OfferFrame)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The client's own number of this frame.
    pub id: u64,
    /// Over which conflict.
    pub conflict: ConflictId,
    /// By which of its permits it is a party.
    pub permit: PermitId,
    /// What.
    pub answer: conflict::Answer,
}

/// A vote over a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = VoteFrame)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// The client's own number of this frame.
    pub id: u64,
    /// Over which conflict.
    pub conflict: ConflictId,
    /// Who shall go first.
    pub winner: PermitId,
}

/// A halt was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AcknowledgeHaltFrame)]
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

/// How a part of a transaction went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportFrame)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The client's own number of this frame; absent: no answer is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What the participant says.
    pub report: txn::Report,
}

/// Ready again after a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReadyFrame)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The client's own number of this frame.
    pub id: u64,
}

/// Good-bye.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ByeFrame)]
#[serde(deny_unknown_fields)]
pub struct Bye {
    /// The client's own number of this frame.
    pub id: u64,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}
