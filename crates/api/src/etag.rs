//! Versions of definitions, so that nobody overwrites what they have not seen: `ETag`, `If-Match`, `If-None-Match`.
//!
//! A tag is the hash of the definition alone: use, counts and times do not change it.
use crate::cursor::hex;
use crate::problem::{Problem, Result};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_types::Code;
use serde::Serialize;

/// The tag of a definition.
#[must_use]
pub fn of(definition: &impl Serialize) -> String {
    // Definitions are made of strings and numbers: they always have a JSON form.
    let bytes = serde_json::to_vec(definition).unwrap_or_default();
    format!("\"{}\"", hex(&blake3::hash(&bytes).as_bytes()[..16]))
}

/// Answers with a thing and the tag of its definition, or 304 when the caller has this version.
///
/// # Errors
/// None of its own.
pub fn answer<T: Serialize>(headers: &HeaderMap, tag: &str, thing: &T) -> Response {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| names(tags, tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        axum::Json(thing).into_response()
    };
    if let Ok(value) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// Whether a change may be made to what is there now (`None`: nothing).
///
/// # Errors
/// When the caller saw another version, or another thing where it wanted none.
pub fn check(headers: &HeaderMap, now: Option<&str>) -> Result<()> {
    let failed = |why: &str| Err(Problem::new(Code::PreconditionFailed, why));
    if let Some(wanted) = headers.get(header::IF_MATCH) {
        let wanted = wanted.to_str().unwrap_or("");
        if !now.is_some_and(|now| names(wanted, now)) {
            return failed("it was changed since you read it; read it again, then change it");
        }
    }
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value == "*")
        && now.is_some()
    {
        return failed("it exists already; leave out If-None-Match to replace it");
    }
    Ok(())
}

/// Whether a change asks for a check at all.
#[must_use]
pub fn is_conditional(headers: &HeaderMap) -> bool {
    headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH)
}

fn names(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(|given| given.trim().trim_start_matches("W/"))
        .any(|given| given == "*" || given == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_the_version_it_saw() {
        let mut headers = HeaderMap::new();
        assert!(check(&headers, None).is_ok());
        headers.insert(header::IF_MATCH, "\"a\", \"b\"".parse().unwrap());
        assert!(check(&headers, Some("\"b\"")).is_ok());
        assert!(check(&headers, Some("\"c\"")).is_err());
        assert!(check(&headers, None).is_err());
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, "*".parse().unwrap());
        assert!(check(&headers, None).is_ok());
        assert!(check(&headers, Some("\"a\"")).is_err());
    }
}
