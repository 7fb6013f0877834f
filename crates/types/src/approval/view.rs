//! An approval as seen.
use super::{
    About, Asker, Assignee, Means, Person, ResponseOption, Source, Subject, Terms, Urgency,
};
use crate::id::{ApprovalId, FieldId, OptionId};
use crate::text::Text;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// An approval as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalView)]
pub struct View {
    /// Which.
    pub approval: ApprovalId,
    /// Where it is.
    pub state: Phase,
    /// What it is about.
    pub subject: Subject,
    /// What wants it.
    pub source: Source,
    /// Who asked.
    pub asker: Asker,
    /// When.
    pub asked_at: Time,
    /// The question.
    pub question: Text,
    /// What can be answered.
    pub options: Vec<ResponseOption>,
    /// How urgent it is: as the terms say, or as the asker says if that is more.
    pub urgency: Urgency,
    /// On which terms it was asked.
    #[schema(value_type = Terms)]
    pub terms: Arc<Terms>,
    /// What the asker says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// Who may answer now.
    pub assignees: Vec<Assignee>,
    /// How many of them must approve.
    pub needed: u32,
    /// How many have.
    pub approvals: u32,
    /// Counted from 1: grows when it is escalated or given to others; voices of earlier rounds do not count.
    pub round: u32,
    /// How many lists it can still be escalated to.
    pub levels_left: u32,
    /// When those who are asked now must have answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// Within which time it should be decided, and whether it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// Every voice, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answered>,
    /// What was said without deciding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<Comment>,
    /// When it was decided, or became pointless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// How it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Means>,
}

/// Where an approval is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalState)]
pub enum Phase {
    /// Answers are awaited.
    Open,
    /// Enough have approved.
    Approved,
    /// Somebody has rejected it, or nobody answered in time.
    Rejected,
    /// What waited for it ended, or needs it no more.
    Moot,
}

impl Phase {
    /// As text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Open => "open",
            Phase::Approved => "approved",
            Phase::Rejected => "rejected",
            Phase::Moot => "moot",
        }
    }
}

/// Within which time an approval should be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalSla)]
pub struct Sla {
    /// Until when.
    pub due_at: Time,
    /// Whether it was.
    pub state: SlaState,
}

/// Whether an approval was decided in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalSlaState)]
pub enum SlaState {
    /// There is still time.
    Pending,
    /// It was.
    Within,
    /// It was not.
    Breached,
}

/// A voice, as it was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalVoice)]
pub struct Answered {
    /// In which round.
    pub round: u32,
    /// Whose.
    pub person: Person,
    /// As which of those who were asked.
    pub seat: Assignee,
    /// In whose place it was given, where it was delegated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_place_of: Option<Person>,
    /// Which option.
    pub option: OptionId,
    /// Whether that approves.
    pub approves: bool,
    /// What it tells besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub fields: BTreeMap<FieldId, Value>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub comment: Text,
    /// When.
    pub at: Time,
}

/// Something said without deciding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalComment)]
pub struct Comment {
    /// By whom.
    pub person: Person,
    /// What.
    pub comment: Text,
    /// When.
    pub at: Time,
}

/// Somebody answers in another's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delegation {
    /// In whose place.
    pub from: Person,
    /// Who answers.
    pub to: Person,
    /// Until when.
    pub until: Time,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// What the answer to a voice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = VoiceCounted)]
pub struct Counted {
    /// Which.
    pub approval: ApprovalId,
    /// Where it is now.
    pub state: Phase,
    /// How many voices are still missing.
    pub missing: u32,
}
