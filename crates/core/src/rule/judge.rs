//! What the rules say of a request.
use super::case::{compare, double};
use super::ledger::{Done, around};
use super::{Entry, RuleKey, keys, ledger, per, window};
use crate::permit::gates::Ask;
use fleet_types::permit::Request;
use fleet_types::rule::{Bounds, Case, Form, Mark, Per, Quota, Rule, Side, Stage};
use fleet_types::{Code, RuleId, Time};
use serde_json::{Number, Value};
use smallvec::SmallVec;
use smol_str::SmolStr;

/// One action, where nothing is summed.
pub const ONE: u64 = 1_000_000;

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

/// With the small keys under which the rules were found.
pub type Marks = crate::permit::grant::Found<Mark>;
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

/// What one form says of one thing.
struct No {
    code: Code,
    words: String,
    until: Option<Time>,
    can_wait: bool,
}

impl No {
    /// A no that waiting does not cure.
    fn never(words: impl Into<String>) -> No {
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

/// Asks every rule whose cases a request belongs to. `seen` hears of every one: the rule, and whether it lets it pass.
pub fn judge(ask: &Ask<'_>, mut seen: impl FnMut(&Rule, bool)) -> Judged {
    let rules = &ask.state.rules;
    let mut judged = Judged::default();
    for number in rules.index.candidates(ask.agent, ask.request) {
        let (rule, side) = (number / 2, side(number));
        let Some(entry) = rules.get(rule) else {
            continue;
        };
        let case = entry.cases[side as usize].as_ref();
        let case = case.expect("compiled when set");
        if !case.matches(ask.agent, ask.request, ask.now) {
            continue;
        }
        if ask.extends && !per(&entry.rule.form).is_some_and(Per::has_resource) {
            continue;
        }
        let mut no = None;
        match &entry.rule.form {
            Form::Bounds(bounds) => {
                no = bounded(bounds, ask.request).map(|no| (no, SmolStr::default()))
            }
            form => each_thing(form, side, &case.case, ask.request, |key, micros| {
                let stop = match micros {
                    Some(micros) => remembered(ask, entry, side, &key, micros),
                    None => Some(No::never(format!(
                        "its argument {} is not a number of 0 or more",
                        summed(form)
                    ))),
                };
                if no.is_none() {
                    no = stop.map(|stop| (stop, key.clone()));
                }
                if is_remembered(form, side) {
                    judged
                        .marks
                        .push(rule, mark(&entry.rule, side, key, micros));
                }
            }),
        }
        seen(&entry.rule, no.is_none());
        match (no, entry.rule.stage) {
            (None, _) | (Some(_), Stage::Draft) => {}
            (Some(_), Stage::Observe) => judged.observed.push(entry.rule.id.clone()),
            (Some((no, key)), Stage::Enforce) => {
                if judged.broken.is_none() {
                    judged.broken = Some(Broken {
                        rule,
                        key,
                        code: no.code,
                        words: told(&entry.rule, &no.words),
                        until: no.until,
                        can_wait: no.can_wait,
                    });
                }
            }
        }
    }
    judged
}

/// The side that a number of the index stands for.
fn side(number: u32) -> Side {
    match number % 2 {
        0 => Side::Own,
        _ => Side::Other,
    }
}

fn told(rule: &Rule, words: &str) -> String {
    match rule.description.as_str() {
        "" => format!("rule {}: {words}", rule.id),
        why => format!("rule {} ({why}): {words}", rule.id),
    }
}

fn mark(rule: &Rule, side: Side, key: SmolStr, micros: Option<u64>) -> Mark {
    Mark {
        rule: rule.id.clone(),
        side,
        key,
        micros: micros.filter(|micros| *micros != ONE),
    }
}

/// The things that a request is about, each with how much; `None` where its argument says no amount.
fn each_thing(
    form: &Form,
    side: Side,
    case: &Case,
    request: &Request,
    mut each: impl FnMut(SmolStr, Option<u64>),
) {
    let Some(per) = per(form) else {
        return;
    };
    let micros = match form {
        Form::Quota(Quota { sum: Some(sum), .. }) if side == Side::Own => {
            let arguments = request.parameters.as_deref();
            match arguments.and_then(|arguments| sum.find(arguments)) {
                Some(Value::Number(number)) => micros(number),
                _ => None,
            }
        }
        _ => Some(ONE),
    };
    keys(per, case, request, |key| each(key, micros));
}

fn summed(form: &Form) -> String {
    match form {
        Form::Quota(Quota { sum: Some(sum), .. }) => sum.to_string(),
        _ => String::new(),
    }
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
fn is_remembered(form: &Form, side: Side) -> bool {
    match form {
        Form::Bounds(_) => false,
        Form::Sequence(_) => side == Side::Other,
        Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Separation(_)
        | Form::CoolingOff(_)
        | Form::Quota(_)
        | Form::Throttle(_) => true,
    }
}

fn bounded(bounds: &Bounds, request: &Request) -> Option<No> {
    let name = &bounds.parameter;
    let argument = |pointer: &fleet_types::Pointer| {
        let arguments = request.parameters.as_deref();
        match arguments.and_then(|arguments| pointer.find(arguments)) {
            Some(Value::Number(number)) => Some(number.clone()),
            _ => None,
        }
    };
    let Some(value) = argument(name) else {
        return Some(No::never(format!("its argument {name} is not a number")));
    };
    if let Some(least) = bounds
        .at_least
        .as_ref()
        .filter(|least| compare(&value, least).is_lt())
    {
        return Some(No::never(format!("{name} {value} is less than {least}")));
    }
    if let Some(most) = bounds
        .at_most
        .as_ref()
        .filter(|most| compare(&value, most).is_gt())
    {
        return Some(No::never(format!("{name} {value} is more than {most}")));
    }
    let collar = bounds.around.as_ref()?;
    let Some(middle) = argument(&collar.parameter) else {
        return Some(No::never(format!(
            "its argument {} is not a number",
            collar.parameter
        )));
    };
    let is_far = match (value.as_i128(), middle.as_i128()) {
        (Some(value), Some(middle)) => {
            (value - middle).abs().saturating_mul(1_000)
                > middle.abs().saturating_mul(collar.permille.into())
        }
        _ => {
            let (value, middle) = (double(&value), double(&middle));
            (value - middle).abs() * 1_000.0 > middle.abs() * f64::from(collar.permille)
        }
    };
    is_far.then(|| {
        No::never(format!(
            "{name} {value} is further from {} {middle} than {} ‰",
            collar.parameter, collar.permille
        ))
    })
}

/// What a form that remembers says of a request about one thing.
fn remembered(ask: &Ask<'_>, entry: &Entry, side: Side, key: &SmolStr, micros: u64) -> Option<No> {
    let now = ask.now;
    let window = window(&entry.rule.form);
    match &entry.rule.form {
        Form::Bounds(_) => None,
        Form::Contradiction(_) | Form::Exclusion(_) => {
            opposite(entry, side, key, now, window).or_else(|| turn(ask, entry, key))
        }
        Form::Sequence(_) => match side {
            Side::Own => came_before(entry, key, now, window),
            Side::Other => None,
        },
        Form::Separation(_) => separate(ask, entry, side, key, window),
        Form::CoolingOff(_) => {
            let tally = entry.ledger(Side::Own).get(key);
            let hot = tally.and_then(|tally| {
                if let Some(agent) = tally.in_flight.keys().next() {
                    return Some(No::wait(
                        format!("{agent} does it now on {}", thing(key)),
                        None,
                    ));
                }
                let last = tally.within(now, window).last()?;
                let words = format!("{} did it on {} {}", last.agent, thing(key), ago(last, now));
                Some(No::wait(words, Some(last.until(window))))
            });
            hot.or_else(|| turn(ask, entry, key))
        }
        Form::Quota(quota) => {
            let max = self::micros(&quota.max).unwrap_or_default();
            full(entry, key, now, window, micros, max).or_else(|| turn(ask, entry, key))
        }
        Form::Throttle(throttle) => {
            let tripped = || No {
                code: Code::RuleTripped,
                ..No::never(format!(
                    "more than {} in {} ms on {}; a person must reset the rule",
                    throttle.max,
                    throttle.window_ms.0,
                    thing(key)
                ))
            };
            let max = u64::from(throttle.max) * ONE;
            let is_over =
                entry.tripped.contains(key) || full(entry, key, now, window, ONE, max).is_some();
            is_over.then(tripped)
        }
    }
}

/// The other kind is in flight, or was done within the window.
fn opposite(entry: &Entry, side: Side, key: &SmolStr, now: Time, window: u64) -> Option<No> {
    let ledger = entry.ledger(side.opposite());
    let mut last: Option<&Done> = None;
    for (_, tally) in ledger.around(key, entry.overlaps()) {
        if let Some(agent) = tally.in_flight.keys().next() {
            let words = format!("{agent} does the opposite now on {}", thing(key));
            return Some(No::wait(words, None));
        }
        let done = tally.within(now, window).last();
        last = last.max_by_time(done);
    }
    let last = last?;
    let words = format!(
        "{} did the opposite on {} {}",
        last.agent,
        thing(key),
        ago(last, now)
    );
    Some(No::wait(words, Some(last.until(window))))
}

/// The later of two.
trait Later {
    fn max_by_time(self, other: Self) -> Self;
}

impl Later for Option<&Done> {
    fn max_by_time(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) if one.at >= other.at => Some(one),
            (one, None) => one,
            (_, other) => other,
        }
    }
}

/// What must come first was completed within the window, on the same thing or one above it.
fn came_before(entry: &Entry, key: &SmolStr, now: Time, window: u64) -> Option<No> {
    let mut in_flight = None;
    for (at, tally) in entry.ledger(Side::Other).around(key, entry.overlaps()) {
        if at.len() > key.len() {
            continue; // Below it.
        }
        if tally.within(now, window).next().is_some() {
            return None;
        }
        in_flight = in_flight.or_else(|| tally.in_flight.keys().next());
    }
    let words = match in_flight {
        Some(agent) => format!(
            "what must come first on {} is still under way by {agent}",
            thing(key)
        ),
        None => format!(
            "what must come first on {} was not completed within {} ms",
            thing(key),
            window / 1_000
        ),
    };
    Some(No::wait(words, None))
}

/// The same agent did the other kind, or does it.
fn separate(ask: &Ask<'_>, entry: &Entry, side: Side, key: &SmolStr, window: u64) -> Option<No> {
    let agent = &ask.agent.id;
    let ledger = entry.ledger(side.opposite());
    for (_, tally) in ledger.around(key, entry.overlaps()) {
        if tally.in_flight.contains_key(agent) {
            return Some(No::never(format!(
                "{agent} itself does the other part now on {}",
                thing(key)
            )));
        }
        let mut own = tally
            .within(ask.now, window)
            .filter(|done| done.agent == *agent);
        if let Some(done) = own.next_back() {
            let words = format!(
                "{agent} itself did the other part on {} {}",
                thing(key),
                ago(done, ask.now)
            );
            return Some(No {
                until: Some(done.until(window)),
                ..No::never(words)
            });
        }
    }
    None
}

/// No room for so much more within the window.
fn full(entry: &Entry, key: &SmolStr, now: Time, window: u64, more: u64, max: u64) -> Option<No> {
    if more > max {
        let (more, max) = (plain(more.into()), plain(max.into()));
        return Some(No::never(format!("{more} is more than {max}")));
    }
    let tally = entry.ledger(Side::Own).get(key)?;
    let in_flight = tally.in_flight_micros;
    let used = in_flight + tally.micros_within(now, window);
    let over = (used + u128::from(more)).checked_sub(max.into())?;
    if over == 0 {
        return None;
    }
    let mut freed = 0;
    let room = tally.within(now, window).find(|done| {
        freed += u128::from(done.micros);
        freed >= over
    });
    let words = format!(
        "{} of {} in {} ms are used on {}, {} in flight",
        plain(used),
        plain(max.into()),
        window / 1_000,
        thing(key),
        plain(in_flight)
    );
    Some(No::wait(words, room.map(|done| done.until(window))))
}

/// Somebody waits for it who comes first.
fn turn(ask: &Ask<'_>, entry: &Entry, key: &SmolStr) -> Option<No> {
    if entry.waiting.is_empty() {
        return None;
    }
    let lines = around(&entry.waiting, key, entry.overlaps());
    let first = lines.filter_map(|(_, line)| line.first()).min()?;
    (*first < ask.asker.place).then(|| {
        No::wait(
            format!(
                "permit {} waits for {} and comes first",
                first.id,
                thing(key)
            ),
            None,
        )
    })
}

/// A key, for people.
fn thing(key: &str) -> String {
    let parts: Vec<&str> = key
        .split(super::BETWEEN)
        .filter(|part| !part.is_empty())
        .collect();
    match parts.is_empty() {
        true => "all".to_owned(),
        false => parts.join(", "),
    }
}

fn ago(done: &Done, now: Time) -> String {
    format!("{} ms ago", now.micros_since(done.at) / 1_000)
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

/// How much of what was done a form needs.
pub fn keep(form: &Form) -> ledger::Keep {
    match form {
        Form::Quota(_) | Form::Throttle(_) => ledger::Keep::All,
        Form::Separation(_) => ledger::Keep::LastOfEach,
        Form::Bounds(_)
        | Form::Contradiction(_)
        | Form::Exclusion(_)
        | Form::Sequence(_)
        | Form::CoolingOff(_) => ledger::Keep::Last,
    }
}
