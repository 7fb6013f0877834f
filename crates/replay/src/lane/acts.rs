//! What holders do with their permits, and what is said of them: as long after the grant, or the question, as in the record.
use super::Lane;
use super::approvals::Said;
use crate::log::Log;
use fleet_core::read;
use fleet_types::event::{Denied, Extended};
use fleet_types::permit::{Command as Permit, Ending, Extend, Finish};
use fleet_types::policy::Verdict;
use fleet_types::{Actor, Command, Millis, PermitId, Time};
use std::sync::Arc;

/// What a holder does with a permit, or what is said of it; called as in the record.
#[derive(Clone)]
pub(super) enum Act {
    Finish(Actor, Finish),
    Renew(Actor, PermitId, Millis),
    Extend(Actor, Arc<Extend>, Option<Box<Verdict>>),
    /// Somebody else, about an approval of it.
    Say(Box<Said>),
}

impl Act {
    pub fn permit(&self) -> PermitId {
        match self {
            Act::Finish(_, finish) => finish.permit,
            Act::Renew(_, permit, _) => *permit,
            Act::Extend(_, extend, _) => extend.permit,
            Act::Say(said) => said.permit(),
        }
    }
}

impl Lane<'_> {
    /// Permits granted here in this instant that the record has not granted: completed after the time that their action
    /// typically takes, or in flight until their lease ends.
    pub(super) fn settle(&mut self, log: &Log) {
        for permit in std::mem::take(&mut self.fresh) {
            if log.granted_at(permit).is_some() {
                continue; // Its holder does what it did there.
            }
            let Some(own) = self.own.get_mut(&permit) else {
                continue;
            };
            if own.was_lost {
                continue;
            }
            let (agent, since) = (own.agent.clone(), own.granted_at);
            let action = read::permit(&self.state, own.id).map(|view| view.request.action);
            let span = action.and_then(|action| log.typical(&action));
            if let (Some(since), Some(span)) = (since, span) {
                own.ends_by_itself = true;
                let finish = Finish {
                    permit,
                    agent,
                    ending: Ending::Completed,
                    cost: None,
                    latency_ms: None,
                };
                self.later(since.after(span), Act::Finish(Actor::System, finish));
            }
        }
    }

    /// Who waits takes its request back.
    pub(super) fn withdraw(&mut self, event: &Denied, by: &Actor, at: Time) -> bool {
        let waits = self.own.get(&event.denial.permit);
        if waits.is_none_or(|own| own.granted_at.is_some()) {
            return false; // It was denied here, or granted before, and ends by itself.
        }
        let finish = Finish {
            permit: event.denial.permit,
            agent: event.request.agent.clone(),
            ending: Ending::Cancelled,
            cost: None,
            latency_ms: None,
        };
        self.act(Act::Finish(by.clone(), finish), at);
        true
    }

    pub(super) fn extend(&mut self, event: &Extended, by: &Actor, at: Time, log: &Log) -> bool {
        let Some(own) = self.own.get(&event.permit) else {
            return false;
        };
        let extend = Extend {
            permit: event.permit,
            agent: own.agent.clone(),
            resources: event.resources.clone(),
            wait_ms: Millis(0),
        };
        let act = Act::Extend(by.clone(), extend.into(), event.policies.clone());
        self.act_as_recorded(act, at, log)
    }

    pub(super) fn later(&mut self, at: Time, act: Act) {
        self.count += 1;
        self.due.insert((at, self.count), act);
    }

    /// What a holder did, as long after the grant here as it did it after the grant there. Returns whether now.
    pub(super) fn act_as_recorded(&mut self, act: Act, at: Time, log: &Log) -> bool {
        let permit = act.permit();
        let Some(own) = self.own.get_mut(&permit) else {
            return false; // Denied here, or over.
        };
        if own.ends_by_itself {
            return false;
        }
        let after = at.micros_since(log.granted_at(permit).unwrap_or(at));
        match own.granted_at {
            None => {
                own.later.push((after, act));
                false
            }
            Some(granted) if granted.0 + after > at.0 => {
                self.later(Time(granted.0 + after), act);
                false
            }
            Some(_) => {
                self.act(act, at);
                true
            }
        }
    }

    pub(super) fn act(&mut self, act: Act, at: Time) {
        let Some(own) = self.own.get(&act.permit()) else {
            return; // It is over: expired, or taken back.
        };
        let id = own.id;
        let (by, command) = match act {
            Act::Finish(by, finish) => (
                by,
                Permit::Finish(Finish {
                    permit: id,
                    ..finish
                }),
            ),
            Act::Renew(by, _, ttl) => {
                let agent = own.agent.clone();
                let ttl_ms = Some(ttl);
                (
                    by,
                    Permit::Renew {
                        permit: id,
                        agent,
                        ttl_ms,
                    },
                )
            }
            Act::Extend(by, extend, said) => {
                let extend = Arc::new(Extend {
                    permit: id,
                    ..(*extend).clone()
                });
                (by, self.judged_extend(extend, said.as_deref()))
            }
            Act::Say(said) => {
                if let Some(own) = self.open_of(id, said.source()) {
                    let (by, command) = said.to(own);
                    self.run(by, Command::Approval(Box::new(command)), at);
                }
                return;
            }
        };
        self.run(by, Command::Permit(command), at);
    }
}
