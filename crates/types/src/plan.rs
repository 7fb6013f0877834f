//! Plans: what an agent intends to do in the next minutes, so that it hears of collisions before they happen.
use crate::id::{ActionName, AgentId, LimitId, PermitId, PlanId, RuleId};
use crate::lock::Claim;
use crate::path::ResourcePath;
use crate::permit::{claims, parameters};
use crate::text::{Labels, Text};
use crate::time::{Millis, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use smol_str::SmolStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// What an agent intends: steps, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Who.
    pub agent: AgentId,
    /// What, in this order; 1–32.
    #[schema(min_items = 1, max_items = 32)]
    pub steps: Vec<Step>,
    /// How long the plan stands; at most a day. Absent: ten minutes.
    #[serde(default = "ten_minutes")]
    pub ttl_ms: Millis,
}

/// A step of a plan. Times count from the declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What.
    pub action: ActionName,
    /// On what.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "claims"
    )]
    #[schema(max_items = 64)]
    pub resources: Vec<Claim>,
    /// The action's arguments, for rules.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "parameters"
    )]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Box<Map<String, Value>>>,
    /// For rules and limits.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Not before; it begins when the step before it ends, too.
    #[serde(default)]
    pub not_before_ms: Millis,
    /// It must have begun by then; absent: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after_ms: Option<Millis>,
    /// How long it takes.
    #[serde(default = "a_second")]
    pub duration_ms: Millis,
}

fn ten_minutes() -> Millis {
    Millis(600_000)
}

fn a_second() -> Millis {
    Millis(1_000)
}

/// What can be asked about plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Says what an agent intends.
    Declare {
        /// What.
        plan: Arc<Plan>,
    },
    /// It is not intended any more.
    Withdraw {
        /// Which plan.
        plan: PlanId,
        /// Whose.
        agent: AgentId,
    },
}

/// A plan was declared. Its id is `n` and this event's sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanDeclared)]
pub struct Declared {
    /// As declared.
    #[schema(value_type = Plan)]
    pub plan: Arc<Plan>,
}

/// A plan was withdrawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanWithdrawn)]
pub struct Withdrawn {
    /// Which.
    pub plan: PlanId,
}

/// A plan as seen, with what it runs into as things stand now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanView)]
pub struct View {
    /// Which.
    pub plan: PlanId,
    /// As declared.
    pub declared: Plan,
    /// When it was declared.
    pub declared_at: Time,
    /// When it is forgotten.
    pub expires_at: Time,
    /// Collisions ahead, by step; the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collisions: Vec<Ahead>,
    /// An order of these steps, and of those of others that they collide with, in which none collides: the more urgent agent
    /// first, then whoever is done first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Slot>,
}

/// A collision ahead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanCollision)]
pub struct Ahead {
    /// Which of the plan's steps, counted from 0.
    pub step: u32,
    /// With what.
    pub with: With,
    /// Since when.
    pub from: Time,
    /// Until when, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What a plan collides with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = PlanCollisionWith)]
pub enum With {
    /// A step of another's plan.
    Plan {
        /// Which plan.
        plan: PlanId,
        /// Whose.
        agent: AgentId,
        /// Which step of it.
        step: u32,
        /// Over which resource, as that plan names it.
        resource: ResourcePath,
    },
    /// A permit that holds, until its lease ends.
    Permit {
        /// Which.
        permit: PermitId,
        /// Whose.
        agent: AgentId,
        /// Over which resource.
        resource: ResourcePath,
    },
    /// A rule that would stop it then, as things stand.
    Rule {
        /// Which.
        rule: RuleId,
        /// About which thing.
        #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
        #[schema(value_type = String)]
        key: SmolStr,
        /// Why.
        reason: Text,
    },
    /// A limit of rate that is used up then, as things stand.
    Limit {
        /// Which.
        limit: LimitId,
    },
    /// An agent that has often been there, and plans nothing.
    Likely {
        /// Who.
        agent: AgentId,
        /// Over which resource.
        resource: ResourcePath,
        /// How likely it comes while the step lasts, in thousandths.
        permille: u32,
    },
}

/// A step in a suggested order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanSlot)]
pub struct Slot {
    /// Of which plan.
    pub plan: PlanId,
    /// Whose.
    pub agent: AgentId,
    /// Which step of it.
    pub step: u32,
    /// When it had better begin.
    pub begins_at: Time,
    /// When it would end.
    pub ends_at: Time,
    /// Whether that is later than it may begin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}
