//! Which rules a request meets, and what they say of it together.
use super::forms::{self, Asked, No, ONE};
use super::things::Named;
use super::{RuleKey, Slot, keys, per};
use crate::permit::gates::Ask;
use fleet_types::rule::{Form, Mark, Marked, Per, Rule, Stage};
use fleet_types::{Code, Pattern, RuleId, Time};
use smallvec::SmallVec;
use smol_str::SmolStr;

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

/// What a grant will be to rules, with the small keys under which they were found.
#[derive(Default)]
pub struct Marks {
    pub marks: Vec<Mark>,
    pub keys: RuleKeys,
}

/// The small keys of the rules of all marks, one after the other.
pub type RuleKeys = SmallVec<[RuleKey; 4]>;
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
    things: SmallVec<[(Named, Found); 1]>,
}

/// The rules that a grant will be marked for, about one thing.
#[derive(Default)]
struct Found {
    rules: Vec<Marked>,
    keys: RuleKeys,
}

/// Asks every rule whose cases a request belongs to. `seen` hears of every one: the rule, and whether it lets it pass.
pub fn judge(ask: &Ask<'_>, mut seen: impl FnMut(&Rule, bool)) -> Judged {
    let rules = &ask.state.rules;
    let mut judged = Judged::default();
    if rules.by_id.is_empty() {
        return judged;
    }
    let mut common: SmallVec<[Common<'_>; 4]> = SmallVec::new();
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
            for (thing, found) in things(&mut common, ask, per, pattern) {
                let asked = Asked {
                    ask,
                    entry,
                    slot,
                    thing,
                };
                let stop = match amount {
                    Some(micros) => asked.remembered(micros),
                    None => Some(No::never(forms::no_amount(form))),
                };
                if no.is_none() {
                    no = stop.map(|stop| (stop, thing.key.clone()));
                }
                if forms::is_remembered(form, slot.side()) {
                    found.keys.push(slot.rule());
                    found.rules.push(Marked {
                        rule: entry.rule.id.clone(),
                        side: slot.side(),
                        micros: amount.filter(|micros| *micros != ONE),
                    });
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
        judged.marks = marks(common);
    }
    judged
}

/// The things that a request is about to rules of this kind.
fn things<'c, 's>(
    common: &'c mut SmallVec<[Common<'s>; 4]>,
    ask: &Ask<'_>,
    per: &'s Per,
    pattern: Option<&'s Pattern>,
) -> impl Iterator<Item = (&'c Named, &'c mut Found)> {
    let known = common
        .iter()
        .position(|known| known.per == per && known.pattern == pattern);
    let at = known.unwrap_or_else(|| {
        let mut things = SmallVec::new();
        keys(per, pattern, ask.request, |key| {
            let named = ask.state.rules.things.named(key, per.has_resource());
            things.push((named, Found::default()));
        });
        common.push(Common {
            per,
            pattern,
            things,
        });
        common.len() - 1
    });
    common[at]
        .things
        .iter_mut()
        .map(|(thing, found)| (&*thing, found))
}

fn marks(common: SmallVec<[Common<'_>; 4]>) -> Marks {
    let mut marks = Marks::default();
    let things = common.into_iter().flat_map(|common| common.things);
    for (thing, found) in things.filter(|(_, found)| !found.rules.is_empty()) {
        marks.keys.extend(found.keys);
        marks.marks.push(Mark {
            key: thing.key,
            rules: found.rules,
        });
    }
    marks
}

fn told(rule: &Rule, words: &str) -> String {
    match rule.description.as_str() {
        "" => format!("rule {}: {words}", rule.id),
        why => format!("rule {} ({why}): {words}", rule.id),
    }
}
