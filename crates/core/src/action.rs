//! The catalogue of actions: what the fleet, not the caller, says of them.
use crate::decide::{Decided, rejected};
use crate::map::Map;
use crate::state::State;
use fleet_types::action::{Action, Command};
use fleet_types::event::ActionRemoved;
use fleet_types::{ActionName, Code, Event, Pattern};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Catalogue {
    pub by_pattern: Map<Pattern, Action>,
}

impl Catalogue {
    /// Whether an entry says that this action reduces risk.
    pub fn reduces_risk(&self, action: &ActionName) -> bool {
        let mut entries = self.by_pattern.values();
        entries.any(|entry| entry.risk_reducing && entry.pattern.matches(action.as_str()))
    }
}

pub fn decide(state: &State, command: &Command) -> Decided {
    let known = &state.actions.by_pattern;
    match command {
        Command::Set(action) if known.get(&action.pattern) == Some(action) => Decided::unchanged(),
        Command::Set(action) => Decided::event(Event::ActionSet(action.clone())),
        Command::Remove { pattern } if known.contains_key(pattern) => {
            Decided::event(Event::ActionRemoved(ActionRemoved {
                pattern: pattern.clone(),
            }))
        }
        Command::Remove { pattern } => rejected(
            Code::NotFound,
            format!("the catalogue has no entry {pattern}"),
        ),
    }
}

pub fn set(state: &mut State, action: &Action) {
    let catalogue = &mut state.actions.by_pattern;
    catalogue.insert(action.pattern.clone(), action.clone());
}

pub fn removed(state: &mut State, event: &ActionRemoved) {
    state.actions.by_pattern.shift_remove(&event.pattern);
}
