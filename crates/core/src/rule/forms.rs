//! What each form says of a request about one thing.
use super::agents::AgentNumber;
use super::case::{compare, double};
use super::tally::{Done, Flight, How, Tally};
use super::things::{Named, ThingKey};
use super::{Entry, Rules, Slot, around, window};
use crate::permit::gates::Ask;
use fleet_types::permit::Request;
use fleet_types::rule::{Bounds, Form, Quota, Side};
use fleet_types::{AgentId, Code, Pointer, Time};
use serde_json::{Number, Value};

/// One action, where nothing is summed.
pub const ONE: u64 = 1_000_000;

/// What one form says of one thing.
pub struct No {
    pub code: Code,
    pub words: String,
    pub until: Option<Time>,
    pub can_wait: bool,
}

impl No {
    /// A no that waiting does not cure.
    pub fn never(words: impl Into<String>) -> No {
        No {
            code: Code::RuleViolated,
            words: words.into(),
            until: None,
            can_wait: false,
        }
    }

    /// A no that passes.
    fn wait(words: impl Into<String>, until: Option<Time>) -> No {
        No {
            until,
            can_wait: true,
            ..No::never(words)
        }
    }
}

/// How much a request is to a form; `None` where its argument says no amount.
pub fn amount(form: &Form, side: Side, request: &Request) -> Option<u64> {
    match form {
        Form::Quota(Quota { sum: Some(sum), .. }) if side == Side::Own => {
            micros(number(request, sum)?)
        }
        _ => Some(ONE),
    }
}

/// An argument that is a number.
pub fn number<'r>(request: &'r Request, pointer: &Pointer) -> Option<&'r Number> {
    let arguments = request.parameters.as_deref()?;
    match pointer.find(arguments)? {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// The most that a quota or a throttle allows, in millionths; of other forms nothing.
pub fn most(form: &Form) -> u64 {
    match form {
        Form::Quota(quota) => micros(&quota.max).unwrap_or_default(),
        Form::Throttle(throttle) => u64::from(throttle.max) * ONE,
        Form::Bounds(_)
        | Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Sequence(_)
        | Form::Separation(_)
        | Form::CoolingOff(_)
        | Form::Approval(_)
        | Form::Allocation(_)
        | Form::Resolution(_) => 0,
    }
}

pub fn no_amount(form: &Form) -> String {
    let summed = match form {
        Form::Quota(Quota { sum: Some(sum), .. }) => sum.to_string(),
        _ => String::new(),
    };
    format!("its argument {summed} is not a number of 0 or more")
}

/// In millionths; `None` below zero and past what can be counted.
pub fn micros(number: &Number) -> Option<u64> {
    if let Some(whole) = number.as_u64() {
        return whole.checked_mul(ONE);
    }
    let micros = (double(number) * ONE as f64).round();
    (0.0..1e18).contains(&micros).then_some(micros as u64)
}

/// Whether grants of this case are remembered.
pub fn is_remembered(form: &Form, side: Side) -> bool {
    match form {
        Form::Bounds(_) | Form::Approval(_) | Form::Allocation(_) | Form::Resolution(_) => false,
        Form::Sequence(_) => side == Side::Other,
        Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Separation(_)
        | Form::CoolingOff(_)
        | Form::Quota(_)
        | Form::Throttle(_) => true,
    }
}

/// Whether what ended like this counts. What may have happened counts where that forbids, and not where it allows.
fn counts(form: &Form, how: How) -> bool {
    match how {
        How::Completed => true,
        How::Failed => matches!(form, Form::Throttle(_)),
        How::Unknown => !matches!(form, Form::Sequence(_)),
    }
}

/// What bounds say, which remember nothing.
pub fn bounded(bounds: &Bounds, request: &Request) -> Option<No> {
    let name = &bounds.parameter;
    let Some(value) = number(request, name) else {
        return Some(No::never(format!("its argument {name} is not a number")));
    };
    if let Some(least) = &bounds.at_least
        && compare(value, least).is_lt()
    {
        return Some(No::never(format!("{name} {value} is less than {least}")));
    }
    if let Some(most) = &bounds.at_most
        && compare(value, most).is_gt()
    {
        return Some(No::never(format!("{name} {value} is more than {most}")));
    }
    let collar = bounds.around.as_ref()?;
    let (about, permille) = (&collar.parameter, collar.permille);
    let Some(middle) = number(request, about) else {
        return Some(No::never(format!("its argument {about} is not a number")));
    };
    let is_far = match (value.as_i128(), middle.as_i128()) {
        (Some(value), Some(middle)) => {
            (value - middle).abs() * 1_000 > middle.abs() * i128::from(permille)
        }
        _ => {
            let (value, middle) = (double(value), double(middle));
            (value - middle).abs() * 1_000.0 > middle.abs() * f64::from(permille)
        }
    };
    is_far.then(|| {
        No::never(format!(
            "{name} {value} is further from {about} {middle} than {permille} ‰"
        ))
    })
}

/// A case of a rule, asked about one thing.
pub struct Asked<'a> {
    pub ask: &'a Ask<'a>,
    pub entry: &'a Entry,
    pub slot: Slot,
    pub thing: &'a Named,
}

