//! One step of the machine: what is due, the command, and all that follows from it.
use crate::apply::apply;
use crate::decide::{Decided, Events, decide};
use crate::memory::{Key, Remembered};
use crate::permit;
use crate::permit::grant::Keys;
use crate::policy;
use crate::state::{State, Wake};
use crate::timers::Timer;
use fleet_types::agent::Definition;
use fleet_types::approval::Person;
use fleet_types::event::{AgentRegistered, CommandRejected};
use fleet_types::{Actor, Answer, Command, Envelope, Event, Record, Reply, Time, permit as words};
use std::sync::Arc;

/// Timers handled in one step; more wait for the next tick, which is due at once.
const TIMERS_PER_STEP_MAX: usize = if cfg!(test) { 3 } else { 1_000 };

/// How often a waiter may be moved to another queue in one go, on average.
const MOVES_PER_WAITER_MAX: u64 = 16;

/// Carries out one command at `now`. The records are appended to `records` in order.
///
/// What memory has to let go waits for [`State::drain_evicted`], and comes back through [`step_recalled`].
///
/// # Panics
/// When an invariant is broken: the caller must stop before anything is written.
pub fn step(
    state: &mut State,
    envelope: &Envelope,
    now: Time,
    records: &mut Vec<Record>,
) -> Answer {
    step_recalled(state, envelope, None, now, records)
}

/// As [`step`], for a request whose id was found among what memory had let go: it is answered as if it were still there.
///
/// # Panics
/// As [`step`].
pub fn step_recalled(
    state: &mut State,
    envelope: &Envelope,
    recalled: Option<&Remembered>,
    now: Time,
    records: &mut Vec<Record>,
) -> Answer {
    assert!(now >= state.now, "I1: time never goes back");
    let evicted_before = state.memory.evicted.len();
    tend(state, now, records);
    register_the_unknown(state, envelope, now, records);
    let recalled = recalled
        .or_else(|| just_evicted(state, evicted_before, envelope))
        .filter(|entry| entry.at() >= state.remembered_since(now));
    match decide(state, envelope, recalled, now) {
        Decided::Events(events) => {
            let own = records.len();
            happen_together(state, events, &envelope.by, now, records);
            let reply = records
                .get(own)
                .map_or(Reply::Unchanged, |record| crate::reply::of(state, record));
            react(state, now, records);
            Ok(reply)
        }
        Decided::Repeat(reply) => Ok(reply),
        // Whoever drives the machine has it judged anew, so this is no answer yet.
        Decided::Stale => Err(policy::judge::stale()),
        Decided::Rejected(rejection) => {
            let event = Event::CommandRejected(CommandRejected {
                command: envelope.command.name().into(),
                code: rejection.code,
                message: rejection.message.clone(),
            });
            happen(state, event, &envelope.by, now, records);
            Err(rejection)
        }
    }
}

/// Folds one record of the journal into the state: replay. It lets go of the same as [`step`] did.
///
/// # Panics
/// When the record does not follow the state: the journal is damaged or not this fleet's.
pub fn apply_record(state: &mut State, record: &Record) {
    apply(state, record, None);
    state.wakes.clear(); // What followed from it stands in the journal too.
    sweep_timers(state);
}

/// Lets an event happen that was decided elsewhere, with all that is due and all that follows from it here: how a replay
/// takes settings over from a journal, whatever this build would have said to whoever asked for them.
///
/// # Panics
/// As [`step`].
pub fn adopt(state: &mut State, event: Event, by: &Actor, now: Time, records: &mut Vec<Record>) {
    assert!(now >= state.now, "I1: time never goes back");
    tend(state, now, records);
    happen(state, event, by, now, records);
    react(state, now, records);
}

/// When the machine wants a `Tick` at the latest.
#[must_use]
pub fn next_deadline(state: &State) -> Option<Time> {
    state.timers.next()
}

fn happen(state: &mut State, event: Event, by: &Actor, now: Time, records: &mut Vec<Record>) {
    happen_at(state, event, None, by, now, records);
}

/// The answer is the caller's doing; the fleet does what follows from it.
fn happen_together(
    state: &mut State,
    events: Events,
    by: &Actor,
    now: Time,
    records: &mut Vec<Record>,
) {
    happen_at(state, events.answer, events.keys.as_ref(), by, now, records);
    for event in events.then {
        happen(state, event, &Actor::System, now, records);
    }
}

