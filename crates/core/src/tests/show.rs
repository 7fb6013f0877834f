//! Answers and records in a line each, with the names a script uses.
use super::world::World;
use fleet_types::approval::{Means, Subject};
use fleet_types::conflict::{Kind, Level, Seat, View};
use fleet_types::explain::Gate;
use fleet_types::lock::{Held, ResourceVersion};
use fleet_types::permit::{Blocker, Decision, Denial};
use fleet_types::plan::With;
use fleet_types::{
    Answer, ApprovalId, Event, HaltId, PermitId, PlanId, Record, Reply, Time, TxnId,
};
use std::collections::BTreeMap;

/// Names that a script gave to numbers, so that its text does not change when a record is added.
#[derive(Default)]
pub struct Names {
    pub permits: BTreeMap<PermitId, String>,
    pub halts: BTreeMap<HaltId, String>,
    pub approvals: BTreeMap<ApprovalId, String>,
    pub txns: BTreeMap<TxnId, String>,
    pub tokens: BTreeMap<u64, String>,
    pub plans: BTreeMap<PlanId, String>,
    /// Where permits ended, and where versions began to be kept.
    pub versions: BTreeMap<u64, String>,
}

impl Names {
    pub fn learn(&mut self, record: &Record) {
        let (permit, request) = match &record.event {
            Event::PermitGranted(event) => {
                let token = format!("t.{}", event.request.request_id);
                self.tokens.insert(record.seq.0, token);
                (event.permit, &event.request)
            }
            Event::PermitExtended(event) => {
                let mut token = format!("t.{}", self.permit(event.permit));
                while self.tokens.values().any(|known| *known == token) {
                    token += "+";
                }
                self.tokens.insert(record.seq.0, token);
                return;
            }
            Event::ApprovalAsked(event) => {
                let Subject::Permit { request, .. } = &event.subject;
                let mut name = format!("a.{}", request.request_id);
                while self.approvals.values().any(|known| *known == name) {
                    name += "+";
                }
                self.approvals.insert(ApprovalId(record.seq), name);
                return;
            }
            Event::PermitQueued(event) => (event.permit, &event.request),
            Event::PermitDenied(event) => {
                let name = format!("d.{}", event.request.request_id);
                self.versions.insert(record.seq.0, name);
                (event.denial.permit, &event.request)
            }
            Event::PermitFinished(event) => {
                let name = format!("e.{}", self.permit(event.finish.permit));
                self.versions.insert(record.seq.0, name);
                return;
            }
            Event::PermitExpired(event) => {
                let name = format!("e.{}", event.request.request_id);
                self.versions.insert(record.seq.0, name);
                return;
            }
            Event::VersionsWatched(event) => {
                let name = format!("w.{}", event.resources[0]);
                self.versions.insert(record.seq.0, name);
                return;
            }
            Event::TxnHeld(event) => {
                if let Some(branch) = &event.branch {
                    let name = format!("{}/{branch}", self.txn(event.txn));
                    self.permits.insert(event.permit, name);
                }
                return;
            }
            _ => return,
        };
        self.permits.insert(permit, request.request_id.to_string());
    }

    pub fn permit(&self, id: PermitId) -> String {
        let known = self.permits.get(&id).cloned();
        known.unwrap_or_else(|| id.to_string())
    }

    /// The name of a place in the journal.
    pub fn version(&self, at: u64) -> String {
        let known = self.versions.get(&at).or_else(|| self.tokens.get(&at));
        known.cloned().unwrap_or_else(|| at.to_string())
    }

    /// The place that has this name, the last one.
    pub fn place(&self, name: &str) -> u64 {
        let named = self.versions.iter().chain(&self.tokens);
        let found = named.filter(|(_, known)| *known == name).map(|(at, _)| *at);
        found
            .max()
            .or_else(|| name.parse().ok())
            .unwrap_or_else(|| panic!("no place {name}"))
    }

    pub fn halt(&self, id: HaltId) -> String {
        let known = self.halts.get(&id).cloned();
        known.unwrap_or_else(|| id.to_string())
    }

    pub fn approval(&self, id: ApprovalId) -> String {
        let known = self.approvals.get(&id).cloned();
        known.unwrap_or_else(|| id.to_string())
    }

    pub fn txn(&self, id: TxnId) -> String {
        let known = self.txns.get(&id).cloned();
        known.unwrap_or_else(|| id.to_string())
    }

