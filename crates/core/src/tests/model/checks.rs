//! What must hold after every command.
use super::super::world::{Outcome, World};
use super::reference::{Reference, overlap};
use crate::approval::{HISTORY_MAX, OPEN_MAX};
use crate::permit::{WaitsOn, queue};
use crate::timers::Timer;
use crate::{State, next_deadline, permit};
use fleet_types::approval::Phase;
use fleet_types::lock::Claim;
use fleet_types::permit::Blocker;
use fleet_types::{Actor, Command, Event, Millis, PermitId, Record, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Everything that holds between two commands.
pub fn check(world: &World, reference: &Reference, begin: usize) {
    let state = &world.state;
    counters(state, reference);
    let declared = state.graph.iter();
    let declared = declared.map(|e| (format!("{} {}", e.from, e.to), e.description.to_string()));
    assert_eq!(declared.collect::<BTreeMap<_, _>>(), reference.declared);
    assert!(state.wakes.is_empty(), "somebody was left to be woken");
    conflicts(state);
    plans(state);
    nobody_waits_in_vain(state, &world.records[begin..]);
    timers_are_armed(state);
    approvals(state);
    denials_are_justified(world, reference, begin);
}

/// I7: what the state counts is what the permits hold, and nothing else.
fn counters(state: &State, reference: &Reference) {
    let mut held = BTreeSet::new();
    for (_, node) in state.locks.iter() {
        for holder in &node.holders {
            held.insert((
                state.permits[holder.permit].id,
                node.path.to_string(),
                holder.mode,
                holder.token.0,
            ));
        }
    }
    let mut wanted = BTreeSet::new();
    for (id, holding) in &reference.holding {
        for lock in &holding.held {
            wanted.insert((*id, lock.path.to_string(), lock.mode, lock.token));
        }
    }
    assert_eq!(held, wanted, "the lock table is not what the permits hold");
    let live: BTreeSet<PermitId> = state.permits.iter().map(|(_, permit)| permit.id).collect();
    let known: BTreeSet<PermitId> = reference
        .holding
        .keys()
        .chain(reference.waiting.keys())
        .copied()
        .collect();
    assert_eq!(live, known);
    assert_eq!(state.permits.waiting as usize, reference.waiting.len());
    for (_, agent) in state.agents.agents.iter() {
        let own = reference
            .holding
            .values()
            .filter(|h| h.request.agent == agent.id);
        assert_eq!(
            agent.in_flight as usize,
            own.count(),
            "in flight of {}",
            agent.id
        );
    }
    let mut charged: BTreeMap<(u32, &str), u64> = BTreeMap::new();
    for (_, permit) in state.permits.iter() {
        for charge in permit.granted().iter().flat_map(|granted| &granted.charges) {
            *charged
                .entry((charge.limit, charge.count.as_str()))
                .or_default() += 1;
        }
    }
    for (key, entry) in state.limits.entries.iter().enumerate() {
        for (name, count) in entry.iter().flat_map(crate::limit::Entry::all_counts) {
            let in_flight: u64 = count.in_flight.iter().sum();
            let permits = charged.get(&(key as u32, name)).copied().unwrap_or(0);
            assert_eq!(in_flight, permits, "in flight of limit {key} {name:?}");
        }
    }
    for ((id, account), purse) in &reference.purses {
        let Some(entry) = state.budgets.key(id).and_then(|key| state.budgets.get(key)) else {
            continue;
        };
        let found = entry.purse(account, state.now);
        assert_eq!(
            found.reserved, purse.reserved,
            "reserved in {id} {account:?}"
        );
    }
}

/// A suggested order has no collisions in it, and every plan can be looked at.
fn plans(state: &State) {
    for id in state.plans.by_id.keys() {
        let Some(view) = crate::read::plan(state, *id, state.now) else {
            continue;
        };
        for (at, one) in view.order.iter().enumerate() {
            for other in &view.order[at + 1..] {
                let meet = one.begins_at < other.ends_at && other.begins_at < one.ends_at;
                let same = one.plan == other.plan;
                let claims = |slot: &fleet_types::plan::Slot| {
                    state.plans.by_id[&slot.plan].plan.steps[slot.step as usize]
                        .resources
                        .clone()
                };
                let against = claims(one).iter().any(|a| {
                    claims(other)
                        .iter()
                        .any(|b| overlap(&a.path, &b.path) && !a.mode.compatible(b.mode))
                });
                assert!(
                    !meet || !(same || against),
                    "{id} suggests {one:?} beside {other:?}"
                );
            }
        }
    }
}

/// Whoever waits in a conflict is counted there, and a conflict over a lock is known by who waits for it.
fn conflicts(state: &State) {
    let mut waiting: BTreeMap<fleet_types::ConflictId, u64> = BTreeMap::new();
    for (_, permit) in state.permits.iter() {
        let own = match &permit.phase {
            permit::Phase::Waiting(waiting) => waiting.conflict,
            permit::Phase::Granted(granted) => {
                granted.extension.as_ref().and_then(|it| it.conflict)
            }
        };
        *own.map_or(&mut 0, |id| waiting.entry(id).or_default()) += 1;
    }
    for (id, record) in &state.conflicts.records {
        assert_eq!(
            record.waiting,
            waiting.remove(id).unwrap_or(0),
            "waiting in {id}"
        );
        let asked = record.dispute.is_some() || record.pending.is_some();
        assert!(record.waiting > 0 || !asked, "{id} is disputed by nobody");
        assert!(record.requests >= record.agents.len() as u64);
    }
    assert!(
        waiting.is_empty(),
        "waiting in conflicts that are gone: {waiting:?}"
    );
}

/// After a step nobody waits who could go on: no wake-up was lost.
fn nobody_waits_in_vain(state: &State, records: &[Record]) {
    let now = state.now;
    if state.timers.next().is_some_and(|due| due <= now) {
        return; // More was due than one step handles; the next tick comes at once.
    }
    for (key, permit) in state.permits.iter() {
        if permit.extension().is_some() {
            let events = permit::extend::again(state, key, now);
            let extended = events.is_some_and(|e| matches!(e.answer, Event::PermitExtended(_)));
            assert!(
                !extended,
                "{} waits for more in vain; last {:?}",
                permit.id, records
            );
        }
        if let permit::Phase::Waiting(waiting) = &permit.phase {
            if let WaitsOn::Limit(limit) = waiting.on {
                let entry = state.limits.get(limit).unwrap();
                if !queue::is_next(state, entry, permit.place(key)) {
                    continue; // Somebody who comes first needs another count of it too.
                }
            }
            let events = queue::again(state, key, true, now);
            let granted = events.is_some_and(|e| matches!(e.answer, Event::PermitGranted(_)));
            assert!(
                !granted,
                "{} waits in vain on {:?}; last {:?}",
                permit.id, waiting.on, records
            );
        }
    }
}

/// Every lease and every wait has a timer.
fn timers_are_armed(state: &State) {
    let armed = timers(state);
    for (_, permit) in state.permits.iter() {
        let (at, timer) = match &permit.phase {
            permit::Phase::Waiting(waiting) => (waiting.until, Timer::Wait(permit.id)),
            // It ends with its transaction.
            permit::Phase::Granted(_) if state.txns.holder_of(permit.id).is_some() => continue,
            permit::Phase::Granted(granted) => (granted.expires_at, Timer::Lease(permit.id)),
        };
        assert!(armed.contains(&(at, timer)), "{timer:?} is not armed");
        if let Some(extension) = permit.extension() {
            let timer = Timer::Extension(permit.id);
            assert!(
                armed.contains(&(extension.until, timer)),
                "{timer:?} is not armed"
            );
        }
    }
}

/// Open approvals are waited for and have their timers; whoever waits for one waits for one that is open.
fn approvals(state: &State) {
    let (armed, approvals) = (timers(state), &state.approvals);
    let open = approvals
        .by_id
        .iter()
        .filter(|(_, it)| it.phase == Phase::Open);
    assert_eq!(open.clone().count(), approvals.open);
    assert!(approvals.open <= OPEN_MAX && approvals.settled.len() <= HISTORY_MAX);
    for (id, approval) in open {
        assert!(approvals.of(approval.permit()).contains(id), "{id} is lost");
        let waiter = state.permits.find(approval.permit()).expect("it waits");
        assert!(waiter.granted().is_none(), "{id} is open for nothing");
        if let Some(at) = approval.deadline {
            assert!(
                armed.contains(&(at, Timer::Deadline(*id))),
                "{id} has no deadline"
            );
        }
        if let Some(at) = approval.sla_at.filter(|_| !approval.sla_breached) {
            assert!(
                armed.contains(&(at, Timer::Sla(*id))),
                "{id} is not watched"
            );
        }
    }
    for (_, permit) in state.permits.iter() {
        if let permit::Phase::Waiting(waiting) = &permit.phase
            && let Blocker::Approval { approval, .. } = &waiting.blocker
        {
            let known = approval.and_then(|id| approvals.get(id));
            let known = known.expect("whoever waits for an approval knows which");
            assert_eq!(known.permit(), permit.id);
            assert_eq!(
                known.phase,
                Phase::Open,
                "{} waits for one that is closed",
                permit.id
            );
        }
    }
}

fn timers(state: &State) -> BTreeSet<(Time, Timer)> {
    state.timers.iter().collect()
}

/// A request that was refused or must wait has a reason that can be seen from outside.
fn denials_are_justified(world: &World, reference: &Reference, begin: usize) {
    for record in &world.records[begin..] {
        let (blocker, request, id) = match &record.event {
            Event::PermitQueued(event) => (Some(&event.waits_for), &event.request, event.permit),
            Event::PermitDenied(event) => (
                event.denial.blocker.as_ref(),
                &event.request,
                event.denial.permit,
            ),
            _ => continue,
        };
        let _ = (reference, id);
        match blocker {
            Some(Blocker::Lock { path, mode, .. }) => {
                let conflicts =
                    |claim: &Claim| overlap(path, &claim.path) && !mode.compatible(claim.mode);
                assert!(
                    request.resources.iter().any(conflicts),
                    "stopped by a lock that does not conflict"
                );
            }
            Some(Blocker::Turn { permit, .. }) => {
                assert_ne!(*permit, id, "stopped by its own turn")
            }
            Some(Blocker::Budget {
                available, asked, ..
            }) => assert!(available < asked),
            Some(
                Blocker::AgentConcurrency { .. }
                | Blocker::Halt { .. }
                | Blocker::Limit { .. }
                | Blocker::Rule { .. }
                | Blocker::Approval { .. }
                | Blocker::Policy { .. }
                | Blocker::Tool { .. }
                | Blocker::Delegation { .. }
                | Blocker::Version { .. }
                | Blocker::Cycle { .. },
            )
            | None => {}
        }
    }
}

/// I2: the records alone lead to the same state, and so does a snapshot, what is derived included.
pub fn check_replay(world: &World) {
    let replayed = world.replayed();
    let (live, again) = (json(&world.state), json(&replayed));
    if live != again {
        panic!("I2: replay leads elsewhere: {}", difference(&live, &again));
    }
    assert_eq!(
        derived(&world.state),
        derived(&replayed),
        "I2: replay derives other things"
    );
    let restored = State::from_snapshot(&world.state.to_snapshot()).unwrap();
    let again = json(&restored);
    if live != again {
        panic!(
            "I2: a snapshot leads elsewhere: {}",
            difference(&live, &again)
        );
    }
    assert_eq!(
        derived(&world.state),
        derived(&restored),
        "I2: a snapshot derives other things"
    );
}

fn json(state: &State) -> serde_json::Value {
    serde_json::from_slice(&state.to_snapshot()).unwrap()
}

/// The first place where two values differ.
fn difference(one: &serde_json::Value, other: &serde_json::Value) -> String {
    use serde_json::Value;
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()) {
                if a.get(key) != b.get(key) {
                    let null = Value::Null;
                    let (a, b) = (a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null));
                    return format!("{key}.{}", difference(a, b));
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                if a != b {
                    return format!("{at}.{}", difference(a, b));
                }
            }
        }
        _ => {}
    }
    format!(" {one} against {other}")
}

