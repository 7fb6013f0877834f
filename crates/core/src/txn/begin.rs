//! Beginning a transaction. A saga is checked whole: its order must lead somewhere, and its pivot divide it.
use super::{LIVE_MAX, known, may_act_as, not_halted, standing};
use crate::decide::Decided;
use crate::state::State;
use fleet_types::event::TxnBegun;
use fleet_types::txn::{
    BRANCH_BYTES_MAX, BRANCHES_MAX, Begin, Kind, MEMBERS_MAX, Participant, Step,
    TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX,
};
use fleet_types::{Actor, BranchId, Code, Event, Millis, Rejection, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most attempts, and the longest pause between two.
const ATTEMPTS_MAX: u32 = 1_000;
const PAUSE_MS_MAX: Millis = Millis(86_400_000);

pub fn decide(
    state: &State,
    by: &Actor,
    begin: &Arc<Begin>,
    now: Time,
) -> Result<Decided, Rejection> {
    may_act_as(by, &begin.agent)?;
    if state.agents.key(&begin.agent).is_none() {
        let words = format!("agent {} is not registered; register it first", begin.agent);
        return Err(Rejection::new(Code::AgentUnknown, words));
    }
    if let Some(txn) = state.txns.begun_by(&begin.agent, &begin.request_id) {
        if *txn.begin != **begin {
            let words = format!(
                "request id {} was used for another transaction; choose a new one",
                begin.request_id
            );
            return Err(Rejection::new(Code::RequestIdReused, words));
        }
        let id = known(state, txn.id)?.id;
        return Ok(Decided::repeat(standing(state, id, None)));
    }
    not_halted(state, &begin.agent)?;
    let timeout = begin.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT);
    if timeout.0 == 0 || timeout > TIMEOUT_MS_MAX {
        let words = format!("timeout_ms must be 1–{}", TIMEOUT_MS_MAX.0);
        return Err(invalid("timeout_ms", words));
    }
    if begin.members.len() > MEMBERS_MAX {
        return Err(invalid("members", format!("at most {MEMBERS_MAX} agents")));
    }
    match (begin.kind, begin.steps.len()) {
        (Kind::TwoPhase, 0) => {}
        (Kind::TwoPhase, _) => {
            let words = "only a saga has steps: say kind saga, or enlist branches";
            return Err(invalid("steps", words));
        }
        (Kind::Saga, 0) => return Err(invalid("steps", "a saga has at least one step")),
        (Kind::Saga, count) if count > BRANCHES_MAX => {
            return Err(invalid("steps", format!("at most {BRANCHES_MAX} steps")));
        }
        (Kind::Saga, _) => steps(state, begin)?,
    }
    if state.txns.live.len() >= LIVE_MAX {
        let words = format!("{LIVE_MAX} transactions are not over; wait for some to end");
        return Err(Rejection::new(Code::QueueFull, words).retry_after(1_000));
    }
    Ok(Decided::event(Event::TxnBegun(TxnBegun {
        begin: begin.clone(),
        deadline: now.after(timeout),
    })))
}

fn invalid(field: impl AsRef<str>, words: impl AsRef<str>) -> Rejection {
    Rejection::new(Code::Invalid, words).field(field.as_ref())
}

fn steps(state: &State, begin: &Begin) -> Result<(), Rejection> {
    let mut seen = BTreeSet::new();
    for (at, step) in begin.steps.iter().enumerate() {
        let field = |name: &str| format!("steps[{at}].{name}");
        name(&step.id).map_err(|words| invalid(field("id"), words))?;
        if !seen.insert(&step.id) {
            let words = format!("there are two steps {}", step.id);
            return Err(invalid(field("id"), words));
        }
        participant(state, &step.participant)
            .map_err(|words| invalid(field("participant"), words))?;
        if matches!(step.participant, Participant::Postgres { .. }) {
            let words = "a step is done over a session or by webhook; PostgreSQL takes part in two-phase commits";
            return Err(invalid(field("participant"), words));
        }
        permit(state, begin, step).map_err(|words| invalid(field("permit"), words))?;
        let retry = step.retry;
        if retry.attempts_max == 0
            || retry.attempts_max > ATTEMPTS_MAX
            || retry.backoff_ms_max > PAUSE_MS_MAX
        {
            let words = format!(
                "attempts_max must be 1–{ATTEMPTS_MAX}, backoff_ms_max at most {}",
                PAUSE_MS_MAX.0
            );
            return Err(invalid(field("retry"), words));
        }
    }
    let before = before(begin)?;
    let mut pivots = begin
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.pivot);
    let Some((at, pivot)) = pivots.next() else {
        return Ok(());
    };
    if pivots.next().is_some() {
        return Err(invalid(
            format!("steps[{at}].pivot"),
            "a saga has one pivot",
        ));
    }
    for step in &begin.steps {
        let ordered = step.id == pivot.id
            || before[&pivot.id].contains(&step.id)
            || before[&step.id].contains(&pivot.id);
        if !ordered {
            let words = format!(
                "step {} comes neither before the pivot {} nor after it; say so with `after`",
                step.id, pivot.id
            );
            return Err(invalid(format!("steps[{at}].pivot"), words));
        }
    }
    Ok(())
}

