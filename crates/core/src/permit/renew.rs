//! Holding a permit longer.
use super::{Phase, end};
use crate::decide::{Decided, invalid, rejected};
use crate::state::State;
use crate::timers::Timer;
use fleet_types::event::Renewed;
use fleet_types::{Actor, AgentId, Code, Event, Millis, PermitId, Time};

pub fn decide(
    state: &State,
    by: &Actor,
    id: PermitId,
    agent: &AgentId,
    ttl: Option<Millis>,
    now: Time,
) -> Decided {
    let key = match end::owned(state, by, id, agent) {
        Ok(key) => key,
        Err(rejection) => return Decided::Rejected(rejection),
    };
    let Phase::Granted(granted) = &state.permits[key].phase else {
        return rejected(Code::PermitNotGranted, format!("permit {id} still waits"));
    };
    if granted.gives_way {
        let words =
            format!("permit {id} has given way in a conflict and cannot be renewed; finish it");
        return rejected(Code::Conflict, words);
    }
    let ttl = ttl.unwrap_or(granted.ttl);
    let most = state.settings.ttl_ms_max;
    if ttl.0 == 0 || ttl > most {
        return invalid("ttl_ms", format!("ttl_ms must be 1–{}", most.0));
    }
    Decided::event(Event::PermitRenewed(Renewed {
        permit: id,
        // A renewal never shortens the lease.
        expires_at: granted.expires_at.max(now.after(ttl)),
    }))
}

pub fn renewed(state: &mut State, event: &Renewed) {
    let Some(key) = state.permits.key(event.permit) else {
        return;
    };
    if let Phase::Granted(granted) = &mut state.permits[key].phase {
        granted.expires_at = event.expires_at;
        state.timers.forget_one();
        state
            .timers
            .arm(event.expires_at, Timer::Lease(event.permit));
    }
}
