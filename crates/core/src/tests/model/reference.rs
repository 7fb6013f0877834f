//! The fleet as plainly as it can be said: lists, sums and buckets, fed by the records alone and suspicious of each.
use fleet_types::agent::{Definition, Status};
use fleet_types::budget::{Account, Budget, Period};
use fleet_types::event::{Finished, Granted};
use fleet_types::halt::{Mode as HaltMode, Target};
use fleet_types::limit::{Each, Limit, Measure};
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::{BudgetCharge, Decision, Ending, LimitCharge, Request};
use fleet_types::selector::Selector;
use fleet_types::{
    Actor, AgentId, Answer, BudgetId, Command, Event, GroupId, HaltId, LimitId, PermitId, Record,
    Reply, RequestId, ResourcePath, Time, permit,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone)]
pub struct Held {
    pub path: ResourcePath,
    pub mode: Mode,
    pub token: u64,
}

pub struct Holding {
    pub request: Arc<Request>,
    pub held: Vec<Held>,
    pub expires_at: Time,
    pub limits: Vec<LimitCharge>,
    pub budgets: Vec<BudgetCharge>,
}

#[derive(Default)]
pub struct Purse {
    pub start: u64,
    pub spent: u64,
    pub reserved: u64,
    pub topped_up: u64,
    /// Whether the threshold was told of in this period.
    told: bool,
}

struct Halt {
    target: Target,
    mode: HaltMode,
    pinned: BTreeSet<AgentId>,
}

/// A token bucket, in permits times nanoseconds: as plain as a rate can be said.
#[derive(Clone, Copy)]
struct Bucket {
    level: i128,
    at: i128,
}

#[derive(Default)]
pub struct Reference {
    agents: BTreeMap<AgentId, Vec<Arc<Definition>>>,
    groups: BTreeMap<GroupId, BTreeSet<AgentId>>,
    risk_reducing: BTreeMap<String, (fleet_types::Pattern, bool)>,
    halts: BTreeMap<HaltId, Halt>,
    pub holding: BTreeMap<PermitId, Holding>,
    pub waiting: BTreeMap<PermitId, (Arc<Request>, Time)>,
    pub extending: BTreeSet<PermitId>,
    limits: BTreeMap<LimitId, Arc<Limit>>,
    /// Set once and not changed since, so that what it counted is known.
    steady: BTreeSet<LimitId>,
    buckets: BTreeMap<(LimitId, String), Bucket>,
    budgets: BTreeMap<BudgetId, Arc<Budget>>,
    pub purses: BTreeMap<(BudgetId, String), Purse>,
    /// Budgets that were lowered, or began anew while permits went on: those may hold more than they should.
    strained: BTreeSet<BudgetId>,
    last_token: u64,
    last_at: Time,
    answers: BTreeMap<(AgentId, RequestId), FirstAnswer>,
    memory_us: u64,
    pub declared: BTreeMap<String, String>,
}

fn period(budget: &Budget, at: Time) -> Option<u64> {
    match budget.period {
        Period::Hour => Some(at.0 / 3_600_000_000),
        Period::Day => Some(at.0 / 86_400_000_000),
        Period::Total => Some(0),
        Period::Month => None, // Calendars are tested by themselves; these cases stay within one month or do not check.
    }
}

pub fn overlap(one: &ResourcePath, other: &ResourcePath) -> bool {
    one.covers(other) || other.covers(one)
}

/// What a request id was first answered with.
struct FirstAnswer {
    permit: PermitId,
    /// When it was given, or the last time that its request was seen to wait.
    at: Time,
    /// Whether it could have been forgotten at some time.
    was_too_old: bool,
}

impl Reference {
    /// Every record must be one that may happen.
    pub fn follow(&mut self, records: &[Record]) {
        for record in records {
            assert!(record.at >= self.last_at, "I1: time went back");
            self.last_at = record.at;
            for answer in self.answers.values_mut() {
                if self.waiting.contains_key(&answer.permit) {
                    answer.at = record.at; // No earlier than this.
                }
                // Also when the fleet is then told to remember for longer.
                answer.was_too_old |= record.at.0 >= answer.at.0 + self.memory_us;
            }
            self.one(record);
        }
    }