    /// A text with the script's names in place of numbers.
    pub fn renamed(&self, text: &str) -> String {
        let word = |word: &str| {
            let bare = word.trim_end_matches([':', ';', ',']);
            let name = match (bare.parse(), bare.parse(), bare.parse(), bare.parse()) {
                (Ok(permit), _, _, _) => self.permit(permit),
                (_, Ok(halt), _, _) => self.halt(halt),
                (_, _, Ok(approval), _) => self.approval(approval),
                (_, _, _, Ok(txn)) => self.txn(txn),
                _ => bare.to_owned(),
            };
            name + &word[bare.len()..]
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }

    fn seats(&self, seats: &[Seat]) -> String {
        let seat = |seat: &Seat| {
            let rank = (seat.rank - super::world::MORNING.0 as i64).div_euclid(1_000);
            format!(" {} at {rank}", self.permit(seat.permit))
        };
        seats.iter().map(seat).collect()
    }

    pub fn plan(&self, id: PlanId) -> String {
        let known = self.plans.get(&id).cloned();
        known.unwrap_or_else(|| id.to_string())
    }

    /// The plan that has this name.
    pub fn plan_named(&self, name: &str) -> PlanId {
        let found = self.plans.iter().rev().find(|(_, known)| *known == name);
        found.map_or(PlanId(fleet_types::Seq(999)), |(id, _)| *id)
    }

    /// What a plan runs into, and the suggested order.
    pub fn planned(&self, view: &fleet_types::plan::View, world: &World) -> Vec<String> {
        let mut lines = Vec::new();
        for it in &view.collisions {
            let with = match &it.with {
                With::Plan {
                    plan,
                    step,
                    resource,
                    ..
                } => format!("{} step {step} at {resource}", self.plan(*plan)),
                With::Permit {
                    permit, resource, ..
                } => format!("{} at {resource}", self.permit(*permit)),
                With::Rule { rule, key, reason } => format!("rule {rule} on {key}: {reason}"),
                With::Limit { limit } => format!("limit {limit}"),
                With::Likely {
                    agent,
                    resource,
                    permille,
                } => format!("{agent} at {resource}, {permille} of 1000"),
            };
            let until = it.until.map(|until| format!("–{}", time(until, world)));
            let from = time(it.from, world);
            lines.push(format!(
                "step {} {from}{}: {with}",
                it.step,
                until.unwrap_or_default()
            ));
        }
        lines.extend(view.order.iter().map(|slot| {
            let late = if slot.late { " late" } else { "" };
            let (begins, ends) = (time(slot.begins_at, world), time(slot.ends_at, world));
            format!(
                "{begins}–{ends} {} step {}{late}",
                self.plan(slot.plan),
                slot.step
            )
        }));
        lines
    }

    /// A conflict in a line.
    pub fn conflict(&self, it: &View, world: &World) -> String {
        let agents: Vec<&str> = it.agents.iter().map(|agent| agent.as_str()).collect();
        let line: Vec<String> = it.permits.iter().map(|id| self.permit(*id)).collect();
        let settled = it.resolution.as_ref().map(|by| format!(" by {:?}", by.how));
        format!(
            "{:?} {} {:?}{}: {} of {} since {}, waited {} ms, waiting {}: {}",
            it.kind,
            thing(it),
            it.state,
            settled.unwrap_or_default(),
            it.requests,
            agents.join(" "),
            time(it.since, world),
            it.waited_ms,
            it.waiting,
            line.join(" ")
        )
    }

    fn permits(&self, ids: &[PermitId]) -> String {
        let names: Vec<String> = ids.iter().map(|id| self.permit(*id)).collect();
        names.join(" ")
    }

    fn gid(&self, gid: &str) -> String {
        let words: Vec<&str> = gid.split(':').collect();
        let named = words.iter().map(|word| self.renamed(word));
        named.collect::<Vec<_>>().join(":")
    }

    pub fn held(&self, held: &[Held]) -> String {
        let one = |held: &Held| {
            let token = self.tokens.get(&held.token.0);
            let token = token.cloned().unwrap_or_else(|| held.token.to_string());
            format!(" {}:{}={token}", mode(held.mode), held.path)
        };
        held.iter().map(one).collect()
    }

    /// ` at m@e.w1`; nothing where no version is kept.
    fn kept(&self, versions: &[ResourceVersion]) -> String {
        let one = |it: &ResourceVersion| format!("{}@{}", it.path, self.version(it.version.0));
        let all: Vec<String> = versions.iter().map(one).collect();
        match all.is_empty() {
            true => String::new(),
            false => format!(" at {}", all.join(" ")),
        }
    }

    pub fn blocker(&self, blocker: &Blocker, world: &World) -> String {
        match blocker {
            Blocker::Halt { halt } => format!("halt {}", self.halt(*halt)),
            Blocker::AgentConcurrency { in_flight, max } => {
                format!("its own {in_flight} of {max}")
            }
            Blocker::Limit { limit, free_at } => match free_at {
                Some(at) => format!("limit {limit} until {}", time(*at, world)),
                None => format!("limit {limit}"),
            },
            Blocker::Rule { rule, key, free_at } => {
                let until = free_at.map(|at| format!(" until {}", time(at, world)));
                format!("rule {rule} on {key:?}{}", until.unwrap_or_default())
            }
            Blocker::Approval {
                approval,
                source,
                assignees,
                needed,
                deadline,
            } => {
                let name = approval.map_or_else(|| "nobody asked".into(), |id| self.approval(id));
                let names: Vec<String> = assignees.iter().map(ToString::to_string).collect();
                let until = deadline.map(|at| format!(" until {}", time(at, world)));
                let until = until.unwrap_or_default();
                format!(
                    "{name} for {source}: {needed} of {}{until}",
                    names.join(" ")
                )
            }
            Blocker::Policy { policies, .. } => {
                let names: Vec<&str> = policies.iter().map(|id| id.as_str()).collect();
                format!("policies {}", names.join(" "))
            }
            Blocker::Tool {
                tool,
                faults,
                nearest,
            } => {
                let faults = faults
                    .iter()
                    .map(|fault| format!(" {}: {}", fault.argument, fault.wanted));
                let nearest = nearest.iter().map(|name| format!(" near {name}"));
                format!("tool {tool}{}", faults.chain(nearest).collect::<String>())
            }
            Blocker::Delegation { parent, chain } => {
                let names: Vec<&str> = chain.iter().map(|id| id.as_str()).collect();
                format!(
                    "delegation by {}: {}",
                    self.permit(*parent),
                    names.join(" → ")
                )
            }
            Blocker::Budget {
                budget,
                available,
                asked,
            } => format!("budget {budget}: {available} left, {asked} asked"),
            Blocker::Lock {
                path,
                mode: how,
                permit,
                ..
            } => format!("{}:{path} of {}", mode(*how), self.permit(*permit)),
            Blocker::Turn { path, permit, .. } => {
                format!("turn of {} at {path}", self.permit(*permit))
            }
            Blocker::Version {
                path,
                current,
                permit,
                ..
            } => {
                let current = current.map_or("unknown".into(), |at| self.version(at.0));
                let by = permit.map(|permit| format!(" by {}", self.permit(permit)));
                format!("{path} is at {current}{}", by.unwrap_or_default())
            }
            Blocker::Cycle { permits, .. } => format!("cycle {}", self.permits(permits)),
        }
    }

    pub fn denial(&self, denial: &Denial, world: &World) -> String {
        let mut text = format!("denied {}", denial.code);
        if let Some(blocker) = &denial.blocker {
            text += &format!(" ({})", self.blocker(blocker, world));
        }
        if let Some(after) = denial.retry_after_ms {
            text += &format!(", again in {} ms", after.0);
        }
        if matches!(denial.gate, Gate::Rules | Gate::Approval) {
            text += &format!(": {}", self.renamed(denial.reason.as_str()));
        }
        text
    }

    pub fn answer(&self, answer: &Answer, world: &World) -> String {
        match answer {
            Err(rejection) => {
                let field = rejection.field.as_ref();
                let field = field.map(|field| format!(" [{field}]")).unwrap_or_default();
                let message = self.renamed(rejection.message.as_str());
                format!("rejected {}{field}: {message}", rejection.code)
            }
            Ok(Reply::Decision(Decision::Granted(grant))) => format!(
                "granted{}{} until {}",
                self.held(&grant.resources),
                self.kept(&grant.versions),
                time(grant.expires_at, world)
            ),
            Ok(Reply::Decision(Decision::Queued(queued)) | Reply::Extending(queued)) => format!(
                "queued at {} behind {} until {}",
                queued.position,
                self.blocker(&queued.waits_for, world),
                time(queued.until, world)
            ),
            Ok(Reply::Decision(Decision::Denied(denial))) => self.denial(denial, world),
            Ok(Reply::Granted(grant)) => format!(
                "holds{} until {}",
                self.held(&grant.resources),
                time(grant.expires_at, world)
            ),
            Ok(Reply::Finished(event)) => {
                let posted = event.posted.iter().map(|charge| {
                    let account = charge.account.as_deref().map(|a| format!("/{a}"));
                    format!(
                        " {}{}={}",
                        charge.budget,
                        account.unwrap_or_default(),
                        charge.amount
                    )
                });
                let posted: String = posted.collect();
                let overrun = match event.overrun.is_zero() {
                    true => String::new(),
                    false => format!(
                        " overrun money={} tokens={}",
                        event.overrun.money_micros, event.overrun.tokens
                    ),
                };
                format!("finished{posted}{overrun}")
            }
            Ok(Reply::Connected { recovering, .. }) => match recovering {
                true => "connected, recovering".into(),
                false => "connected".into(),
            },
            Ok(Reply::Halted { reach, revoked, .. }) => {
                format!("halted, reach {reach}, revoked {revoked}")
            }
            Ok(Reply::Counted(counted)) => {
                let state = counted.state.as_str();
                format!("counted: {state}, {} missing", counted.missing)
            }
            Ok(Reply::ReleaseRequested { .. }) => "release requested".into(),
            Ok(Reply::Transaction(standing)) => {
                let gid = standing
                    .gid
                    .as_ref()
                    .map(|gid| format!(" as {}", self.gid(gid)));
                format!(
                    "{} {:?} until {}{}",
                    self.txn(standing.txn),
                    standing.state,
                    time(standing.deadline, world),
                    gid.unwrap_or_default()
                )
            }
            Ok(Reply::Done { .. }) => "done".into(),
            Ok(Reply::Unchanged) => "unchanged".into(),
        }
    }

    /// What a record that follows from another tells.
    pub fn record(&self, record: &Record, world: &World) -> String {
        match &record.event {
            Event::PermitGranted(event) => format!("{} granted", self.permit(event.permit)),
            Event::PermitDenied(event) => {
                let denial = self.denial(&event.denial, world);
                format!("{} {denial}", self.permit(event.denial.permit))
            }
            Event::PermitRequeued(event) => format!(
                "{} now waits for {}",
                self.permit(event.permit),
                self.blocker(&event.waits_for, world)
            ),
            Event::PermitExtended(event) => format!("{} extended", self.permit(event.permit)),
            Event::PermitExtensionDenied(event) => {
                let denial = self.denial(&event.denial, world);
                format!("{} extension {denial}", self.permit(event.denial.permit))
            }
            Event::PermitExpired(event) => format!("{} expired", self.permit(event.permit)),
            Event::BudgetSoftReached(event) => format!(
                "budget {}{} soft reached: {} of {}",
                event.budget,
                event
                    .account
                    .as_deref()
                    .map(|a| format!("/{a}"))
                    .unwrap_or_default(),
                event.used,
                event.soft
            ),
            Event::ApprovalAsked(event) => {
                let name = self.approval(ApprovalId(record.seq));
                let names: Vec<String> = event
                    .terms
                    .assignees
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                let until = event
                    .deadline
                    .map(|at| format!(" until {}", time(at, world)));
                let (names, until) = (names.join(" "), until.unwrap_or_default());
                format!("{name} asked of {names}{until}")
            }
            Event::ApprovalDecided(event) => {
                let how = match (event.approved, event.by) {
                    (true, Means::Answers) => "approved",
                    (false, Means::Answers) => "rejected",
                    (true, Means::Deadline) => "approved by its deadline",
                    (false, Means::Deadline) => "rejected by its deadline",
                };
                format!("{} {how}", self.approval(event.approval))
            }
            Event::ApprovalEscalated(event) => {
                let names: Vec<String> = event.assignees.iter().map(ToString::to_string).collect();
                let until = event
                    .deadline
                    .map(|at| format!(" until {}", time(at, world)));
                let (names, until) = (names.join(" "), until.unwrap_or_default());
                let name = self.approval(event.approval);
                format!("{name} escalated to {names}{until}")
            }
            Event::ApprovalSlaBreached(event) => {
                format!("{} breached its sla", self.approval(event.approval))
            }
            Event::ApprovalMoot(event) => format!("{} moot", self.approval(event.approval)),
            Event::ConflictOpened(event) => {
                let dispute = &event.dispute;
                let (until, parties) = (time(dispute.deadline, world), &dispute.parties);
                let parties = parties.iter().map(|party| {
                    let holds = if party.holds { " holds" } else { "" };
                    format!(" {}{holds}", self.permit(party.permit))
                });
                let parties: String = parties.collect();
                let before = dispute.before.as_ref().map(before).unwrap_or_default();
                let rule = &dispute.rule;
                format!("conflict taken up by {rule} until {until}{before}:{parties}")
            }
            Event::ConflictRaised(event) => format!("conflict raised:{}", self.seats(&event.seats)),
            Event::ConflictEscalated(event) => format!(
                "conflict escalated{} until {}",
                before(&event.before),
                time(event.deadline, world)
            ),
            Event::ConflictResolved(event) => {
                let winner = event
                    .winner
                    .map(|winner| format!(" for {}", self.permit(winner)));
                let ends = event.ends.iter().map(|ends| {
                    let until = time(ends.expires_at, world);
                    format!(" {} ends at {until}", self.permit(ends.permit))
                });
                let ends: String = ends.collect();
                let seats = self.seats(&event.seats);
                let winner = winner.unwrap_or_default();
                format!("conflict resolved by {:?}{winner}{ends};{seats}", event.how)
            }
            Event::RuleTripped(event) => format!("rule {} tripped for {}", event.rule, event.key),
            Event::HaltOrdered(event) => format!("revoked: {}", self.permits(&event.revoked)),
            Event::InstanceConnected(event) => {
                format!("released: {}", self.permits(&event.released))
            }
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                format!("released: {}", self.permits(&event.released))
            }
            Event::TxnHeld(event) => {
                let (txn, permit) = (self.txn(event.txn), self.permit(event.permit));
                format!("{txn} holds {permit}")
            }
            Event::TxnReported(event) => {
                let again = event
                    .again_at
                    .map(|at| format!(", again at {}", time(at, world)));
                format!(
                    "{} {} {:?}{}",
                    self.txn(event.txn),
                    event.branch,
                    event.became,
                    again.unwrap_or_default()
                )
            }
            Event::TxnDecided(event) => {
                let why = self.renamed(event.reason.as_str());
                let code = event.code.map(|code| format!(" {code}: {why}"));
                let code = code.unwrap_or_default();
                format!("{} decided {:?}{code}", self.txn(event.txn), event.decision)
            }
            Event::TxnMoved(event) => {
                format!(
                    "{} {} {:?}",
                    self.txn(event.txn),
                    event.branch,
                    event.became
                )
            }
            Event::TxnEnded(event) => format!("{} {:?}", self.txn(event.txn), event.state),
            Event::PermitFinished(event) => {
                let permit = self.permit(event.finish.permit);
                format!("{permit} {:?}", event.finish.ending)
            }
            Event::PermitRejudged(event) => format!("{} judged anew", self.permit(event.permit)),
            event => event.name().to_owned(),
        }
    }
}

/// Whole milliseconds since the script began.
pub fn time(at: Time, _: &World) -> String {
    (at.0.saturating_sub(super::world::MORNING.0) / 1_000).to_string()
}

pub fn mode(mode: fleet_types::lock::Mode) -> char {
    match mode {
        fleet_types::lock::Mode::Shared => 's',
        fleet_types::lock::Mode::Commuting => 'c',
        fleet_types::lock::Mode::Exclusive => 'x',
    }
}

fn before(level: &Level) -> String {
    match &level.scope {
        Some(scope) => format!(" before {scope}"),
        None => " before the fleet".to_owned(),
    }
}

/// What a conflict is about.
pub fn thing(it: &View) -> String {
    match (&it.resource, &it.rule, it.kind) {
        (Some(path), _, Kind::Data) => format!("version:{path}"),
        (Some(path), ..) => path.to_string(),
        (None, Some(rule), _) => format!("{rule}:{}", it.key),
        (None, None, _) => String::new(),
    }
}
