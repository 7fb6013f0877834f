//! Which rules a request meets, and what they say of it together.
use super::forms::{self, Asked, No, ONE};
use super::things::{Named, ThingKey};
use super::watch::WatchKey;
use super::{Entry, RuleKey, Rules, Slot, keys, per};
use crate::permit::gates::Ask;
use fleet_types::approval::{Need, Source, Terms};
use fleet_types::rule::{Case, Form, Mark, Marked, Per, Rule, Stage};
use fleet_types::{Code, Pattern, RuleId, Time};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::ops::Range;
use std::sync::Arc;

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
    pub keys: Option<Box<MarkKeys>>,
}

/// The small keys of what marks name.
#[derive(Default)]
pub struct MarkKeys {
    /// For each mark the thing, where there is such a one already, and how many watches remember it.
    pub things: SmallVec<[(Option<ThingKey>, usize); 2]>,
    /// Those, of one mark after the other.
    pub watches: SmallVec<[Watched; 4]>,
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

/// What a request is about, and what of it a grant will be marked for.
#[derive(Default)]
struct Found<'s> {
    common: SmallVec<[Common<'s>; 4]>,
    things: SmallVec<[Thing; 2]>,
    marks: SmallVec<[Hit; 16]>,
}

/// A thing that a request is about.
struct Thing {
    named: Named,
    /// How many rules will remember it.
    count: usize,
    /// By what watches.
    watches: SmallVec<[Watched; 4]>,
}

/// A rule that remembers a grant, and for which thing.
struct Hit {
    thing: usize,
    slot: Slot,
    micros: u64,
}

/// Asks every rule whose cases a request belongs to. `seen` hears of every one: the rule, and whether it lets it pass.
pub fn judge(ask: &Ask<'_>, mut seen: impl FnMut(&Rule, bool)) -> Judged {
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
        for slot in watched.users.iter().copied() {
            let Some(entry) = rules.get(slot.rule()) else {
                continue;
            };
            if let Form::Approval(terms) = &entry.rule.form {
                // More for a permit that holds needs one only where a rule names the resource.
                if !ask.extends || watched.case.resource.is_some() {
                    seen(&entry.rule, true);
                    judged.approval(&entry.rule, terms);
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
    /// A rule wants somebody to approve.
    fn approval(&mut self, rule: &Rule, terms: &Arc<Terms>) {
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
                self.mark(thing, slot, (watch, amount.unwrap_or(ONE)));
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
        keys(per, pattern, ask.request, |key| {
            self.things.push(Thing {
                named: ask.state.rules.things.named(key, per.has_resource()),
                count: 0,
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

    fn mark(&mut self, thing: usize, slot: Slot, watched: Watched) {
        let marked = &mut self.things[thing];
        marked.count += 1;
        if marked.watches.iter().all(|(watch, _)| *watch != watched.0) {
            marked.watches.push(watched);
        }
        self.marks.push(Hit {
            thing,
            slot,
            micros: watched.1,
        });
    }

    /// What a grant will be to rules: by thing, in the order in which rules were asked.
    fn marks(self, rules: &Rules) -> Marks {
        if self.marks.is_empty() {
            return Marks::default();
        }
        let mut keys = Box::new(MarkKeys::default());
        let mut marks = Vec::with_capacity(self.things.len());
        // For each thing its mark.
        let mut places = SmallVec::<[usize; 8]>::new();
        for thing in self.things {
            places.push(marks.len());
            if thing.count > 0 {
                keys.things.push((thing.named.here, thing.watches.len()));
                keys.watches.extend(thing.watches);
                marks.push(Mark {
                    key: thing.named.key,
                    rules: Vec::with_capacity(thing.count),
                });
            }
        }
        for hit in self.marks {
            let entry = rules.get(hit.slot.rule()).expect("it was just asked");
            marks[places[hit.thing]].rules.push(Marked {
                rule: entry.rule.id.clone(),
                side: hit.slot.side(),
                micros: Some(hit.micros).filter(|micros| *micros != ONE),
            });
        }
        Marks {
            marks,
            keys: Some(keys),
        }
    }
}

fn told(rule: &Rule, words: &str) -> String {
    match rule.description.as_str() {
        "" => format!("rule {}: {words}", rule.id),
        why => format!("rule {} ({why}): {words}", rule.id),
    }
}
