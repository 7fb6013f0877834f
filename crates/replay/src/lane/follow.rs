//! What happened in a lane to permits, and what became of requests.
use super::Lane;
use crate::log::ended;
use crate::report::{Answer, ResultOf};
use fleet_types::permit::{Blocker, Denial};
use fleet_types::{Event, PermitId, Time};

impl Lane<'_> {
    /// Notes what happened to permits.
    pub(super) fn follow(&mut self) {
        self.state.drain_evicted().for_each(drop); // Requests are asked once each; no repeat looks for them.
        let records = std::mem::take(&mut self.records);
        for record in &records {
            match &record.event {
                // The answer to the request itself, which was noted.
                Event::PermitGranted(event) if event.permit.0 == record.seq => {}
                Event::PermitGranted(event) => self.let_in(event.permit, record.at),
                Event::PermitDenied(event) if event.denial.permit.0 == record.seq => {}
                Event::PermitDenied(event) => {
                    let answer = Answer::denied(&event.denial, true);
                    self.over(event.denial.permit, Some(answer));
                }
                Event::ApprovalAsked(event) => {
                    self.asked_for += 1;
                    self.asks(event, record.at);
                }
                Event::PermitFinished(event) => self.over(event.finish.permit, None),
                event => {
                    for permit in ended(event) {
                        let answer = Answer {
                            result: ResultOf::Denied,
                            waited: true,
                            code: None,
                            gate: None,
                            rule: None,
                        };
                        self.over(*permit, Some(answer));
                    }
                }
            }
        }
        self.records = records;
        self.records.clear();
    }

    /// One that waited holds from now on.
    fn let_in(&mut self, id: PermitId, at: Time) {
        let Some(permit) = self.recorded.get(&id).copied() else {
            return;
        };
        let Some(own) = self.own.get_mut(&permit) else {
            return;
        };
        own.granted_at = Some(at);
        let later = std::mem::take(&mut own.later);
        if later.is_empty() {
            self.fresh.push(permit);
        }
        for (after, act) in later {
            self.later(Time(at.0 + after), act);
        }
        self.news.push((permit, Answer::granted(true)));
    }

    /// A permit is over; `answer` if it waited until then.
    fn over(&mut self, id: PermitId, answer: Option<Answer>) {
        let Some(permit) = self.recorded.remove(&id) else {
            return;
        };
        let own = self.own.remove(&permit);
        if let (Some(answer), Some(own)) = (answer, own)
            && own.granted_at.is_none()
        {
            self.news.push((permit, answer));
        }
    }
}

impl Answer {
    pub(crate) fn granted(waited: bool) -> Answer {
        Answer {
            result: ResultOf::Granted,
            waited,
            code: None,
            gate: None,
            rule: None,
        }
    }

    pub(crate) fn denied(denial: &Denial, waited: bool) -> Answer {
        Answer {
            result: ResultOf::Denied,
            waited,
            code: Some(denial.code),
            gate: Some(denial.gate),
            rule: denial.blocker.as_ref().and_then(Blocker::rule).cloned(),
        }
    }
}