    /// A repeat gets the first answer (I5), and nobody lifts a halt over itself (I8).
    pub fn answered(&mut self, by: &Actor, command: &Command, answer: &Answer, records: &[Record]) {
        if let (Command::Halt(_), Actor::Agent(_)) = (command, by) {
            assert!(
                answer.is_err(),
                "I8: an agent ordered or released a halt: {answer:?}"
            );
        }
        let asked = match command {
            Command::Permit(permit::Command::Request(request)) => Some(request),
            Command::Permit(permit::Command::Judged(judged)) => Some(&judged.request),
            _ => None,
        };
        if let Some(request) = asked
            && let Ok(Reply::Decision(decision)) = answer
        {
            let id = match decision {
                Decision::Granted(grant) => grant.permit,
                Decision::Queued(queued) => queued.permit,
                Decision::Denied(denial) => denial.permit,
            };
            let key = (request.agent.clone(), request.request_id.clone());
            let now = records.last().map_or(self.last_at, |record| record.at);
            // Those that the records have not told of yet are new.
            if let Some(first) = self.answers.get(&key)
                && !first.was_too_old
                && now.0 < first.at.0 + self.memory_us
                && records
                    .iter()
                    .all(|record| !matches!(record.event, Event::AgentRemoved(_)))
            {
                assert_eq!(first.permit, id, "I5: a repeat became another permit");
            }
        }
    }

    pub fn speaks(&self, agent: &AgentId) -> Option<&Arc<Definition>> {
        let versions = self.agents.get(agent)?;
        let of = |statuses: &[Status]| versions.iter().rfind(|v| statuses.contains(&v.status));
        of(&[Status::Active])
            .or_else(|| of(&[Status::Beta, Status::Deprecated]))
            .or_else(|| versions.last())
    }

    fn reaches(&self, target: &Target, agent: &AgentId) -> bool {
        let Some(speaks) = self.speaks(agent) else {
            return false;
        };
        match target {
            Target::All => true,
            Target::Agent(id) => id == agent,
            Target::Group(group) => self
                .groups
                .get(group)
                .is_some_and(|members| members.contains(agent)),
            Target::Selector(labels) => speaks.labels.contain(labels),
            Target::Scope(path) => speaks
                .scope
                .as_ref()
                .is_some_and(|scope| path.covers(scope)),
        }
    }

    fn halted(&self, request: &Request) -> Option<HaltId> {
        let agent = &request.agent;
        let over = self.halts.iter().find(|(_, halt)| {
            let reached = halt.pinned.contains(agent) || self.reaches(&halt.target, agent);
            let reduces = self
                .risk_reducing
                .values()
                .any(|(pattern, reduces)| *reduces && pattern.matches(request.action.as_str()));
            reached && !(halt.mode == HaltMode::RiskReducingOnly && reduces)
        });
        over.map(|(id, _)| *id)
    }

    pub fn is_member(&self, group: &GroupId, agent: &AgentId) -> bool {
        let group = self.groups.get(group);
        group.is_some_and(|members| members.contains(agent))
    }

    pub fn matches(&self, selector: &Selector, request: &Request) -> bool {
        let speaks = self.speaks(&request.agent).unwrap();
        let scope = selector.scope.as_ref();
        scope.is_none_or(|path| speaks.scope.as_ref().is_some_and(|own| path.covers(own)))
            && selector
                .agent
                .as_ref()
                .is_none_or(|p| p.matches(request.agent.as_str()))
            && selector.group.as_ref().is_none_or(|group| {
                self.groups
                    .get(group)
                    .is_some_and(|members| members.contains(&request.agent))
            })
            && selector
                .action
                .as_ref()
                .is_none_or(|p| p.matches(request.action.as_str()))
            && selector
                .resource
                .as_ref()
                .is_none_or(|p| request.resources.iter().any(|c| p.matches(c.path.as_str())))
            && request.labels.contain(&selector.labels)
    }

