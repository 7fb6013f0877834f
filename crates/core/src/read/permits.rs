//! Live permits as seen, and what the gates would say to a request.
use super::page;
use crate::agent::{Agent, NOT_YET};
use crate::permit::gates::{Report, pass};
use crate::permit::{Permit, PermitKey, Phase, WaitsOn, extend, queue, request};
use crate::reply::grant_now;
use crate::state::State;
use fleet_types::agent::Definition;
use fleet_types::explain::Explanation;
use fleet_types::permit::{Request, View, ViewState};
use fleet_types::policy::Verdict;
use fleet_types::view::Page;
use fleet_types::{Actor, AgentId, Code, PermitId, Rejection, Time};
use std::sync::Arc;

/// Which permits to list. Every part that is given must match.
#[derive(Clone, Debug, Default)]
pub struct PermitFilter {
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// In this state.
    pub state: Option<ViewState>,
}

/// Live permits, the oldest first.
#[must_use]
pub fn permits(
    state: &State,
    filter: &PermitFilter,
    after: Option<&str>,
    count: usize,
) -> Page<View> {
    let after = after.and_then(|after| after.parse::<PermitId>().ok());
    let wanted = |permit: &Permit| {
        after.is_none_or(|after| permit.id > after)
            && filter
                .agent
                .as_ref()
                .is_none_or(|agent| permit.request.agent == *agent)
            && filter.state.is_none_or(|wanted| state_of(permit) == wanted)
    };
    let mut rows: Vec<(PermitId, PermitKey)> = match &filter.agent {
        Some(agent) => match state.agents.get(agent) {
            Some(agent) => {
                let keys = state.permits.of(agent);
                keys.map(|key| (state.permits[key].id, key)).collect()
            }
            None => Vec::new(),
        },
        None => state
            .permits
            .iter()
            .map(|(key, permit)| (permit.id, key))
            .collect(),
    };
    rows.retain(|(_, key)| wanted(&state.permits[*key]));
    rows.sort_unstable();
    let rows = rows
        .into_iter()
        .map(|(id, key)| (id.to_string(), view(state, key)));
    // Cursors are numbers, compared above; the page only cuts.
    page(state, rows, None, count)
}

/// One live permit.
#[must_use]
pub fn permit(state: &State, id: PermitId) -> Option<View> {
    state.permits.key(id).map(|key| view(state, key))
}

fn state_of(permit: &Permit) -> ViewState {
    match &permit.phase {
        Phase::Waiting(waiting) if waiting.on == WaitsOn::Approval => ViewState::AwaitingApproval,
        Phase::Waiting(_) => ViewState::Queued,
        Phase::Granted(granted) if granted.extension.is_some() => ViewState::Extending,
        Phase::Granted(_) => ViewState::Granted,
    }
}

fn view(state: &State, key: PermitKey) -> View {
    let permit = &state.permits[key];
    let queued = queue::view(state, permit.id);
    let extension = extend::waits_for(state, key);
    let (resources, versions) = grant_now(state, permit.id)
        .map(|grant| (grant.resources, grant.versions))
        .unwrap_or_default();
    View {
        permit: permit.id,
        state: state_of(permit),
        request: (*permit.request).clone(),
        asked: permit.changed().map(|_| permit.asked().clone()),
        chain: permit.chain.to_vec(),
        asked_at: permit.asked_at,
        granted_at: permit.granted().map(|granted| granted.at),
        until: permit.expires_at(),
        resources,
        versions,
        waits_for: queued
            .as_ref()
            .map(|queued| queued.waits_for.clone())
            .or(extension),
        position: queued.map(|queued| queued.position),
    }
}

/// What every gate would say to this request now; nothing is consumed.
///
/// # Errors
/// When the agent is not known and would not be registered by asking, the caller does not speak for it, or a value is out of the fleet's bounds.
pub fn explain(
    state: &State,
    by: &Actor,
    asked: &Request,
    now: Time,
) -> Result<Explanation, Rejection> {
    explain_judged(state, by, asked, None, now)
}

/// As [`explain`], with what policies said of it.
///
/// # Errors
/// As [`explain`].
pub fn explain_judged(
    state: &State,
    by: &Actor,
    asked: &Request,
    verdict: Option<&Verdict>,
    now: Time,
) -> Result<Explanation, Rejection> {
    let now = now.max(state.now);
    let fresh;
    let agent = match request::asker(state, by, &asked.agent) {
        Ok(key) => (key, &state.agents.agents[key]),
        // The request itself would register it.
        Err(rejection) if rejection.code == Code::AgentUnknown && state.settings.auto_register => {
            let definition = Arc::new(Definition::new(asked.agent.clone()));
            fresh = Agent::fresh(&definition, state.groups.of(&asked.agent), now);
            (NOT_YET, &fresh)
        }
        Err(rejection) => return Err(rejection),
    };
    request::bounds(state, asked)?;
    let mut asked = asked.clone();
    asked.explain = true;
    let (ask, _) = request::first_ask(
        state,
        by,
        agent,
        (&asked, verdict),
        PermitId(state.next_seq()),
        now,
    );
    let mut report = Report::new(true);
    let decision = match pass(&ask, &mut report) {
        Ok(_) => "granted",
        Err(stop) if stop.can_wait && asked.wait_ms.0 > 0 => "queued",
        Err(_) => "denied",
    };
    Ok(Explanation {
        decision: decision.into(),
        gates: report.gates,
    })
}
