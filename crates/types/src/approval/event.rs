//! What can have happened to an approval.
use super::{Answered, Asker, Assignee, Comment, Means, Person, Source, Subject, Terms};
use crate::id::ApprovalId;
use crate::text::Text;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// Somebody was asked to approve. The approval's id is `a` and this event's sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalAsked {
    /// What it is about.
    pub subject: Subject,
    /// What wants it.
    pub source: Source,
    /// Who asked.
    pub asker: Asker,
    /// On which terms.
    #[schema(value_type = Terms)]
    pub terms: Arc<Terms>,
    /// When those who are asked first must have answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// When it should be decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla_at: Option<Time>,
}

/// A voice was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalAnswered {
    /// To which approval.
    pub approval: ApprovalId,
    /// As it was counted.
    pub voice: Answered,
}

/// An approval was given, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDecided {
    /// Which.
    pub approval: ApprovalId,
    /// Whether it was given.
    pub approved: bool,
    /// How.
    pub by: Means,
}

/// The next ones are asked; what those before said does not count any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalEscalated {
    /// Which.
    pub approval: ApprovalId,
    /// Which round this is.
    pub round: u32,
    /// Which list of `escalate_to`, counted from 1.
    pub level: u32,
    /// Who is asked.
    pub assignees: Vec<Assignee>,
    /// How many of them must approve.
    pub needed: u32,
    /// When they must have answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// Others are asked instead; what those before said does not count any more. The deadline stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalReassigned {
    /// Which.
    pub approval: ApprovalId,
    /// Which round this is.
    pub round: u32,
    /// Who is asked.
    pub assignees: Vec<Assignee>,
    /// How many of them must approve.
    pub needed: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// Something was said without deciding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalCommented {
    /// Of which approval.
    pub approval: ApprovalId,
    /// What, and by whom.
    pub comment: Comment,
}

/// An approval was not decided within the time it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalSlaBreached {
    /// Which.
    pub approval: ApprovalId,
}

/// What waited for an approval ended, or needs it no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalMoot {
    /// Which.
    pub approval: ApprovalId,
}

/// A delegation was ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDelegationEnded {
    /// Whose.
    pub from: Person,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}