fn happen_at(
    state: &mut State,
    event: Event,
    keys: Option<&Keys>,
    by: &Actor,
    now: Time,
    records: &mut Vec<Record>,
) {
    let record = Record {
        seq: state.next_seq(),
        at: now,
        by: by.clone(),
        event,
    };
    apply(state, &record, keys);
    records.push(record);
}

/// What is asked for, if a command asks for a permit.
fn asked(command: &Command) -> Option<&words::Request> {
    match command {
        Command::Permit(words::Command::Request(request)) => Some(request),
        Command::Permit(words::Command::Judged(judged)) => Some(&judged.request),
        _ => None,
    }
}

/// The answer to this very request, if memory held it when the step began and has let it go since.
fn just_evicted<'s>(state: &'s State, from: usize, envelope: &Envelope) -> Option<&'s Remembered> {
    let request = asked(&envelope.command)?;
    let mut evicted = state.memory.evicted[from..].iter();
    let found = evicted.find(|evicted| evicted.entry.key() == Key::of(request))?;
    Some(&found.entry)
}

/// Ends what has run out, and lets in those whose time has come.
fn tend(state: &mut State, now: Time, records: &mut Vec<Record>) {
    let mut handled = 0;
    while handled < TIMERS_PER_STEP_MAX
        && let Some((armed, timer)) = state.timers.pop_due(now)
    {
        if !permit::end::is_live(state, armed, timer) {
            continue; // Not counted: how many stale ones stand is not part of the state.
        }
        handled += 1;
        if let Timer::Rate(permit) = timer {
            permit::queue::rate_has_room(state, armed, permit);
        } else if let Timer::Txn(txn) = timer {
            state.wakes.insert(Wake::Txn(txn));
        } else if let Some(event) = permit::end::due(state, armed, timer, now) {
            happen(state, event, &Actor::System, now, records);
        }
        react(state, now, records);
    }
    sweep_timers(state);
}

/// Drops timers that no longer fit the state, when many stand.
fn sweep_timers(state: &mut State) {
    if state.timers.wants_rebuild() {
        let mut timers = std::mem::take(&mut state.timers);
        timers.retain(|at, timer| permit::end::is_live(state, at, timer));
        state.timers = timers;
    }
}

/// Gives every waiter whose obstacle has changed another try, in the order of their turns.
///
/// Each try ends a wait or moves it to another queue. Moves are counted: two limits that each put a waiter behind
/// the other's would keep the writer busy for ever, and a wait that is tried again later is the smaller harm.
fn react(state: &mut State, now: Time, records: &mut Vec<Record>) {
    let mut moves_left = MOVES_PER_WAITER_MAX * (state.permits.waiting + 1);
    while let Some(wake) = state.wakes.pop_first() {
        let mut after = None;
        while let Some(events) = permit::queue::next_for(state, &wake, &mut after, now) {
            if matches!(events.answer, Event::PermitRequeued(_)) {
                debug_assert!(moves_left > 0, "waiters move in circles");
                if moves_left == 0 {
                    state.wakes.clear();
                    return;
                }
                moves_left -= 1;
            }
            happen_together(state, events, &Actor::System, now, records);
        }
    }
}

/// In an open fleet an agent is registered when it first shows up.
fn register_the_unknown(
    state: &mut State,
    envelope: &Envelope,
    now: Time,
    records: &mut Vec<Record>,
) {
    if !state.settings.auto_register {
        return;
    }
    let agent = match &envelope.command {
        Command::Permit(words::Command::Request(request)) => &request.agent,
        Command::Permit(words::Command::Judged(judged)) => &judged.request.agent,
        Command::Instance(fleet_types::instance::Command::Connect { key, .. }) => &key.agent,
        Command::Approval(command) => match (&command.speaks_as, &envelope.by) {
            (Some(Person::Agent(agent)), _) | (None, Actor::Agent(agent)) => agent,
            (Some(Person::User(_) | Person::Local), _)
            | (None, Actor::Key(_) | Actor::System | Actor::Local) => return,
        },
        _ => return, // Only these begin something.
    };
    if state.agents.key(agent).is_none() && envelope.by.may_act_as(agent) {
        let definition = Arc::new(Definition::new(agent.clone()));
        let event = Event::AgentRegistered(AgentRegistered { definition });
        happen(state, event, &envelope.by, now, records);
    }
}
