//! Tenants, fleets and keys: the state of the directory fleet, which is a fleet like any other.
use crate::decide::{Decided, rejected};
use crate::map::Map;
use crate::state::State;
use fleet_types::directory::{Command, Key};
use fleet_types::event::{FleetCreated, KeyRevoked, TenantCreated};
use fleet_types::{Code, Event, FleetId, KeyId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Directory {
    pub tenants: Map<TenantId, Tenant>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Tenant {
    pub fleets: Vec<FleetId>,
    pub keys: Map<KeyId, Arc<Key>>,
}

pub fn decide(state: &State, command: &Command) -> Decided {
    let tenants = &state.directory.tenants;
    let missing =
        |tenant: &TenantId| rejected(Code::NotFound, format!("there is no tenant {tenant}"));
    match command {
        Command::CreateTenant { tenant } if tenants.contains_key(tenant) => Decided::unchanged(),
        Command::CreateTenant { tenant } => Decided::event(Event::TenantCreated(TenantCreated {
            tenant: tenant.clone(),
        })),
        Command::CreateFleet { tenant, fleet } => match tenants.get(tenant) {
            None => missing(tenant),
            Some(known) if known.fleets.contains(fleet) => Decided::unchanged(),
            Some(_) => Decided::event(Event::FleetCreated(FleetCreated {
                tenant: tenant.clone(),
                fleet: fleet.clone(),
            })),
        },
        Command::IssueKey(key) => match tenants.get(&key.tenant) {
            None => missing(&key.tenant),
            Some(known) if known.keys.contains_key(&key.id) => {
                rejected(Code::Conflict, format!("key {} exists already", key.id))
            }
            Some(known) => match &key.fleet {
                Some(fleet) if !known.fleets.contains(fleet) => {
                    rejected(Code::NotFound, format!("there is no fleet {fleet}"))
                }
                Some(_) | None => Decided::event(Event::KeyIssued(Arc::new((**key).clone()))),
            },
        },
        Command::RevokeKey { tenant, key } => match tenants.get(tenant) {
            None => missing(tenant),
            Some(known) if !known.keys.contains_key(key) => {
                rejected(Code::NotFound, format!("there is no key {key}"))
            }
            Some(_) => Decided::event(Event::KeyRevoked(KeyRevoked {
                tenant: tenant.clone(),
                key: key.clone(),
            })),
        },
    }
}

pub fn tenant_created(state: &mut State, event: &TenantCreated) {
    let tenants = &mut state.directory.tenants;
    tenants.entry(event.tenant.clone()).or_default();
}

pub fn fleet_created(state: &mut State, event: &FleetCreated) {
    let tenants = &mut state.directory.tenants;
    let tenant = tenants.entry(event.tenant.clone()).or_default();
    tenant.fleets.push(event.fleet.clone());
}

pub fn key_issued(state: &mut State, key: &Arc<Key>) {
    let tenants = &mut state.directory.tenants;
    let tenant = tenants.entry(key.tenant.clone()).or_default();
    tenant.keys.insert(key.id.clone(), key.clone());
}

pub fn key_revoked(state: &mut State, event: &KeyRevoked) {
    if let Some(tenant) = state.directory.tenants.get_mut(&event.tenant) {
        tenant.keys.shift_remove(&event.key);
    }
}
