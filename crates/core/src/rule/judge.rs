//! Which rules a request meets, and what they say of it together.
use super::forms::{self, Asked, No, ONE};
use super::things::{Named, ThingKey};
use super::watch::{self, WatchKey};
use super::{Entry, RuleKey, Rules, Slot, keys, per};
use crate::permit::gates::Ask;
use fleet_types::approval::{Need, Source};
use fleet_types::rule::{Alike, Case, Form, Mark, Part, Per, Rule, Stage};
use fleet_types::{Code, Pattern, RuleId, Time};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::ops::Range;

/// What the rules say.
#[derive(Default)]
pub struct Judged {
    /// What a grant will be to them.
    pub marks: Marks,
    /// Rules that would have stopped it, were they enforced.
    pub observed: Observed,
    /// The first that does stop it.
    pub broken: Option<Broken>,
    /// Approvals that it needs.
    pub needs: Vec<Need>,
}

/// What a grant will be to rules, with the small keys under which that was found.
#[derive(Default)]
pub struct Marks {
    pub marks: Vec<Mark>,
    /// One for each mark.
    pub keys: Vec<MarkKey>,
}

/// The small keys of what a mark names.
#[derive(Clone, Copy)]
pub struct MarkKey {
    /// The thing, where there is such a one already.
    pub thing: Option<ThingKey>,
    pub watched: Watched,
}

/// A watch, and how much the request is to it.
pub type Watched = (WatchKey, u64);

/// Rules that are observed and would have stopped a request.
pub type Observed = SmallVec<[RuleId; 1]>;

/// Why a rule stops a request.
pub struct Broken {
    pub rule: RuleKey,
    pub key: SmolStr,
    pub code: Code,
    pub words: String,
    /// When asking again makes sense, if that is known.
    pub until: Option<Time>,
    pub can_wait: bool,
}

/// Things that some rules have in common: those of one `per` and one pattern of resources.
struct Common<'s> {
    per: &'s Per,
    pattern: Option<&'s Pattern>,
    things: Range<usize>,
}

/// What a request is about.
#[derive(Default)]
struct Found<'s> {
    common: SmallVec<[Common<'s>; 4]>,
    things: SmallVec<[Thing; 2]>,
}

/// A thing that a request is about.
struct Thing {
    named: Named,
    /// The watches that will remember a grant.
    watches: SmallVec<[Watched; 4]>,
}

/// Asks every rule whose cases a request belongs to.
pub fn judge(ask: &Ask<'_>) -> Judged {
    let judged = look(ask, true, |_, _| {});
    debug_assert!(judged.is(&one_by_one(ask, |_, _| {})));
    judged
}

/// The same, each by itself. `seen` hears of every one: the rule, and whether it lets it pass.
pub fn one_by_one(ask: &Ask<'_>, seen: impl FnMut(&Rule, bool)) -> Judged {
    look(ask, false, seen)
}

fn look(ask: &Ask<'_>, at_once: bool, mut seen: impl FnMut(&Rule, bool)) -> Judged {
    let rules = &ask.state.rules;
    let mut judged = Judged::default();
    if rules.by_id.is_empty() {
        return judged;
    }
    let mut found = Found::default();
    for case in rules.watches.index.candidates(ask.agent, ask.request) {
        let Some(watched) = rules.watches.case(case) else {
            continue;
        };
        let compiled = watched.compiled.as_ref().expect("compiled when joined");
        if !compiled.matches(ask.agent, ask.request, ask.now) {
            continue;
        }
        if at_once && !ask.extends && found.passes(ask, watched) {
            for slot in &watched.summary.approvals {
                if let Some(entry) = rules.get(slot.rule()) {
                    judged.approval(&entry.rule);
                }
            }
            continue;
        }
        for slot in watched.users.iter().copied() {
            let Some(entry) = rules.get(slot.rule()) else {
                continue;
            };
            if let Form::Approval(_) = &entry.rule.form {
                // More for a permit that holds needs one only where a rule names the resource.
                if !ask.extends || watched.case.resource.is_some() {
                    seen(&entry.rule, true);
                    judged.approval(&entry.rule);
                }
                continue;
            }
            let per = per(&entry.rule.form);
            if ask.extends && !per.is_some_and(Per::has_resource) {
                continue;
            }
            let no = found.ask(ask, &watched.case, entry, slot);
            seen(&entry.rule, no.is_none());
            judged.hears(entry, slot, no);
        }
    }
    if judged.broken.is_none() {
        judged.marks = found.marks(rules);
    }
    judged
}

impl Judged {
    /// Whether both say the same.
    fn is(&self, other: &Judged) -> bool {
        let broken = |it: &Judged| {
            it.broken
                .as_ref()
                .map(|it| (it.rule, it.key.clone(), it.until))
        };
        self.marks.marks == other.marks.marks
            && self.observed == other.observed
            && self.needs == other.needs
            && broken(self) == broken(other)
    }

    /// A rule wants somebody to approve.
    fn approval(&mut self, rule: &Rule) {
        let Form::Approval(terms) = &rule.form else {
            return;
        };
        match rule.stage {
            Stage::Draft => {}
            Stage::Observe => self.observed.push(rule.id.clone()),
            Stage::Enforce => self.needs.push(Need {
                source: Source::Rule(rule.id.clone()),
                terms: terms.clone(),
            }),
        }
    }

