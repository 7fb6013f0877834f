//! The fleet's own settings.
use crate::decide::{Decided, invalid};
use crate::state::{State, Wake};
use fleet_types::Event;
use fleet_types::settings::Settings;

/// Shortest heartbeat: below it the beats themselves would be the load.
const HEARTBEAT_MS_MIN: u64 = 100;
/// Longest chain of delegation that a fleet may allow: each permit of it keeps the names above it.
const DELEGATION_DEPTH_MAX: u64 = 64;
/// Most patterns of actions that must be tools.
const PATTERNS_MAX: usize = 100;

pub fn decide(state: &State, settings: &Settings) -> Decided {
    if state.settings == *settings {
        return Decided::unchanged();
    }
    let day = 86_400_000;
    let bounds = [
        (
            "heartbeat_ms",
            settings.heartbeat_ms.0,
            HEARTBEAT_MS_MIN,
            day,
        ),
        (
            "heartbeats_missed_max",
            settings.heartbeats_missed_max.into(),
            1,
            1_000,
        ),
        ("age_step_ms", settings.age_step_ms.0, 1, day),
        (
            "ttl_ms_default",
            settings.ttl_ms_default.0,
            1,
            settings.ttl_ms_max.0,
        ),
        ("ttl_ms_max", settings.ttl_ms_max.0, 1, 31 * day),
        ("wait_ms_max", settings.wait_ms_max.0, 0, 31 * day),
        ("waiting_max", settings.waiting_max.into(), 0, 1_000_000),
        (
            "delegation_depth_max",
            settings.delegation_depth_max.into(),
            0,
            DELEGATION_DEPTH_MAX,
        ),
        (
            "request_memory_ms",
            settings.request_memory_ms.0,
            1_000,
            7 * day,
        ),
    ];
    for (field, value, least, most) in bounds {
        if value < least || value > most {
            let message = format!("{field} is {value}; it must be {least}–{most}");
            return invalid(field, message);
        }
    }
    if settings.tools_required.len() > PATTERNS_MAX {
        let message = format!("tools_required has more than {PATTERNS_MAX} patterns");
        return invalid("tools_required", message);
    }
    Decided::event(Event::FleetConfigured(Box::new(settings.clone())))
}

pub fn configured(state: &mut State, settings: &Settings) {
    if state.settings.policy_stage != settings.policy_stage {
        state.wakes.insert(Wake::Policies);
    }
    state.tools.changes += u64::from(state.settings.tools_required != settings.tools_required);
    state.settings = settings.clone();
}