    /// What a grant must be charged: every limit that applies, each of its counts once.
    fn charges(&self, request: &Request) -> BTreeSet<(LimitId, String)> {
        let mut charges = BTreeSet::new();
        for limit in self
            .limits
            .values()
            .filter(|limit| self.matches(&limit.selector, request))
        {
            let mut charge = |key: &str| charges.insert((limit.id.clone(), key.to_owned()));
            match limit.each {
                Each::All => drop(charge("")),
                Each::Agent => drop(charge(request.agent.as_str())),
                Each::Action => drop(charge(request.action.as_str())),
                Each::Resource => {
                    for claim in &request.resources {
                        let pattern = limit.selector.resource.as_ref();
                        if pattern.is_none_or(|p| p.matches(claim.path.as_str())) {
                            charge(claim.path.as_str());
                        }
                    }
                }
            }
        }
        charges
    }

    fn reservations(&self, request: &Request) -> BTreeSet<(BudgetId, String, u64)> {
        let applies = self
            .budgets
            .values()
            .filter(|budget| self.matches(&budget.selector, request));
        let charge = |budget: &Arc<Budget>| {
            let amount = request.cost.of(budget.unit);
            let account = match &budget.each {
                Account::All => String::new(),
                Account::Agent => request.agent.to_string(),
                Account::Label(key) => request.labels.get(key.as_str())?.to_string(),
            };
            (amount > 0).then(|| (budget.id.clone(), account, amount))
        };
        applies.filter_map(charge).collect()
    }

