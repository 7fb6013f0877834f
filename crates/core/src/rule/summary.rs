//! What the rules of a case ask together. A request that passes all of them, as most do, is asked once for each thing and each
//! watch, not once for each rule.
//!
//! Invariant: what passes here passes when the rules are asked one by one, and is as much to them; the tests ask both ways.
//! What does not pass here may still pass there.
use super::case::compare;
use super::forms::{self, ONE};
use super::tally::Tally;
use super::watch::{WatchKey, Watches};
use super::{Entry, Slot, per, window};
use fleet_types::permit::Request;
use fleet_types::rule::{Bounds, Form, Per, Side};
use fleet_types::{Pointer, Time};
use serde_json::Number;
use smallvec::SmallVec;

/// What a request says where rules look.
type Arguments<'r> = SmallVec<[Option<&'r Number>; 4]>;

/// What the rules of one case ask.
#[derive(Debug, Default)]
pub struct Summary {
    /// The arguments that they look at.
    arguments: Vec<Pointer>,
    bounds: Vec<Span>,
    /// By what is one thing to them, in the order in which the rules name it.
    pub kinds: Vec<Kind>,
    /// Those that pass where nothing is remembered for the watch of their other case.
    pub opposed: Vec<(WatchKey, Slot)>,
    /// Those that are asked one by one.
    pub each: Vec<Slot>,
    /// Those that want somebody to approve.
    pub approvals: Vec<Slot>,
    /// Whether a throttle has stopped something.
    is_tripped: bool,
}

/// What several bounds leave of one argument.
#[derive(Debug)]
struct Span {
    /// Which of the arguments.
    argument: usize,
    at_least: Option<Number>,
    at_most: Option<Number>,
}

/// What rules ask about things of one kind.
#[derive(Debug)]
pub struct Kind {
    pub per: Per,
    /// In the order in which the rules name them.
    pub shares: Vec<Share>,
}

/// What the rules that share a watch ask of its tally.
#[derive(Debug)]
pub struct Share {
    pub watch: WatchKey,
    /// Which of the arguments is summed.
    sum: Option<usize>,
    /// The least that a quota or throttle allows.
    most: Option<u64>,
    /// The longest cooling-off, in microseconds.
    rest: Option<u64>,
}

impl Summary {
    /// Of these rules, in the order in which they are asked.
    pub fn of(users: &[Slot], entries: &[Option<Entry>], watches: &Watches) -> Summary {
        let mut summary = Summary::default();
        for slot in users.iter().copied() {
            if let Some(Some(entry)) = entries.get(slot.rule() as usize) {
                summary.add(slot, entry, watches);
            }
        }
        summary
    }

    fn add(&mut self, slot: Slot, entry: &Entry, watches: &Watches) {
        self.is_tripped |= !entry.tripped.is_empty();
        let form = &entry.rule.form;
        let share = per(form).and_then(|per| {
            let watch = entry.watches[slot.side() as usize];
            self.share(per, watch, watches)
        });
        match form {
            Form::Approval(_) => self.approvals.push(slot),
            Form::Bounds(bounds) if bounds.around.is_none() => self.bound(bounds),
            Form::Bounds(_) => self.each.push(slot),
            Form::Contradiction(_) | Form::Exclusion(_) | Form::Separation(_) => {
                let other = entry.watches[slot.side().opposite() as usize];
                self.opposed.extend(other.map(|other| (other, slot)));
            }
            Form::Sequence(_) if slot.side() == Side::Other => {}
            Form::Sequence(_) | Form::Allocation(_) | Form::Resolution(_) => self.each.push(slot),
            Form::CoolingOff(_) | Form::Quota(_) | Form::Throttle(_) => match share {
                Some(share) => share.add(form),
                None => self.each.push(slot),
            },
        }
    }

