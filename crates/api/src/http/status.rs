//! The fleet at a glance.
use crate::app::wall_clock;
use crate::auth::Operation;
use crate::door::Door;
use crate::problem::Result;
use crate::reads;
use fleet_types::{FleetId, view};

/// The fleet at a glance.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/status",
    tag = "status",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    responses((status = 200, body = view::Status, description = "As of one place in the journal."))
)]
pub async fn get(door: Door) -> Result<axum::Json<view::Status>> {
    door.caller.may(Operation::ReadStatus)?;
    let (mut status, policies) = door
        .read(|state| (reads::status(state, wall_clock()), state.asks_policies()))
        .await?;
    if policies {
        let broken = door.handle.look_at_policies(|sight, _| sight.broken());
        status.policies_broken = broken.await?.len() as u64;
    }
    Ok(axum::Json(status))
}
