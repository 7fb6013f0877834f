//! Why a command failed, what to do about it, and with which exit code the program ends.
use crate::exit;
use crate::paint;
use fleet_client::{Error, Kind};
use fleet_types::Code;
use std::fmt;

/// What every command gives.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// The program's exit code.
    pub exit: u8,
    message: String,
    to_do: Vec<String>,
    /// It was told already, in a form of its own.
    told: bool,
}

impl Failure {
    /// With this exit code, in these words.
    pub fn new(exit: u8, message: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
            to_do: Vec::new(),
            told: false,
        }
    }

    /// Something on the command line, or in a file, is not right.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::new(exit::USAGE, message)
    }

    /// What has been told already; only the exit code is left.
    pub fn told(exit: u8) -> Self {
        Failure {
            told: true,
            ..Failure::new(exit, "")
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn advise(mut self, what: impl Into<String>) -> Self {
        self.to_do.push(what.into());
        self
    }

    /// Puts what was being done before the words.
    #[must_use]
    pub fn during(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Writes it to standard error.
    pub fn tell(&self) {
        if self.told {
            return;
        }
        eprintln!("{} {}", paint::error("error:"), self.message);
        for line in &self.to_do {
            eprintln!("  {line}");
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The exit code that a code of the API stands for.
pub const fn exit_of(code: Code) -> u8 {
    match code {
        Code::NotFound | Code::PermitUnknown | Code::TransactionUnknown | Code::AgentUnknown => {
            exit::NOT_FOUND
        }
        Code::Unauthenticated
        | Code::Forbidden
        | Code::IdentityMismatch
        | Code::PermitNotYours
        | Code::NotAnAssignee
        | Code::SelfApproval
        | Code::ReleaseByAgent => exit::AUTH,
        Code::Conflict
        | Code::PreconditionFailed
        | Code::RequestIdReused
        | Code::InstanceStale
        | Code::EpochStale
        | Code::TokenStale
        | Code::PermitNotGranted
        | Code::PermitExtending
        | Code::ApprovalClosed
        | Code::AnsweredAlready
        | Code::TransactionState
        | Code::ReleaseNeedsSecond => exit::CONFLICT,
        Code::Halted
        | Code::Paused
        | Code::RiskReducingOnly
        | Code::AgentOffline
        | Code::AgentBusy
        | Code::ActionNotAllowed
        | Code::ResourceNotAllowed
        | Code::RuleViolated
        | Code::RuleTripped
        | Code::ApprovalRequired
        | Code::ApprovalRejected
        | Code::PolicyDenied
        | Code::PolicyFailed
        | Code::ParentNotHeld
        | Code::DelegationCycle
        | Code::DelegationTooDeep
        | Code::ToolUnknown
        | Code::ToolArguments
        | Code::ToolForbidden
        | Code::RateLimited
        | Code::ConcurrencyLimited
        | Code::BudgetExhausted
        | Code::LockHeld
        | Code::VersionConflict
        | Code::Deadlock
        | Code::WaitTimeout
        | Code::QueueFull
        | Code::Cancelled
        | Code::HolderGone => exit::DENIED,
        Code::Invalid | Code::Malformed | Code::BodyTooLarge => exit::USAGE,
        Code::Overloaded
        | Code::Unavailable
        | Code::Timeout
        | Code::ReadOnly
        | Code::PolicyStale
        | Code::Unknown
        | Code::Internal => exit::FAILED,
    }
}

/// `invalid: to.postgres.url: …`: a single field to blame is named, where the words do not name it themselves.
fn words(error: &Error) -> String {
    match error.problem() {
        Some(problem) => match problem.errors.as_slice() {
            [one] if !one.detail.contains(&one.field) => {
                format!("{}: {}: {}", problem.code, one.field, problem.detail)
            }
            _ => error.to_string(),
        },
        None => error.to_string(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match (error.code(), error.kind()) {
            (Some(code), _) => exit_of(code),
            (None, Kind::Invalid) => exit::USAGE,
            (None, _) => exit::FAILED,
        };
        let mut failure = Failure::new(exit, words(&error));
        if let Some(problem) = error.problem() {
            // A single field stands in front of the words.
            let several = problem.errors.len() > 1;
            for field in problem.errors.iter().filter(|_| several) {
                failure = failure.advise(format!("{}: {}", field.field, field.detail));
            }
            if let Some(after) = problem.retry_after_ms {
                failure = failure.advise(format!("try again in {}", crate::show::span_ms(after)));
            }
            failure = match problem.code {
                Code::Unauthenticated => {
                    failure.advise("give a key with --key or in FLEET_KEY; `fleet keys bootstrap` makes the first one of a server")
                }
                Code::Forbidden => failure.advise("use a key with a wider role or scope; with an admin's, `fleet keys list` tells which there are"),
                Code::AgentUnknown => failure.advise("fleet agents register AGENT"),
                _ => failure,
            };
            if problem
                .field
                .as_deref()
                .is_some_and(|field| field.starts_with("fields."))
            {
                failure = failure.advise("give it with --field NAME=VALUE");
            }
            failure = failure.advise(format!("more: {}", problem.kind));
        } else if error.kind() == Kind::Unreachable {
            failure = failure.advise(
                "start one with `fleet dev`, or name another with --server or in FLEET_SERVER",
            );
        } else if error.kind() == Kind::Lost {
            failure = failure
                .advise("it may have taken effect: look, or repeat it with the same --request-id");
        }
        failure
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::new(exit::FAILED, error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::new(exit::FAILED, error.to_string())
    }
}

impl From<fleet_server::Error> for Failure {
    fn from(error: fleet_server::Error) -> Self {
        let exit = match error {
            fleet_server::Error::KeyExists { .. } => exit::CONFLICT,
            fleet_server::Error::Config(_) => exit::USAGE,
            _ => exit::FAILED,
        };
        Failure::new(exit, format!("failed to {error}"))
    }
}

impl From<fleet_types::Invalid> for Failure {
    fn from(invalid: fleet_types::Invalid) -> Self {
        Failure::usage(invalid.to_string())
    }
}
