//! Which noun answers which command.
use crate::memory::Remembered;
use crate::permit::grant::Keys;
use crate::state::State;
use crate::{
    action, agent, approval, budget, conflict, directory, graph, group, halt, limit, permit, plan,
    policy, rule, scope, settings, tool, txn, version,
};
use fleet_types::{Actor, Code, Command, Envelope, Event, Rejection, Reply, Time};

/// What a command comes to.
pub enum Decided {
    /// These events happen.
    Events(Events),
    /// Nothing happens: this was the answer already, or things are as asked.
    Repeat(Reply),
    /// Nothing happens, for this reason.
    Rejected(Rejection),
    /// Nothing happens, not even a refusal: policies have changed since it was judged, so it must be judged anew.
    Stale,
}

/// Events that happen together.
pub struct Events {
    /// What was asked for, or the refusal.
    pub answer: Event,
    /// What follows from it.
    pub then: Vec<Event>,
    /// What was found on the way to a grant.
    pub keys: Option<Keys>,
}

impl Events {
    pub fn one(answer: Event) -> Self {
        Events {
            answer,
            then: Vec::new(),
            keys: None,
        }
    }
}

impl Decided {
    pub fn event(event: Event) -> Self {
        Decided::Events(Events::one(event))
    }

    pub fn unchanged() -> Self {
        Decided::Repeat(Reply::Unchanged)
    }

    pub fn repeat(reply: Reply) -> Self {
        Decided::Repeat(reply)
    }
}

/// A refusal of a command.
pub fn rejected(code: Code, message: impl AsRef<str>) -> Decided {
    Decided::Rejected(Rejection::new(code, message))
}

/// The version to go back to: the one of this number, or the last before what `about` is at now. `about` is its name and that.
pub fn earlier<V>(
    (name, now): (String, u32),
    kept: &[V],
    number: impl Fn(&V) -> u32,
    wanted: Option<u32>,
) -> Result<&V, Rejection> {
    let found = match wanted {
        None => kept.last(),
        Some(wanted) => kept.iter().find(|version| number(version) == wanted),
    };
    found.ok_or_else(|| {
        let known: Vec<String> = kept
            .iter()
            .map(|version| number(version).to_string())
            .collect();
        let known = match known.is_empty() {
            true => "it has no other".to_owned(),
            false => format!("choose one of {}", known.join(", ")),
        };
        let words = format!("{name} is at version {now} and keeps no such earlier one; {known}");
        Rejection::new(Code::NotFound, words)
    })
}

/// A refusal of a value that is out of bounds.
pub fn invalid(field: &str, message: impl AsRef<str>) -> Decided {
    Decided::Rejected(Rejection::new(Code::Invalid, message).field(field))
}

pub fn decide(
    state: &State,
    envelope: &Envelope,
    recalled: Option<&Remembered>,
    now: Time,
) -> Decided {
    let by: &Actor = &envelope.by;
    match &envelope.command {
        Command::Permit(command) => permit::decide(state, by, command, recalled, now),
        Command::Instance(command) => agent::instance::decide(state, command),
        Command::Halt(command) => halt::decide::decide(state, by, command),
        Command::Agent(command) => agent::decide::decide(state, command),
        Command::Scope(command) => scope::decide(state, command),
        Command::Group(command) => group::decide(state, command),
        Command::Action(command) => action::decide(state, command),
        Command::Limit(command) => limit::decide::decide(state, command),
        Command::Rule(command) => rule::decide::decide(state, by, command),
        Command::Policy(command) => policy::decide::decide(state, by, command),
        Command::Tool(command) => tool::decide::decide(state, by, command),
        Command::Conflict(command) => conflict::decide::decide(state, by, command, now),
        Command::Plan(command) => plan::decide(state, by, command, now),
        Command::Version(command) => version::decide(state, command),
        Command::Budget(command) => budget::decide::decide(state, command, now),
        Command::Graph(command) => graph::decide(state, command),
        Command::Approval(command) => approval::decide::decide(state, by, command, now),
        Command::Txn(command) => txn::decide(state, by, command, now),
        Command::Connector(command) => txn::connector::decide(state, command),
        Command::Configure(settings) => settings::decide(state, settings),
        Command::Directory(command) => directory::decide(state, command),
        Command::Tick => Decided::unchanged(), // `tend` has done what was due.
    }
}
