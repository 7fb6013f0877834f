//! Two lanes' answers beside each other, until both have come and the record has told how it ended.
use crate::log::ended;
use crate::report::{Answer, ByAgent, Change, Counts, End, Kind, Report, ResultOf};
use ahash::AHashMap;
use fleet_types::permit::{Ending, Request};
use fleet_types::{ActionName, AgentId, Event, PermitId, Record, Time};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Requests whose answers have not all come, and what was found of the others.
pub struct Compare {
    open: AHashMap<PermitId, Open>,
    by_agent: BTreeMap<(AgentId, ActionName), Counts>,
    changes_max: usize,
    pub report: Report,
}

/// A request whose answers have not all come, or differ.
struct Open {
    at: Time,
    request: Arc<Request>,
    recorded: Answer,
    before: Answer,
    now: Answer,
    ended: End,
    /// The record was not met, and that was counted.
    unlike: bool,
}

impl Open {
    fn is_settled(&self) -> bool {
        [&self.before, &self.now]
            .iter()
            .all(|answer| answer.result != ResultOf::Waits)
            && self.recorded.result != ResultOf::Waits
    }
}

impl Compare {
    pub fn new(report: Report, changes_max: usize) -> Compare {
        Compare {
            open: AHashMap::new(),
            by_agent: BTreeMap::new(),
            changes_max,
            report,
        }
    }

    /// A request that the record answers first here, and what both lanes said at once.
    pub fn asked(&mut self, record: &Record, before: &Answer, now: &Answer) {
        let Some((permit, request, recorded)) = first_answer(record) else {
            return;
        };
        self.report.requests += 1;
        let unlike = !recorded.is_like(before);
        self.report.unlike_the_record += u64::from(unlike);
        let ended = match recorded.result {
            ResultOf::Denied => End::NotGranted,
            ResultOf::Granted | ResultOf::Waits => End::InFlight,
        };
        if before == now && before.result != ResultOf::Waits && recorded.result != ResultOf::Waits {
            return;
        }
        let open = Open {
            at: record.at,
            request: request.clone(),
            recorded,
            before: before.clone(),
            now: now.clone(),
            ended,
            unlike,
        };
        self.open.insert(permit, open);
    }

    /// News of both lanes, of requests that waited.
    pub fn heard(&mut self, before: &[(PermitId, Answer)], now: &[(PermitId, Answer)]) {
        for (permit, answer) in before {
            if let Some(open) = self.open.get_mut(permit) {
                later(&mut open.before, answer);
            }
        }
        for (permit, answer) in now {
            if let Some(open) = self.open.get_mut(permit) {
                later(&mut open.now, answer);
            }
        }
    }

    /// What the record says later of a permit that it answered earlier; tells which are to be looked at.
    pub fn recorded(&mut self, record: &Record, touched: &mut Vec<PermitId>) {
        if self.open.is_empty() {
            return;
        }
        match &record.event {
            Event::PermitGranted(event) if event.permit.0 != record.seq => {
                if let Some(open) = self.open.get_mut(&event.permit) {
                    later(&mut open.recorded, &Answer::granted(true));
                    touched.push(event.permit);
                }
            }
            Event::PermitDenied(event) if event.denial.permit.0 != record.seq => {
                if let Some(open) = self.open.get_mut(&event.denial.permit) {
                    later(&mut open.recorded, &Answer::denied(&event.denial, true));
                    open.ended = End::NotGranted;
                    touched.push(event.denial.permit);
                }
            }
            Event::PermitFinished(event) => {
                let end = match event.finish.ending {
                    Ending::Completed => End::Completed,
                    Ending::Failed => End::Failed,
                    Ending::Cancelled => End::Cancelled,
                };
                self.ended(event.finish.permit, end);
                touched.push(event.finish.permit);
            }
            event => {
                for permit in ended(event) {
                    self.ended(*permit, End::TakenBack);
                    touched.push(*permit);
                }
            }
        }
    }

    fn ended(&mut self, permit: PermitId, end: End) {
        if let Some(open) = self.open.get_mut(&permit) {
            match open.recorded.result {
                ResultOf::Granted => open.ended = end,
                ResultOf::Waits | ResultOf::Denied => {
                    open.ended = End::NotGranted;
                    open.recorded.result = ResultOf::Denied;
                }
            }
        }
    }

