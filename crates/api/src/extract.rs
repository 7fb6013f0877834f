//! What comes in: JSON bodies, query parameters and names in the path, each refused with the field to blame.
//!
//! A body is read whole and bounded (size and time) before anything looks at it. Unknown fields are refused by the
//! types themselves; nesting deeper than 128 by the JSON reader.
use crate::app::{App, Limits};
use crate::auth::{Caller, Operation};
use crate::problem::{Problem, Result};
use crate::strict::Strict;
use axum::body::Bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use fleet_types::{Code, Text};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::convert::Infallible;

/// A body that has come, or why it could not, and that nobody has looked at yet. Whoever does says what for: a caller who
/// may not do that hears so, whatever it sent.
pub struct Unread(Result<Bytes>);

/// Names in the path.
pub struct Path<T>(pub T);

/// Query parameters.
pub struct Query<T>(pub T);

impl FromRequest<App> for Unread {
    type Rejection = Infallible;
    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Infallible> {
        // Before anything is refused: a connection closed with half a body on its way would take the answer with it.
        Ok(Unread(take(request, app.limits()).await))
    }
}

impl Unread {
    /// Reads the body, for this operation.
    ///
    /// # Errors
    /// When the caller may not do this anywhere; else names the field to blame.
    pub fn read<T: DeserializeOwned>(self, caller: &Caller, operation: Operation) -> Result<T> {
        caller.may_somewhere(operation)?;
        parse(&self.0?)
    }

    /// Reads the body of a thing whose name stands in the path: `field` may be left out of the body, and must be the
    /// same where it is given.
    ///
    /// # Errors
    /// When the caller may not do this anywhere; else names the field to blame.
    pub fn read_named<T: DeserializeOwned>(
        self,
        caller: &Caller,
        operation: Operation,
        (field, name): (&str, &str),
    ) -> Result<T> {
        let mut map: Map<String, Value> = self.read(caller, operation)?;
        match map.get(field) {
            None => {
                map.insert(field.to_owned(), Value::from(name));
            }
            Some(Value::String(given)) if given == name => {}
            Some(given) => {
                let given = Text::clip(&given.to_string());
                return Err(Problem::new(
                    Code::Invalid,
                    format!("{given} is not {name:?}, which the path names; leave it out or make it the same"),
                )
                .field(field));
            }
        }
        serde_path_to_error::deserialize(Strict(Value::Object(map))).map_err(invalid)
    }
}

