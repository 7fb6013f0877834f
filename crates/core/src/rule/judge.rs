//! Which rules a request meets, and what they say of it together.
use super::forms::{self, Asked, No, ONE};
use super::things::{Named, ThingKey};
use super::{RuleKey, Rules, Slot, keys, per};
use crate::permit::gates::Ask;
use fleet_types::rule::{Form, Mark, Marked, Per, Rule, Stage};
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
}

/// What a grant will be to rules, with the small keys under which that was found.
#[derive(Default)]
pub struct Marks {
    pub marks: Vec<Mark>,
    pub keys: Option<Box<RuleKeys>>,
}

/// The small keys of what marks name.
#[derive(Default)]
pub struct RuleKeys {
    /// One for each mark, where there is such a thing already.
    pub things: SmallVec<[Option<ThingKey>; 2]>,
    /// One for each rule of each mark.
    pub rules: SmallVec<[RuleKey; 16]>,
}

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
    /// Each with the number of its marks.
    things: SmallVec<[(Named, usize); 2]>,
    marks: SmallVec<[Hit; 16]>,
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
    for number in rules.index.candidates(ask.agent, ask.request) {
        let slot = Slot::of(number);
        let Some(entry) = rules.get(slot.rule()) else {
            continue;
        };
        let case = entry.cases[slot.side() as usize].as_ref();
        let case = case.expect("compiled when set");
        if !case.matches(ask.agent, ask.request, ask.now) {
            continue;
        }
        let form = &entry.rule.form;
        let per = per(form);
        if ask.extends && !per.is_some_and(Per::has_resource) {
            continue;
        }
        let mut no = None;
        if let Form::Bounds(bounds) = form {
            no = forms::bounded(bounds, ask.request).map(|no| (no, SmolStr::default()));
        }
        if let Some(per) = per {
            let pattern = case.case.resource.as_ref();
            let amount = forms::amount(form, slot.side(), ask.request);
            for thing in found.things(ask, per, pattern) {
                let asked = Asked {
                    ask,
                    entry,
                    slot,
                    thing: &found.things[thing].0,
                };
                let stop = match amount {
                    Some(micros) => asked.remembered(micros),
                    None => Some(No::never(forms::no_amount(form))),
                };
                if no.is_none() {
                    no = stop.map(|stop| (stop, asked.thing.key.clone()));
                }
                if forms::is_remembered(form, slot.side()) {
                    found.mark(thing, slot, amount.unwrap_or(ONE));
                }
            }
        }
        seen(&entry.rule, no.is_none());
        match (no, entry.rule.stage) {
            (None, _) | (Some(_), Stage::Draft) => {}
            (Some(_), Stage::Observe) => judged.observed.push(entry.rule.id.clone()),
            (Some((no, key)), Stage::Enforce) if judged.broken.is_none() => {
                judged.broken = Some(Broken {
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
    if judged.broken.is_none() {
        judged.marks = found.marks(rules);
    }
    judged
}

impl<'s> Found<'s> {
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
            let named = ask.state.rules.things.named(key, per.has_resource());
            self.things.push((named, 0));
        });
        let things = from..self.things.len();
        self.common.push(Common {
            per,
            pattern,
            things: things.clone(),
        });
        things
    }

    fn mark(&mut self, thing: usize, slot: Slot, micros: u64) {
        self.things[thing].1 += 1;
        self.marks.push(Hit {
            thing,
            slot,
            micros,
        });
    }

    /// What a grant will be to rules: by thing, in the order in which rules were asked.
    fn marks(self, rules: &Rules) -> Marks {
        if self.marks.is_empty() {
            return Marks::default();
        }
        let mut keys = Box::new(RuleKeys::default());
        keys.rules.resize(self.marks.len(), RuleKey::default());
        let mut marks = Vec::with_capacity(self.things.len());
        // For each thing its mark, and where the keys of that one begin.
        let mut places = SmallVec::<[(usize, usize); 8]>::new();
        let mut begin = 0;
        for (thing, count) in self.things {
            places.push((marks.len(), begin));
            begin += count;
            if count > 0 {
                keys.things.push(thing.here);
                marks.push(Mark {
                    key: thing.key,
                    rules: Vec::with_capacity(count),
                });
            }
        }
        for hit in self.marks {
            let (mark, begin) = places[hit.thing];
            let marked: &mut Vec<Marked> = &mut marks[mark].rules;
            let rule = hit.slot.rule();
            keys.rules[begin + marked.len()] = rule;
            marked.push(Marked {
                rule: rules.get(rule).expect("it was just asked").rule.id.clone(),
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
