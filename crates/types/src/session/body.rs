//! What the session and the plain HTTP door have in common: requests in which the door fills in what it knows.
use crate::agent::Priority;
use crate::approval::About;
use crate::budget::Cost;
use crate::id::{ActionName, AgentId, PermitId, RequestId};
use crate::lock::{Claim, ResourceVersion};
use crate::permit::{Holder, Request, claims, cost, is_zero, parameters, reads};
use crate::text::Labels;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

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
            reads: self.reads,
            parameters: self.parameters,
            cost: self.cost,
            priority: self.priority,
            wait_ms: self.wait_ms,
            ttl_ms: self.ttl_ms,
            labels: self.labels,
            explain: self.explain,
            approval: self.approval,
            parent: self.parent,
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
