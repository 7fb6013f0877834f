//! Locks: who holds what, who waits, and whether a fencing token is the newest one.
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Query, Unread};
use crate::problem::Result;
use crate::reads;
use fleet_types::view::{Lock, Page};
use fleet_types::{FleetId, ResourcePath, Seq, Token};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which locks.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LocksQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    pub count: Option<usize>,
    /// This resource and those below it.
    pub prefix: Option<ResourcePath>,
}

/// Resources that are held or waited for.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/locks",
    tag = "locks",
    params(("fleet" = FleetId, Path, description = "The fleet."), LocksQuery),
    responses((status = 200, body = Page<Lock>, description = "A page, by path."))
)]
pub async fn list(door: Door, Query(query): Query<LocksQuery>) -> Result<axum::Json<Page<Lock>>> {
    door.caller.may(Operation::ReadLocks)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| reads::locks(state, query.prefix.as_ref(), after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A resource and a fencing token that came with a write to it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateBody {
    /// The resource.
    pub resource: ResourcePath,
    /// The token.
    pub token: Token,
}

/// Whether the token is the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Validity {
    /// Whether the write may go on.
    pub valid: bool,
    /// As of this place in the journal.
    pub seq: Seq,
}

/// Whether a fencing token still stands for its resource.
///
/// For stores that cannot compare tokens themselves. One that can is safer: between this answer and the write, the lock
/// may change hands.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/locks:validate",
    tag = "locks",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = ValidateBody,
    responses((status = 200, body = Validity, description = "Whether it stands."))
)]
pub async fn validate(door: Door, body: Unread) -> Result<axum::Json<Validity>> {
    door.caller.may(Operation::Validate)?;
    let body: ValidateBody = body.read(&door.caller, Operation::Validate)?;
    let validity = door
        .read(move |state| Validity {
            valid: reads::validate(state, &body.resource, body.token),
            seq: reads::seq(state),
        })
        .await?;
    Ok(axum::Json(validity))
}