/// The whole body, bounded, said to be JSON.
async fn take(request: Request, limits: &Limits) -> Result<Bytes> {
    check_content(request.headers())?;
    let too_large = || {
        Problem::new(
            Code::BodyTooLarge,
            format!(
                "the body is larger than {} bytes; send less at once",
                limits.body_bytes_max
            ),
        )
    };
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits.body_bytes_max as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), limits.body_bytes_max).collect();
    match tokio::time::timeout(limits.body_timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::new(
            Code::Malformed,
            format!("the body broke off: {error}"),
        )),
        Err(_) => Err(Problem::new(
            Code::Timeout,
            format!("the body did not come within {:?}", limits.body_timeout),
        )
        .status(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// What stands in paths.
const NAMED: [&str; 21] = [
    "key",
    "fleet",
    "agent",
    "instance",
    "permit",
    "halt",
    "limit",
    "policy",
    "tool",
    "rule",
    "budget",
    "group",
    "scope",
    "pattern",
    "approval",
    "transaction",
    "branch",
    "connector",
    "conflict",
    "plan",
    "resource",
];

fn check_content(headers: &HeaderMap) -> Result<()> {
    let encodings = headers.get_all(header::CONTENT_ENCODING);
    if let Some(encoding) = encodings
        .iter()
        .find(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Problem::new(
            Code::Malformed,
            format!("content encoding {encoding:?} is not taken here; send the JSON plain, without `Content-Encoding`"),
        )
        .status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let essence = given
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json"
        || essence.starts_with("application/") && essence.ends_with("+json")
    {
        return Ok(());
    }
    Err(Problem::new(
        Code::Malformed,
        format!("content type {given:?} is not taken here; send JSON with `Content-Type: application/json`"),
    )
    .status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// Reads JSON and names the field to blame.
///
/// # Errors
/// `malformed` when it is not JSON, `invalid` when a value is not what the type takes.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if bytes.is_empty() {
        return Err(Problem::new(Code::Malformed, "this is empty; send JSON"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(
            Code::Malformed,
            format!("this is not UTF-8 at byte {}", error.valid_up_to()),
        )
    })?;
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(Strict(&mut json)).map_err(invalid)?;
    json.end().map_err(|error| {
        Problem::new(
            Code::Malformed,
            format!("something follows the JSON: {error}"),
        )
    })?;
    Ok(value)
}

fn invalid(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let error = error.into_inner();
    // What was sent may be quoted in it, at any length.
    let detail = Text::clip(&error.to_string());
    let detail = detail.as_str();
    // Where the field is named, its place in the text says no more.
    let detail = match detail.rsplit_once(" at line ") {
        Some((words, _)) if error.is_data() && path != "." => words,
        Some(_) | None => detail,
    };
    let advised = tagged(detail).map(|write| format!("{detail}; {write}"));
    let detail = advised.as_deref().unwrap_or(detail);
    let problem = if error.is_data() || detail.starts_with("number out of range") {
        Problem::new(Code::Invalid, detail)
    } else if detail.starts_with("recursion limit") {
        return Problem::new(Code::Malformed, "this is nested deeper than 128");
    } else {
        Problem::new(Code::Malformed, format!("this is not JSON: {detail}"))
    };
    // The path leads to where it would be, or is for the second time.
    let field = match (path.as_str(), missing_or_duplicate(detail)) {
        (".", None) => return problem,
        (".", Some(field)) => field.to_owned(),
        (path, Some(field)) => format!("{path}.{field}"),
        (path, None) => path.to_owned(),
    };
    problem.field(Text::clip(&field).as_str())
}

/// For whoever writes `user:k-1`, as the command line does, where the body wants `{"user": "k-1"}`.
fn tagged(detail: &str) -> Option<String> {
    let (text, wanted) = detail.strip_prefix("unknown variant `")?.split_once('`')?;
    let (kind, name) = text.split_once(':')?;
    let is_kind = wanted.contains(&format!("`{kind}`"));
    is_kind.then(|| format!("write {{\"{kind}\": \"{name}\"}}"))
}

/// The field that derived types name in their words only.
fn missing_or_duplicate(detail: &str) -> Option<&str> {
    ["missing field `", "duplicate field `"]
        .iter()
        .find_map(|words| detail.strip_prefix(words)?.split('`').next())
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        match axum::extract::Path::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                let problem = Problem::new(Code::Invalid, format!("in the path: {}", error.kind()));
                Err(match error.kind() {
                    ErrorKind::DeserializeError { key, .. }
                    | ErrorKind::ParseErrorAtKey { key, .. }
                    | ErrorKind::InvalidUtf8InPathParam { key } => problem.field(key),
                    // Our names begin by saying what they are: `permit "7" is not of the form p123`.
                    ErrorKind::Message(message) => match message.split(' ').next() {
                        Some(kind) if NAMED.contains(&kind) => problem.field(kind),
                        Some(_) | None => problem,
                    },
                    _ => problem,
                })
            }
            Err(other) => Err(Problem::new(Code::Internal, other.body_text())),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Query(value))
            .map_err(|rejection| {
                let text = rejection.body_text();
                // The reader puts the field before the first colon.
                let text = text
                    .strip_prefix("Failed to deserialize query string: ")
                    .unwrap_or(&text);
                let (field, detail) = match text.split_once(": ") {
                    Some((field, detail)) if !field.contains(' ') => (Some(field), detail),
                    _ => (missing_or_duplicate(text), text),
                };
                let problem = Problem::new(Code::Invalid, format!("in the query: {detail}"));
                match field {
                    Some(field) => problem.field(field),
                    None => problem,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_on_the_command_line_is_understood() {
        let tagged = |text: &str| {
            tagged(&format!(
                "unknown variant `{text}`, expected one of `user`, `agent`"
            ))
        };
        assert_eq!(
            tagged("user:k-1").as_deref(),
            Some(r#"write {"user": "k-1"}"#)
        );
        assert_eq!(tagged("group:ops"), None);
        assert_eq!(tagged("users"), None);
        assert_eq!(super::tagged("missing field `from`"), None);
    }
}