    /// Closes what is settled, after an instant of the record.
    pub fn close(&mut self, touched: impl Iterator<Item = PermitId>) {
        for permit in touched {
            let Some(open) = self.open.get_mut(&permit) else {
                continue;
            };
            if !open.is_settled() {
                continue;
            }
            if !open.unlike && open.recorded.result != open.before.result {
                open.unlike = true;
                self.report.unlike_the_record += 1;
            }
            let is_over = open.ended != End::InFlight;
            if (is_over || open.before == open.now)
                && let Some(open) = self.open.remove(&permit)
            {
                self.count(permit, open);
            }
        }
    }

    /// At the end of what is looked at.
    pub fn finish(mut self) -> Report {
        let mut open: Vec<(PermitId, Open)> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_unstable_by_key(|(permit, _)| *permit);
        for (permit, open) in open {
            self.count(permit, open);
        }
        let mut by_agent: Vec<ByAgent> = self
            .by_agent
            .into_iter()
            .map(|((agent, action), counts)| ByAgent {
                agent,
                action,
                counts,
            })
            .collect();
        by_agent.sort_by_key(|row| Reverse(row.counts.total()));
        self.report.by_agent = by_agent;
        self.report.changes.sort_by_key(|change| change.permit);
        self.report
    }

    fn count(&mut self, permit: PermitId, open: Open) {
        let Some(kind) = kind(&open.before, &open.now) else {
            return;
        };
        let completed = open.ended == End::Completed;
        self.report.changed.add(kind, completed);
        let (agent, action) = (open.request.agent.clone(), open.request.action.clone());
        let rule = open.now.rule.as_ref().or(open.before.rule.as_ref());
        if let Some(rule) = rule {
            let counts = self.report.by_rule.entry(rule.clone()).or_default();
            counts.add(kind, completed);
        }
        let counts = self.by_agent.entry((agent.clone(), action.clone()));
        counts.or_default().add(kind, completed);
        if self.report.changes.len() >= self.changes_max {
            self.report.left_off += 1;
            return;
        }
        self.report.changes.push(Change {
            permit,
            at: open.at,
            agent,
            action,
            kind,
            before: open.before,
            now: open.now,
            ended: open.ended,
        });
    }
}

/// The first answer that the record gives to a request.
fn first_answer(record: &Record) -> Option<(PermitId, &Arc<Request>, Answer)> {
    match &record.event {
        Event::PermitGranted(event) if event.permit.0 == record.seq => {
            Some((event.permit, &event.request, Answer::granted(false)))
        }
        Event::PermitQueued(event) => {
            let waits = Answer {
                result: ResultOf::Waits,
                waited: true,
                ..Answer::granted(true)
            };
            Some((event.permit, &event.request, waits))
        }
        Event::PermitDenied(event) if event.denial.permit.0 == record.seq => {
            let answer = Answer::denied(&event.denial, false);
            Some((event.denial.permit, &event.request, answer))
        }
        _ => None,
    }
}

/// What one waited for first is kept where it is let in; a denial has a reason of its own.
fn later(known: &mut Answer, news: &Answer) {
    if known.result != ResultOf::Waits {
        return;
    }
    let rule = news.rule.clone().or_else(|| known.rule.take());
    *known = Answer {
        rule,
        waited: true,
        ..news.clone()
    };
}

impl Answer {
    /// Whether both say the same of a request that was just asked.
    fn is_like(&self, other: &Answer) -> bool {
        self.result == other.result && (self.result != ResultOf::Denied || self.code == other.code)
    }
}

/// How the answers differ, if they do.
fn kind(before: &Answer, now: &Answer) -> Option<Kind> {
    let kind = match (before.result, now.result) {
        (ResultOf::Granted, ResultOf::Denied) => Kind::NewlyDenied,
        (ResultOf::Denied, ResultOf::Granted) => Kind::NewlyAllowed,
        (ResultOf::Granted, ResultOf::Granted) => match (before.waited, now.waited) {
            (false, true) => Kind::NewlyQueued,
            (true, false) => Kind::NoLongerQueued,
            (false, false) | (true, true) => return None,
        },
        (ResultOf::Denied, ResultOf::Denied)
            if before.code == now.code && before.rule == now.rule =>
        {
            return None;
        }
        (ResultOf::Waits, ResultOf::Waits) => return None,
        (ResultOf::Denied, ResultOf::Denied)
        | (ResultOf::Granted | ResultOf::Denied, ResultOf::Waits)
        | (ResultOf::Waits, ResultOf::Granted | ResultOf::Denied) => Kind::Otherwise,
    };
    Some(kind)
}