/// All that come before each step, near and far.
fn before(begin: &Begin) -> Result<BTreeMap<&BranchId, BTreeSet<&BranchId>>, Rejection> {
    let mut before: BTreeMap<&BranchId, BTreeSet<&BranchId>> = BTreeMap::new();
    while before.len() < begin.steps.len() {
        let known = before.len();
        for (at, step) in begin.steps.iter().enumerate() {
            if before.contains_key(&step.id) {
                continue;
            }
            let mut all = BTreeSet::new();
            let mut ready = true;
            for (nth, id) in step.after.iter().enumerate() {
                if !begin.steps.iter().any(|other| other.id == *id) {
                    let words = format!("there is no step {id}");
                    return Err(invalid(format!("steps[{at}].after[{nth}]"), words));
                }
                match before.get(id) {
                    Some(further) => {
                        all.insert(id);
                        all.extend(further);
                    }
                    None => ready = false,
                }
            }
            if ready {
                before.insert(&step.id, all);
            }
        }
        if before.len() == known {
            let mut waits = begin.steps.iter().filter(|it| !before.contains_key(&it.id));
            let names: Vec<&str> = waits.by_ref().map(|it| it.id.as_str()).collect();
            let words = format!("these steps wait for each other: {}", names.join(", "));
            return Err(invalid("steps", words));
        }
    }
    Ok(before)
}

/// A name that fits wherever it is used.
pub fn name(id: &BranchId) -> Result<(), String> {
    match id.as_str().len() > BRANCH_BYTES_MAX {
        true => Err(format!("{id} is longer than {BRANCH_BYTES_MAX} bytes")),
        false => Ok(()),
    }
}

/// A participant that can be reached.
pub fn participant(state: &State, participant: &Participant) -> Result<(), String> {
    use fleet_types::connector::To;
    let connector = match participant {
        Participant::Session { agent, .. } => {
            return match state.agents.key(agent) {
                Some(_) => Ok(()),
                None => Err(format!("agent {agent} is not registered")),
            };
        }
        Participant::Webhook { connector } | Participant::Postgres { connector } => connector,
    };
    let Some(known) = state.txns.connectors.get(connector) else {
        return Err(format!(
            "there is no connector {connector}; an admin must set it"
        ));
    };
    match (participant, &known.to) {
        (Participant::Webhook { .. }, To::Webhook { .. })
        | (Participant::Postgres { .. }, To::Postgres { .. })
        | (Participant::Session { .. }, To::Webhook { .. } | To::Postgres { .. }) => Ok(()),
        (Participant::Webhook { .. }, To::Postgres { .. })
        | (Participant::Postgres { .. }, To::Webhook { .. }) => {
            let kind = known.to.kind();
            Err(format!("connector {connector} leads to {kind}"))
        }
    }
}

fn permit(state: &State, begin: &Begin, step: &Step) -> Result<(), String> {
    let Some(permit) = &step.permit else {
        return Ok(());
    };
    if permit
        .agent
        .as_ref()
        .is_some_and(|agent| *agent != begin.agent)
    {
        return Err(format!(
            "agent {} asks for it; leave agent out",
            begin.agent
        ));
    }
    if permit.request_id.is_some() || permit.instance.is_some() || permit.ttl_ms.is_some() {
        return Err("request_id, instance and ttl_ms are given by the saga; leave them out".into());
    }
    let most = state.settings.wait_ms_max;
    match permit.wait_ms > most {
        true => Err(format!("wait_ms is more than this fleet's {}", most.0)),
        false => Ok(()),
    }
}
