//! One world that a replay lives through: a state that gets what the record was asked, and answers by itself.
//!
//! Permits, halts and epochs have their own names here, as they are places in the journal: what the record calls them is
//! mapped. A lane whose answers are those of the record has the same names, and nothing is mapped.
mod acts;
mod approvals;
mod fleet;
mod follow;
mod policies;

use crate::candidate::Candidate;
use crate::log::{Log, each_permit, ended};
use crate::report::{Answer, ResultOf};
use acts::Act;
use ahash::AHashMap;
use approvals::{Question, Said};
use fleet_core::{State, adopt, next_deadline, read, step};
use fleet_types::approval::{Source, Verb};
use fleet_types::event::{ApprovalDecided, ApprovalMoot};
use fleet_types::instance::InstanceKey;
use fleet_types::permit::{Decision, Holder, Request, ViewState};
use fleet_types::policy::Verdict;
use fleet_types::{
    Actor, AgentId, ApprovalId, Command, Envelope, Epoch, Event, HaltId, Millis, PermitId, Record,
    Reply, RuleId, Seq, Time,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One world.
pub struct Lane<'c> {
    pub state: State,
    candidate: Option<&'c Candidate>,
    /// Live permits, by what the record calls them.
    own: AHashMap<PermitId, Own>,
    /// What the record calls them, by what they are called here.
    recorded: AHashMap<PermitId, PermitId>,
    epochs: AHashMap<InstanceKey, Epochs>,
    halts: AHashMap<HaltId, HaltId>,
    /// Approvals that the record has asked for.
    questions: AHashMap<ApprovalId, Question>,
    /// Where policies and their data were set here, by where the record set them.
    places: AHashMap<Seq, Seq>,
    /// Where the last event lies here that was taken over from the record.
    adopted_at: Seq,
    /// What will be asked later than the record asked it, or was never asked there.
    due: BTreeMap<(Time, u64), Act>,
    count: u64,
    records: Vec<Record>,
    /// What became of requests since this was last emptied, by what the record calls them.
    pub news: Vec<(PermitId, Answer)>,
    /// Permits granted in this instant that the record may not have granted.
    fresh: Vec<PermitId>,
    /// Rules that a candidate leaves out, and that were not there yet.
    pub unseen: BTreeSet<RuleId>,
    pub refused: u64,
    /// Events of transactions, and of what was decided about conflicts, which are passed over.
    pub not_decided: u64,
    /// Approvals that were asked for.
    pub asked_for: u64,
    pub extensions_not_asked: u64,
}

/// A live permit.
struct Own {
    id: PermitId,
    agent: AgentId,
    granted_at: Option<Time>,
    /// What its holder did in the record while it waits here, and how long after the grant.
    later: Vec<(u64, Act)>,
    /// What it was asked to have approved here, and when.
    asked: Vec<(Source, Time)>,
    /// What the record says to questions that are not asked here yet, and how long after the question.
    said: Vec<(u64, Said)>,
    /// Its end is arranged: what the record says of it counts no more.
    ends_by_itself: bool,
    /// In the record it ended without a word of its holder, so here it does too.
    was_lost: bool,
}

struct Epochs {
    recorded: Epoch,
    own: Epoch,
}

