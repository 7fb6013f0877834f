//! What stands in the way of a request: told with a denial, and with a wait.
use crate::approval::{Assignee, Source};
use crate::id::{
    ActionName, AgentId, ApprovalId, BudgetId, HaltId, LimitId, PermitId, PolicyId, RuleId, Seq,
};
use crate::lock::Mode;
use crate::path::ResourcePath;
use crate::text::Text;
use crate::time::Time;
use crate::tool::Fault;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// What stands in the way of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Blocker {
    /// A halt.
    Halt {
        /// Which.
        halt: HaltId,
    },
    /// The agent's own bound on permits in flight.
    AgentConcurrency {
        /// In flight now.
        in_flight: u32,
        /// Most.
        max: u32,
    },
    /// A limit.
    Limit {
        /// Which.
        limit: LimitId,
        /// When its rate allows the next one; absent for concurrency.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        free_at: Option<Time>,
    },
    /// A rule.
    Rule {
        /// Which.
        rule: RuleId,
        /// About which thing.
        #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
        #[schema(value_type = String)]
        key: SmolStr,
        /// When its window ends; absent: when what is in flight ends, or what must come first was completed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        free_at: Option<Time>,
    },
    /// Policies, or what they must still say.
    Policy {
        /// Which.
        policies: Vec<PolicyId>,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<Text>,
    },
    /// A tool, or what its registration must still make of the request.
    Tool {
        /// Which.
        tool: ActionName,
        /// Arguments that are not what it takes.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        faults: Vec<Fault>,
        /// Where no such tool is registered: those with names like it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        nearest: Vec<ActionName>,
    },
    /// The permit on whose behalf it was asked, or its chain.
    Delegation {
        /// Which.
        parent: PermitId,
        /// The agents on whose behalf it was asked, the first one first; empty: it is not held.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        chain: Vec<AgentId>,
    },
    /// A budget.
    Budget {
        /// Which.
        budget: BudgetId,
        /// What is left of it.
        available: u64,
        /// What was asked.
        asked: u64,
    },
    /// A lock that another permit holds.
    Lock {
        /// The resource that is held: the one asked for, one above it, or one below.
        path: ResourcePath,
        /// How it is held.
        mode: Mode,
        /// By which permit.
        permit: PermitId,
        /// Of which agent.
        agent: AgentId,
        /// Until when, unless renewed.
        until: Time,
    },
    /// A request that came first and wants what conflicts.
    Turn {
        /// The resource both want.
        path: ResourcePath,
        /// Which request is before this one.
        permit: PermitId,
        /// Of which agent.
        agent: AgentId,
    },
    /// An approval that is not given.
    Approval {
        /// Which; absent: nobody was asked, as the request would not wait.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<ApprovalId>,
        /// What wants it.
        source: Source,
        /// Who may give it.
        assignees: Vec<Assignee>,
        /// How many of them must.
        needed: u32,
        /// When they must have answered; absent: as long as the request waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Time>,
    },
    /// A resource is not what the asker saw any more, or nobody knows.
    Version {
        /// Which.
        path: ResourcePath,
        /// The version it was asked for.
        asked: Seq,
        /// The version it is of; absent: none was kept until now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        current: Option<Seq>,
        /// By which permit it was written since, or is written now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        permit: Option<PermitId>,
        /// Of which agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
    },
    /// Permits that wait for each other, each for the next and the last for the first.
    Cycle {
        /// The permits.
        permits: Vec<PermitId>,
        /// Their agents, in the same order.
        agents: Vec<AgentId>,
    },
}

impl Blocker {
    /// The rule, if one stands in the way.
    #[must_use]
    pub fn rule(&self) -> Option<&RuleId> {
        match self {
            Blocker::Rule { rule, .. } => Some(rule),
            Blocker::Halt { .. }
            | Blocker::AgentConcurrency { .. }
            | Blocker::Limit { .. }
            | Blocker::Policy { .. }
            | Blocker::Tool { .. }
            | Blocker::Delegation { .. }
            | Blocker::Approval { .. }
            | Blocker::Version { .. }
            | Blocker::Budget { .. }
            | Blocker::Lock { .. }
            | Blocker::Turn { .. }
            | Blocker::Cycle { .. } => None,
        }
    }
}
