//! Policies and tools: nobody asks them anew. What they said in the record travels with the request, as it did there, and they
//! are set when they were.
use super::Lane;
use fleet_types::event::PermitRejudged;
use fleet_types::permit::{Command as Permit, Extend, Request};
use fleet_types::policy::{Judged, JudgedExtend, Rejudged, Verdict};
use fleet_types::{Actor, Command, Event, Record, Seq, Time};
use std::sync::Arc;

impl Lane<'_> {
    /// A policy, what it sees, or a tool is set or goes.
    pub(super) fn policies_change(&mut self, record: &Record) {
        self.adopt(&record.event, &record.by, record.at);
        if let Event::PolicySet(_) | Event::PolicyDataSet(_) | Event::ToolSet(_) = record.event {
            self.places.insert(record.seq, self.adopted_at);
        }
    }

    /// A request as it was judged.
    pub(super) fn judged(&self, request: Arc<Request>, said: Option<&Verdict>) -> Permit {
        match said {
            None => Permit::Request(request),
            Some(said) => Permit::Judged(Box::new(Judged {
                request,
                verdict: self.verdict(said),
                attempts: 0,
            })),
        }
    }

    /// Asking for more, as it was judged.
    pub(super) fn judged_extend(&self, extend: Arc<Extend>, said: Option<&Verdict>) -> Permit {
        match said {
            None => Permit::Extend(extend),
            Some(said) => Permit::JudgedExtend(Box::new(JudgedExtend {
                extend,
                verdict: self.verdict(said),
                attempts: 0,
            })),
        }
    }

    /// A request that waits was judged anew. Who waits here and did not there waits on.
    pub(super) fn rejudged(&mut self, event: &PermitRejudged, at: Time) {
        let Some(own) = self.own.get(&event.permit) else {
            return;
        };
        let rejudged = Rejudged {
            permit: own.id,
            request: self.named_here(&event.request),
            verdict: self.verdict(&event.policies),
        };
        let command = Permit::Rejudge(Box::new(rejudged));
        self.run(Actor::System, Command::Permit(command), at);
    }

    /// About the same policies and tool, by their places in this lane.
    fn verdict(&self, said: &Verdict) -> Verdict {
        let here = |place: Seq| self.places.get(&place).copied().unwrap_or(place);
        let mut verdict = said.clone();
        for judgement in &mut verdict.judged {
            judgement.set_at = here(judgement.set_at);
        }
        if let Some(tool) = &mut verdict.tool {
            tool.set_at = here(tool.set_at);
        }
        verdict.data_at = here(verdict.data_at);
        verdict
    }
}
