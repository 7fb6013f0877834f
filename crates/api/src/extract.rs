//! What comes in: JSON bodies, query parameters and names in the path, each refused with the field to blame.
//!
//! A body is read whole and bounded (size and time) before anything looks at it. Unknown fields are refused by the
//! types themselves; nesting deeper than 128 by the JSON reader.
use crate::app::App;
use crate::problem::{Problem, Result};
use axum::body::Bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use fleet_types::Code;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A whole body, bounded, said to be JSON.
pub struct RawJson(pub Bytes);

/// A body of type `T`.
pub struct Json<T>(pub T);

/// Names in the path.
pub struct Path<T>(pub T);

/// Query parameters.
pub struct Query<T>(pub T);

impl FromRequest<App> for RawJson {
    type Rejection = Problem;
    async fn from_request(request: Request, app: &App) -> Result<Self> {
        check_content_type(request.headers())?;
        let limits = app.limits();
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
            Ok(Ok(body)) => Ok(RawJson(body.to_bytes())),
            Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
                Err(too_large())
            }
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
}

impl RawJson {
    /// Reads the body.
    ///
    /// # Errors
    /// Names the field to blame.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        parse(&self.0)
    }

    /// Reads the body of a thing whose name stands in the path: `field` may be left out of the body, and must be the
    /// same where it is given.
    ///
    /// # Errors
    /// Names the field to blame.
    pub fn parse_named<T: DeserializeOwned>(&self, field: &str, name: &str) -> Result<T> {
        let mut map: Map<String, Value> = parse(&self.0)?;
        match map.get(field) {
            None => {
                map.insert(field.to_owned(), Value::from(name));
            }
            Some(Value::String(given)) if given == name => {}
            Some(given) => {
                return Err(Problem::new(
                    Code::Invalid,
                    format!("{given} is not {name:?}, which the path names; leave it out or make it the same"),
                )
                .field(field));
            }
        }
        serde_path_to_error::deserialize(Value::Object(map)).map_err(invalid)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, app: &App) -> Result<Self> {
        RawJson::from_request(request, app).await?.parse().map(Json)
    }
}

/// What stands in paths.
const NAMED: [&str; 10] = [
    "fleet", "agent", "instance", "permit", "halt", "limit", "budget", "group", "scope", "pattern",
];

fn check_content_type(headers: &HeaderMap) -> Result<()> {
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
        return Err(Problem::new(
            Code::Malformed,
            "the body is empty; send JSON",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(
            Code::Malformed,
            format!("the body is not UTF-8 at byte {}", error.valid_up_to()),
        )
    })?;
    // The reader would take a list as an object's values in order; nobody means that.
    if text.trim_ascii_start().starts_with('[') {
        return Err(Problem::new(
            Code::Malformed,
            "the body is a list; send a JSON object",
        ));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(invalid)?;
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
    match error.classify() {
        serde_json::error::Category::Data => {
            let detail = error.to_string();
            let missing = detail
                .strip_prefix("missing field `")
                .and_then(|rest| rest.split('`').next());
            let field = match (path.as_str(), missing) {
                (".", None) => return Problem::new(Code::Invalid, detail),
                (".", Some(missing)) => missing.to_owned(),
                (path, Some(missing)) => format!("{path}.{missing}"),
                (path, None) => path.to_owned(),
            };
            Problem::new(Code::Invalid, detail).field(field)
        }
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => {
            Problem::new(Code::Malformed, format!("the body is not JSON: {error}"))
        }
    }
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
                let (field, detail) = match text
                    .strip_prefix("Failed to deserialize query string: ")
                    .unwrap_or(&text)
                    .split_once(": ")
                {
                    Some((field, detail)) if !field.contains(' ') => (Some(field), detail),
                    _ => (None, text.as_str()),
                };
                let problem = Problem::new(Code::Invalid, format!("in the query: {detail}"));
                match field {
                    Some(field) => problem.field(field),
                    None => problem,
                }
            })
    }
}
