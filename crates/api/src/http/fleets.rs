//! Fleets of a tenant, and tenants of a server.
use crate::app::App;
use crate::auth::{Caller, Operation};
use crate::extract::Unread;
use crate::http::Changed;
use crate::problem::{Problem, Result};
use axum::extract::State;
use fleet_types::directory::Command as Directory;
use fleet_types::{Code, Command, Envelope, FleetId, Reply, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The tenant under whose name the directory's own journal is kept.
const TENANT_RESERVED: &str = "system";

/// Submits a change of the directory, and waits until it is in force here.
///
/// # Errors
/// When it is refused.
pub(crate) async fn direct(app: &App, caller: &Caller, command: Directory) -> Result<Changed> {
    let envelope = Envelope {
        by: caller.actor.clone(),
        command: Command::Directory(command),
    };
    let reply = app.fleets().directory().call(envelope).await??;
    if let Reply::Done { seq } = reply {
        app.keyring().reached(seq).await?;
    }
    Ok(Changed::of(&reply))
}

/// The fleets of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FleetList {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub fleets: Vec<FleetId>,
}

/// The caller's tenant and its fleets.
#[utoipa::path(
    get,
    path = "/v1/fleets",
    tag = "fleets",
    responses((status = 200, body = FleetList, description = "Those that the key opens."))
)]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<axum::Json<FleetList>> {
    caller.may(Operation::ReadFleets)?;
    let mut fleets = app.keyring().fleets(&caller.tenant);
    fleets.retain(|fleet| caller.may_reach(fleet).is_ok());
    Ok(axum::Json(FleetList {
        tenant: caller.tenant,
        fleets,
    }))
}

/// A fleet to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetBody {
    /// Its name.
    pub fleet: FleetId,
}

/// Adds a fleet to the caller's tenant; a repeat changes nothing.
#[utoipa::path(
    post,
    path = "/v1/fleets",
    tag = "fleets",
    request_body = FleetBody,
    responses((status = 200, body = Changed, description = "It exists."))
)]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    caller.may(Operation::CreateFleet)?;
    let body: FleetBody = body.read(&caller, Operation::CreateFleet)?;
    caller.may_reach(&body.fleet)?;
    check_place("fleet", body.fleet.as_str())?;
    let command = Directory::CreateFleet {
        tenant: caller.tenant.clone(),
        fleet: body.fleet,
    };
    Ok(axum::Json(direct(&app, &caller, command).await?))
}

/// A tenant to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantBody {
    /// Its name.
    pub tenant: TenantId,
}

/// Adds a tenant; a repeat changes nothing. For the server's own admin only.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "fleets",
    request_body = TenantBody,
    responses((status = 200, body = Changed, description = "It exists."))
)]
pub async fn create_tenant(
    State(app): State<App>,
    caller: Caller,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    caller.is_server_admin()?;
    let body: TenantBody = body.read(&caller, Operation::CreateTenant)?;
    check_place("tenant", body.tenant.as_str())?;
    let command = Directory::CreateTenant {
        tenant: body.tenant,
    };
    Ok(axum::Json(direct(&app, &caller, command).await?))
}

/// Names of tenants and fleets are names of journals and directories too, so they are narrower than other names.
fn check_place(field: &str, name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let invalid = |why: String| Err(Problem::new(Code::Invalid, why).field(field));
    if name.len() > 64 || !name.bytes().all(plain) {
        return invalid(format!(
            "{field} {name:?} must be at most 64 letters, digits and . _ -"
        ));
    }
    if field == "tenant" && name == TENANT_RESERVED {
        return invalid(format!(
            "{field} {name:?} is the server's own; choose another"
        ));
    }
    Ok(())
}

/// Whether the server's own admin may act on this tenant, or the caller on its own.
///
/// # Errors
/// When it is another's.
pub(crate) fn tenant_of(app: &App, caller: &Caller, named: Option<TenantId>) -> Result<TenantId> {
    match named {
        None => Ok(caller.tenant.clone()),
        Some(tenant) if tenant == caller.tenant => Ok(tenant),
        Some(tenant) => {
            caller.is_server_admin()?;
            if app.keyring().has_tenant(&tenant) {
                Ok(tenant)
            } else {
                Err(Problem::not_found("tenant", tenant))
            }
        }
    }
}
