//! Waiting on the server's side for a decision that comes later.
use crate::app::wall_clock;
use crate::door::Door;
use crate::problem::{Problem, Result};
use crate::reads;
use crate::wait;
use fleet_types::permit::{self, Decision, Grant, Queued, ViewState};
use fleet_types::{Code, Event, Millis, PermitId, Record, Seq, Time};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait within one HTTP request: below the time a request may take, and what proxies let pass.
pub const WAIT_MS_MAX: u64 = 25_000;
/// A wait that is over ends with a denial; so much longer the door waits for it to be durable, rather than answer `queued`
/// for what waits no more.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Records looked through for the end of a permit that is not there any more.
const LOOK_BACK: usize = 20_000;

/// How long to wait.
#[must_use]
pub fn span(wait_ms: Millis) -> Duration {
    Duration::from_millis(wait_ms.0.min(WAIT_MS_MAX))
}

/// How long to listen for what becomes of something that waits until then.
fn patience(until: Time, wait_ms: Millis) -> Duration {
    let span = span(wait_ms);
    let ends_meanwhile = until.0 <= wall_clock().0.saturating_add(span.as_micros() as u64);
    if ends_meanwhile {
        span + LAST_WORD
    } else {
        span
    }
}

/// Waits for the decision about a queued request; what it was, if it did not come in time.
///
/// # Errors
/// When the fleet is not serving.
pub async fn for_decision(door: &Door, queued: Queued, wait_ms: Millis) -> Result<Decision> {
    let permit = queued.permit;
    if span(wait_ms).is_zero() {
        return Ok(Decision::Queued(queued));
    }
    let told = door
        .app
        .waits()
        .on(&door.caller.tenant, &door.fleet, &door.handle, permit);
    let view = door.read(move |state| reads::permit(state, permit)).await?;
    match view.map(|view| view.state) {
        Some(ViewState::Queued | ViewState::AwaitingApproval) => {}
        // It was decided before the waiter was registered.
        Some(ViewState::Granted | ViewState::Extending) | None => {
            return Ok(decided(door, permit)
                .await?
                .unwrap_or(Decision::Queued(queued)));
        }
    }
    match or_interrupted(door, patience(queued.until, wait_ms), told)
        .await
        .and_then(|record| wait::decision(&record, permit))
    {
        Some(decision) => Ok(decision),
        None => Ok(Decision::Queued(queued)),
    }
}

/// Waits until something is decided about a permit that waits; ends early when nothing will be told.
///
/// # Errors
/// When the fleet is not serving.
pub async fn for_change(door: &Door, permit: PermitId, wait_ms: Millis) -> Result<()> {
    if span(wait_ms).is_zero() {
        return Ok(());
    }
    let told = door
        .app
        .waits()
        .on(&door.caller.tenant, &door.fleet, &door.handle, permit);
    let view = door.read(move |state| reads::permit(state, permit)).await?;
    let waits = |view: &permit::View| match view.state {
        ViewState::Queued | ViewState::AwaitingApproval | ViewState::Extending => true,
        ViewState::Granted => false,
    };
    if let Some(view) = view.filter(waits) {
        or_interrupted(door, patience(view.until, wait_ms), told).await;
    }
    Ok(())
}

/// Waits for the decision about an extension that waits; `told` was registered before it was asked for.
///
/// # Errors
/// When the fleet is not serving.
pub async fn for_extension(
    door: &Door,
    queued: Queued,
    wait_ms: Millis,
    told: tokio::sync::oneshot::Receiver<Record>,
) -> Result<Decision> {
    let permit = queued.permit;
    let Some(record) = or_interrupted(door, patience(queued.until, wait_ms), told).await else {
        return Ok(Decision::Queued(queued));
    };
    if let Some(decision) = wait::decision(&record, permit) {
        return Ok(decision);
    }
    let view = view(door, permit).await?;
    Ok(Decision::Granted(Grant {
        permit,
        resources: view.resources,
        versions: view.versions,
        expires_at: view.until,
        explain: Vec::new(),
        changed: view.asked.map(|_| Arc::new(view.request)),
    }))
}

async fn or_interrupted<T>(
    door: &Door,
    span: Duration,
    told: tokio::sync::oneshot::Receiver<T>,
) -> Option<T> {
    tokio::select! {
        told = tokio::time::timeout(span, told) => told.ok()?.ok(),
        _ = door.interrupted() => None,
    }
}

/// The first decision about a permit, looked up in the journal behind the request's own place.
async fn decided(door: &Door, permit: PermitId) -> Result<Option<Decision>> {
    let head = door.read(reads::seq).await?;
    // A decision taken at once has the request's own place.
    let mut at = Seq(permit.0.0.saturating_sub(1));
    let mut looked = 0;
    while at < head && looked < LOOK_BACK {
        let records = door.handle.records_after(at, 1_000).await?;
        let Some(last) = records.last() else { break };
        at = last.seq;
        looked += records.len();
        let found = records.iter().find_map(|record| match &record.event {
            Event::PermitExtensionDenied(_) => None, // It holds what it held: that is not about the request.
            _ => wait::decision(record, permit),
        });
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// A permit that waits or holds, or why it does not.
///
/// # Errors
/// The denial, when it was denied; else that it is not known.
pub async fn view(door: &Door, permit: PermitId) -> Result<permit::View> {
    if let Some(view) = door.read(move |state| reads::permit(state, permit)).await? {
        return Ok(view);
    }
    match decided(door, permit).await? {
        Some(Decision::Denied(denial)) => Err(denial.into()),
        Some(Decision::Granted(_) | Decision::Queued(_)) | None => Err(Problem::new(
            Code::PermitUnknown,
            format!(
                "permit {permit} is not known or has ended; repeat the request with its request id to get its first answer"
            ),
        )),
    }
}
