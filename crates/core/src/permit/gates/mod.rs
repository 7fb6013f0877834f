//! The gates of a permit, in the order of passage; the first that cannot pass decides (I7: nothing is consumed
//! here, only found to be free; the grant consumes it all at once).
//!
//! To add a gate: a file here, its place in [`pass`], its name in `fleet_types::explain::Gate`. A gate that wants somebody to
//! approve adds a need, which the gate of approvals looks up.
mod agent_state;
pub mod approval;
mod budgets;
mod capability;
mod delegation;
mod halt;
mod identity;
mod limits;
mod locks;
mod policy;
mod rules;
mod tool;

use crate::agent::{Agent, AgentKey};
use crate::lock::check::Asker;
use crate::permit::grant::Found;
use crate::rule::judge::{Marks, Observed};
use crate::state::State;
use fleet_types::approval::Need;
use fleet_types::explain::{Gate, GateReport, Verdict};
use fleet_types::limit::Class;
use fleet_types::lock::Claim;
use fleet_types::permit::{Blocker, BudgetCharge, LimitCharge, Request};
use fleet_types::rule::Notes;
use fleet_types::{Actor, ApprovalId, Code, Millis, Text, Time};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// A request before the gates.
pub struct Ask<'s> {
    pub state: &'s State,
    pub by: &'s Actor,
    pub agent_key: AgentKey,
    pub agent: &'s Agent,
    pub request: &'s Request,
    /// What policies and its tool said of it, if they were asked.
    pub verdict: Option<&'s fleet_types::policy::Verdict>,
    pub class: Class,
    pub asker: Asker,
    /// The limit in whose queue it stands already.
    pub waits_for_limit: Option<u32>,
    /// Whether it stands in the queue of its agent's own concurrency.
    pub waits_for_agent: bool,
    /// Whether it holds already and asks for more: then rules are asked only about the resources.
    pub extends: bool,
    /// Whether every gate should be asked about everything.
    pub explain: bool,
    pub now: Time,
}

/// What a grant will consume.
#[derive(Default)]
pub struct Passed {
    pub marks: Marks,
    pub limits: Found<LimitCharge>,
    pub budgets: Found<BudgetCharge>,
    pub approvals: Vec<ApprovalId>,
}

/// The approvals that gates on the way found to be needed.
pub type Needs = Vec<Need>;

/// Why a gate does not let a request pass.
#[derive(Debug)]
pub struct Stop {
    pub gate: Gate,
    pub code: Code,
    pub reason: String,
    pub blocker: Option<Blocker>,
    pub retry_after: Option<Millis>,
    /// Whether waiting helps.
    pub can_wait: bool,
    /// What must be asked before it is waited for.
    pub needs: Needs,
}

impl Stop {
    /// A stop that waiting does not cure.
    pub fn deny(gate: Gate, code: Code, reason: impl Into<String>) -> Box<Stop> {
        Box::new(Stop {
            gate,
            code,
            reason: reason.into(),
            blocker: None,
            retry_after: None,
            can_wait: false,
            needs: Needs::new(),
        })
    }

    /// A stop that passes when something changes.
    pub fn wait(gate: Gate, code: Code, reason: impl Into<String>, blocker: Blocker) -> Box<Stop> {
        Box::new(Stop {
            blocker: Some(blocker),
            can_wait: true,
            ..*Stop::deny(gate, code, reason)
        })
    }
}

/// What the gates saw, if somebody wants to know.
#[derive(Default)]
pub struct Report {
    pub gates: Vec<GateReport>,
    /// Rules that are observed and would have stopped it.
    pub observed: Observed,
    /// What policies said of it.
    pub policies: Option<Box<fleet_types::policy::Verdict>>,
    wanted: bool,
}

impl Report {
    pub fn new(wanted: bool) -> Self {
        Report {
            wanted,
            ..Report::default()
        }
    }