    fn one(&mut self, record: &Record) {
        let (seq, at) = (record.seq.0, record.at);
        match &record.event {
            Event::PermitGranted(event) => self.granted(event, seq, at),
            Event::PermitQueued(event) => {
                self.first_answer(&event.request, event.permit, at);
                self.waiting
                    .insert(event.permit, (event.request.clone(), event.until));
            }
            Event::PermitRequeued(event) => assert!(self.waiting.contains_key(&event.permit)),
            Event::PermitRejudged(event) => {
                let waiting = self.waiting.get_mut(&event.permit);
                waiting.expect("it waits").0 = event.request.clone();
            }
            Event::PermitDenied(event) => {
                self.first_answer(&event.request, event.denial.permit, at);
                self.waiting.remove(&event.denial.permit);
            }
            Event::PermitFinished(event) => self.finished(event, at),
            Event::PermitRenewed(event) => {
                let holding = self.holding.get_mut(&event.permit).unwrap();
                assert!(
                    event.expires_at >= holding.expires_at,
                    "a renewal shortened a lease"
                );
                holding.expires_at = event.expires_at;
            }
            Event::PermitExtended(event) => {
                self.extending.remove(&event.permit);
                let request = self.holding[&event.permit].request.clone();
                assert_eq!(self.halted(&request), None, "I8: extended under a halt");
                self.take(event.permit, &event.resources, seq);
            }
            Event::PermitExtensionQueued(event) => {
                self.extending.insert(event.extend.permit);
            }
            Event::PermitExtensionDenied(event) => {
                self.extending.remove(&event.denial.permit);
            }
            Event::PermitExpired(event) => {
                let holding = &self.holding[&event.permit];
                assert!(holding.expires_at <= at, "expired before its time");
                self.gone(event.permit);
            }
            Event::InstanceConnected(event) => event.released.iter().for_each(|id| self.gone(*id)),
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                event.released.iter().for_each(|id| self.gone(*id));
            }
            Event::HaltOrdered(event) => {
                let target = &event.order.target;
                let pinned = self
                    .agents
                    .keys()
                    .filter(|agent| self.reaches(target, agent));
                let halt = Halt {
                    target: target.clone(),
                    mode: event.order.mode,
                    pinned: pinned.cloned().collect(),
                };
                self.halts.insert(HaltId(record.seq), halt);
                event.revoked.iter().for_each(|id| self.gone(*id));
            }
            Event::HaltReleased(event) => drop(self.halts.remove(&event.halt)),
            Event::ConflictResolved(event) => {
                for ends in &event.ends {
                    let holding = self.holding.get_mut(&ends.permit).unwrap();
                    holding.expires_at = holding.expires_at.min(ends.expires_at);
                }
                if let Some(split) = &event.split {
                    let holding = self.holding.get_mut(&split.permit).unwrap();
                    holding
                        .held
                        .retain(|held| !split.resources.contains(&held.path));
                }
            }
            Event::GraphDeclared(edge) => {
                let ends = format!("{} {}", edge.from, edge.to);
                let former = self.declared.insert(ends, edge.description.to_string());
                assert_ne!(former, Some(edge.description.to_string()), "nothing new");
                assert!(edge.from != edge.to && self.declared.len() <= 4);
            }
            Event::GraphUndeclared(ends) => {
                let ends = format!("{} {}", ends.from, ends.to);
                assert!(self.declared.remove(&ends).is_some(), "{ends}");
            }
            _ => self.rule(&record.event, at),
        }
    }

    fn rule(&mut self, event: &Event, at: Time) {
        match event {
            Event::AgentRegistered(event) => {
                let versions = self.agents.entry(event.definition.id.clone()).or_default();
                versions.retain(|v| v.version != event.definition.version);
                versions.push(event.definition.clone());
            }
            Event::AgentStatusSet(event) => {
                for version in self.agents.get_mut(&event.agent).unwrap() {
                    if event.version.as_ref().is_none_or(|v| *v == version.version) {
                        let mut changed = (**version).clone();
                        changed.status = event.status;
                        *version = Arc::new(changed);
                    }
                }
            }
            Event::AgentRemoved(event) => {
                for halt in self.halts.values() {
                    let over = halt.pinned.contains(&event.agent)
                        || self.reaches(&halt.target, &event.agent);
                    assert!(!over, "I8: an agent was removed under a halt");
                }
                self.agents.remove(&event.agent);
            }
            Event::GroupSet(group) => {
                drop(self.groups.insert(group.id.clone(), group.members.clone()))
            }
            Event::GroupRemoved(event) => drop(self.groups.remove(&event.group)),
            Event::ActionSet(action) => {
                let entry = (action.pattern.clone(), action.risk_reducing);
                self.risk_reducing.insert(action.pattern.to_string(), entry);
            }
            Event::ActionRemoved(event) => drop(self.risk_reducing.remove(event.pattern.as_str())),
            Event::LimitSet(limit) => {
                let known = self.limits.insert(limit.id.clone(), limit.clone());
                self.buckets.retain(|(id, _), _| *id != limit.id);
                // Permits from before it count or not, as it was: only a limit over none of them is checked to the unit.
                let untouched = self
                    .holding
                    .values()
                    .all(|holding| !self.matches(&limit.selector, &holding.request));
                if known.is_none() && untouched && limit.dynamic.is_none() {
                    self.steady.insert(limit.id.clone());
                } else {
                    self.steady.remove(&limit.id);
                }
            }
            Event::LimitRemoved(event) => {
                self.limits.remove(&event.limit);
                self.steady.remove(&event.limit);
                self.buckets.retain(|(id, _), _| *id != event.limit);
                for holding in self.holding.values_mut() {
                    holding.limits.retain(|charge| charge.limit != event.limit);
                }
            }
            Event::BudgetSet(budget) => {
                let former = self.budgets.insert(budget.id.clone(), budget.clone());
                if former.is_some() {
                    self.strained.insert(budget.id.clone());
                }
            }
            Event::BudgetRemoved(event) => {
                self.budgets.remove(&event.budget);
                self.strained.remove(&event.budget);
                self.purses.retain(|(id, _), _| *id != event.budget);
                for holding in self.holding.values_mut() {
                    holding
                        .budgets
                        .retain(|charge| charge.budget != event.budget);
                }
            }
            Event::BudgetToppedUp(event) => {
                let account = event.account.as_deref().unwrap_or_default().to_owned();
                self.purse(&event.budget, account, at).topped_up += event.amount;
            }
            Event::BudgetSoftReached(event) => {
                let account = event.account.as_deref().unwrap_or_default().to_owned();
                let strained = self.strained.contains(&event.budget);
                let purse = self.purse(&event.budget, account, at);
                assert!(
                    !purse.told || strained,
                    "the soft threshold was told of twice"
                );
                assert!(event.used >= event.soft);
                purse.told = true;
            }
            Event::FleetConfigured(settings) => {
                self.memory_us = settings.request_memory_ms.micros()
            }
            _ => {}
        }
    }

    fn first_answer(&mut self, request: &Request, permit: PermitId, at: Time) {
        let key = (request.agent.clone(), request.request_id.clone());
        let answer = FirstAnswer {
            permit,
            at,
            was_too_old: false,
        };
        match self.answers.get(&key) {
            Some(first) if first.permit != permit => {
                let forgotten = first.was_too_old || at.0 >= first.at.0 + self.memory_us;
                assert!(
                    forgotten,
                    "I5: {} took effect as {} and as {permit}",
                    request.request_id, first.permit
                );
                self.answers.insert(key, answer);
            }
            Some(_) => {}
            None => drop(self.answers.insert(key, answer)),
        }
    }

    fn purse(&mut self, id: &BudgetId, account: String, at: Time) -> &mut Purse {
        let budget = &self.budgets[id];
        let start = period(budget, at);
        let purse = self.purses.entry((id.clone(), account)).or_default();
        if let Some(start) = start.filter(|start| *start != purse.start) {
            purse.start = start;
            purse.spent = 0;
            purse.topped_up = 0;
            purse.told = false;
        }
        purse
    }

    fn granted(&mut self, event: &Granted, seq: u64, at: Time) {
        let (id, request) = (event.permit, &event.request);
        self.first_answer(request, id, at);
        self.waiting.remove(&id);
        assert!(!self.holding.contains_key(&id), "granted twice");
        assert_eq!(self.halted(request), None, "I8: granted under a halt");
        let speaks = self.speaks(&request.agent).unwrap();
        assert_ne!(
            speaks.status,
            Status::Offline,
            "granted to an agent that is offline"
        );
        if let Some(max) = speaks.config.concurrency_max {
            let own = self
                .holding
                .values()
                .filter(|h| h.request.agent == request.agent);
            assert!(
                (own.count() as u32) < max,
                "more in flight than the agent may"
            );
        }
        let charged: BTreeSet<_> = event
            .limits
            .iter()
            .map(|charge| {
                (
                    charge.limit.clone(),
                    charge.key.as_deref().unwrap_or_default().to_owned(),
                )
            })
            .collect();
        assert_eq!(
            charged,
            self.charges(request),
            "I7: charged to other limits than apply"
        );
        let reserved: BTreeSet<_> = event
            .budgets
            .iter()
            .map(|c| {
                (
                    c.budget.clone(),
                    c.account.as_deref().unwrap_or_default().to_owned(),
                    c.amount,
                )
            })
            .collect();
        assert_eq!(
            reserved,
            self.reservations(request),
            "I7: reserved in other budgets than apply"
        );
        for (limit, key) in charged {
            self.charge(&limit, &key, at);
        }
        for (id, account, amount) in reserved {
            let budget = self.budgets[&id].clone();
            let purse = self.purse(&id, account, at);
            purse.reserved += amount;
            if budget.period != Period::Month {
                let (used, hard) = (purse.spent + purse.reserved, budget.hard + purse.topped_up);
                assert!(
                    used <= hard || self.strained.contains(&id),
                    "I9: {id} holds {used} of {hard}"
                );
            }
        }
        let holding = Holding {
            request: request.clone(),
            held: Vec::new(),
            expires_at: event.expires_at,
            limits: event.limits.clone(),
            budgets: event.budgets.clone(),
        };
        self.holding.insert(id, holding);
        self.take(id, &request.resources, seq);
    }

    /// I6: nobody else may hold it, or one above or below, in a mode that conflicts; tokens only grow.
    fn take(&mut self, id: PermitId, claims: &[Claim], seq: u64) {
        for claim in claims {
            for (other, holding) in self.holding.iter().filter(|(other, _)| **other != id) {
                for held in &holding.held {
                    assert!(
                        !overlap(&held.path, &claim.path) || held.mode.compatible(claim.mode),
                        "I6: {id} took {} which {other} holds at {}",
                        claim.path,
                        held.path
                    );
                }
            }
        }
        assert!(
            claims.is_empty() || seq > self.last_token,
            "I6: token {seq} after {}",
            self.last_token
        );
        self.last_token = seq;
        let held = &mut self.holding.get_mut(&id).unwrap().held;
        held.retain(|held| claims.iter().all(|claim| claim.path != held.path));
        held.extend(claims.iter().map(|claim| Held {
            path: claim.path.clone(),
            mode: claim.mode,
            token: seq,
        }));
    }

    fn charge(&mut self, id: &LimitId, key: &str, at: Time) {
        let limit = self.limits[id].clone();
        if !self.steady.contains(id) {
            return;
        }
        match &limit.measure {
            Measure::Concurrency(concurrency) => {
                let same = |charge: &&LimitCharge| {
                    charge.limit == *id && charge.key.as_deref().unwrap_or_default() == key
                };
                let in_flight = self
                    .holding
                    .values()
                    .flat_map(|h| &h.limits)
                    .filter(same)
                    .count();
                assert!(
                    (in_flight as u64) < concurrency.max,
                    "limit {id} {key:?}: more than {}",
                    concurrency.max
                );
            }
            Measure::Rate(rate) if limit.reserved.is_empty() => {
                let per = i128::from(rate.per_ms.0) * 1_000_000;
                let full = i128::from(rate.burst.unwrap_or(rate.permits)) * per;
                let now = i128::from(at.0) * 1_000;
                let bucket = self
                    .buckets
                    .entry((id.clone(), key.to_owned()))
                    .or_insert(Bucket {
                        level: full,
                        at: now,
                    });
                let refill = (now - bucket.at) * i128::from(rate.permits);
                bucket.level = (bucket.level + refill).min(full) - per;
                bucket.at = now;
                assert!(bucket.level >= 0, "limit {id} {key:?}: more than its rate");
            }
            Measure::Rate(_) => {} // Parts of a rate are checked by scripts.
        }
    }

    fn finished(&mut self, event: &Finished, at: Time) {
        let holding = self.release(event.finish.permit);
        if event.finish.ending == Ending::Cancelled {
            for charge in &holding.limits {
                let key = (
                    charge.limit.clone(),
                    charge.key.as_deref().unwrap_or_default().to_owned(),
                );
                let Some(limit) = self.limits.get(&charge.limit) else {
                    continue;
                };
                if let (Measure::Rate(rate), Some(bucket)) =
                    (&limit.measure, self.buckets.get_mut(&key))
                {
                    let per = i128::from(rate.per_ms.0) * 1_000_000;
                    let full = i128::from(rate.burst.unwrap_or(rate.permits)) * per;
                    let now = i128::from(at.0) * 1_000;
                    bucket.level =
                        (bucket.level + (now - bucket.at) * i128::from(rate.permits) + per)
                            .min(full);
                    bucket.at = now;
                }
            }
        }
        for posted in &event.posted {
            let account = posted.account.as_deref().unwrap_or_default().to_owned();
            let strained = self.strained.contains(&posted.budget);
            let budget = self.budgets[&posted.budget].clone();
            let of_it = |charge: &&BudgetCharge| {
                charge.budget == posted.budget && charge.account == posted.account
            };
            let reserved = holding
                .budgets
                .iter()
                .find(of_it)
                .map_or(0, |charge| charge.amount);
            let purse = self.purse(&posted.budget, account, at);
            purse.spent += posted.amount;
            let (used, hard) = (purse.spent + purse.reserved, budget.hard + purse.topped_up);
            // What was reserved under a top-up of the last period may be more than this one's threshold; never more than that.
            let within = used <= hard
                || posted.amount <= reserved
                || strained
                || budget.period == Period::Month;
            assert!(within, "I9: {} posted to {used} of {hard}", posted.budget);
        }
    }

    fn gone(&mut self, id: PermitId) {
        if self.waiting.remove(&id).is_none() {
            self.release(id);
        }
    }

    fn release(&mut self, id: PermitId) -> Holding {
        self.extending.remove(&id);
        let holding = self
            .holding
            .remove(&id)
            .expect("who ends a permit knows it");
        for charge in &holding.budgets {
            let account = charge.account.as_deref().unwrap_or_default().to_owned();
            if let Some(purse) = self.purses.get_mut(&(charge.budget.clone(), account)) {
                purse.reserved -= charge.amount;
            }
        }
        holding
    }
}
