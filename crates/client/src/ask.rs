//! A request for a permit, put together word by word.
use fleet_types::agent::Priority;
use fleet_types::approval::About;
use fleet_types::budget::Cost;
use fleet_types::lock::{Claim, Mode, ResourceVersion};
use fleet_types::permit::Request;
use fleet_types::session::PermitRequest;
use fleet_types::{ActionName, AgentId, Labels, Millis, PermitId, RequestId, ResourcePath, Seq};
use serde_json::{Map, Value};
use std::time::Duration;

/// A request for a permit.
///
/// ```
/// # use fleet_client::Ask;
/// # use std::time::Duration;
/// let ask = Ask::new("payment.send".parse()?)
///     .exclusive("ledger/eu/account-4711".parse()?)
///     .wait(Duration::from_secs(5));
/// # Ok::<(), fleet_types::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask(PermitRequest);

impl Ask {
    /// To do this, on nothing.
    #[must_use]
    pub fn new(action: ActionName) -> Self {
        Ask(PermitRequest {
            request_id: None,
            agent: None,
            instance: None,
            action,
            resources: Vec::new(),
            reads: Vec::new(),
            parameters: None,
            cost: Cost::ZERO,
            priority: None,
            wait_ms: Millis(0),
            ttl_ms: None,
            labels: Labels::default(),
            explain: false,
            approval: None,
            parent: None,
        })
    }

    /// For this agent; needed over HTTP with a key that is bound to none.
    #[must_use]
    pub fn agent(mut self, agent: AgentId) -> Self {
        self.0.agent = Some(agent);
        self
    }

    /// Under this id: a repeat gets the first answer. Made by the client where absent.
    #[must_use]
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.0.request_id = Some(id);
        self
    }

    /// On behalf of this permit, which must be held.
    #[must_use]
    pub fn parent(mut self, permit: PermitId) -> Self {
        self.0.parent = Some(permit);
        self
    }

    /// On this resource, in this mode.
    #[must_use]
    pub fn claim(mut self, path: ResourcePath, mode: Mode) -> Self {
        self.0.resources.push(Claim::new(path, mode));
        self
    }

    /// On this resource, in this mode, only if it is still of this version.
    #[must_use]
    pub fn claim_version(mut self, path: ResourcePath, mode: Mode, version: Seq) -> Self {
        let if_version = Some(version);
        self.0.resources.push(Claim {
            if_version,
            ..Claim::new(path, mode)
        });
        self
    }

    /// Going by this resource in this version, without holding it.
    #[must_use]
    pub fn reads(mut self, path: ResourcePath, version: Seq) -> Self {
        self.0.reads.push(ResourceVersion { path, version });
        self
    }

    /// On this resource, alone.
    #[must_use]
    pub fn exclusive(self, path: ResourcePath) -> Self {
        self.claim(path, Mode::Exclusive)
    }

    /// On this resource, beside other readers.
    #[must_use]
    pub fn shared(self, path: ResourcePath) -> Self {
        self.claim(path, Mode::Shared)
    }

    /// At this cost at most.
    #[must_use]
    pub fn cost(mut self, cost: Cost) -> Self {
        self.0.cost = cost;
        self
    }

    /// This urgently, instead of as the agent always is.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.0.priority = Some(priority);
        self
    }

    /// Waiting so long for its turn; without: an answer now.
    #[must_use]
    pub fn wait(mut self, span: Duration) -> Self {
        self.0.wait_ms = millis(span);
        self
    }

    /// Holding so long unless renewed; without: the fleet's default.
    #[must_use]
    pub fn ttl(mut self, span: Duration) -> Self {
        self.0.ttl_ms = Some(millis(span));
        self
    }

    /// With these labels.
    #[must_use]
    pub fn labels(mut self, labels: Labels) -> Self {
        self.0.labels = labels;
        self
    }

    /// With these arguments.
    #[must_use]
    pub fn parameters(mut self, parameters: Map<String, Value>) -> Self {
        self.0.parameters = Some(Box::new(parameters));
        self
    }

    /// With these words for whoever may be asked to approve it.
    #[must_use]
    pub fn about(mut self, about: About) -> Self {
        self.0.approval = Some(Box::new(about));
        self
    }

    /// With what every gate saw in the answer.
    #[must_use]
    pub fn explain(mut self) -> Self {
        self.0.explain = true;
        self
    }
}

fn millis(span: Duration) -> Millis {
    Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// What can be asked with: an [`Ask`], the wire's own form, or the core's whole request.
pub trait Asking {
    /// As it is sent.
    fn into_request(self) -> PermitRequest;
}

impl Asking for Ask {
    fn into_request(self) -> PermitRequest {
        self.0
    }
}

impl Asking for PermitRequest {
    fn into_request(self) -> PermitRequest {
        self
    }
}

impl Asking for Request {
    fn into_request(self) -> PermitRequest {
        PermitRequest {
            request_id: Some(self.request_id),
            agent: Some(self.agent),
            instance: self.instance,
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
