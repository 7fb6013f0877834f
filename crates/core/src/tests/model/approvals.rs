//! When a permit may be granted under rules that want approvals, told from the records by looking at all of them each time.
use super::rules::matches;
use fleet_types::approval::{
    Answered, Assignee, Delegation, Means, Person, Phase, Source, Subject, Terms,
};
use fleet_types::event::ApprovalAsked;
use fleet_types::permit::Request;
use fleet_types::rule::{Form, Rule, Stage};
use fleet_types::{
    Actor, AgentId, ApprovalId, Command, Event, GroupId, PermitId, Record, RuleId, Time,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An approval as its records tell of it.
struct Known {
    permit: PermitId,
    source: Source,
    terms: Arc<Terms>,
    agent: AgentId,
    by: Option<Actor>,
    phase: Phase,
    round: u32,
    assignees: Vec<Assignee>,
    needed: u32,
    deadline: Option<Time>,
    voices: Vec<Answered>,
}

#[derive(Default)]
pub struct Approvals {
    rules: BTreeMap<RuleId, Arc<Rule>>,
    groups: BTreeMap<GroupId, BTreeSet<AgentId>>,
    known: BTreeMap<ApprovalId, Known>,
    delegations: Vec<Delegation>,
    waiting: BTreeSet<PermitId>,
}

impl Approvals {
    /// What came of a command. No permit may be granted without the approvals that rules want.
    pub fn follow(&mut self, command: Option<&Command>, records: &[Record]) {
        for record in records {
            self.one(command, record);
        }
        for (id, known) in &self.known {
            let waits = self.waiting.contains(&known.permit);
            assert!(
                known.phase != Phase::Open || waits,
                "{id} is open, and {} waits no more",
                known.permit
            );
        }
    }

    fn one(&mut self, command: Option<&Command>, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::RuleSet(event) => {
                self.rules.insert(event.rule.id.clone(), event.rule.clone());
            }
            Event::RuleRemoved(event) => drop(self.rules.remove(&event.rule)),
            Event::GroupSet(group) => {
                self.groups.insert(group.id.clone(), group.members.clone());
            }
            Event::GroupRemoved(event) => drop(self.groups.remove(&event.group)),
            Event::ApprovalAsked(event) => self.asked(ApprovalId(record.seq), event),
            Event::ApprovalAnswered(event) => {
                self.answered(command, &record.by, event.approval, &event.voice, at);
            }
            Event::ApprovalDecided(event) => {
                self.decided(event.approval, event.approved, event.by, at);
            }
            Event::ApprovalEscalated(event) => {
                let known = self.open(event.approval);
                known.round += 1;
                assert_eq!(known.round, event.round);
                known.assignees.clone_from(&event.assignees);
                known.needed = event.needed;
                known.deadline = event.deadline;
            }
            Event::ApprovalReassigned(event) => {
                let known = self.open(event.approval);
                known.round += 1;
                assert_eq!(known.round, event.round);
                known.assignees.clone_from(&event.assignees);
                known.needed = event.needed;
            }
            Event::ApprovalSlaBreached(event) => drop(self.open(event.approval)),
            Event::ApprovalMoot(event) => self.open(event.approval).phase = Phase::Moot,
            Event::ApprovalDelegated(delegation) => {
                assert_ne!(delegation.from, delegation.to);
                let chained = self.delegations.iter().any(|known| {
                    at < known.until && (known.from == delegation.to || known.to == delegation.from)
                });
                assert!(!chained, "what was delegated was delegated again");
                self.delegations.retain(|it| it.from != delegation.from);
                self.delegations.push(delegation.clone());
            }
            Event::ApprovalDelegationEnded(event) => {
                self.delegations.retain(|it| it.from != event.from);
            }
            Event::PermitQueued(event) => drop(self.waiting.insert(event.permit)),
            Event::PermitGranted(event) => {
                self.waiting.remove(&event.permit);
                self.granted(event.permit, &event.request, &event.approvals);
            }
            Event::PermitDenied(event) => drop(self.waiting.remove(&event.denial.permit)),
            Event::HaltOrdered(event) => self.ended(&event.revoked),
            Event::InstanceConnected(event) => self.ended(&event.released),
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                self.ended(&event.released);
            }
            _ => {}
        }
    }

    fn ended(&mut self, permits: &[PermitId]) {
        for permit in permits {
            self.waiting.remove(permit);
        }
    }

    fn asked(&mut self, id: ApprovalId, event: &ApprovalAsked) {
        let Subject::Permit { permit, request } = &event.subject;
        assert!(self.waiting.contains(permit), "{permit} does not wait");
        assert_eq!(request.agent, event.asker.agent);
        let twice = self.known.values().any(|known| {
            known.permit == *permit
                && known.source == event.source
                && known.terms == event.terms
                && matches!(known.phase, Phase::Open | Phase::Approved)
        });
        assert!(!twice, "people were asked twice for {permit}");
        let known = Known {
            permit: *permit,
            source: event.source.clone(),
            terms: event.terms.clone(),
            agent: event.asker.agent.clone(),
            by: event.asker.by.clone(),
            phase: Phase::Open,
            round: 1,
            assignees: event.terms.assignees.clone(),
            needed: event.terms.needed,
            deadline: event.deadline,
            voices: Vec::new(),
        };
        self.known.insert(id, known);
    }

    fn open(&mut self, id: ApprovalId) -> &mut Known {
        let known = self.known.get_mut(&id).expect("it was asked");
        assert_eq!(known.phase, Phase::Open, "{id} is closed");
        known
    }

    fn answered(
        &mut self,
        command: Option<&Command>,
        by: &Actor,
        id: ApprovalId,
        voice: &Answered,
        at: Time,
    ) {
        let groups = self.groups.clone();
        let delegations = self.delegations.clone();
        let known = self.open(id);
        assert_eq!(voice.round, known.round);
        let of_asker = |person: &Person| match person {
            Person::Agent(agent) => *agent == known.agent,
            Person::User(key) => known.by == Some(Actor::Key(key.clone())),
            Person::Local => false,
        };
        assert!(!of_asker(&voice.person), "whoever asked has answered {id}");
        assert!(
            *by == Actor::Local || known.by.as_ref() != Some(by),
            "the credential that asked has answered {id}"
        );
        assert!(
            known.assignees.contains(&voice.seat),
            "nobody asked {voice:?}"
        );
        let is_named = |person: &Person| match (&voice.seat, person) {
            (Assignee::User(one), Person::User(other)) => one == other,
            (Assignee::Agent(one), Person::Agent(other)) => one == other,
            (Assignee::Group(group), Person::Agent(agent)) => {
                groups.get(group).is_some_and(|it| it.contains(agent))
            }
            _ => false,
        };
        match (&voice.in_place_of, &voice.person, &voice.seat) {
            (Some(other), person, _) => {
                assert!(!of_asker(other), "in place of the asker");
                assert!(is_named(other), "{other} was not asked by name");
                let mut holding = delegations.iter().filter(|it| at < it.until);
                assert!(holding.any(|it| it.from == *other && it.to == *person));
            }
            (None, Person::Local, _) => {}
            (None, Person::User(_), Assignee::Role(role)) => {
                let Some(Command::Approval(command)) = command else {
                    panic!("a voice without a command");
                };
                assert!(command.proof.role >= *role, "its role is too low");
            }
            (None, person, _) => assert!(is_named(person), "{person} was not asked"),
        }
        let mut used = known.voices.iter().filter(|it| it.round == voice.round);
        let names = |it: &Answered| -> BTreeSet<Person> {
            it.in_place_of.iter().chain([&it.person]).cloned().collect()
        };
        let own = names(voice);
        assert!(
            used.all(|it| names(it).is_disjoint(&own)),
            "{voice:?} counts twice"
        );
        known.voices.push(voice.clone());
    }

    fn decided(&mut self, id: ApprovalId, approved: bool, by: Means, at: Time) {
        let known = self.open(id);
        let voices = known.voices.iter().filter(|it| it.round == known.round);
        let (yes, no): (Vec<&Answered>, Vec<&Answered>) = voices.partition(|it| it.approves);
        let persons: BTreeSet<&Person> = yes.iter().map(|voice| &voice.person).collect();
        match (by, approved) {
            (Means::Answers, true) => {
                assert_eq!((persons.len() as u32, no.len()), (known.needed, 0));
            }
            (Means::Answers, false) => assert_eq!(no.len(), 1),
            (Means::Deadline, _) => {
                assert!(known.deadline.is_some_and(|deadline| deadline <= at));
                assert!(no.is_empty() && (persons.len() as u32) < known.needed);
            }
        }
        known.phase = match approved {
            true => Phase::Approved,
            false => Phase::Rejected,
        };
    }

    /// Rules that want approvals now.
    fn wanting(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules
            .values()
            .filter(|rule| rule.stage == Stage::Enforce && matches!(rule.form, Form::Approval(_)))
    }

    /// Never without its approvals, each given for this very permit, on the terms of the rule as it stands.
    fn granted(&self, permit: PermitId, request: &Request, given: &[ApprovalId]) {
        let mut used = BTreeSet::new();
        for rule in self.wanting().filter(|rule| matches(&rule.when, request)) {
            let Form::Approval(terms) = &rule.form else {
                continue;
            };
            let mut fitting = given.iter().filter(|id| {
                let known = &self.known[id];
                known.permit == permit
                    && known.source == Source::Rule(rule.id.clone())
                    && known.terms == *terms
                    && known.phase == Phase::Approved
            });
            match fitting.next() {
                Some(id) => drop(used.insert(*id)),
                None => panic!(
                    "{permit} was granted without the approval that {} wants",
                    rule.id
                ),
            }
        }
        // Whether its tool wants one is told by that.
        let of_tool = given.iter().filter(|id| {
            let known = &self.known[id];
            let is_approved = known.permit == permit && known.phase == Phase::Approved;
            is_approved && known.source == Source::Tool(request.action.text().clone())
        });
        used.extend(of_tool);
        assert_eq!(used, given.iter().copied().collect(), "given for nothing");
    }
}
