//! Versions of resources: what an agent reads, to say later that it goes by it.
use crate::auth::Operation;
use crate::door::Door;
use crate::extract::Path;
use crate::problem::{Problem, Result};
use crate::reads;
use fleet_types::version::{self, View};
use fleet_types::{Code, Command, FleetId, ResourcePath};

/// The version of a resource.
///
/// Read it before the resource itself, and say it as `if_version` when you ask to write. From the first reading on the
/// resource's versions are kept; that is written down, so that a first reading takes as long as a permit.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/versions/{*resource}",
    tag = "versions",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("resource" = ResourcePath, Path, description = "The resource.")),
    responses((status = 200, body = View, description = "Its version."))
)]
pub async fn get(
    door: Door,
    Path((_fleet, resource)): Path<(FleetId, ResourcePath)>,
) -> Result<axum::Json<View>> {
    door.caller.may(Operation::ReadVersion)?;
    if let Some(view) = read(&door, &resource).await? {
        return Ok(axum::Json(view));
    }
    let resources = vec![resource.clone()];
    door.call(Command::Version(version::Command::Watch { resources }))
        .await?;
    let view = read(&door, &resource).await?.ok_or_else(|| {
        Problem::new(
            Code::Overloaded,
            "more resources were read at once than versions are kept of; try again",
        )
        .retry_after(100)
    })?;
    Ok(axum::Json(view))
}

async fn read(door: &Door, resource: &ResourcePath) -> Result<Option<View>> {
    let resource = resource.clone();
    door.read(move |state| reads::version(state, &resource))
        .await
}
