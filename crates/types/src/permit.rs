//! Permits: "may this action happen now?" and the answer.
use crate::agent::Priority;
use crate::approval::About;
pub use crate::blocker::Blocker;
use crate::budget::Cost;
use crate::code::Code;
use crate::explain::{Gate, GateReport};
use crate::id::{ActionName, AgentId, BudgetId, Epoch, InstanceId, LimitId, PermitId, RequestId};
use crate::lock::{Claim, Held, ResourceVersion};
use crate::policy;
use crate::text::{Labels, Text};
use crate::time::{Millis, Time};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// Most resources of one request.
pub const CLAIMS_MAX: usize = 64;
/// Largest parameters, in bytes of compact JSON.
pub const PARAMETERS_BYTES_MAX: usize = 16 * 1024;
/// Largest amount of one cost: keeps every sum far from the end of a `u64`.
pub const COST_MAX: u64 = 1_000_000_000_000_000;
/// The same in words: money is counted in millionths.
pub const COST_MAX_TOLD: &str = "1000000000 of money and 1000000000000000 tokens";

/// What an agent wants to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The asker's own id of this request: a repeat gets the first answer and takes effect once.
    pub request_id: RequestId,
    /// Who wants it.
    pub agent: AgentId,
    /// On which of its connections, and in which life of it; absent for agents without a session.
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
    /// What it goes by without claiming it: denied unless each is still of this version and nobody writes it now.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "reads"
    )]
    #[schema(max_items = 64)]
    pub reads: Vec<ResourceVersion>,
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
    /// For whoever may be asked to approve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<About>)]
    pub approval: Option<Box<About>>,
    /// The permit on whose behalf it is asked; it must be held. Absent: on nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PermitId>,
}

/// An instance in one of its lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The instance.
    pub id: InstanceId,
    /// Its epoch, as told at hello.
    pub epoch: Epoch,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn is_zero(span: &Millis) -> bool {
    span.0 == 0
}

/// Checks the number of claims while they are read, so that a million of them cost nothing,
/// and that no resource is named twice.
pub(crate) fn claims<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Claim>, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Vec<Claim>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(
                f,
                "a list of at most {CLAIMS_MAX} resources, each {{path, mode}}"
            )
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut list: A,
        ) -> Result<Self::Value, A::Error> {
            let mut claims: Vec<Claim> = Vec::new();
            while let Some(claim) = list.next_element::<Claim>()? {
                if claims.len() == CLAIMS_MAX {
                    return Err(serde::de::Error::custom(format!(
                        "more than {CLAIMS_MAX} resources; claim a parent, or split the request"
                    )));
                }
                if claims.iter().any(|c| c.path == claim.path) {
                    return Err(serde::de::Error::custom(format!(
                        "resource {:?} is named twice",
                        claim.path
                    )));
                }
                claims.push(claim);
            }
            Ok(claims)
        }
    }
    deserializer.deserialize_seq(Visitor)
}

/// Checks the number of reads while they are read.
pub(crate) fn reads<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ResourceVersion>, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Vec<ResourceVersion>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(
                f,
                "a list of at most {CLAIMS_MAX} resources, each {{path, version}}"
            )
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut list: A,
        ) -> Result<Self::Value, A::Error> {
            let mut reads: Vec<ResourceVersion> = Vec::new();
            while let Some(read) = list.next_element::<ResourceVersion>()? {
                if reads.len() == CLAIMS_MAX {
                    return Err(serde::de::Error::custom(format!(
                        "more than {CLAIMS_MAX} reads; name a parent, or split the request"
                    )));
                }
                if reads.iter().any(|known| known.path == read.path) {
                    return Err(serde::de::Error::custom(format!(
                        "resource {:?} is named twice",
                        read.path
                    )));
                }
                reads.push(read);
            }
            Ok(reads)
        }
    }
    deserializer.deserialize_seq(Visitor)
}

pub(crate) fn parameters<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<Map<String, Value>>>, D::Error> {
    let parameters = Option::<Map<String, Value>>::deserialize(deserializer)?;
    if let Some(map) = &parameters {
        let size: usize = map
            .iter()
            .map(|(key, value)| key.len() + 4 + size_of_value(value))
            .sum();
        if size > PARAMETERS_BYTES_MAX {
            return Err(serde::de::Error::custom(format!(
                "parameters of {size} bytes are more than {PARAMETERS_BYTES_MAX}; send a reference"
            )));
        }
    }
    Ok(parameters.map(Box::new))
}