impl<'c> Lane<'c> {
    /// Begins with this state; a candidate's rules are in it already.
    pub fn new(state: State, candidate: Option<&'c Candidate>) -> Lane<'c> {
        let mut own = AHashMap::new();
        let mut recorded = AHashMap::new();
        each_permit(&state, |view| {
            let permit = Own {
                id: view.permit,
                agent: view.request.agent,
                granted_at: view.granted_at.filter(|_| view.state != ViewState::Queued),
                later: Vec::new(),
                asked: Vec::new(),
                said: Vec::new(),
                ends_by_itself: false,
                was_lost: false,
            };
            own.insert(view.permit, permit);
            recorded.insert(view.permit, view.permit);
        });
        let questions: AHashMap<ApprovalId, Question> =
            approvals::open_in(&state).into_iter().collect();
        for question in questions.values() {
            question.stands_in(&mut own);
        }
        let mut epochs = AHashMap::new();
        read::each_connected(&state, |key, epoch| {
            let same = Epochs {
                recorded: epoch,
                own: epoch,
            };
            epochs.insert(key, same);
        });
        Lane {
            state,
            candidate,
            own,
            recorded,
            epochs,
            halts: AHashMap::new(),
            questions,
            places: AHashMap::new(),
            adopted_at: Seq(0),
            due: BTreeMap::new(),
            count: 0,
            records: Vec::new(),
            news: Vec::new(),
            fresh: Vec::new(),
            unseen: BTreeSet::new(),
            refused: 0,
            not_decided: 0,
            asked_for: 0,
            extensions_not_asked: 0,
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        next_deadline(&self.state)
    }

    /// Lives through one instant of the record. Deadlines of the baseline came when the record says; those that only this
    /// lane has come on time.
    pub fn live(&mut self, records: &[Record], baseline: Option<Time>, log: &mut Log) {
        let Some(first) = records.first() else {
            return;
        };
        self.advance(first.at, baseline);
        let mut asked = false;
        for record in records {
            asked |= self.take(record, log);
            log.take(record);
        }
        if !asked {
            self.run(Actor::System, Command::Tick, first.at);
        }
        self.settle(log);
    }

    /// Does what is due before `until`. Deadlines that stand in the record too come when they came there.
    fn advance(&mut self, until: Time, common: Option<Time>) {
        loop {
            let act = self.due.first_key_value().map(|((at, _), _)| *at);
            let act = act.filter(|at| *at <= until);
            let deadline = self.deadline();
            let deadline = deadline.filter(|at| *at < until && Some(*at) != common);
            match (act, deadline) {
                (None, None) => return,
                (Some(at), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                    if let Some((_, act)) = self.due.pop_first() {
                        self.act(act, at);
                    }
                }
                (_, Some(at)) => {
                    self.run(Actor::System, Command::Tick, at);
                    if self.deadline() == Some(at) {
                        return; // More is due than one tick handles; the next one does.
                    }
                }
                (Some(_), None) => {} // Taken by the arm above.
            }
        }
    }

    /// Asks what a record answers. What only followed from something else follows here, or does not. Returns whether
    /// something was asked.
    fn take(&mut self, record: &Record, log: &Log) -> bool {
        let (at, by) = (record.at, &record.by);
        for permit in ended(&record.event) {
            if let Some(own) = self.own.get_mut(permit) {
                own.was_lost = true;
            }
        }
        let is_first = |permit: PermitId| permit.0 == record.seq;
        match &record.event {
            Event::PermitGranted(event) if is_first(event.permit) => {
                let judged = (&event.request, event.policies.as_deref());
                self.ask(event.permit, judged, by, at);
            }
            Event::PermitQueued(event) => {
                let judged = (&event.request, event.policies.as_deref());
                self.ask(event.permit, judged, by, at);
            }
            Event::PermitDenied(event) if is_first(event.denial.permit) => {
                let judged = (&event.request, event.policies.as_deref());
                self.ask(event.denial.permit, judged, by, at);
            }
            // Who waits is let in, or its time is over: that follows.
            Event::PermitGranted(_) | Event::PermitRequeued(_) => return false,
            Event::PermitDenied(_) if *by == Actor::System => return false,
            Event::PermitDenied(event) => return self.withdraw(event, by, at),
            Event::PermitFinished(event) => {
                let act = Act::Finish(by.clone(), event.finish.clone());
                return self.act_as_recorded(act, at, log);
            }
            Event::PermitRenewed(event) => {
                let span = Millis(event.expires_at.micros_since(at) / 1_000);
                let act = Act::Renew(by.clone(), event.permit, span);
                return self.act_as_recorded(act, at, log);
            }
            Event::PermitExtended(event) if *by != Actor::System => {
                return self.extend(event, by, at, log);
            }
            Event::PermitExtensionQueued(event) => {
                let act = Act::Extend(by.clone(), event.extend.clone(), event.policies.clone());
                return self.act_as_recorded(act, at, log);
            }
            Event::PermitExtensionDenied(_) if *by != Actor::System => {
                self.extensions_not_asked += 1; // It does not say what was asked for.
                return false;
            }
            Event::PermitExtended(_)
            | Event::PermitExtensionDenied(_)
            | Event::PermitExpired(_)
            | Event::RuleTripped(_)
            | Event::BudgetSoftReached(_)
            | Event::CommandRejected(_) => return false,

            // What is decided about conflicts is about those of the record; plans stop nobody.
            Event::ConflictOpened(_)
            | Event::ConflictRaised(_)
            | Event::ConflictEscalated(_)
            | Event::PlanDeclared(_)
            | Event::PlanWithdrawn(_) => return false,
            Event::ConflictAnswered(_) | Event::ConflictVoted(_) | Event::ConflictResolved(_) => {
                self.not_decided += 1;
                return false;
            }

            Event::ApprovalAsked(event) => {
                self.was_asked(ApprovalId(record.seq), event, at);
                return false;
            }
            Event::ApprovalAnswered(event) => {
                return self.answered(event.approval, by, &event.voice);
            }
            Event::ApprovalEscalated(event) if *by != Actor::System => {
                let verb = Verb::Escalate {
                    approval: event.approval,
                    reason: event.reason.clone(),
                };
                return self.steer(event.approval, by, verb, at);
            }
            Event::ApprovalReassigned(event) => return self.reassigned(by, event, at),
            Event::ApprovalDecided(ApprovalDecided { approval, .. })
            | Event::ApprovalMoot(ApprovalMoot { approval }) => {
                self.questions.remove(approval);
                return false;
            }
            // By its deadline: that follows.
            Event::ApprovalEscalated(_)
            | Event::ApprovalCommented(_)
            | Event::ApprovalSlaBreached(_) => return false,
            Event::ApprovalDelegated(_) | Event::ApprovalDelegationEnded(_) => {
                self.adopt(&record.event, by, at);
            }
            Event::PolicySet(_)
            | Event::PolicyRemoved(_)
            | Event::PolicyDataSet(_)
            | Event::ToolSet(_)
            | Event::ToolRemoved(_) => self.policies_change(record),
            Event::PermitRejudged(event) => self.rejudged(event, at),

            // What happens together does so by its permits.
            Event::TxnBegun(_)
            | Event::TxnEnlisted(_)
            | Event::TxnHeld(_)
            | Event::TxnPreparing(_)
            | Event::TxnReported(_)
            | Event::TxnDecided(_)
            | Event::TxnMoved(_)
            | Event::TxnResolved(_)
            | Event::TxnEnded(_) => {
                self.not_decided += 1;
                return false;
            }
            Event::InstanceConnected(event) => self.connected(event, by, at),
            Event::InstanceReady(event) => self.ready(event, by, at),
            Event::InstanceDisconnected(event) => self.disconnected(event, by, at),
            Event::InstanceFailed(event) => self.failed(event, by, at),
            Event::HaltOrdered(event) => self.halted(HaltId(record.seq), event, by, at),
            Event::HaltAcknowledged(event) => self.acknowledged(event, by, at),
            Event::HaltReleaseRequested(event) => self.release(by, event.halt, &event.reason, at),
            Event::HaltReleased(event) => self.release(by, event.halt, &event.reason, at),
            Event::AgentStatusSet(event) => self.status_set(event, by, at),
            Event::AgentRemoved(event) => self.agent_removed(event, by, at),
            Event::ScopeRemoved(event) => self.scope_removed(event, by, at),
            event @ (Event::RuleSet(_) | Event::RuleRemoved(_)) => {
                let candidate = self.candidate;
                if candidate.is_some_and(|candidate| !candidate.leaves(event)) {
                    if let Event::RuleSet(event) = event {
                        self.unseen.remove(&event.rule.id);
                    }
                    return false;
                }
                self.adopt(event, by, at);
            }
            event @ (Event::AgentRegistered(_)
            | Event::ScopeSet(_)
            | Event::GroupSet(_)
            | Event::GroupRemoved(_)
            | Event::ActionSet(_)
            | Event::ActionRemoved(_)
            | Event::LimitSet(_)
            | Event::LimitRemoved(_)
            | Event::RuleReset(_)
            | Event::BudgetSet(_)
            | Event::BudgetRemoved(_)
            | Event::BudgetToppedUp(_)
            | Event::GraphDeclared(_)
            | Event::GraphUndeclared(_)
            | Event::VersionsWatched(_)
            | Event::ConnectorSet(_)
            | Event::ConnectorRemoved(_)
            | Event::FleetConfigured(_)
            | Event::TenantCreated(_)
            | Event::FleetCreated(_)
            | Event::KeyIssued(_)
            | Event::KeyRevoked(_)) => self.adopt(event, by, at),
        }
        true
    }

    fn ask(
        &mut self,
        permit: PermitId,
        (request, said): (&Arc<Request>, Option<&Verdict>),
        by: &Actor,
        at: Time,
    ) {
        let request = self.named_here(request);
        let agent = request.agent.clone();
        let command = Command::Permit(self.judged(request, said));
        let envelope = Envelope {
            by: by.clone(),
            command,
        };
        let answer = step(&mut self.state, &envelope, at, &mut self.records);
        let mut own = None;
        let told = match answer {
            Ok(Reply::Decision(Decision::Granted(grant))) => {
                own = Some((grant.permit, Some(at)));
                self.fresh.push(permit);
                Answer::granted(false)
            }
            Ok(Reply::Decision(Decision::Queued(queued))) => {
                own = Some((queued.permit, None));
                Answer {
                    result: ResultOf::Waits,
                    waited: true,
                    code: None,
                    gate: None,
                    rule: queued.waits_for.rule().cloned(),
                }
            }
            Ok(Reply::Decision(Decision::Denied(denial))) => Answer::denied(&denial, false),
            Ok(_) => Answer::granted(false), // A request is answered by a decision.
            Err(rejection) => {
                self.refused += 1;
                Answer {
                    result: ResultOf::Denied,
                    waited: false,
                    code: Some(rejection.code),
                    gate: None,
                    rule: None,
                }
            }
        };
        self.news.push((permit, told));
        if let Some((id, granted_at)) = own {
            let own = Own {
                id,
                agent,
                granted_at,
                later: Vec::new(),
                asked: Vec::new(),
                said: Vec::new(),
                ends_by_itself: false,
                was_lost: false,
            };
            self.own.insert(permit, own);
            self.recorded.insert(id, permit);
        }
        self.follow();
    }

    /// A request with what it names as that is called here: the permit on whose behalf it is asked, the epoch of its
    /// instance.
    fn named_here(&self, request: &Arc<Request>) -> Arc<Request> {
        let Some(parent) = request.parent else {
            return self.with_epoch(request);
        };
        let own = self.own.get(&parent).map(|own| own.id);
        self.with_epoch(&Arc::new(Request {
            // One that is not held here is no permit at all.
            parent: own.or(Some(PermitId(Seq(0)))),
            ..(**request).clone()
        }))
    }

    fn with_epoch(&self, request: &Arc<Request>) -> Arc<Request> {
        let Some(holder) = &request.instance else {
            return request.clone();
        };
        let key = InstanceKey {
            agent: request.agent.clone(),
            instance: holder.id.clone(),
        };
        match self.epochs.get(&key) {
            Some(epochs) if epochs.recorded == holder.epoch && epochs.own != holder.epoch => {
                let holder = Holder {
                    epoch: epochs.own,
                    ..holder.clone()
                };
                Arc::new(Request {
                    instance: Some(holder),
                    ..(**request).clone()
                })
            }
            _ => request.clone(),
        }
    }

    fn adopt(&mut self, event: &Event, by: &Actor, at: Time) {
        let now = at.max(self.state.now());
        adopt(&mut self.state, event.clone(), by, now, &mut self.records);
        // Deadlines that were due come before it.
        let own = self.records.iter().find(|record| record.event == *event);
        self.adopted_at = own.map_or(self.state.seq(), |record| record.seq);
        self.follow();
    }

    /// What the record carried out; counts where it is refused here.
    fn carry_out(&mut self, by: &Actor, command: Command, at: Time) -> Option<Reply> {
        let answer = self.run(by.clone(), command, at);
        self.refused += u64::from(answer.is_none());
        answer
    }

    fn run(&mut self, by: Actor, command: Command, at: Time) -> Option<Reply> {
        let now = at.max(self.state.now());
        let envelope = Envelope { by, command };
        let answer = step(&mut self.state, &envelope, now, &mut self.records);
        self.follow();
        answer.ok()
    }
}