    /// A rule has said what it says.
    fn hears(&mut self, entry: &Entry, slot: Slot, no: Option<(No, SmolStr)>) {
        match (no, entry.rule.stage) {
            (None, _) | (Some(_), Stage::Draft) => {}
            (Some(_), Stage::Observe) => self.observed.push(entry.rule.id.clone()),
            (Some((no, key)), Stage::Enforce) if self.broken.is_none() => {
                self.broken = Some(Broken {
                    rule: slot.rule(),
                    key,
                    code: no.code,
                    words: told(&entry.rule, &no.words),
                    until: no.until,
                    can_wait: no.can_wait,
                });
            }
            (Some(_), Stage::Enforce) => {}
        }
    }
}

impl<'s> Found<'s> {
    /// Whether all rules of a case let it pass, as far as that is seen without asking each; `false` says nothing.
    fn passes(&mut self, ask: &Ask<'s>, watched: &'s watch::Watched) -> bool {
        let (rules, summary) = (&ask.state.rules, &watched.summary);
        let is_awaited = |slot: &Slot| {
            let entry = rules.get(slot.rule());
            entry.is_some_and(|entry| !entry.waiting.is_empty())
        };
        let arguments = summary.arguments(ask.request);
        if !summary.lets(&arguments) || rules.waiting > 0 && watched.users.iter().any(is_awaited) {
            return false;
        }
        for kind in &summary.kinds {
            let things = self.things(ask, &kind.per, watched.case.resource.as_ref());
            for share in &kind.shares {
                let Some(micros) = share.amount(&arguments) else {
                    return false;
                };
                for thing in things.clone() {
                    let here = self.things[thing].named.here;
                    let tally = here.and_then(|here| rules.things.tally(here, share.watch));
                    if !share.lets(micros, tally, ask.now) {
                        return false;
                    }
                    self.mark(thing, (share.watch, micros));
                }
            }
        }
        let opposed = summary.opposed.iter();
        let opposed = opposed.filter(|(other, _)| rules.things.remember(*other));
        let mut each = summary.each.iter().chain(opposed.map(|(_, slot)| slot));
        each.all(|slot| {
            let entry = rules.get(slot.rule());
            entry.is_none_or(|entry| self.ask(ask, &watched.case, entry, *slot).is_none())
        })
    }

    /// Asks a rule about each thing that the request is about to it; what it says, and of which.
    fn ask(
        &mut self,
        ask: &Ask<'_>,
        case: &'s Case,
        entry: &'s Entry,
        slot: Slot,
    ) -> Option<(No, SmolStr)> {
        let form = &entry.rule.form;
        if let Form::Bounds(bounds) = form {
            return forms::bounded(bounds, ask.request).map(|no| (no, SmolStr::default()));
        }
        let amount = forms::amount(form, slot.side(), ask.request);
        let watch = entry.watches[slot.side() as usize];
        let mut no = None;
        for thing in self.things(ask, per(form)?, case.resource.as_ref()) {
            let named = &self.things[thing].named;
            let asked = Asked {
                ask,
                entry,
                slot,
                thing: named,
            };
            let stop = match amount {
                Some(micros) => asked.remembered(micros),
                None => Some(No::never(forms::no_amount(form))),
            };
            if no.is_none() {
                no = stop.map(|stop| (stop, named.key.clone()));
            }
            if let Some(watch) = watch {
                self.mark(thing, (watch, amount.unwrap_or(ONE)));
            }
        }
        no
    }

    /// The numbers of the things that a request is about to rules of this kind.
    fn things(
        &mut self,
        ask: &Ask<'_>,
        per: &'s Per,
        pattern: Option<&'s Pattern>,
    ) -> Range<usize> {
        let mut common = self.common.iter();
        if let Some(known) = common.find(|known| known.per == per && known.pattern == pattern) {
            return known.things.clone();
        }
        let from = self.things.len();
        let rules = &ask.state.rules;
        let hint = match per.parts() {
            [Part::Agent] => rules.agents.hint(ask.agent_key),
            _ => None,
        };
        keys(per, pattern, ask.request, |key| {
            self.things.push(Thing {
                named: rules.things.named(key, hint, per.has_resource()),
                watches: SmallVec::new(),
            });
        });
        let things = from..self.things.len();
        self.common.push(Common {
            per,
            pattern,
            things: things.clone(),
        });
        things
    }

    fn mark(&mut self, thing: usize, watched: Watched) {
        let watches = &mut self.things[thing].watches;
        if watches.iter().all(|(watch, _)| *watch != watched.0) {
            watches.push(watched);
        }
    }

    /// What a grant will be to rules, by thing: all that share a watch remember it alike.
    fn marks(self, rules: &Rules) -> Marks {
        let count = self.things.iter().map(|thing| thing.watches.len()).sum();
        let mut marks = Marks {
            marks: Vec::with_capacity(count),
            keys: Vec::with_capacity(count),
        };
        for Thing { named, watches } in self.things {
            for watched in watches {
                let watch = rules.watches.get(watched.0).expect("it was just asked");
                marks.keys.push(MarkKey {
                    thing: named.here,
                    watched,
                });
                marks.marks.push(Mark {
                    key: named.key.clone(),
                    rules: Alike {
                        sides: watch.sides.clone(),
                        micros: Some(watched.1).filter(|micros| *micros != ONE),
                    },
                });
            }
        }
        marks
    }
}

fn told(rule: &Rule, words: &str) -> String {
    match rule.description.as_str() {
        "" => format!("rule {}: {words}", rule.id),
        why => format!("rule {} ({why}): {words}", rule.id),
    }
}
