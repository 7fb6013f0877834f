//! A small world that random commands are tried on, as the runtime would.
mod policies;

use fleet_core::{State, next_deadline, read, step};
use fleet_types::approval::Phase;
use fleet_types::permit::{self, Extend, Request};
use fleet_types::policy::{Judged, JudgedExtend, Rejudged};
use fleet_types::rule::Rule;
use fleet_types::{
    Actor, Command, Envelope, Epoch, Event, HaltId, Millis, PermitId, Record, Reply, Time,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// Rules that histories and candidates are made of.
pub const RULES: &[&str] = &[
    r#"{"when":{"action":"b"},"form":{"contradiction":{"with":{"action":"a"},"within_ms":2000}}}"#,
    r#"{"when":{"action":"a"},"form":{"quota":{"max":2,"window_ms":3000}}}"#,
    r#"{"when":{"action":"a"},"form":{"cooling_off":{"for_ms":1500}}}"#,
    r#"{"when":{"action":"b"},"form":{"sequence":{"after":{"action":"a"},"within_ms":4000}}}"#,
    r#"{"when":{"action":"a"},"form":{"exclusion":{"with":{"action":"b"},"per":[]}}}"#,
    r#"{"form":{"bounds":{"parameter":"/n","at_most":6}}}"#,
    r#"{"when":{"action":"b"},"form":{"separation":{"from":{"action":"a"},"within_ms":5000}}}"#,
    r#"{"form":{"throttle":{"max":3,"window_ms":2000,"per":["agent"]}}}"#,
    r#"{"stage":"observe","form":{"cooling_off":{"for_ms":500}}}"#,
    r#"{"when":{"action":"b"},"form":{"approval":{"assignees":[{"group":"board"}],"needed":2,"deadline_ms":2000}}}"#,
    r#"{"when":{"action":"a"},"form":{"approval":{"assignees":[{"role":"operator"}],"deadline_ms":900,"escalate_to":[{"assignees":[{"agent":"dee"}]}],"on_deadline":"escalate"}}}"#,
];

pub fn rule(at: usize, id: &str) -> Rule {
    let mut rule: Value = serde_json::from_str(RULES[at % RULES.len()]).unwrap();
    rule["id"] = json!(id);
    serde_json::from_value(rule).unwrap()
}

/// One command, or time that passes.
#[derive(Clone, Debug)]
pub enum Op {
    Ask {
        agent: u8,
        action: u8,
        resource: u8,
        n: u8,
        wait: bool,
        session: bool,
    },
    End {
        nth: u8,
        how: u8,
    },
    Renew {
        nth: u8,
    },
    Extend {
        nth: u8,
        resource: u8,
        wait: bool,
    },
    Sleep {
        ms: u16,
    },
    Rule {
        at: u8,
        slot: u8,
        how: u8,
    },
    Connect {
        agent: u8,
    },
    Leave {
        agent: u8,
        missed: bool,
    },
    Halt {
        agent: u8,
        mode: u8,
    },
    Release {
        nth: u8,
    },
    Limit {
        max: u8,
    },
    Answer {
        nth: u8,
        who: u8,
        how: u8,
    },
    Policy {
        slot: u8,
        module: u8,
        how: u8,
    },
}

/// Any of them; those that make traffic more often.
pub fn op() -> impl Strategy<Value = Op> {
    any::<([u8; 6], bool, bool, u16)>().prop_map(|([kind, a, b, c, d, e], x, y, ms)| {
        match kind % 30 {
            0..=7 => Op::Ask {
                agent: a,
                action: b,
                resource: c,
                n: d,
                wait: x,
                session: y && e % 2 == 0,
            },
            8..=11 => Op::End { nth: a, how: b },
            12..=14 => Op::Sleep { ms },
            15 => Op::Renew { nth: a },
            16 => Op::Extend {
                nth: a,
                resource: b,
                wait: x,
            },
            17..=18 => Op::Rule {
                at: a,
                slot: b,
                how: c,
            },
            19 => Op::Connect { agent: a },
            20 => Op::Leave {
                agent: a,
                missed: x,
            },
            21 => Op::Halt { agent: a, mode: b },
            22 => Op::Release { nth: a },
            23 => Op::Limit { max: a },
            24..=27 => Op::Answer {
                nth: a,
                who: b,
                how: c,
            },
            _ => Op::Policy {
                slot: a,
                module: b,
                how: c,
            },
        }
    })
}

const AGENTS: [&str; 3] = ["ann", "bob", "cid"];

#[derive(Default)]
pub struct History {
    state: State,
    pub records: Vec<Record>,
    wall: Time,
    asked: u64,
    epochs: [Option<Epoch>; 3],
    halts: Vec<HaltId>,
}

impl History {
    pub fn of(ops: &[Op]) -> History {
        let mut history = History {
            wall: Time(1_793_606_400_000_000),
            ..History::default()
        };
        let settings =
            json!({"default_decision": "allow", "auto_register": true, "ttl_ms_default": 3000});
        history.local(command("configure", settings));
        let board = json!({"id": "board", "members": ["ann", "bob", "dee"]});
        for agent in ["ann", "bob", "cid", "dee"] {
            history.local(command("agent", json!({"register": {"id": agent}})));
        }
        history.local(command("group", json!({"set": board})));
        for op in ops {
            history.one(op);
            history.rejudge();
        }
        history
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        let first = |record: &&Record| match &record.event {
            Event::PermitGranted(event) => event.permit.0 == record.seq,
            Event::PermitQueued(_) => true,
            Event::PermitDenied(event) => event.denial.permit.0 == record.seq,
            _ => false,
        };
        self.records.iter().filter(first).count() as u64
    }

    fn run(&mut self, by: Actor, command: Command) -> Option<Reply> {
        let now = self.wall.max(Time(self.state.now().0 + 1));
        let mut records = Vec::new();
        let answer = step(
            &mut self.state,
            &Envelope { by, command },
            now,
            &mut records,
        );
        self.state.drain_evicted().for_each(drop);
        self.records.extend(records);
        answer.ok()
    }

    fn local(&mut self, command: Command) -> Option<Reply> {
        self.run(Actor::Local, command)
    }

    /// Asks with what policies say.
    fn ask(&mut self, request: Arc<Request>) {
        let (request, verdict) = policies::judge(&self.state, &request);
        let asked = match verdict.filled() {
            None => permit::Command::Request(request),
            Some(verdict) => permit::Command::Judged(Box::new(Judged {
                request,
                verdict: *verdict,
                attempts: 0,
            })),
        };
        self.local(Command::Permit(asked));
    }

    fn extend(&mut self, extend: Arc<Extend>) {
        let verdict = read::extension(&self.state, &extend)
            .and_then(|asked| policies::judge(&self.state, &Arc::new(asked)).1.filled());
        let asked = match verdict {
            None => permit::Command::Extend(extend),
            Some(verdict) => permit::Command::JudgedExtend(Box::new(JudgedExtend {
                extend,
                verdict: *verdict,
                attempts: 0,
            })),
        };
        self.local(Command::Permit(asked));
    }

    /// What waits since policies have changed is judged anew.
    fn rejudge(&mut self) {
        for found in read::unjudged(&self.state, 1_000) {
            let (request, verdict) = policies::judge(&self.state, &found.asked);
            let rejudged = Rejudged {
                permit: found.permit,
                request,
                verdict,
            };
            let command = permit::Command::Rejudge(Box::new(rejudged));
            self.run(Actor::System, Command::Permit(command));
        }
    }

    /// Somebody answers an open approval, escalates it, gives it to others, or lets another answer.
    fn answer(&mut self, nth: u8, who: u8, how: u8) {
        let filter = read::ApprovalFilter {
            state: Some(Phase::Open),
            ..read::ApprovalFilter::default()
        };
        let open = read::approvals(&self.state, &filter, self.state.now(), None, 1_000).items;
        let Some(view) = open.get(usize::from(nth) % open.len().max(1)) else {
            return;
        };
        let approval = view.approval;
        let verb = match how % 8 {
            0 => json!({"escalate": {"approval": approval}}),
            1 => json!({"reassign": {"approval": approval, "assignees": [{"agent": "dee"}]}}),
            2 => json!({"delegate": {"to": {"agent": "cid"}, "for_ms": 3_000}}),
            3 => json!({"answer": {"approval": approval, "option": "reject"}}),
            _ => json!({"answer": {"approval": approval, "option": "approve"}}),
        };
        let (by, role) = match who % 5 {
            4 => (Actor::Key("k1".parse().unwrap()), "operator"),
            at => {
                let agent = ["ann", "bob", "cid", "dee"][usize::from(at)];
                (Actor::Agent(agent.parse().unwrap()), "agent")
            }
        };
        let body =
            json!({"proof": {"role": if how % 8 == 1 { "admin" } else { role }}, "verb": verb});
        self.run(by, command("approval", body));
    }

    /// A live permit, and whose.
    fn permit(&self, nth: u8) -> Option<(PermitId, String)> {
        let filter = fleet_core::read::PermitFilter::default();
        let page = fleet_core::read::permits(&self.state, &filter, None, 1_000);
        let count = page.items.len().max(1);
        let view = page.items.into_iter().nth(usize::from(nth) % count)?;
        Some((view.permit, view.request.agent.to_string()))
    }

    fn one(&mut self, op: &Op) {
        let agent = |at: u8| AGENTS[usize::from(at) % 3];
        match op {
            Op::Ask {
                agent: at,
                action,
                resource,
                n,
                wait,
                session,
            } => {
                self.asked += 1;
                let action = ["a", "b"][usize::from(action % 2)];
                let mode = ["shared", "exclusive"][usize::from(n % 2)];
                let wait_ms = if *wait { 2_500 } else { 0 };
                let mut request = json!({
                    "request_id": format!("r{}", self.asked), "agent": agent(*at), "action": action,
                    "resources": [{"path": format!("x/{}", resource % 3), "mode": mode}],
                    "parameters": {"n": n % 9}, "wait_ms": wait_ms,
                });
                if let (true, Some(epoch)) = (session, self.epochs[usize::from(at % 3)]) {
                    request["instance"] = json!({"id": "one", "epoch": epoch});
                }
                self.ask(serde_json::from_value(request).unwrap());
            }
            Op::End { nth, how } => {
                if let Some((permit, agent)) = self.permit(*nth) {
                    let ending =
                        ["completed", "completed", "failed", "cancelled"][usize::from(how % 4)];
                    let body =
                        json!({"finish": {"permit": permit, "agent": agent, "ending": ending}});
                    self.local(command("permit", body));
                }
            }
            Op::Renew { nth } => {
                if let Some((permit, agent)) = self.permit(*nth) {
                    let body =
                        json!({"renew": {"permit": permit, "agent": agent, "ttl_ms": 4_000}});
                    self.local(command("permit", body));
                }
            }
            Op::Extend {
                nth,
                resource,
                wait,
            } => {
                if let Some((permit, agent)) = self.permit(*nth) {
                    let wait_ms = if *wait { 1_500 } else { 0 };
                    let extend = json!({
                        "permit": permit, "agent": agent, "wait_ms": wait_ms,
                        "resources": [{"path": format!("x/{}", resource % 3), "mode": "exclusive"}],
                    });
                    self.extend(serde_json::from_value(extend).unwrap());
                }
            }
            Op::Sleep { ms } => {
                let until = self
                    .wall
                    .max(self.state.now())
                    .after(Millis(u64::from(ms % 3_000)));
                while let Some(deadline) = next_deadline(&self.state).filter(|at| *at <= until) {
                    // A little late, as machines are.
                    self.wall = Time(self.wall.max(deadline).0 + u64::from(ms % 7) * 100);
                    self.run(Actor::System, Command::Tick);
                }
                self.wall = self.wall.max(until);
            }
            Op::Rule { at, slot, how } => {
                let id = format!("u{}", slot % 3);
                let body = match how % 6 {
                    0 => json!({"remove": {"rule": id}}),
                    1 => json!({"roll_back": {"rule": id}}),
                    2 => json!({"reset": {"rule": id}}),
                    _ => json!({"set": {"rule": rule(usize::from(*at), &id)}}),
                };
                self.local(command("rule", body));
            }
            Op::Connect { agent: at } => {
                let key = json!({"agent": agent(*at), "instance": "one"});
                let body = json!({"connect": {"key": key, "resume": null}});
                if let Some(Reply::Connected { epoch, .. }) = self.local(command("instance", body))
                {
                    self.epochs[usize::from(at % 3)] = Some(epoch);
                }
            }
            Op::Leave { agent: at, missed } => {
                if let Some(epoch) = self.epochs[usize::from(at % 3)].take() {
                    let key = json!({"agent": agent(*at), "instance": "one"});
                    let body = match missed {
                        true => json!({"miss": {"key": key, "epoch": epoch, "missed": 3}}),
                        false => json!({"disconnect": {"key": key, "epoch": epoch}}),
                    };
                    self.run(Actor::System, command("instance", body));
                }
            }
            Op::Halt { agent: at, mode } => {
                let target = match at % 4 {
                    3 => json!("all"),
                    _ => json!({"agent": agent(*at)}),
                };
                let mode =
                    ["pause", "graceful", "immediate", "risk_reducing_only"][usize::from(mode % 4)];
                let order = json!({"order": {"target": target, "mode": mode, "reason": "test"}});
                if let Some(Reply::Halted { halt, .. }) = self.local(command("halt", order)) {
                    self.halts.push(halt);
                }
            }
            Op::Release { nth } => {
                if !self.halts.is_empty() {
                    let halt = self.halts.remove(usize::from(*nth) % self.halts.len());
                    self.local(command("halt", json!({"release": {"halt": halt}})));
                }
            }
            Op::Limit { max } => {
                let measure = json!({"concurrency": {"max": 1 + max % 4}});
                let limit = json!({"id": "busy", "each": "agent", "measure": measure});
                self.local(command("limit", json!({"set": limit})));
            }
            Op::Answer { nth, who, how } => self.answer(*nth, *who, *how),
            Op::Policy { slot, module, how } => {
                let module = policies::MODULES[usize::from(module % 4)];
                let body = match how % 8 {
                    0..=3 => json!({"remove": {"policy": format!("y{}", slot % 2)}}),
                    4 => policies::set(slot % 2, module, "observe"),
                    5 => json!({"set_data": {"data": {"n": how}}}),
                    _ => policies::set(slot % 2, module, "enforce"),
                };
                self.local(command("policy", body));
            }
        }
    }
}

fn command(noun: &str, body: Value) -> Command {
    let text = json!({ noun: body }).to_string();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
