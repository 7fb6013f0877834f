//! What a caller hears when something is refused: RFC 9457 problem details with our stable code.
//!
//! Leaves to others: which status a code has (`status.rs`), and the words of core's own rejections.
use crate::status;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_runtime::Failure;
use fleet_types::permit::{Blocker, Denial};
use fleet_types::session::{self, FieldError};
use fleet_types::{Code, Rejection};

/// A refusal on its way out. Boxed: it is the rare half of every result.
#[derive(Clone, Debug)]
pub struct Problem(Box<session::Problem>);

/// What every handler gives.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// A problem; `detail` says what is wrong this time and what to do.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem(Box::new(session::Problem {
            kind: format!("https://fleetcommand.dev/errors/{code}"),
            title: code.title().to_owned(),
            status: status::of(code).as_u16(),
            code,
            detail: detail.into(),
            field: None,
            errors: Vec::new(),
            retry_after_ms: None,
            instance: None,
            denial: None,
        }))
    }

    /// Names the field to blame.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        let field = field.into();
        self.0.errors = vec![FieldError {
            field: field.clone(),
            detail: self.0.detail.clone(),
        }];
        self.0.field = Some(field);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, retry_after_ms: u64) -> Self {
        self.0.retry_after_ms = Some(retry_after_ms);
        self
    }

    /// A finer status than the code's own: 405, 415, 408.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status.as_u16();
        self
    }

    /// Names this occurrence.
    #[must_use]
    pub fn instance(mut self, instance: &str) -> Self {
        self.0.instance = Some(instance.to_owned());
        self
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &session::Problem {
        &self.0
    }

    /// The body, to be sent elsewhere than over HTTP.
    #[must_use]
    pub fn into_body(self) -> session::Problem {
        *self.0
    }

    /// `what` with this name does not exist, or not for this caller.
    #[must_use]
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Problem::new(
            Code::NotFound,
            format!("there is no {what} {name}; list them to see which there are"),
        )
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.message.as_str();
        let mut problem = match rejection.code {
            // Core's words say what is not there; what to do is the same everywhere.
            Code::NotFound if message.starts_with("there is no ") && !message.contains(';') => {
                Problem::new(
                    rejection.code,
                    format!("{message}; list them to see which there are"),
                )
            }
            code => Problem::new(code, message),
        };
        if let Some(field) = rejection.field {
            problem = problem.field(field.as_str());
        }
        problem.0.retry_after_ms = rejection.retry_after_ms;
        problem
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Overloaded { retry_after_ms } => {
                Problem::new(Code::Overloaded, "the fleet's queue is full; try again later")
                    .retry_after(retry_after_ms.max(1))
            }
            Failure::Unavailable => Problem::new(
                Code::Unavailable,
                "the fleet is starting, stopping or recovering; try again shortly",
            )
            .retry_after(1_000),
            Failure::ReadOnly(why) => Problem::new(
                Code::ReadOnly,
                format!("the journal takes no writes now ({why}); nothing was changed; reads go on"),
            )
            .retry_after(5_000),
            Failure::Pruned(oldest) => Problem::new(
                Code::NotFound,
                format!("the journal does not keep what lies that far back; it begins at {oldest}"),
            ),
            Failure::Unknown => Problem::new(
                Code::Unknown,
                "it is not known whether this took effect; repeat it with the same request id to learn its answer",
            )
            .retry_after(1_000),
        }
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        let mut problem = Problem::new(denial.code, denial.reason.as_str());
        problem.0.retry_after_ms = denial.retry_after_ms.map(|span| span.0);
        problem.0.denial = Some(Box::new(denial));
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A problem is made of strings and numbers: it always has a JSON form.
        let bytes = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(retry_after_ms) = self.0.retry_after_ms {
            let seconds = retry_after_ms.div_ceil(1_000).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            if let Some(limit) = self.0.denial.as_ref().and_then(|denial| limit_of(denial))
                && let Ok(value) = HeaderValue::try_from(format!("\"{limit}\";r=0;t={seconds}"))
            {
                headers.insert("ratelimit", value);
            }
        }
        if self.0.code == Code::Unauthenticated {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"fleetcommand\""),
            );
        }
        // The front door adds the request's id to the body.
        response.extensions_mut().insert(self);
        response
    }
}

/// The limit, rule or budget that is used up.
fn limit_of(denial: &Denial) -> Option<&str> {
    match denial.blocker.as_ref()? {
        Blocker::Limit { limit, .. } => Some(limit.as_str()),
        Blocker::Rule { rule, .. } => Some(rule.as_str()),
        Blocker::Budget { budget, .. } => Some(budget.as_str()),
        Blocker::Policy { .. }
        | Blocker::Tool { .. }
        | Blocker::Delegation { .. }
        | Blocker::Halt { .. }
        | Blocker::AgentConcurrency { .. }
        | Blocker::Approval { .. }
        | Blocker::Lock { .. }
        | Blocker::Turn { .. }
        | Blocker::Version { .. }
        | Blocker::Cycle { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_when_to_come_back() {
        let response = Problem::from(Failure::Overloaded {
            retry_after_ms: 1_200,
        })
        .into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "2");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
    }

    #[test]
    fn every_code_has_its_page() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        let mut missing = Vec::new();
        for code in Code::ALL {
            let text = std::fs::read_to_string(docs.join(format!("{code}.md"))).unwrap_or_default();
            if !text.contains("\n## Cause\n") || !text.contains("\n## What to do\n") {
                missing.push(code.as_str());
            }
        }
        assert!(
            missing.is_empty(),
            "write docs/errors/<code>.md for {missing:?}"
        );
        for entry in std::fs::read_dir(&docs).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = Code::ALL.iter().any(|code| format!("{code}.md") == name);
            assert!(known || name == "README.md", "{name} is about no code");
        }
    }
}