impl<'a> Asked<'a> {
    /// What a form that remembers says.
    pub fn remembered(&self, micros: u64) -> Option<No> {
        match &self.entry.rule.form {
            Form::Bounds(_) | Form::Approval(_) | Form::Allocation(_) | Form::Resolution(_) => None,
            Form::Contradiction(_) | Form::Exclusion(_) => self.opposite().or_else(|| self.turn()),
            Form::Sequence(_) if self.slot.side() == Side::Other => None,
            Form::Sequence(_) => self.came_before(),
            Form::Separation(_) => self.separate(),
            Form::CoolingOff(_) => self.hot().or_else(|| self.turn()),
            form @ Form::Quota(_) => self.full(micros, most(form)).or_else(|| self.turn()),
            form @ Form::Throttle(throttle) => {
                let max = most(form);
                let is_over =
                    self.entry.tripped.contains(&self.thing.key) || self.full(ONE, max).is_some();
                let (times, span) = (throttle.max, throttle.window_ms.0);
                is_over.then(|| No {
                    code: Code::RuleTripped,
                    ..No::never(format!(
                        "more than {times} in {span} ms on {}; a person must reset the rule",
                        self.told()
                    ))
                })
            }
        }
    }

    fn now(&self) -> Time {
        self.ask.now
    }

    fn window(&self) -> u64 {
        window(&self.entry.rule.form)
    }

    /// The thing, for people.
    fn told(&self) -> String {
        told_of(&self.thing.key)
    }

