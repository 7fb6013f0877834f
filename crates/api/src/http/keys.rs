//! Keys: issue, list, revoke. A secret is told once, to whoever issued the key, and never again.
use crate::app::App;
use crate::auth::caller::Caller;
use crate::auth::{Operation, secret};
use crate::extract::{Path, Query, Unread};
use crate::http::Changed;
use crate::http::fleets::{direct, tenant_of};
use crate::problem::{Problem, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fleet_types::directory::{Command as Directory, Key};
use fleet_types::{AgentId, Code, FleetId, KeyId, Role, ScopePath, TenantId, Text, Time};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What a new key is to open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    /// What it may do.
    pub role: Role,
    /// Whose; absent: the caller's tenant. Another one's may be issued by the server's own admin only.
    #[serde(default)]
    pub tenant: Option<TenantId>,
    /// Only this fleet; absent: every fleet of the tenant.
    #[serde(default)]
    pub fleet: Option<FleetId>,
    /// Only this scope and below; absent: all.
    #[serde(default)]
    pub scope: Option<ScopePath>,
    /// Bound to this agent: it may act as this agent only.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// What it is for.
    #[serde(default)]
    pub description: Text,
    /// No longer valid after this.
    #[serde(default)]
    pub expires_at: Option<Time>,
}

/// A key as seen: all but its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its public name.
    pub id: KeyId,
    /// Whose.
    pub tenant: TenantId,
    /// What it may do.
    pub role: Role,
    /// Only this fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetId>,
    /// Only this scope and below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
    /// Only as this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// No longer valid after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

impl KeyView {
    fn of(key: &Key) -> KeyView {
        KeyView {
            id: key.id.clone(),
            tenant: key.tenant.clone(),
            role: key.role,
            fleet: key.fleet.clone(),
            scope: key.scope.clone(),
            agent: key.agent.clone(),
            description: key.description.clone(),
            expires_at: key.expires_at,
        }
    }
}

/// A key that was issued.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IssuedKey {
    /// The key.
    pub key: KeyView,
    /// The whole credential: told now and never again.
    pub token: String,
}

/// Issues a key.
#[utoipa::path(
    post,
    path = "/v1/keys",
    tag = "keys",
    request_body = KeyBody,
    responses((status = 201, body = IssuedKey, description = "Its token is told this once."))
)]
pub async fn issue(State(app): State<App>, caller: Caller, body: Unread) -> Result<Response> {
    caller.may(Operation::ManageKeys)?;
    let body: KeyBody = body.read(&caller, Operation::ManageKeys)?;
    let tenant = tenant_of(&app, &caller, body.tenant)?;
    if let Some(own) = &caller.fleet
        && body.fleet.as_ref() != Some(own)
    {
        return Err(Problem::new(
            Code::Forbidden,
            format!("this key opens fleet {own} only, so the keys it issues must too"),
        )
        .field("fleet"));
    }
    let fresh = secret::generate().map_err(|error| {
        tracing::error!(%error, "no randomness");
        Problem::new(
            Code::Internal,
            "the system gives no randomness for a secret",
        )
    })?;
    let key = Key {
        id: fresh.id,
        tenant,
        fleet: body.fleet,
        scope: body.scope,
        agent: body.agent,
        role: body.role,
        hash: fresh.hash,
        description: body.description,
        expires_at: body.expires_at,
    };
    let view = KeyView::of(&key);
    direct(&app, &caller, Directory::IssueKey(Box::new(key))).await?;
    let issued = IssuedKey {
        key: view,
        token: fresh.token,
    };
    Ok((StatusCode::CREATED, axum::Json(issued)).into_response())
}

/// Keys of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    /// By id.
    pub keys: Vec<KeyView>,
}

/// Whose keys.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// Absent: the caller's tenant.
    pub tenant: Option<TenantId>,
}

/// The keys of a tenant, without their secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(KeysQuery), responses((status = 200, body = KeyList, description = "All that are valid.")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<KeysQuery>,
) -> Result<axum::Json<KeyList>> {
    caller.may(Operation::ManageKeys)?;
    let tenant = tenant_of(&app, &caller, query.tenant)?;
    let keys = app.keyring().keys(&tenant);
    let keys = keys
        .iter()
        .filter(|key| caller.fleet.is_none() || caller.fleet == key.fleet)
        .map(|key| KeyView::of(key));
    Ok(axum::Json(KeyList {
        keys: keys.collect(),
    }))
}

/// Takes a key out of use at once: sessions and streams it opened end too.
#[utoipa::path(
    delete,
    path = "/v1/keys/{key}",
    tag = "keys",
    params(("key" = KeyId, Path, description = "The key."), KeysQuery),
    responses((status = 200, body = Changed, description = "It opens nothing any more."))
)]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path(key): Path<KeyId>,
    Query(query): Query<KeysQuery>,
) -> Result<axum::Json<Changed>> {
    caller.may(Operation::ManageKeys)?;
    let tenant = tenant_of(&app, &caller, query.tenant)?;
    let known =
        app.keyring().keys(&tenant).into_iter().any(|known| {
            known.id == key && (caller.fleet.is_none() || caller.fleet == known.fleet)
        });
    if !known {
        return Err(Problem::not_found("key", key));
    }
    Ok(axum::Json(
        direct(&app, &caller, Directory::RevokeKey { tenant, key }).await?,
    ))
}