/// Bytes of compact JSON, nearly: escapes are not counted.
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(list) => 2 + list.iter().map(|v| 1 + size_of_value(v)).sum::<usize>(),
        Value::Object(map) => {
            2 + map
                .iter()
                .map(|(k, v)| k.len() + 4 + size_of_value(v))
                .sum::<usize>()
        }
    }
}

pub(crate) fn cost<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cost, D::Error> {
    let cost = Cost::deserialize(deserializer)?;
    for (field, amount) in [("money_micros", cost.money_micros), ("tokens", cost.tokens)] {
        if amount > COST_MAX {
            return Err(serde::de::Error::custom(format!(
                "{field} {amount} is more than {COST_MAX}"
            )));
        }
    }
    Ok(cost)
}

/// What can be asked about permits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// May this happen now?
    Request(Arc<Request>),
    /// It happened, or it failed, or it was not needed; everything is given back.
    Finish(Finish),
    /// Holds it longer.
    Renew {
        /// Which.
        permit: PermitId,
        /// Who holds it.
        agent: AgentId,
        /// From now on; absent: as long as first asked.
        #[serde(default)]
        ttl_ms: Option<Millis>,
    },
    /// Takes more resources, or holds some in a stronger mode.
    Extend(Arc<Extend>),
    /// May this happen now? Asked with what the policies said of it.
    Judged(Box<policy::Judged>),
    /// Takes more, with what the policies said of it.
    JudgedExtend(Box<policy::JudgedExtend>),
    /// What the policies say now of a request that waits. The server's own.
    Rejudge(Box<policy::Rejudged>),
}

/// How a permit ended, as its holder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The action was done.
    Completed,
    /// The action was tried and failed.
    Failed,
    /// The action was not begun: rates and costs are given back. A waiting request is withdrawn.
    Cancelled,
}

/// The end of a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    /// Which.
    pub permit: PermitId,
    /// Who holds it.
    pub agent: AgentId,
    /// How it ended.
    pub ending: Ending,
    /// What it did cost; absent: what was reserved (nothing, if cancelled).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// How long the action took, for dynamic limits; absent: since the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Millis>,
}

/// More for a permit that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// Which.
    pub permit: PermitId,
    /// Who holds it.
    pub agent: AgentId,
    /// What more; a resource it holds already, in a stronger mode, is an upgrade.
    #[serde(deserialize_with = "claims")]
    #[schema(max_items = 64)]
    pub resources: Vec<Claim>,
    /// How long it will wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_ms: Millis,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Go.
    Granted(Grant),
    /// Wait: the answer will be pushed, or can be asked for.
    Queued(Queued),
    /// No.
    Denied(Denial),
}

/// A permit that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
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
    /// The request as policies or its tool changed it, if they did: this is what may happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Request>)]
    pub changed: Option<Arc<Request>>,
}

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queued {
    /// The permit it will become.
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

/// A request that may not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Denial {
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

/// What was charged to a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitCharge {
    /// Which.
    pub limit: LimitId,
    /// Which of its counts, where each agent, resource or action has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<smol_str::SmolStr>,
}

/// What was reserved in a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetCharge {
    /// Which.
    pub budget: BudgetId,
    /// Which of its accounts, where each agent or label value has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<smol_str::SmolStr>,
    /// How much, in the budget's unit.
    pub amount: u64,
}

/// What can be seen of a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PermitView)]
pub struct View {
    /// The permit.
    pub permit: PermitId,
    /// Where it is.
    pub state: ViewState,
    /// What was asked; as policies or its tool changed it, if they did.
    pub request: Request,
    /// What was asked before policies or its tool changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Request>)]
    pub asked: Option<Arc<Request>>,
    /// On whose behalf it was asked: the agents from the first on, without its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<AgentId>,
    /// When it was asked.
    pub asked_at: Time,
    /// When it was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Time>,
    /// When it will be taken back, or denied if it still waits.
    pub until: Time,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Held>,
    /// The versions of what it holds, of those whose versions are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<ResourceVersion>,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Blocker>,
    /// How many come before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

/// Where a permit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PermitState)]
#[serde(rename_all = "snake_case")]
pub enum ViewState {
    /// It waits.
    Queued,
    /// It waits for somebody to approve it.
    AwaitingApproval,
    /// It holds.
    Granted,
    /// It holds and waits for more.
    Extending,
}