    fn bound(&mut self, bounds: &Bounds) {
        let argument = self.argument(&bounds.parameter);
        let known = self.bounds.iter().position(|it| it.argument == argument);
        let at = known.unwrap_or_else(|| {
            self.bounds.push(Span {
                argument,
                at_least: None,
                at_most: None,
            });
            self.bounds.len() - 1
        });
        let span = &mut self.bounds[at];
        if let Some(least) = &bounds.at_least
            && span
                .at_least
                .as_ref()
                .is_none_or(|it| compare(least, it).is_gt())
        {
            span.at_least = Some(least.clone());
        }
        if let Some(most) = &bounds.at_most
            && span
                .at_most
                .as_ref()
                .is_none_or(|it| compare(most, it).is_lt())
        {
            span.at_most = Some(most.clone());
        }
    }

    fn share(
        &mut self,
        per: &Per,
        watch: Option<WatchKey>,
        watches: &Watches,
    ) -> Option<&mut Share> {
        let known = self.kinds.iter().position(|kind| kind.per == *per);
        let at = known.unwrap_or_else(|| {
            self.kinds.push(Kind {
                per: per.clone(),
                shares: Vec::new(),
            });
            self.kinds.len() - 1
        });
        let watch = watch?;
        let sum = watches.get(watch).and_then(|watch| watch.sum.as_ref());
        let sum = sum.map(|sum| self.argument(sum));
        let shares = &mut self.kinds[at].shares;
        let known = shares.iter().position(|share| share.watch == watch);
        let at = known.unwrap_or_else(|| {
            shares.push(Share {
                watch,
                sum,
                most: None,
                rest: None,
            });
            shares.len() - 1
        });
        shares.get_mut(at)
    }

    fn argument(&mut self, pointer: &Pointer) -> usize {
        let known = self.arguments.iter().position(|known| known == pointer);
        known.unwrap_or_else(|| {
            self.arguments.push(pointer.clone());
            self.arguments.len() - 1
        })
    }

    /// The arguments of a request that they look at, where they are numbers.
    pub fn arguments<'r>(&self, request: &'r Request) -> Arguments<'r> {
        let number = |pointer| forms::number(request, pointer);
        self.arguments.iter().map(number).collect()
    }

    /// Whether it is within all bounds, and no throttle has stopped anything.
    pub fn lets(&self, arguments: &[Option<&Number>]) -> bool {
        !self.is_tripped && self.bounds.iter().all(|span| span.holds(arguments))
    }
}

impl Span {
    fn holds(&self, arguments: &[Option<&Number>]) -> bool {
        arguments[self.argument].is_some_and(|value| {
            let (least, most) = (self.at_least.as_ref(), self.at_most.as_ref());
            least.is_none_or(|least| compare(value, least).is_ge())
                && most.is_none_or(|most| compare(value, most).is_le())
        })
    }
}

impl Share {
    fn add(&mut self, form: &Form) {
        match form {
            Form::CoolingOff(_) => self.rest = self.rest.max(Some(window(form))),
            Form::Quota(_) | Form::Throttle(_) => {
                let most = forms::most(form);
                self.most = Some(self.most.map_or(most, |known| known.min(most)));
            }
            Form::Bounds(_)
            | Form::Contradiction(_)
            | Form::Exclusion(_)
            | Form::Sequence(_)
            | Form::Separation(_)
            | Form::Approval(_)
            | Form::Allocation(_)
            | Form::Resolution(_) => {}
        }
    }

    /// How much a request is to it; `None` where its argument says no amount.
    pub fn amount(&self, arguments: &[Option<&Number>]) -> Option<u64> {
        match self.sum {
            Some(sum) => forms::micros(arguments[sum]?),
            None => Some(ONE),
        }
    }

    /// Whether so much more of a thing passes all of them, by what is remembered of it.
    pub fn lets(&self, micros: u64, tally: Option<&Tally>, now: Time) -> bool {
        let used = tally.map_or(0, Tally::used_at_most);
        let fits = |most: u64| used + u128::from(micros) <= u128::from(most);
        self.most.is_none_or(fits)
            && self
                .rest
                .is_none_or(|rest| tally.is_none_or(|tally| tally.rests(now, rest)))
    }
}
