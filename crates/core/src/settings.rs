//! The fleet's own settings.
use crate::decide::{Decided, invalid};
use crate::state::{State, Wake};
use fleet_types::Event;
use fleet_types::settings::Settings;

/// Shortest heartbeat: below it the beats themselves would be the load.
const HEARTBEAT_MS_MIN: u64 = 100;

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
    Decided::event(Event::FleetConfigured(Box::new(settings.clone())))
}

pub fn configured(state: &mut State, settings: &Settings) {
    if state.settings.policy_stage != settings.policy_stage {
        state.wakes.insert(Wake::Policies);
    }
    state.settings = settings.clone();
}
