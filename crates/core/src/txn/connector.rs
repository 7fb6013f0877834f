//! Setting and removing connectors.
use crate::decide::{Decided, invalid, rejected};
use crate::state::State;
use fleet_types::connector::{COUNT_MAX, Command, Connector, Mark, To};
use fleet_types::event::ConnectorRemoved;
use fleet_types::{Code, Event, Millis};
use std::sync::Arc;

/// Longest that one attempt may take.
const TIMEOUT_MS_MAX: Millis = Millis(300_000);

pub fn decide(state: &State, command: &Command) -> Decided {
    let connectors = &state.txns.connectors;
    match command {
        Command::Set(connector) => {
            let known = connectors.get(&connector.id);
            if let Some(Millis(0)) = connector.timeout_ms {
                return invalid(
                    "timeout_ms",
                    "timeout_ms 0 would end every attempt before it begins",
                );
            }
            if connector
                .timeout_ms
                .is_some_and(|span| span > TIMEOUT_MS_MAX)
            {
                let words = format!("timeout_ms must be 1–{}", TIMEOUT_MS_MAX.0);
                return invalid("timeout_ms", words);
            }
            if known.is_none() && connectors.len() >= COUNT_MAX {
                return rejected(
                    Code::Conflict,
                    format!("a fleet has at most {COUNT_MAX} connectors"),
                );
            }
            let mut connector = connector.as_ref().clone();
            if let Some(known) = known {
                // What is prepared under the old mark must be found again.
                connector.mark = known.mark.clone();
                if known.to.kind() != connector.to.kind() {
                    let words = format!(
                        "connector {} leads to {}; give another one a name of its own",
                        known.id,
                        known.to.kind()
                    );
                    return invalid("to", words);
                }
            }
            if matches!(connector.to, To::Postgres { .. }) && connector.mark.is_empty() {
                connector.mark = mark(state, &connector);
            }
            if known.is_some_and(|known| **known == connector) {
                return Decided::unchanged();
            }
            Decided::event(Event::ConnectorSet(Arc::new(connector)))
        }
        Command::Remove { connector } => {
            if !connectors.contains_key(connector) {
                return rejected(Code::NotFound, format!("there is no connector {connector}"));
            }
            let uses = |txn: &&fleet_types::TxnId| {
                let txn = state.txns.find(**txn);
                txn.is_some_and(|txn| {
                    let mut branches = txn.branches.values();
                    branches.any(|it| it.participant.connector() == Some(connector))
                })
            };
            if let Some(txn) = state.txns.live.iter().find(uses) {
                return rejected(
                    Code::Conflict,
                    format!("transaction {txn} uses connector {connector}; let it end first"),
                );
            }
            Decided::event(Event::ConnectorRemoved(ConnectorRemoved {
                connector: connector.clone(),
            }))
        }
    }
}

/// Where the door gave none, as in tests: known for this fleet's by its name and its place in the journal.
fn mark(state: &State, connector: &Connector) -> Mark {
    let text = format!("fleet:{}:{}", state.next_seq(), connector.id);
    Mark::parse(&text)
        .or_else(|_| Mark::parse(&format!("fleet:{}", state.next_seq())))
        .unwrap_or_default()
}

pub fn set(state: &mut State, connector: &Arc<Connector>) {
    let id = connector.id.clone();
    state.txns.connectors.insert(id, connector.clone());
}

pub fn removed(state: &mut State, event: &ConnectorRemoved) {
    state.txns.connectors.remove(&event.connector);
}
