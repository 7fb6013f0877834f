//! May this happen now? A request becomes granted, queued or denied in one step.
use super::gates::{Ask, Report, Stop, pass};
use super::{Permit, Place, Rank, delegation, end, grant, queue};
use crate::agent::{Agent, AgentKey};
use crate::approval::ask::{self, Waiter};
use crate::conflict::turn;
use crate::decide::{Decided, Events, rejected};
use crate::lock::check::Asker;
use crate::memory::{Found, Outcome, Remembered};
use crate::state::State;
use fleet_types::agent::Priority;
use fleet_types::conflict::Turn;
use fleet_types::event::Queued;
use fleet_types::explain::GateReport;
use fleet_types::limit::Class;
use fleet_types::lock::Held;
use fleet_types::permit::{Decision, Denial, Grant, Request};
use fleet_types::policy::Verdict;
use fleet_types::{
    Actor, AgentId, Code, Event, Millis, PermitId, Rejection, Reply, Seq, Text, Time, Token,
};
use std::sync::Arc;

/// How long what the fleet itself asks for waits at least for the policies.
const JUDGED_WITHIN_MS: Millis = Millis(5_000);

pub fn decide(
    state: &State,
    by: &Actor,
    request: &Arc<Request>,
    verdict: Option<&Verdict>,
    recalled: Option<&Remembered>,
    now: Time,
) -> Decided {
    let agent_key = match asker(state, by, &request.agent) {
        Ok(key) => key,
        Err(rejection) => return Decided::Rejected(rejection),
    };
    let original = verdict.and_then(|verdict| verdict.original.as_ref());
    let asked = original.unwrap_or(request);
    match state.memory.find(&state.permits, asked, recalled) {
        Some((_, false)) => {
            return rejected(
                Code::RequestIdReused,
                format!(
                    "request id {} was used for another request; choose a new one",
                    request.request_id
                ),
            );
        }
        Some((found, true)) => return Decided::repeat(repeat(state, asked, &found)),
        None => {}
    }
    if let Err(rejection) = bounds(state, request) {
        return Decided::Rejected(rejection);
    }

    let permit = PermitId(state.next_seq());
    let agent = (agent_key, &state.agents.agents[agent_key]);
    let (before, turn) = first_ask(state, by, agent, (request, verdict), permit, now);
    let mut report = Report::new(request.explain);
    match pass(&before, &mut report) {
        Ok(passed) => {
            let asked = (permit, agent_key);
            let events = grant::events(state, asked, request, passed, (report, turn), now);
            Decided::Events(events)
        }
        Err(stop) if stop.code == Code::PolicyStale && *by != Actor::System => Decided::Stale,
        Err(stop) if stop.can_wait && wait_ms(request, &stop).0 > 0 => {
            if state.permits.waiting >= u64::from(state.settings.waiting_max) {
                let full = Stop {
                    code: Code::QueueFull,
                    reason: format!("{} requests wait already", state.permits.waiting),
                    retry_after: Some(Millis(1_000)),
                    can_wait: false,
                    ..*stop
                };
                return Decided::Events(end::denial(state, permit, request, full, report));
            }
            let mut then = Vec::new();
            if !stop.needs.is_empty() {
                let waiter = Waiter::new(permit, request, Some(by.clone()));
                then = ask::events(state, &waiter, &stop.needs, now);
                if ask::is_full(state, &then) {
                    let full = ask::full(state, *stop);
                    return Decided::Events(end::denial(state, permit, request, full, report));
                }
            }
            let Some(waits_for) = stop.blocker.clone() else {
                unreachable!("what one can wait for has a name")
            };
            // Those who are asked stand behind the answer.
            let waits_for = ask::named(waits_for, &then, Seq(permit.0.0 + 1));
            let position = queue::position(state, &before, &waits_for);
            let answer = Event::PermitQueued(Queued {
                permit,
                request: request.clone(),
                waits_for,
                position,
                until: now.after(wait_ms(request, &stop)),
                chain: delegation::chain(state, request),
                rules: report.notes(),
                policies: report.policies,
                turn,
                explain: report.gates,
            });
            Decided::Events(Events {
                then,
                ..Events::one(answer)
            })
        }
        Err(stop) => Decided::Events(end::denial(state, permit, request, *stop, report)),
    }
}

/// How long a request waits. What the fleet itself asks for, such as a saga's next step, comes without a verdict of the
/// policies, and waits at least until there is one.
fn wait_ms(request: &Request, stop: &Stop) -> Millis {
    match stop.code {
        Code::PolicyStale => request.wait_ms.max(JUDGED_WITHIN_MS),
        _ => request.wait_ms,
    }
}

