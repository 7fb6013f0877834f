//! Why something did not come about: the server's problem where it gave one, and what is known of the outcome.
use fleet_types::Code;
use fleet_types::permit::Denial;
use fleet_types::session::Problem;
use std::fmt;

/// What every call gives.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it was: what the caller may conclude from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server answered that it will not. Nothing was changed, unless the code is `unknown_outcome`.
    Refused,
    /// The server could not be reached. Nothing was changed.
    Unreachable,
    /// The connection was cut before the answer: it may have taken effect. Repeat it with the same request id.
    Lost,
    /// The session is over: closed, replaced by another one, or refused for good.
    Over,
    /// What was given cannot be sent.
    Invalid,
    /// The server answered with something that is not of this protocol.
    Protocol,
}

/// Why a call failed. Boxed: it is the rare half of every result.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    kind: Kind,
    detail: String,
    status: Option<u16>,
    problem: Option<Problem>,
}

impl Error {
    /// An error of this kind, in words.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            detail: detail.into(),
            status: None,
            problem: None,
        }))
    }

    /// The server's own words.
    #[must_use]
    pub fn refused(problem: Problem) -> Self {
        Error(Box::new(Inner {
            kind: Kind::Refused,
            detail: problem.detail.clone(),
            status: Some(problem.status),
            problem: Some(problem),
        }))
    }

    /// An answer with this status and no problem in it: not from our server.
    #[must_use]
    pub fn status_only(status: u16, body: &str) -> Self {
        let start: String = body.chars().take(200).collect();
        let mut error = Error::new(
            Kind::Protocol,
            format!(
                "status {status} without a problem; is this a FleetCommand server? It said: {start:?}"
            ),
        );
        error.0.status = Some(status);
        error
    }

    /// What may be concluded.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code, where the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.0.problem.as_ref().map(|problem| problem.code)
    }

    /// The HTTP status, where there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the server said, where it said something.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        self.0.problem.as_ref()
    }

    /// The denial, where a permit request was denied.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.0.problem.as_ref()?.denial.as_deref()
    }

    /// In words.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Whether repeating it later, with the same request id, can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.0.kind {
            Kind::Unreachable | Kind::Lost => true,
            Kind::Refused => self.code().is_some_and(|code| {
                matches!(
                    code,
                    Code::Overloaded
                        | Code::Unavailable
                        | Code::Timeout
                        | Code::ReadOnly
                        | Code::Unknown
                )
            }),
            Kind::Over | Kind::Invalid | Kind::Protocol => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "{code}: {}", self.0.detail),
            None => f.write_str(&self.0.detail),
        }
    }
}

impl std::error::Error for Error {}
