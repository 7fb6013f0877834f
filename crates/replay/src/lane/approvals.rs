//! Approvals: who was asked in the record answers here too, as long after the question as there.
//!
//! What nobody was asked in the record nobody answers: it ends as its terms say of its deadline.
use super::{Act, Lane, Own};
use ahash::AHashMap;
use fleet_core::{State, read};
use fleet_types::approval::{
    Answer, Answered, Assignee, Command, Phase, Proof, Reassign, Source, Subject, Verb,
};
use fleet_types::event::{ApprovalAsked, ApprovalReassigned};
use fleet_types::{Actor, ApprovalId, PermitId, Role, Time};

/// A question of the record: about which permit, called as there, and since when.
#[derive(Clone)]
pub(super) struct Question {
    permit: PermitId,
    source: Source,
    at: Time,
}

impl Question {
    /// It stands already where a lane begins.
    pub fn stands_in(&self, own: &mut AHashMap<PermitId, Own>) {
        if let Some(own) = own.get_mut(&self.permit) {
            own.asked.push((self.source.clone(), self.at));
        }
    }
}

/// What somebody said to a question.
#[derive(Clone)]
pub(super) struct Said {
    to: Question,
    by: Actor,
    command: Command,
}

impl Said {
    pub fn permit(&self) -> PermitId {
        self.to.permit
    }

    pub fn source(&self) -> &Source {
        &self.to.source
    }

    /// As it is said to the question of this name.
    pub fn to(self, own: ApprovalId) -> (Actor, Command) {
        let mut command = self.command;
        match &mut command.verb {
            Verb::Answer(answer) => answer.approval = own,
            Verb::Reassign(others) => others.approval = own,
            Verb::Escalate { approval, .. } | Verb::Comment { approval, .. } => *approval = own,
            Verb::Delegate(_) | Verb::EndDelegation { .. } => {}
        }
        (self.by, command)
    }
}

/// Every question that is open in this state.
pub(super) fn open_in(state: &State) -> Vec<(ApprovalId, Question)> {
    let filter = read::ApprovalFilter {
        state: Some(Phase::Open),
        ..read::ApprovalFilter::default()
    };
    let (mut open, mut after) = (Vec::new(), None::<String>);
    loop {
        let (now, count) = (state.now(), read::COUNT_MAX);
        let page = read::approvals(state, &filter, now, after.as_deref(), count);
        open.extend(page.items.into_iter().map(|view| {
            let Subject::Permit { permit, .. } = view.subject;
            let question = Question {
                permit,
                source: view.source,
                at: view.asked_at,
            };
            (view.approval, question)
        }));
        after = page.next;
        if after.is_none() {
            return open;
        }
    }
}

impl Lane<'_> {
    /// The record asks.
    pub(super) fn was_asked(&mut self, approval: ApprovalId, event: &ApprovalAsked, at: Time) {
        let Subject::Permit { permit, .. } = event.subject;
        let source = event.source.clone();
        let question = Question { permit, source, at };
        self.questions.insert(approval, question);
    }

    pub(super) fn answered(&mut self, to: ApprovalId, by: &Actor, voice: &Answered) -> bool {
        // Its role is proved as far as it counted.
        let role = match voice.seat {
            Assignee::Role(role) => role,
            Assignee::User(_) | Assignee::Group(_) | Assignee::Agent(_) => Role::Agent,
        };
        let verb = Verb::Answer(Answer {
            approval: to,
            option: voice.option.clone(),
            fields: voice.fields.clone(),
            comment: voice.comment.clone(),
        });
        let command = Command {
            proof: Proof { role, scope: None },
            speaks_as: Some(voice.person.clone()),
            verb,
        };
        self.say(to, by, command, voice.at)
    }

    pub(super) fn reassigned(&mut self, by: &Actor, event: &ApprovalReassigned, at: Time) -> bool {
        let verb = Verb::Reassign(Reassign {
            approval: event.approval,
            assignees: event.assignees.clone(),
            needed: Some(event.needed),
            reason: event.reason.clone(),
        });
        self.steer(event.approval, by, verb, at)
    }

    /// Somebody gives a question to others.
    pub(super) fn steer(&mut self, to: ApprovalId, by: &Actor, verb: Verb, at: Time) -> bool {
        let proof = Proof {
            role: Role::Admin,
            scope: None,
        };
        let command = Command {
            proof,
            speaks_as: None,
            verb,
        };
        self.say(to, by, command, at)
    }

    /// Returns whether it is said now.
    fn say(&mut self, to: ApprovalId, by: &Actor, command: Command, at: Time) -> bool {
        let Some(question) = self.questions.get(&to) else {
            return false; // It was asked before the record that is replayed, and is over here.
        };
        let said = Said {
            to: question.clone(),
            by: by.clone(),
            command,
        };
        let Some(own) = self.own.get_mut(&said.to.permit) else {
            return false; // Its permit is over here, or needs no approval.
        };
        let after = at.micros_since(said.to.at);
        let mut asked = own.asked.iter().rev();
        match asked.find(|(source, _)| *source == said.to.source) {
            None => {
                own.said.push((after, said));
                false
            }
            Some((_, asked_at)) if asked_at.0 + after > at.0 => {
                let later = Time(asked_at.0 + after);
                self.later(later, Act::Say(Box::new(said)));
                false
            }
            Some(_) => {
                self.act(Act::Say(Box::new(said)), at);
                true
            }
        }
    }

    /// This lane asks: what the record has answered already is said as much later.
    pub(super) fn asks(&mut self, event: &ApprovalAsked, at: Time) {
        let Subject::Permit { permit, .. } = event.subject;
        let Some(permit) = self.recorded.get(&permit) else {
            return;
        };
        let Some(own) = self.own.get_mut(permit) else {
            return;
        };
        own.asked.push((event.source.clone(), at));
        let is_about = |said: &mut (u64, Said)| said.1.to.source == event.source;
        let said: Vec<(u64, Said)> = own.said.extract_if(.., is_about).collect();
        for (after, said) in said {
            self.later(Time(at.0 + after), Act::Say(Box::new(said)));
        }
    }

    /// What a permit, called as here, is asked about now for this reason.
    pub(super) fn open_of(&self, permit: PermitId, source: &Source) -> Option<ApprovalId> {
        let filter = read::ApprovalFilter {
            state: Some(Phase::Open),
            permit: Some(permit),
            ..read::ApprovalFilter::default()
        };
        let (now, count) = (self.state.now(), read::COUNT_MAX);
        let page = read::approvals(&self.state, &filter, now, None, count);
        let mut open = page.items.into_iter();
        let found = open.find(|view| view.source == *source)?;
        Some(found.approval)
    }
}