/// What a snapshot leaves out, in words.
pub fn derived(state: &State) -> String {
    let mut text = String::new();
    let mut nodes: Vec<_> = state.locks.iter().map(|(_, node)| node).collect();
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    for node in nodes {
        let mut holders: Vec<_> = node
            .holders
            .iter()
            .map(|h| (h.permit, h.mode, h.token))
            .collect();
        holders.sort_unstable();
        if !holders.is_empty() || !node.waiters.is_empty() {
            let _ = writeln!(text, "{} {holders:?} {:?}", node.path, node.waiters);
        }
    }
    for (key, entry) in state.limits.entries.iter().enumerate() {
        let Some(entry) = entry else { continue };
        let mut counts: Vec<_> = entry
            .all_counts()
            .map(|(name, c)| (name, c.in_flight))
            .collect();
        counts.sort_unstable();
        counts.retain(|(_, in_flight)| *in_flight != [0; 4]);
        let _ = writeln!(text, "limit {key} {counts:?} {:?}", entry.queue);
    }
    for (key, entry) in state.rules.entries.iter().enumerate() {
        let Some(entry) = entry else { continue };
        let _ = writeln!(
            text,
            "rule {key} {} {:?} {:?}",
            entry.in_flight(&state.rules.watches),
            entry.waiting,
            entry.watches
        );
    }
    let policies = &state.policies;
    let _ = writeln!(text, "policies {} {:?}", policies.asked, policies.waiting);
    for (key, thing) in state.rules.things.iter() {
        let _ = writeln!(text, "thing {key} {thing:?}");
    }
    for (id, record) in &state.conflicts.records {
        let _ = writeln!(
            text,
            "conflict {id} {} {}",
            record.waiting,
            record.waited_us(state.now)
        );
    }
    let _ = writeln!(text, "plans {:?}", state.plans.by_path);
    for (key, agent) in state.agents.agents.iter() {
        let mut permits: Vec<_> = state.permits.of(agent).collect();
        permits.sort_unstable();
        let _ = writeln!(
            text,
            "agent {key} {} {permits:?} {:?} {:?}",
            agent.in_flight, agent.waiting, agent.terms
        );
    }
    let _ = writeln!(
        text,
        "halts {:?} locks {}",
        state.halts.waiting, state.locks.held
    );
    let approvals = &state.approvals;
    let _ = writeln!(
        text,
        "approvals {} {:?} {:?}",
        approvals.open, approvals.waiting, approvals.by_permit
    );
    for (at, timer) in timers(state) {
        if permit::end::is_live(state, at, timer) && at > state.now {
            let _ = writeln!(text, "timer {at:?} {timer:?}");
        }
    }
    text
}

