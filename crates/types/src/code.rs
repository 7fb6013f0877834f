//! Stable codes: part of the API for ever. Each has a page `docs/errors/<code>.md`.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $text:literal,)*) => {
        /// Why something was refused or denied.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum Code {$(
            #[doc = $doc]
            #[serde(rename = $text)]
            $name,
        )*}
        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
            /// The code as text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),* }
            }
            /// One sentence for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $doc.trim_ascii()),* }
            }
        }
    };
}

codes! {
    /// The agent is not registered.
    AgentUnknown = "agent_unknown",
    /// The credential does not speak for this agent.
    IdentityMismatch = "identity_mismatch",
    /// A halt is in force.
    Halted = "halted",
    /// A pause is in force.
    Paused = "paused",
    /// Only risk-reducing actions may happen now.
    RiskReducingOnly = "risk_reducing_only",
    /// The agent is offline.
    AgentOffline = "agent_offline",
    /// The instance is not connected under this epoch.
    InstanceStale = "instance_stale",
    /// The agent has as many permits in flight as it may.
    AgentBusy = "agent_busy",
    /// The agent may not take this action.
    ActionNotAllowed = "action_not_allowed",
    /// The agent may not touch this resource.
    ResourceNotAllowed = "resource_not_allowed",
    /// The permit on whose behalf it was asked is not held.
    ParentNotHeld = "parent_not_held",
    /// The agent is already among those on whose behalf it was asked.
    DelegationCycle = "delegation_cycle",
    /// It was handed on more often than the fleet lets it be.
    DelegationTooDeep = "delegation_too_deep",
    /// No such tool is registered.
    ToolUnknown = "tool_unknown",
    /// The arguments are not what the tool takes.
    ToolArguments = "tool_arguments",
    /// The tool's guard forbids it.
    ToolForbidden = "tool_forbidden",
    /// A rule forbids it now.
    RuleViolated = "rule_violated",
    /// A throttle has stopped it until a person resets the rule.
    RuleTripped = "rule_tripped",
    /// A policy forbids it.
    PolicyDenied = "policy_denied",
    /// A policy came to no answer.
    PolicyFailed = "policy_failed",
    /// Policies or tools changed while the request was judged.
    PolicyStale = "policy_stale",
    /// A rate limit is used up.
    RateLimited = "rate_limited",
    /// A concurrency limit is used up.
    ConcurrencyLimited = "concurrency_limited",
    /// A budget cannot bear the cost.
    BudgetExhausted = "budget_exhausted",
    /// Somebody must approve it first.
    ApprovalRequired = "approval_required",
    /// It was asked of those who may approve it, and was not approved.
    ApprovalRejected = "approval_rejected",
    /// The approval is not open any more.
    ApprovalClosed = "approval_closed",
    /// Another was asked to approve.
    NotAnAssignee = "not_an_assignee",
    /// Whoever asked does not approve.
    SelfApproval = "self_approval",
    /// This one has answered already.
    AnsweredAlready = "answered_already",
    /// A resource is held by another permit.
    LockHeld = "lock_held",
    /// A resource is not of the version that the request goes by.
    VersionConflict = "version_conflict",
    /// Waiting would never end: permits wait for each other.
    Deadlock = "deadlock",
    /// The wait ended before the turn came.
    WaitTimeout = "wait_timeout",
    /// Too many requests wait already.
    QueueFull = "queue_full",
    /// The request was withdrawn.
    Cancelled = "cancelled",
    /// Its holder is gone.
    HolderGone = "holder_gone",
    /// The permit is not known, or has ended.
    PermitUnknown = "permit_unknown",
    /// The permit belongs to another agent.
    PermitNotYours = "permit_not_yours",
    /// The permit is not granted yet.
    PermitNotGranted = "permit_not_granted",
    /// The permit already waits for more.
    PermitExtending = "permit_extending",
    /// The transaction is not known, or was over long ago.
    TransactionUnknown = "transaction_unknown",
    /// The transaction is past what is asked of it, or holds what is asked for.
    TransactionState = "transaction_state",
    /// The same request id came with another body.
    RequestIdReused = "request_id_reused",
    /// The epoch is not the current one.
    EpochStale = "epoch_stale",
    /// The token is not the current one.
    TokenStale = "token_stale",
    /// There is no such thing.
    NotFound = "not_found",
    /// Something is in the way of this change.
    Conflict = "conflict",
    /// A value is out of bounds.
    Invalid = "invalid",
    /// An agent cannot lift a halt.
    ReleaseByAgent = "release_by_agent",
    /// A second person must release this halt.
    ReleaseNeedsSecond = "release_needs_second",
    /// The change was made to an older version of the thing.
    PreconditionFailed = "precondition_failed",
    /// No valid credential was given.
    Unauthenticated = "unauthenticated",
    /// The credential does not reach that far.
    Forbidden = "forbidden",
    /// The server has more work than it can take.
    Overloaded = "overloaded",
    /// The server is starting, stopping or recovering.
    Unavailable = "unavailable",
    /// The body is larger than the server takes.
    BodyTooLarge = "body_too_large",
    /// The body is not what this address takes.
    Malformed = "malformed",
    /// It took longer than it may.
    Timeout = "timeout",
    /// The journal cannot take writes now; reads go on.
    ReadOnly = "read_only",
    /// It is not known whether it took effect: ask again with the same request id.
    Unknown = "unknown_outcome",
    /// A fault in the server.
    Internal = "internal",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
