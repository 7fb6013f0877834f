//! Whether the process lives, and whether it can serve: for load balancers and supervisors. No key needed.
use crate::app::App;
use crate::problem::Result;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// It is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// True.
    pub ok: bool,
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "server", security(()), responses((status = 200, body = Health, description = "It lives.")))]
pub async fn live() -> axum::Json<Health> {
    axum::Json(Health { ok: true })
}

/// The server can serve: it is recovered, and the journal takes writes; else it is said for which fleets it does not.
#[utoipa::path(get, path = "/readyz", tag = "server", security(()), responses(
    (status = 200, body = Health, description = "It can serve."),
    (status = 503, body = fleet_types::session::Problem, content_type = "application/problem+json", description = "It cannot now.")
))]
pub async fn ready(State(app): State<App>) -> Result<axum::Json<Health>> {
    app.is_ready().await?;
    Ok(axum::Json(Health { ok: true }))
}