    fn rules(&self) -> &'a Rules {
        &self.ask.state.rules
    }

    fn tally(&self, thing: ThingKey, side: Side) -> Option<&'a Tally> {
        let watch = self.entry.watches[side as usize]?;
        self.rules().things.tally(thing, watch)
    }

    /// The name of an agent that is remembered.
    fn name(&self, agent: AgentNumber) -> &'a AgentId {
        self.rules().agents.name(agent)
    }

    /// Who did what is remembered, in words.
    fn who(&self, done: &Done) -> &'a str {
        done.agent
            .map_or("an agent", |agent| self.name(agent).as_str())
    }

    /// What is in flight and counts.
    fn in_flight(&self, tally: &'a Tally) -> impl Iterator<Item = &'a Flight> {
        let since = self.entry.since;
        tally.in_flight().filter(move |flight| flight.seq > since)
    }

    /// The first by name of those that do it now.
    fn doing(&self, tally: &'a Tally) -> Option<&'a AgentId> {
        let doing = self.in_flight(tally);
        doing.map(|flight| self.name(flight.agent)).min()
    }

    /// What was done within the window and counts, oldest first.
    fn done(&self, tally: &'a Tally) -> impl DoubleEndedIterator<Item = &'a Done> {
        let (now, window) = (self.now(), self.window());
        let (entry, form) = (self.entry, &self.entry.rule.form);
        let reset = match entry.resets.is_empty() {
            true => None,
            false => entry.resets.get(&self.thing.key).copied(),
        };
        tally.done().filter(move |done| {
            done.is_within(now, window)
                && done.seq > entry.since
                && counts(form, done.how)
                && reset.is_none_or(|reset| done.at > reset)
        })
    }

    /// Whether anything of this case was done to anything.
    fn ever(&self, side: Side) -> bool {
        let watch = self.entry.watches[side as usize];
        watch.is_some_and(|watch| self.rules().things.remember(watch))
    }

    /// What was done to the thing itself.
    fn here(&self, side: Side) -> Option<&'a Tally> {
        self.tally(self.thing.here?, side)
    }

    /// What was done to the thing and to those above it.
    fn here_and_above(&self, side: Side) -> impl Iterator<Item = &'a Tally> {
        let above = self.rules().things.above(self.thing);
        let above = self.thing.here.into_iter().chain(above);
        above.filter_map(move |thing| self.tally(thing, side))
    }

    /// What was done to the thing, to those above it and to those below.
    fn around(&self, side: Side) -> impl Iterator<Item = &'a Tally> {
        let overlaps = self.entry.overlaps();
        let things = &self.rules().things;
        let above = things.above(self.thing).filter(move |_| overlaps);
        let below = overlaps.then(|| things.below(self.thing));
        let here = self.thing.here.into_iter();
        let all = here.chain(above).chain(below.into_iter().flatten());
        all.filter_map(move |thing| self.tally(thing, side))
    }

    /// The other kind is in flight, or was done within the window.
    fn opposite(&self) -> Option<No> {
        let other = self.slot.side().opposite();
        if !self.ever(other) {
            return None;
        }
        let mut last: Option<&Done> = None;
        for tally in self.around(other) {
            if let Some(agent) = self.doing(tally) {
                let does = match self.entry.rule.form {
                    Form::Exclusion(_) => "does what excludes it",
                    _ => "does the opposite",
                };
                let words = format!("{agent} {does} now on {}", self.told());
                return Some(No::wait(words, None));
            }
            let done = self.done(tally).next_back();
            if done.is_some_and(|done| last.is_none_or(|last| done.at > last.at)) {
                last = done;
            }
        }
        let last = last?;
        let words = format!(
            "{} did the opposite on {} {}",
            self.who(last),
            self.told(),
            self.ago(last)
        );
        Some(No::wait(words, Some(last.until(self.window()))))
    }

    /// What must come first was completed within the window, on the same thing or one above it.
    fn came_before(&self) -> Option<No> {
        let mut in_flight = None;
        for tally in self.here_and_above(Side::Other) {
            if self.done(tally).next_back().is_some() {
                return None;
            }
            in_flight = in_flight.or_else(|| self.doing(tally));
        }
        let (thing, span) = (self.told(), self.window() / 1_000);
        let words = match in_flight {
            Some(agent) => format!("what must come first on {thing} is still under way by {agent}"),
            None => format!("what must come first on {thing} was not completed within {span} ms"),
        };
        Some(No::wait(words, None))
    }

    /// The same agent did the other kind, or does it.
    fn separate(&self) -> Option<No> {
        let other = self.slot.side().opposite();
        if !self.ever(other) {
            return None;
        }
        let agent = &self.ask.agent.id;
        let number = self.rules().agents.number(agent);
        for tally in self.around(other) {
            if self
                .in_flight(tally)
                .any(|flight| Some(flight.agent) == number)
            {
                let words = format!("{agent} itself does the other part now on {}", self.told());
                return Some(No::never(words));
            }
            let may_be_own = |done: &&Done| done.agent.is_none() || done.agent == number;
            if let Some(done) = self.done(tally).rev().find(may_be_own) {
                let (thing, ago) = (self.told(), self.ago(done));
                let did = match done.agent {
                    Some(_) => "itself did",
                    None => "may be one of the many agents that did",
                };
                return Some(No {
                    until: Some(done.until(self.window())),
                    ..No::never(format!("{agent} {did} the other part on {thing} {ago}"))
                });
            }
        }
        None
    }

    /// It is in flight, or was done within the window.
    fn hot(&self) -> Option<No> {
        let tally = self.here(Side::Own)?;
        if let Some(agent) = self.doing(tally) {
            return Some(No::wait(
                format!("{agent} does it now on {}", self.told()),
                None,
            ));
        }
        let last = self.done(tally).next_back()?;
        let words = format!(
            "{} did it on {} {}",
            self.who(last),
            self.told(),
            self.ago(last)
        );
        Some(No::wait(words, Some(last.until(self.window()))))
    }

    /// No room for so much more within the window.
    fn full(&self, more: u64, max: u64) -> Option<No> {
        let (more, max) = (u128::from(more), u128::from(max));
        if more > max {
            return Some(No::never(format!(
                "{} is more than {}",
                plain(more),
                plain(max)
            )));
        }
        let tally = self.here(Side::Own)?;
        if tally.used_at_most() + more <= max {
            return None;
        }
        let in_flight = self.in_flight(tally);
        let in_flight: u128 = in_flight.map(|flight| u128::from(flight.micros)).sum();
        let done = self.done(tally).map(|done| u128::from(done.micros));
        let used = in_flight + done.sum::<u128>();
        let over = (used + more).checked_sub(max).filter(|over| *over > 0)?;
        let mut freed = 0;
        let room = self.done(tally).find(|done| {
            freed += u128::from(done.micros);
            freed >= over
        });
        let words = format!(
            "{} of {} in {} ms are used on {}, {} in flight",
            plain(used),
            plain(max),
            self.window() / 1_000,
            self.told(),
            plain(in_flight)
        );
        Some(No::wait(words, room.map(|done| done.until(self.window()))))
    }

    /// Somebody waits for it who comes first.
    fn turn(&self) -> Option<No> {
        if self.entry.waiting.is_empty() {
            return None;
        }
        let lines = around(&self.entry.waiting, &self.thing.key, self.entry.overlaps());
        let first = lines.filter_map(|(_, line)| line.first()).min()?;
        (*first < self.ask.asker.place).then(|| {
            let words = format!(
                "permit {} waits for {} and comes first",
                first.id,
                self.told()
            );
            No::wait(words, None)
        })
    }

    fn ago(&self, done: &Done) -> String {
        format!("{} ms ago", self.now().micros_since(done.at) / 1_000)
    }
}

/// A key, for people.
fn told_of(key: &str) -> String {
    let parts: Vec<&str> = key
        .split(super::BETWEEN)
        .filter(|part| !part.is_empty())
        .collect();
    match parts.is_empty() {
        true => "all".to_owned(),
        false => parts.join(", "),
    }
}

/// Millionths, for people.
fn plain(micros: u128) -> String {
    let one = u128::from(ONE);
    let (whole, part) = (micros / one, micros % one);
    match part {
        0 => whole.to_string(),
        _ => format!("{whole}.{part:06}")
            .trim_end_matches('0')
            .to_owned(),
    }
}
