//! What rules forbid, told from the whole history of permits by looking at all of it each time.
use super::reference::overlap;
use crate::rule::window;
use fleet_types::permit::{Blocker, Ending, Request};
use fleet_types::rule::{Case, Form, Part, Per, Rule, Stage};
use fleet_types::{Event, PermitId, Record, ResourcePath, RuleId, Time};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A permit and how it ended; more that it took later is one of its own.
struct Act {
    permit: PermitId,
    request: Request,
    /// The rules that were asked when it was granted, and since when they count.
    asked: BTreeMap<RuleId, u64>,
    ended: Option<(Time, End)>,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Completed,
    Failed,
    Cancelled,
    Unknown,
}

struct Known {
    rule: Arc<Rule>,
    /// From which record on it counts.
    since: u64,
    /// When its window was last made longer: what had ended then may be forgotten.
    longer: Time,
    /// The things that are stopped, and when each was last reset.
    tripped: BTreeSet<String>,
    reset: BTreeMap<String, Time>,
}

#[derive(Default)]
pub struct Rules {
    known: BTreeMap<RuleId, Known>,
    acts: Vec<Act>,
}

impl Rules {
    /// No permit may be granted against a rule.
    pub fn follow(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.one(record));
    }

    fn one(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            // Those of order stop nobody.
            Event::RuleSet(event) if crate::rule::is_order(&event.rule.form) => {
                self.known.remove(&event.rule.id);
            }
            Event::RuleSet(event) => {
                let before = self.known.remove(&event.rule.id);
                let known = match before {
                    Some(known) if alike(&known.rule, &event.rule) => {
                        let grows = window(&event.rule.form) > window(&known.rule.form);
                        Known {
                            rule: event.rule.clone(),
                            longer: if grows { at } else { known.longer },
                            ..known
                        }
                    }
                    _ => Known {
                        rule: event.rule.clone(),
                        since: record.seq.0,
                        longer: Time::ZERO,
                        tripped: BTreeSet::new(),
                        reset: BTreeMap::new(),
                    },
                };
                self.known.insert(event.rule.id.clone(), known);
            }
            Event::RuleRemoved(event) => drop(self.known.remove(&event.rule)),
            Event::RuleTripped(event) => {
                let known = self.known.get_mut(&event.rule).unwrap();
                assert!(known.tripped.insert(event.key.to_string()), "tripped twice");
            }
            Event::RuleReset(event) => {
                let known = self.known.get_mut(&event.rule).unwrap();
                let tripped = std::mem::take(&mut known.tripped);
                known.reset.extend(tripped.into_iter().map(|key| (key, at)));
            }
            Event::PermitGranted(event) => {
                self.granted(event.permit, (*event.request).clone(), false, at)
            }
            Event::PermitExtended(event) => {
                let own = self.acts.iter().filter(|act| act.permit == event.permit);
                let held: BTreeSet<ResourcePath> = own
                    .flat_map(|act| act.request.resources.iter().map(|claim| claim.path.clone()))
                    .collect();
                let own = self.acts.iter().find(|act| act.permit == event.permit);
                let mut request = own.unwrap().request.clone();
                request.resources = event.resources.clone();
                request
                    .resources
                    .retain(|claim| !held.contains(&claim.path));
                self.granted(event.permit, request, true, at);
            }
            Event::PermitDenied(event) => {
                if let Some(Blocker::Rule { rule, .. }) = &event.denial.blocker {
                    let known = &self.known[rule];
                    assert_eq!(
                        known.rule.stage,
                        Stage::Enforce,
                        "stopped by a rule that is not enforced"
                    );
                }
            }
            Event::PermitFinished(event) => {
                let end = match event.finish.ending {
                    Ending::Completed => End::Completed,
                    Ending::Failed => End::Failed,
                    Ending::Cancelled => End::Cancelled,
                };
                self.ended(event.finish.permit, at, end);
            }
            Event::PermitExpired(event) => self.ended(event.permit, at, End::Unknown),
            Event::HaltOrdered(event) => {
                event
                    .revoked
                    .iter()
                    .for_each(|permit| self.ended(*permit, at, End::Unknown));
            }
            Event::InstanceConnected(event) => {
                event
                    .released
                    .iter()
                    .for_each(|permit| self.ended(*permit, at, End::Unknown));
            }
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                event
                    .released
                    .iter()
                    .for_each(|permit| self.ended(*permit, at, End::Unknown));
            }
            _ => {}
        }
    }

    fn granted(&mut self, permit: PermitId, request: Request, more: bool, at: Time) {
        let remembering = |known: &&Known| !matches!(known.rule.form, Form::Approval(_));
        for known in self.known.values().filter(remembering) {
            if known.rule.stage == Stage::Enforce
                && (!more || per(&known.rule.form).has_resource())
                && let Some(why) = self.forbids(known, &request, at)
            {
                panic!("{permit} was granted against {:?}: {why}", known.rule);
            }
        }
        let asked = self
            .known
            .values()
            .filter(|known| known.rule.stage != Stage::Draft)
            .filter(remembering);
        let asked = asked.filter(|known| !more || per(&known.rule.form).has_resource());
        let asked = asked
            .map(|known| (known.rule.id.clone(), known.since))
            .collect();
        self.acts.push(Act {
            permit,
            request,
            asked,
            ended: None,
        });
    }

    fn ended(&mut self, permit: PermitId, at: Time, end: End) {
        for act in self.acts.iter_mut().filter(|act| act.permit == permit) {
            act.ended = Some((at, end));
        }
    }

    /// What permits that the rule counts did before: in flight, or within the window.
    fn before<'s>(
        &'s self,
        known: &'s Known,
        at: Time,
        window: u64,
        counts: fn(End) -> bool,
    ) -> impl Iterator<Item = &'s Act> {
        self.acts.iter().filter(move |act| {
            act.asked.get(&known.rule.id) == Some(&known.since)
                && match act.ended {
                    None => true,
                    Some((ended, end)) => {
                        let is_within = at.0 < ended.0 + window * 1_000;
                        counts(end) && is_within && ended >= known.longer
                    }
                }
        })
    }

    fn forbids(&self, known: &Known, request: &Request, at: Time) -> Option<String> {
        let happened = |end: End| matches!(end, End::Completed | End::Unknown);
        let asked = (known, request, at);
        let when = &known.rule.when;
        let per = per(&known.rule.form);
        let both = |with: &Case, window: u64, same_agent: bool| {
            for (own, other) in [(when, with), (with, when)] {
                let mut acts = self.before(known, at, window, happened);
                let against = acts.find(|act| {
                    matches(own, request)
                        && matches(other, &act.request)
                        && (!same_agent || act.request.agent == request.agent)
                        && same_thing(per, (own, request), (other, &act.request))
                });
                if let Some(act) = against {
                    return Some(format!("{} is against it", act.permit));
                }
            }
            None
        };
        match &known.rule.form {
            Form::Bounds(_) | Form::Approval(_) | Form::Allocation(_) | Form::Resolution(_) => None,
            Form::Contradiction(form) => both(&form.with, form.within_ms.0, false),
            Form::Exclusion(form) => both(&form.with, 0, false),
            Form::Separation(form) => both(&form.from, form.within_ms.0, true),
            Form::Sequence(form) => {
                let completed = |end: End| end == End::Completed;
                let acts = || self.before(known, at, form.within_ms.0, completed);
                let things = things(per, when, request);
                let missing = things.iter().find(|thing| {
                    let mut acts = acts()
                        .filter(|act| act.ended.is_some() && matches(&form.after, &act.request));
                    !acts.any(|act| {
                        let others = self::things(per, &form.after, &act.request);
                        others.iter().any(|other| {
                            other.0 == thing.0
                                && match (&other.1, &thing.1) {
                                    (Some(above), Some(path)) => above.covers(path),
                                    _ => true,
                                }
                        })
                    })
                });
                let missing = missing.filter(|_| matches(when, request))?;
                Some(format!("nothing came before for {missing:?}"))
            }
            Form::CoolingOff(form) => self.most(asked, (form.for_ms.0, 0), happened, |_| Some(0)),
            Form::Quota(form) => {
                let sum = form.sum.is_some();
                let amount = move |request: &Request| match sum {
                    true => argument(request).as_u64(),
                    false => Some(1),
                };
                let max = form.max.as_u64().unwrap();
                if matches(when, request)
                    && !things(per, when, request).is_empty()
                    && amount(request).is_none()
                {
                    return Some("it has no amount".into());
                }
                let own = amount(request).unwrap_or_default();
                let room = max.checked_sub(own);
                match room {
                    Some(room) => self.most(asked, (form.window_ms.0, room), happened, amount),
                    None => (matches(when, request) && !things(per, when, request).is_empty())
                        .then(|| "it alone is more".into()),
                }
            }
            Form::Throttle(form) => {
                let tried = |end: End| end != End::Cancelled;
                let stopped = things(per, when, request);
                let mut stopped = stopped.iter().map(key);
                if matches(when, request) && stopped.any(|key| known.tripped.contains(&key)) {
                    return Some("it is stopped".into());
                }
                self.most(
                    asked,
                    (form.window_ms.0, u64::from(form.max) - 1),
                    tried,
                    |_| Some(1),
                )
            }
        }
    }

    /// For each thing, what was done within a window may be at most this much. Of a cooling-off anything is too much.
    fn most(
        &self,
        (known, request, at): (&Known, &Request, Time),
        (window, room): (u64, u64),
        counts: fn(End) -> bool,
        amount: impl Fn(&Request) -> Option<u64>,
    ) -> Option<String> {
        let (when, per) = (&known.rule.when, per(&known.rule.form));
        if !matches(when, request) {
            return None;
        }
        let cooling = matches!(known.rule.form, Form::CoolingOff(_));
        for thing in things(per, when, request) {
            let reset = known.reset.get(&key(&thing)).copied().unwrap_or_default();
            let same = self.before(known, at, window, counts).filter(|act| {
                matches(when, &act.request)
                    && things(per, when, &act.request).contains(&thing)
                    && act.ended.is_none_or(|(ended, _)| ended > reset)
            });
            let same: Vec<&Act> = same.collect();
            let used: u64 = same.iter().filter_map(|act| amount(&act.request)).sum();
            if used > room || cooling && !same.is_empty() {
                return Some(format!("{used} of {thing:?} are more than {room}"));
            }
        }
        None
    }
}