/// The agent's key, if it is known and the caller speaks for it.
pub fn asker(state: &State, by: &Actor, agent: &AgentId) -> Result<AgentKey, Rejection> {
    if !by.may_act_as(agent) {
        return Err(not_yours_to_speak_for(agent));
    }
    state.agents.key(agent).ok_or_else(|| {
        Rejection::new(
            Code::AgentUnknown,
            format!("agent {agent} is not registered; register it first"),
        )
    })
}

pub fn not_yours_to_speak_for(agent: &AgentId) -> Rejection {
    Rejection::new(
        Code::IdentityMismatch,
        format!("this credential does not speak for agent {agent}"),
    )
}

/// What depends on the fleet's settings; the rest was checked when the request was parsed.
pub fn bounds(state: &State, request: &Request) -> Result<(), Rejection> {
    let settings = &state.settings;
    let over = |field: &str, value: u64, most: u64| {
        let words = format!("{field} {value} is more than this fleet's {most}");
        Err(Rejection::new(Code::Invalid, words).field(field))
    };
    match request.ttl_ms {
        Some(Millis(0)) => {
            let words = "ttl_ms 0 would end the permit before it begins";
            return Err(Rejection::new(Code::Invalid, words).field("ttl_ms"));
        }
        Some(ttl) if ttl > settings.ttl_ms_max => {
            return over("ttl_ms", ttl.0, settings.ttl_ms_max.0);
        }
        Some(_) | None => {}
    }
    if request.wait_ms > settings.wait_ms_max {
        return over("wait_ms", request.wait_ms.0, settings.wait_ms_max.0);
    }
    Ok(())
}

/// A request that is not in the table yet, before the gates, and what rules of order make of its turn.
pub fn first_ask<'s>(
    state: &'s State,
    by: &'s Actor,
    (agent_key, agent): (AgentKey, &'s Agent),
    (request, verdict): (&'s Request, Option<&'s Verdict>),
    id: PermitId,
    now: Time,
) -> (Ask<'s>, Option<Box<Turn>>) {
    let priority = request.priority.unwrap_or(agent.terms.priority);
    let turn = turn::of(state, agent, request, priority, now);
    let rank = Rank::of(now, priority, state.settings.age_step_ms).with(turn.as_deref());
    let ask = Ask {
        state,
        by,
        agent_key,
        agent,
        request,
        verdict,
        class: Class::of(priority),
        asker: Asker {
            permit: None,
            place: Place {
                first_ask: true,
                rank,
                id,
                permit: u32::MAX,
            },
        },
        waits_for_limit: None,
        waits_for_agent: false,
        extends: false,
        explain: request.explain,
        now,
    };
    (ask, turn)
}

/// The request's own priority, or its agent's.
pub fn priority(state: &State, agent: AgentKey, request: &Request) -> Priority {
    let own = || state.agents.agents[agent].terms.priority;
    request.priority.unwrap_or_else(own)
}

pub fn denial(permit: PermitId, stop: Stop, explain: Vec<GateReport>) -> Box<Denial> {
    Box::new(Denial {
        permit,
        code: stop.code,
        gate: stop.gate,
        reason: Text::clip(&stop.reason),
        blocker: stop.blocker,
        retry_after_ms: stop.retry_after,
        explain,
    })
}

/// The first answer again (I5). One that still waits is told where it stands now.
fn repeat(state: &State, request: &Request, found: &Found<'_>) -> Reply {
    let entry = match found {
        Found::Answered(entry) => entry,
        Found::Waiting(key) => match queue::view(state, state.permits[*key].id) {
            Some(queued) => return Reply::Decision(Decision::Queued(queued)),
            None => unreachable!("a remembered wait has a waiting permit"),
        },
    };
    let decision = match entry.outcome() {
        Outcome::Granted { permit, expires_at } => {
            let token = Token(entry.seq().0);
            // What followed from a tool is known while the permit lives: the tool may say something else by now.
            let live = state.permits.find(*permit);
            let claims = live.map_or(&request.resources, |live| &live.request.resources);
            let held = |claim: &fleet_types::lock::Claim| Held {
                path: claim.path.clone(),
                mode: claim.mode,
                token,
            };
            Decision::Granted(Grant {
                permit: *permit,
                resources: claims.iter().map(held).collect(),
                versions: Vec::new(), // As they were then nobody knows; they may be asked for.
                expires_at: *expires_at,
                explain: Vec::new(),
                changed: state.permits.find(*permit).and_then(Permit::changed),
            })
        }
        Outcome::Denied(denial) => Decision::Denied((**denial).clone()),
    };
    Reply::Decision(decision)
}
