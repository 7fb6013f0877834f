//! Everything that happens in a fleet, as a stream of server-sent events that resumes from the journal.
//!
//! Each event's id is its place in the journal, so `Last-Event-ID` goes on without a gap. The stream holds no queue of
//! its own beyond a few chunks: a reader that does not take them for [`crate::app::Limits::write_timeout`] hears a last
//! `event: lagged` and is cut; it resumes where it stopped.
use crate::auth::Operation;
use crate::door::Door;
use crate::extract::Query;
use crate::load::Kind;
use crate::problem::{Problem, Result};
use crate::reads;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use fleet_types::{Code, Event, Record, Seq};
use futures_util::stream;
use serde::Deserialize;
use std::convert::Infallible;
use std::io::Write;
use tokio::sync::mpsc;
use utoipa::IntoParams;

/// Chunks between the journal and the socket: one being written, one ready, and room for two more.
const CHUNKS: usize = 4;
/// Records of one chunk.
const RECORDS: usize = 256;

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Those after this place in the journal; 0: from the beginning; absent: from now on. `Last-Event-ID` wins.
    pub after: Option<Seq>,
    /// Only these, with commas between: `permit.granted,halt.ordered`, or all of a noun: `halt.*`.
    pub types: Option<String>,
}

/// Everything that happens, as it becomes durable.
///
/// `id` is the place in the journal, `event` the name, `data` the record as JSON.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/events",
    tag = "events",
    params(
        ("fleet" = fleet_types::FleetId, Path, description = "The fleet."),
        EventsQuery,
        ("Last-Event-ID" = Option<Seq>, Header, description = "Resume after this one."),
    ),
    responses((status = 200, body = Record, content_type = "text/event-stream", description = "A stream without end."))
)]
pub async fn stream_events(
    door: Door,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response> {
    door.caller.may(Operation::ReadEvents)?;
    let types = Types::parse(query.types.as_deref())?;
    let last_seen = match headers.get("last-event-id") {
        Some(id) => Some(
            id.to_str()
                .ok()
                .and_then(|id| id.parse().ok())
                .map(Seq)
                .ok_or_else(|| {
                    Problem::new(
                        Code::Invalid,
                        "this is no id of an event; send the last `id` as it came",
                    )
                    .field("Last-Event-ID")
                })?,
        ),
        None => None,
    };
    let after = match last_seen.or(query.after) {
        Some(after) => after,
        None => door.read(reads::seq).await?,
    };
    let ticket = door
        .app
        .load()
        .enter(Kind::Session, door.caller.key.as_ref())?;
    let (sender, receiver) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        let _ticket = ticket;
        tokio::select! {
            biased;
            why = door.interrupted() => tracing::debug!(?why, "a stream of events is cut"),
            () = feed(&door, types, after, sender) => {}
        }
    });
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver
            .recv()
            .await
            .map(|chunk| (Ok::<Bytes, Infallible>(chunk), receiver))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx kind would hold events back otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Follows the journal until the reader is gone or lags.
async fn feed(door: &Door, types: Types, mut at: Seq, sender: mpsc::Sender<Bytes>) {
    let limits = door.app.limits();
    // The last place that the reader was given.
    let mut sent = at;
    let mut quiet = tokio::time::interval(limits.keep_alive);
    quiet.reset();
    // The first bytes tell the client that the stream stands.
    let mut chunk = b": fleetcommand\n\n".to_vec();
    loop {
        if !chunk.is_empty() {
            match tokio::time::timeout(limits.write_timeout, sender.reserve()).await {
                Ok(Ok(room)) => {
                    room.send(Bytes::from(std::mem::take(&mut chunk)));
                    sent = at;
                }
                Ok(Err(_)) => break,
                Err(_) => {
                    // It waits behind what the reader has not taken; nothing follows it.
                    let last =
                        Bytes::from(format!("event: lagged\ndata: {{\"after\":{sent}}}\n\n"));
                    let _ = tokio::time::timeout(limits.request_timeout, sender.send(last)).await;
                    break;
                }
            }
        }
        let records = tokio::select! {
            records = door.handle.records_after(at, RECORDS) => records,
            _ = quiet.tick() => {
                chunk.extend_from_slice(b":\n\n");
                continue;
            }
            () = sender.closed() => break,
        };
        match records {
            Ok(records) => {
                for record in &records {
                    at = record.seq;
                    if types.hold(record.event.name()) {
                        write(&mut chunk, record);
                    }
                }
            }
            Err(failure) => {
                tracing::debug!(%failure, "a stream of events ends");
                break;
            }
        }
        if !chunk.is_empty() {
            quiet.reset();
        }
    }
}

fn write(chunk: &mut Vec<u8>, record: &Record) {
    let before = chunk.len();
    // Writing into memory does not fail, and a record is made of strings and numbers.
    let written = write!(
        chunk,
        "id: {}\nevent: {}\ndata: ",
        record.seq,
        record.event.name()
    )
    .is_ok()
        && serde_json::to_writer(&mut *chunk, record).is_ok();
    if written {
        chunk.extend_from_slice(b"\n\n");
    } else {
        chunk.truncate(before);
        tracing::error!(seq = %record.seq, "a record could not be written");
    }
}

/// Names of events that are wanted; none: all.
struct Types(Vec<&'static str>);

impl Types {
    fn parse(text: Option<&str>) -> Result<Types> {
        let mut wanted = Vec::new();
        for name in text
            .into_iter()
            .flat_map(|text| text.split(','))
            .map(str::trim)
        {
            let before = wanted.len();
            let is_it = |known: &str| match name.strip_suffix(".*") {
                Some(noun) => known.split_once('.').is_some_and(|(of, _)| of == noun),
                None => known == name,
            };
            wanted.extend(Event::NAMES.iter().copied().filter(|known| is_it(known)));
            if wanted.len() == before {
                return Err(Problem::new(
                    Code::Invalid,
                    format!(
                        "{name:?} is no event; there are {}",
                        Event::NAMES.join(", ")
                    ),
                )
                .field("types"));
            }
        }
        Ok(Types(wanted))
    }

    fn hold(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_types::{Actor, Time, event};

    #[test]
    fn types_are_named_or_by_noun() {
        let types = Types::parse(Some("halt.*, permit.granted")).unwrap();
        assert!(types.hold("halt.ordered") && types.hold("permit.granted"));
        assert!(!types.hold("permit.denied"));
        assert!(Types::parse(None).unwrap().hold("tenant.created"));
        assert!(Types::parse(Some("halt.ordered,nonsense")).is_err());
        assert!(Types::parse(Some("")).is_err());
    }

    #[test]
    fn a_record_is_one_event() {
        let mut chunk = Vec::new();
        let event = Event::TenantCreated(event::TenantCreated {
            tenant: "acme".parse().unwrap(),
        });
        write(
            &mut chunk,
            &Record {
                seq: Seq(7),
                at: Time(9),
                by: Actor::System,
                event,
            },
        );
        assert_eq!(
            String::from_utf8(chunk).unwrap(),
            "id: 7\nevent: tenant.created\ndata: {\"seq\":7,\"at\":9,\"by\":\"system\",\"event\":{\"tenant.created\":{\"tenant\":\"acme\"}}}\n\n"
        );
    }
}
