//! What is noticed about a rule when it is set: that it can never mean anything, or that another one is in its way.
use crate::id::RuleId;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// What is noticed about a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleFinding)]
pub struct Finding {
    /// Whether it is refused.
    pub level: Level,
    /// Which rule.
    pub rule: RuleId,
    /// Which part of it, such as `form.sequence.after`; empty: all of it.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    #[schema(value_type = String)]
    pub field: SmolStr,
    /// The other rule, where two are in each other's way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<RuleId>,
    /// What, and what to do.
    pub words: Text,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RuleFindingLevel)]
pub enum Level {
    /// It is set, and may not do what was meant.
    Warning,
    /// It is refused: what it judges could never pass, or it could never stop anything.
    Error,
}
