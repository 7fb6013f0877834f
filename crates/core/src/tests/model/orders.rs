//! Turns, told from definitions: what rules of order give a request, and that nobody is granted before an earlier turn.
use super::reference::{Reference, overlap};
use fleet_types::conflict::Turn;
use fleet_types::lock::Claim;
use fleet_types::permit::{Blocker, Request};
use fleet_types::rule::{Allocation, Form, Order, Rule, Stage, Strategy};
use fleet_types::{Event, PermitId, Record, RuleId, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

struct Waiter {
    rank: i64,
    request: Arc<Request>,
    /// Whether it stands in the lines of its resources.
    for_locks: bool,
}

#[derive(Default)]
pub struct Orders {
    rules: BTreeMap<RuleId, Arc<Rule>>,
    /// Until when each party has had its turn.
    shares: BTreeMap<(RuleId, String), Time>,
    waiting: BTreeMap<PermitId, Waiter>,
    age_step_us: i64,
}

fn is_for_locks(blocker: &Blocker) -> bool {
    matches!(blocker, Blocker::Lock { .. } | Blocker::Turn { .. })
}

impl Orders {
    pub fn follow(&mut self, records: &[Record], reference: &Reference) {
        for record in records {
            self.one(record, reference);
        }
    }

    fn one(&mut self, record: &Record, reference: &Reference) {
        let at = record.at;
        match &record.event {
            Event::FleetConfigured(settings) => {
                self.age_step_us = settings.age_step_ms.micros() as i64;
            }
            Event::RuleSet(event) => {
                let id = event.rule.id.clone();
                let former = self.rules.insert(id.clone(), event.rule.clone());
                if former.is_none_or(|it| it.form != event.rule.form || it.when != event.rule.when)
                {
                    self.shares.retain(|(rule, _), _| *rule != id); // Or not: only the form matters for that.
                }
            }
            Event::RuleRemoved(event) => {
                self.rules.remove(&event.rule);
                self.shares.retain(|(rule, _), _| *rule != event.rule);
            }
            Event::PermitQueued(event) => {
                let rank = self.rank(&event.request, event.turn.as_deref(), at, reference);
                let waiter = Waiter {
                    rank,
                    request: event.request.clone(),
                    for_locks: is_for_locks(&event.waits_for),
                };
                self.waiting.insert(event.permit, waiter);
            }
            Event::PermitRequeued(event) => {
                let waiter = self.waiting.get_mut(&event.permit).unwrap();
                waiter.for_locks = is_for_locks(&event.waits_for);
            }
            Event::PermitGranted(event) => {
                let rank = match self.waiting.remove(&event.permit) {
                    Some(waiter) => {
                        assert_eq!(event.turn, None, "a turn is given once");
                        waiter.rank
                    }
                    None => self.rank(&event.request, event.turn.as_deref(), at, reference),
                };
                self.in_order(event.permit, rank, &event.request.resources);
            }
            Event::PermitDenied(event) => drop(self.waiting.remove(&event.denial.permit)),
            Event::ConflictRaised(event) => {
                for seat in &event.seats {
                    self.waiting.get_mut(&seat.permit).unwrap().rank = seat.rank;
                }
            }
            Event::ConflictResolved(event) => {
                for seat in &event.seats {
                    self.waiting.get_mut(&seat.permit).unwrap().rank = seat.rank;
                }
            }
            Event::HaltOrdered(event) => self.gone(&event.revoked),
            Event::InstanceConnected(event) => self.gone(&event.released),
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                self.gone(&event.released);
            }
            _ => {}
        }
    }

    fn gone(&mut self, permits: &[PermitId]) {
        permits
            .iter()
            .for_each(|permit| drop(self.waiting.remove(permit)));
    }

    /// Nobody who wants what conflicts and whose turn is earlier still waits for it.
    fn in_order(&self, permit: PermitId, rank: i64, claims: &[Claim]) {
        let against = |one: &Claim, other: &Claim| {
            overlap(&one.path, &other.path) && !one.mode.compatible(other.mode)
        };
        for (other, waiter) in self.waiting.iter().filter(|(_, waiter)| waiter.for_locks) {
            let mut wanted = waiter.request.resources.iter();
            let conflicts = wanted.any(|one| claims.iter().any(|it| against(one, it)));
            assert!(
                !conflicts || (rank, permit) < (waiter.rank, *other),
                "{permit} at {rank} went before {other} at {}",
                waiter.rank
            );
        }
    }

    /// The rank of a request; what rules of order gave it must be what one of them says.
    fn rank(&mut self, request: &Request, turn: Option<&Turn>, at: Time, fleet: &Reference) -> i64 {
        let own = || fleet.speaks(&request.agent).unwrap().priority;
        let priority = i64::from(request.priority.unwrap_or_else(own).get()) * self.age_step_us;
        let none = Turn::default();
        let given = turn.unwrap_or(&none);
        let rules: Vec<&Rule> = self
            .rules
            .values()
            .map(|rule| &**rule)
            .filter(|rule| {
                rule.stage == Stage::Enforce && fleet.matches(&rule.when.selector(), request)
            })
            .collect();
        // What each allocation says, and each resolution; nothing where there is none of its kind.
        let (mut orders, mut settled) = (Vec::new(), Vec::new());
        for rule in rules {
            match &rule.form {
                Form::Allocation(form) => {
                    orders.push(self.allocated(rule, form, request, at, fleet))
                }
                Form::Resolution(form) => settled.push(match &form.strategy {
                    Strategy::FirstCome {} => (Some(&rule.id), -priority, None),
                    Strategy::FairShare { turn_ms } => {
                        let party = request.agent.to_string();
                        let (behind, share) = self.share(rule, party, turn_ms.micros(), at);
                        (Some(&rule.id), -priority - behind, Some(share))
                    }
                    _ => (Some(&rule.id), 0, None),
                }),
                _ => {}
            }
        }
        if orders.is_empty() {
            orders.push((0, None));
        }
        if settled.is_empty() {
            settled.push((None, 0, None));
        }
        let is_given = settled.iter().any(|(rule, one, first)| {
            orders.iter().any(|(other, second)| {
                // Of two shares in one request the last one found is taken.
                let share = [first, second].into_iter().flatten().collect::<Vec<_>>();
                let found = given
                    .share
                    .as_ref()
                    .map(|it| (it.rule.clone(), it.party.to_string(), it.until));
                given.resolution.as_ref() == *rule
                    && given.head_start_us == one + other
                    && (share.is_empty() && found.is_none()
                        || share.iter().any(|it| Some(*it) == found.as_ref()))
            })
        });
        assert!(
            is_given,
            "{given:?} is what no rule says: {settled:?} {orders:?}"
        );
        if let Some(share) = &given.share {
            let key = (share.rule.clone(), share.party.to_string());
            self.shares.insert(key, share.until);
        }
        at.0 as i64 - priority - given.head_start_us
    }

    fn allocated(
        &self,
        rule: &Rule,
        form: &Allocation,
        request: &Request,
        at: Time,
        fleet: &Reference,
    ) -> (i64, Option<(RuleId, String, Time)>) {
        let place_us = form.place_ms.micros() as i64;
        let from_the_end =
            |place: Option<usize>, count: usize| place.map_or(0, |it| (count - it) as i64);
        let places = match &form.order {
            Order::Label { key, values } => {
                let own = request.labels.get(key);
                from_the_end(values.iter().position(|it| Some(it) == own), values.len())
            }
            Order::Agents(patterns) => {
                let is_it =
                    |pattern: &fleet_types::Pattern| pattern.matches(request.agent.as_str());
                from_the_end(patterns.iter().position(is_it), patterns.len())
            }
            Order::Groups(groups) => {
                let is_in = |group: &fleet_types::GroupId| fleet.is_member(group, &request.agent);
                from_the_end(groups.iter().position(is_in), groups.len())
            }
            Order::Shares { groups, turn_ms } => {
                let own = groups
                    .iter()
                    .find(|(group, _)| fleet.is_member(group, &request.agent));
                let (party, shares) =
                    own.map_or((String::new(), 1), |(group, n)| (group.to_string(), *n));
                let turn_us = turn_ms.0.div_ceil(u64::from(shares)) * 1_000;
                let (behind, share) = self.share(rule, party, turn_us, at);
                return (-behind, Some(share));
            }
        };
        (places * place_us, None)
    }

    /// How far behind a party is, and its clock after this turn.
    fn share(
        &self,
        rule: &Rule,
        party: String,
        turn_us: u64,
        at: Time,
    ) -> (i64, (RuleId, String, Time)) {
        let had = self.shares.get(&(rule.id.clone(), party.clone()));
        let begins = had.map_or(at.0, |had| had.0.max(at.0).min(at.0 + 64 * turn_us));
        let until = Time(begins + turn_us);
        ((begins - at.0) as i64, (rule.id.clone(), party, until))
    }
}