    /// A number a gate saw.
    #[inline]
    pub fn saw(&mut self, name: impl FnOnce() -> String, value: u64) {
        if self.wanted
            && let Some(gate) = self.gates.last_mut()
        {
            gate.saw.insert(SmolStr::new(name()), value);
        }
    }

    /// What rules had to do with an answer that is no grant.
    pub fn notes(&self) -> Option<Box<Notes>> {
        Notes {
            marks: Vec::new(),
            observed: self.observed.to_vec(),
        }
        .filled()
    }

    fn begin(&mut self, gate: Gate) {
        if self.wanted {
            self.gates.push(GateReport {
                gate,
                verdict: Verdict::Pass,
                code: None,
                note: Text::default(),
                saw: BTreeMap::new(),
            });
        }
    }

    fn stopped(&mut self, stop: &Stop) {
        if self.gates.last().is_none_or(|last| last.gate != stop.gate) {
            self.begin(stop.gate); // Looked at before its turn.
        }
        if let Some(gate) = self.gates.last_mut() {
            gate.verdict = if stop.can_wait {
                Verdict::Wait
            } else {
                Verdict::Deny
            };
            gate.code = Some(stop.code);
            gate.note = Text::clip(&stop.reason);
            for gate in Gate::ALL.into_iter().filter(|g| *g > stop.gate) {
                self.gates.push(GateReport {
                    gate,
                    verdict: Verdict::NotReached,
                    code: None,
                    note: Text::default(),
                    saw: BTreeMap::new(),
                });
            }
        }
    }
}

/// Passes a request through every gate.
pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<Passed, Box<Stop>> {
    let said = ask.verdict.cloned();
    report.policies = said.and_then(fleet_types::policy::Verdict::filled);
    let passed = pass_in_order(ask, report);
    if let Err(stop) = &passed {
        report.stopped(stop);
    }
    passed
}

fn pass_in_order(ask: &Ask<'_>, report: &mut Report) -> Result<Passed, Box<Stop>> {
    tool::current(ask)?;
    report.begin(Gate::Identity);
    identity::pass(ask)?;
    report.begin(Gate::Halt);
    halt::pass(ask, report)?;
    report.begin(Gate::AgentState);
    agent_state::pass(ask, report)?;
    report.begin(Gate::Capability);
    capability::pass(ask)?;
    report.begin(Gate::Delegation);
    delegation::pass(ask, report)?;
    report.begin(Gate::Tool);
    let mut needs = Needs::new();
    tool::pass(ask, &mut needs, report)?;
    report.begin(Gate::Policy);
    policy::pass(ask, &mut needs, report)?;
    report.begin(Gate::Rules);
    let marks = rules::pass(ask, &mut needs, report)?;
    report.begin(Gate::Limits);
    let limits = limits::pass(ask, report)?;
    report.begin(Gate::Budget);
    let budgets = budgets::pass(ask, report)?;
    report.begin(Gate::Approval);
    let approvals = approval::pass(ask, &needs, report)?;
    report.begin(Gate::Locks);
    locks::pass(ask, report)?;
    Ok(Passed {
        marks,
        limits,
        budgets,
        approvals,
    })
}

/// A permit that holds and asks for more passes these again: session, halt and what the agent may do are checked
/// when the lock is granted, not only when the wait began. What it is to rules, and whether what policies said of it counts.
pub fn pass_extension(
    ask: &Ask<'_>,
    claims: &[Claim],
) -> Result<(Option<Box<Notes>>, bool), Box<Stop>> {
    halt::pass(ask, &mut Report::default())?;
    agent_state::alive(ask)?;
    capability::resources(ask, claims)?;
    let mut needs = Needs::new();
    tool::pass_extension(ask, &mut needs, claims)?;
    let counts = policy::pass_extension(ask, &mut needs, claims)?;
    let notes = rules::pass_extension(ask, &mut needs, claims)?;
    approval::pass_extension(&needs)?;
    locks::free(ask, claims)?;
    Ok((notes, counts))
}
