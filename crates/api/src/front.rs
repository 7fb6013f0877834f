//! What every HTTP request passes first: its id, the browser check, who it comes from, the load, the time it may take.
//!
//! A handler that panics answers `internal` and harms nobody else. Every refusal leaves as problem+json that names the
//! request's id, which stands in the log too.
use crate::app::{App, wall_clock};
use crate::auth::Caller;
use crate::load::Kind;
use crate::problem::{Problem, Result};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fleet_types::Code;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

const REQUEST_ID: &str = "x-request-id";

/// The middleware around all routes.
pub async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = match admit(&app, &mut request) {
        Ok(ticket) => {
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
            let answer = tokio::time::timeout(app.limits().request_timeout, answer).await;
            drop(ticket);
            match answer {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => Problem::new(
                    Code::Internal,
                    "a fault in the server; it is in the log under this instance",
                )
                .into_response(),
                Err(_) => Problem::new(
                    Code::Timeout,
                    "the answer did not come in time; repeat it with the same request id to learn it",
                )
                .retry_after(1_000)
                .into_response(),
            }
        }
        Err(problem) => problem.into_response(),
    };
    let mut response = name_occurrence(response, &id);
    if let Ok(value) = HeaderValue::try_from(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = response.status();
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(%method, path, status = status.as_u16(), micros, id, "request");
    } else {
        tracing::debug!(%method, path, status = status.as_u16(), micros, id, "request");
    }
    response
}

/// Who comes in, and whether there is room.
fn admit(app: &App, request: &mut Request) -> Result<Option<crate::load::Ticket>> {
    app.mode().check_browser(request.headers(), request.uri())?;
    if !request.uri().path().starts_with("/v1/") {
        return Ok(None);
    }
    let caller = authenticate(app, request.headers())?;
    let ticket = app.load().enter(kind(request), caller.key.as_ref())?;
    request.extensions_mut().insert(caller);
    Ok(Some(ticket))
}

/// A halt must find room when everything else waits.
fn kind(request: &Request) -> Kind {
    let mut below_fleet = request.uri().path().split('/').skip(4);
    match (request.method(), below_fleet.next()) {
        (&Method::POST, Some("halts")) => Kind::Control,
        _ => Kind::Request,
    }
}

fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
    match token {
        // A client made for a server with keys is let in as anyone else.
        _ if app.mode().is_open() => Ok(Caller::local()),
        Some(token) => app.keyring().authenticate(token, wall_clock()),
        None => Err(Problem::new(
            Code::Unauthenticated,
            "no key was given; send `Authorization: Bearer fk_…`",
        )),
    }
}

/// The caller's own id of this request where it gave a plain one, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| {
            (1..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
        })
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

fn name_occurrence(mut response: Response, id: &str) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => {
            let mut named = problem.instance(id).into_response();
            // What the handler added besides, such as `Allow`.
            for (name, value) in response.headers() {
                if !named.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                    named.headers_mut().insert(name.clone(), value.clone());
                }
            }
            named
        }
        None => response,
    }
}

/// No such address.
pub async fn no_route(request: Request) -> Problem {
    Problem::new(
        Code::NotFound,
        format!(
            "there is nothing at {}; /openapi.json lists what there is",
            request.uri().path()
        ),
    )
}

/// The address exists, the method does not.
pub async fn no_method(request: Request) -> Problem {
    Problem::new(
        Code::Malformed,
        format!(
            "{} is not taken at {}",
            request.method(),
            request.uri().path()
        ),
    )
    .status(StatusCode::METHOD_NOT_ALLOWED)
}
