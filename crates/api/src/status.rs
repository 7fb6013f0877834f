//! Which HTTP status stands for which code: the one table.
//!
//! Assumption: a client acts on the code; the status is for what stands between us (proxies, browsers, retry layers).
//! Hence 429 where coming back later is the answer, 409 where another permit or change is in the way, 403 where only
//! a person can change the answer.
use axum::http::StatusCode;
use fleet_types::Code;

/// The status of a code.
#[must_use]
pub const fn of(code: Code) -> StatusCode {
    match code {
        Code::Malformed | Code::Invalid => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::AgentUnknown
        | Code::IdentityMismatch
        | Code::Halted
        | Code::Paused
        | Code::RiskReducingOnly
        | Code::AgentOffline
        | Code::ActionNotAllowed
        | Code::ResourceNotAllowed
        | Code::RuleTripped
        | Code::ApprovalRequired
        | Code::ApprovalRejected
        | Code::NotAnAssignee
        | Code::SelfApproval
        | Code::PolicyDenied
        | Code::PolicyFailed
        | Code::ToolUnknown
        | Code::ToolForbidden
        | Code::DelegationCycle
        | Code::DelegationTooDeep
        | Code::PermitNotYours
        | Code::ReleaseByAgent
        | Code::ReleaseNeedsSecond
        | Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound | Code::PermitUnknown | Code::TransactionUnknown => StatusCode::NOT_FOUND,
        Code::InstanceStale
        | Code::LockHeld
        | Code::VersionConflict
        | Code::RuleViolated
        | Code::ParentNotHeld
        | Code::ApprovalClosed
        | Code::AnsweredAlready
        | Code::Deadlock
        | Code::WaitTimeout
        | Code::Cancelled
        | Code::HolderGone
        | Code::PermitNotGranted
        | Code::PermitExtending
        | Code::EpochStale
        | Code::TokenStale
        | Code::TransactionState
        | Code::Conflict => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RequestIdReused | Code::ToolArguments => StatusCode::UNPROCESSABLE_ENTITY,
        Code::AgentBusy
        | Code::RateLimited
        | Code::ConcurrencyLimited
        | Code::BudgetExhausted
        | Code::QueueFull => StatusCode::TOO_MANY_REQUESTS,
        Code::Unknown | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Overloaded | Code::Unavailable | Code::ReadOnly | Code::PolicyStale => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let table: Vec<String> = Code::ALL
            .iter()
            .map(|code| format!("{} {code}", of(*code).as_u16()))
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