fn argument(request: &Request) -> Value {
    let arguments = request.parameters.as_deref();
    arguments
        .and_then(|map| map.get("n"))
        .cloned()
        .unwrap_or_default()
}

fn alike(one: &Rule, other: &Rule) -> bool {
    let strip = |rule: &Rule| {
        let mut rule = rule.clone();
        rule.stage = Stage::Draft;
        match &mut rule.form {
            Form::Contradiction(form) => form.within_ms.0 = 0,
            Form::Sequence(form) => form.within_ms.0 = 0,
            Form::Separation(form) => form.within_ms.0 = 0,
            Form::CoolingOff(form) => form.for_ms.0 = 0,
            Form::Quota(form) => (form.max, form.window_ms.0) = (0.into(), 0),
            Form::Throttle(form) => (form.max, form.window_ms.0) = (0, 0),
            Form::Bounds(_)
            | Form::Exclusion(_)
            | Form::Approval(_)
            | Form::Allocation(_)
            | Form::Resolution(_) => {}
        }
        rule
    };
    strip(one) == strip(other)
}

pub fn matches(case: &Case, request: &Request) -> bool {
    let paths = || request.resources.iter().map(|claim| claim.path.as_str());
    case.agent
        .as_ref()
        .is_none_or(|agent| agent.as_str() == request.agent.as_str())
        && case
            .action
            .as_ref()
            .is_none_or(|action| action.matches(request.action.as_str()))
        && case
            .resource
            .as_ref()
            .is_none_or(|resource| paths().any(|path| resource.matches(path)))
        && case
            .labels
            .iter()
            .all(|(key, value)| request.labels.get(key) == Some(value))
        && (case.parameters.is_empty() || argument(request).as_u64() >= Some(2))
}