/// The same fleet, twice more: one that follows the records, and one restored from a snapshot before each command.
pub struct Twins {
    follower: State,
    restored: State,
}

impl Twins {
    pub fn of(world: &World) -> Twins {
        Twins {
            follower: world.replayed(),
            restored: State::default(),
        }
    }

    pub fn before(&mut self, world: &World) {
        self.restored = State::from_snapshot(&world.state.to_snapshot()).unwrap();
        assert_eq!(
            derived(&world.state),
            derived(&self.restored),
            "I2: a snapshot derives other things"
        );
    }

    /// All must do the same and come to the same.
    pub fn after(&mut self, world: &World, by: Actor, command: Command, outcome: &Outcome) {
        let envelope = fleet_types::Envelope { by, command };
        let now = world.wall.max(Time(self.restored.now.0 + 1));
        let mut records = Vec::new();
        let answer = crate::step_recalled(
            &mut self.restored,
            &envelope,
            outcome.recalled.as_ref(),
            now,
            &mut records,
        );
        assert_eq!(
            records, outcome.records,
            "I2: the restored fleet goes on otherwise"
        );
        assert_eq!(
            answer, outcome.answer,
            "I2: the restored fleet answers otherwise"
        );
        for record in &outcome.records {
            crate::apply_record(&mut self.follower, record);
        }
        let live = world.state.to_snapshot();
        for (how, twin) in [
            ("restored", &mut self.restored),
            ("following", &mut self.follower),
        ] {
            let evicted: Vec<_> = twin.drain_evicted().collect();
            assert_eq!(
                evicted, outcome.evicted,
                "I2: the {how} fleet lets other ids go"
            );
            if twin.to_snapshot() != live {
                panic!(
                    "I2: the {how} fleet comes to {}",
                    difference(&json(&world.state), &json(twin))
                );
            }
            assert_eq!(
                derived(&world.state),
                derived(twin),
                "I2: the {how} fleet derives other things"
            );
        }
    }
}

/// With nobody asking any more and no halt, everything ends by itself, in bounded steps.
pub fn everything_ends(world: &mut World) {
    let mut steps = 0;
    super::txns::settle(world);
    while let Some(deadline) = next_deadline(&world.state) {
        world.wall = world.wall.max(deadline);
        world.run(Actor::System, Command::Tick).answer.unwrap();
        super::txns::settle(world);
        steps += 1;
        assert!(steps < 10_000, "ticks without end at {:?}", world.wall);
    }
    world.sleep(Millis(1));
    assert_eq!(world.state.txns.live.len(), 0, "a transaction has no end");
    assert_eq!(world.state.permits.len(), 0, "a permit has no end");
    assert_eq!(world.state.locks.held, 0);
    assert_eq!(world.state.approvals.open, 0, "a question has no end");
    check_replay(world);
}