fn per(form: &Form) -> &Per {
    crate::rule::per(form).unwrap()
}

/// What a request is about: the parts that must be the same, and the resource.
type Thing = (Vec<String>, Option<ResourcePath>);

fn things(per: &Per, case: &Case, request: &Request) -> Vec<Thing> {
    let parts = per.parts().iter().filter_map(|part| match part {
        Part::Resource => None,
        Part::Agent => Some(request.agent.to_string()),
        Part::Label(key) => Some(
            request
                .labels
                .get(key)
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        Part::Parameter(_) => Some(match argument(request) {
            Value::Null => String::new(),
            number => number.to_string(),
        }),
        Part::Action => Some(request.action.to_string()),
    });
    let parts: Vec<String> = parts.collect();
    if !per.has_resource() {
        return vec![(parts, None)];
    }
    let paths = request.resources.iter().map(|claim| claim.path.clone());
    let pattern = case.resource.as_ref();
    paths
        .filter(|path| pattern.is_none_or(|pattern| pattern.matches(path.as_str())))
        .map(|path| (parts.clone(), Some(path)))
        .collect()
}

/// As events name it.
fn key(thing: &Thing) -> String {
    let mut parts = thing.0.clone();
    parts.extend(thing.1.iter().map(ToString::to_string));
    parts.join("\u{1f}")
}

fn same_thing(per: &Per, one: (&Case, &Request), other: (&Case, &Request)) -> bool {
    let others = things(per, other.0, other.1);
    things(per, one.0, one.1).iter().any(|thing| {
        others.iter().any(|other| {
            thing.0 == other.0
                && match (&thing.1, &other.1) {
                    (Some(one), Some(other)) => overlap(one, other),
                    _ => true,
                }
        })
    })
}
