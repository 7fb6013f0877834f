//! From small numbers to commands that fit the fleet as it stands, and now and then do not.
use super::super::policies::{Judge, by_all, judge, set};
use super::super::world::{World, request};
use super::ops::{Claim, Op, PATHS};
use super::people;
use crate::State;
use fleet_types::permit::{self, Request};
use fleet_types::policy::{Judged, JudgedExtend, Rejudged, Verdict};
use fleet_types::{Actor, Command, HaltId, Millis, PermitId, Seq, Time};
use serde_json::{Value, json};
use std::sync::Arc;

pub const AGENTS: [&str; 4] = ["ann", "bob", "cid", "dee"];
const SCOPES: [&str; 4] = ["", "north", "north/one", "south"];
pub const ACTIONS: [&str; 3] = ["pay", "cut.a", "cut.b"];
pub const WAITS: [u64; 6] = [0, 0, 1, 500, 5_000, 60_000];
pub const TTLS: [u64; 5] = [0, 1, 200, 3_000, 20_000];

pub struct Driver {
    pub world: World,
    /// What policies said last, to be said again when it does not fit any more.
    said: Verdict,
    asked: Vec<Arc<fleet_types::permit::Request>>,
}

pub fn pick<T: Copy>(list: &[T], at: u8) -> T {
    list[usize::from(at) % list.len()]
}

fn mode(at: u8) -> &'static str {
    pick(&["shared", "commuting", "exclusive"], at)
}

/// A version that somebody may have seen: as it is, somewhat older, or of the last permit that ended.
fn version(state: &State, path: &str, at: u8) -> u64 {
    let now = state.seq().0;
    match (at % 4, state.versions.of(path)) {
        (0, Some((version, ..))) => version.0,
        (1, Some((_, _, Some(write)))) => write.by.token.0,
        (2, _) => now.saturating_sub(u64::from(at / 4)),
        (_, _) => now,
    }
}

pub fn claims(state: &State, list: &[Claim]) -> Value {
    let mut named: Vec<&str> = Vec::new();
    let mut claims = Vec::new();
    for (path, how) in list {
        let path = pick(&PATHS, *path);
        if !named.contains(&path) {
            named.push(path);
            let mut claim = json!({"path": path, "mode": mode(*how)});
            if *how >= 3 {
                claim["if_version"] = version(state, path, how / 3).into();
            }
            claims.push(claim);
        }
    }
    claims.into()
}

fn selector(at: u8) -> Value {
    pick(
        &[
            r#"{}"#,
            r#"{"scope":"north"}"#,
            r#"{"agent":"ann"}"#,
            r#"{"group":"g0"}"#,
            r#"{"action":"cut.*"}"#,
            r#"{"action":"pay"}"#,
            r#"{"resource":"a/**"}"#,
            r#"{"labels":{"l":"1"}}"#,
            r#"{"scope":"north/one","action":"pay"}"#,
            r#"{"agent":"*","resource":"f/*"}"#,
        ],
        at,
    )
    .parse()
    .unwrap()
}

/// A tool over the argument `n`, which is not always there.
fn tool(id: u8, kind: u8, guard: u8, cases: u8) -> Command {
    let resources = pick(
        &[
            r#"[]"#,
            r#"[{"path":"f/{n}","mode":"exclusive"}]"#,
            r#"[{"path":"a/{n}","mode":"shared"},{"path":"f/{n}","mode":"commuting"}]"#,
            r#"[{"path":"i","mode":"shared"}]"#,
        ],
        kind,
    );
    let cost = pick(
        &[
            r#"{}"#,
            r#"{"fixed":{"money_micros":3}}"#,
            r#"{"per":[{"argument":"/n","unit":{"money_micros":5,"tokens":1}}]}"#,
        ],
        kind / 4,
    );
    let cases = pick(
        &[
            r#"[]"#,
            r#"[{"when":{"parameters":{"/n":{"at_least":2}}},"guard":"forbidden"}]"#,
            r#"[{"when":{"parameters":{"/n":{"at_least":1}}},"guard":"approval"}]"#,
            r#"[{"when":{"resource":"f/**"},"guard":"forbidden"}]"#,
            r#"[{"when":{"agent":"ann"},"guard":"automatic"},{"when":{"scope":"north"},"guard":"forbidden"}]"#,
            r#"[{"when":{"labels":{"l":"1"}},"guard":"approval"}]"#,
        ],
        cases,
    );
    let guard = pick(
        &[
            "automatic",
            "automatic",
            "automatic",
            "approval",
            "forbidden",
        ],
        guard,
    );
    let value = |text: &str| -> Value { text.parse().unwrap() };
    let mut tool = json!({
        "id": pick(&ACTIONS, id), "resources": value(resources), "cost": value(cost),
        "guard": guard, "cases": value(cases), "approval": {"assignees": [{"role": "operator"}]},
    });
    if kind >= 200 {
        tool["arguments"] = json!({"required": ["n"]});
    }
    command("tool", json!({"set": {"tool": tool}}))
}

pub fn command(noun: &str, body: Value) -> Command {
    serde_json::from_value(json!({ noun: body })).unwrap()
}

impl Driver {
    pub fn new() -> Driver {
        Driver {
            world: World::open(&AGENTS[..3]),
            said: Verdict::default(),
            asked: Vec::new(),
        }
    }

    pub fn local(body: Command) -> Vec<(Actor, Command)> {
        vec![(Actor::Local, body)]
    }

    /// A live permit, the oldest first; now and then one that is no more.
    pub fn permit(&self, nth: u8) -> (PermitId, String) {
        let state = &self.world.state;
        let mut live: Vec<PermitId> = state.permits.iter().map(|(_, permit)| permit.id).collect();
        live.sort_unstable();
        if live.is_empty() || nth % 16 == 15 {
            return (PermitId(Seq(u64::from(nth))), pick(&AGENTS, nth).to_owned());
        }
        let id = live[usize::from(nth) % live.len()];
        let owner = state.permits.find(id).unwrap().request.agent.to_string();
        (id, owner)
    }

    fn epoch(&self, agent: &str, instance: &str) -> u64 {
        let agent = self.world.state.agents.get(&agent.parse().unwrap());
        let instance: Option<&crate::agent::Instance> = agent.and_then(|agent| {
            let id: fleet_types::InstanceId = instance.parse().unwrap();
            agent.instances.get(&id)
        });
        instance.map_or(0, |instance| instance.epoch.0)
    }

    fn halt(&self, nth: u8) -> HaltId {
        let active = &self.world.state.halts.active;
        match active.len() {
            0 => HaltId(Seq(u64::from(nth))),
            len => active[usize::from(nth) % len],
        }
    }

    pub fn commands(&mut self, op: &Op) -> Vec<(Actor, Command)> {
        match op {
            Op::Ask { .. } | Op::Again(_) | Op::Reuse(..) => {
                let how = match op {
                    Op::Ask { ttl, .. } => ttl / 5,
                    _ => 1,
                };
                let asked = self.ask(op);
                self.judged(asked, how)
            }
            Op::Extend { nth, .. } => {
                let asked = self.held(op);
                self.judged(asked, nth / 16 + 1)
            }
            Op::Rejudge(nth, old) => self.rejudge(*nth, *old),
            Op::Finish { .. } | Op::Renew(..) => self.held(op),
            Op::Connect(..) | Op::Instance(..) | Op::Ack(..) => self.instance(op),
            Op::Sleep(span) => {
                let until = self.world.wall.after(Millis(1 << (span % 20)));
                // The runtime ticks when it is woken, not at every deadline; both must do.
                if span % 2 == 0 {
                    self.world.wall = until;
                    return vec![(Actor::System, Command::Tick)];
                }
                self.world.wall = crate::next_deadline(&self.world.state)
                    .map_or(until, |deadline| deadline.clamp(self.world.wall, until));
                vec![(Actor::System, Command::Tick)]
            }
            Op::Jump(by) => {
                let wall = self.world.wall.0 as i64 + i64::from(*by) * 40_000_000;
                self.world.wall = Time(wall as u64);
                Vec::new()
            }
            Op::Tick => vec![(Actor::System, Command::Tick)],
            Op::Halt { .. } | Op::Release(..) => self.halts(op),
            Op::Approval { .. } => people::voice(&self.world.state, op),
            Op::Txn(what, a, b, c) => self.txn(*what, *a, *b, *c),
            Op::Answer(..) | Op::Vote(..) | Op::Resolve(..) => self.conflict(op),
            other => Self::local(self.rule(other)),
        }
    }

    /// With what policies say of it; now and then without, or with what they said of something else.
    fn judged(&mut self, commands: Vec<(Actor, Command)>, how: u8) -> Vec<(Actor, Command)> {
        if how.is_multiple_of(8) {
            return commands;
        }
        let judged = |(by, command)| {
            let Command::Permit(command) = command else {
                return (by, command);
            };
            let command = match command {
                permit::Command::Request(asked) => {
                    let (request, verdict) = self.verdict(&asked, how, judge);
                    let judged = Judged {
                        request,
                        verdict,
                        attempts: 0,
                    };
                    permit::Command::Judged(Box::new(judged))
                }
                permit::Command::Extend(extend) => {
                    let asked = crate::read::extension(&self.world.state, &extend);
                    let verdict = match asked {
                        // What they would change is not looked at.
                        Some(asked) => Verdict {
                            original: None,
                            ..self.verdict(&Arc::new(asked), how, by_all).1
                        },
                        None => Verdict::default(),
                    };
                    let judged = JudgedExtend {
                        extend,
                        verdict,
                        attempts: 0,
                    };
                    permit::Command::JudgedExtend(Box::new(judged))
                }
                other => other,
            };
            (by, Command::Permit(command))
        };
        commands.into_iter().map(judged).collect()
    }

    fn verdict(&mut self, asked: &Arc<Request>, how: u8, judge: Judge) -> (Arc<Request>, Verdict) {
        if how % 8 == 7 {
            let verdict = Verdict {
                original: None,
                ..self.said.clone()
            };
            return (asked.clone(), verdict);
        }
        let (request, verdict) = judge(&self.world.state, asked, self.world.wall);
        self.said = verdict.clone();
        (request, verdict)
    }

    fn rejudge(&mut self, nth: u8, old: bool) -> Vec<(Actor, Command)> {
        let waiting = crate::read::unjudged(&self.world.state, 8);
        let count = waiting.len().max(1);
        let Some(unjudged) = waiting.into_iter().nth(usize::from(nth) % count) else {
            return Vec::new();
        };
        let how = if old { 7 } else { 1 };
        let (request, verdict) = self.verdict(&unjudged.asked, how, judge);
        let rejudged = Rejudged {
            permit: unjudged.permit,
            request,
            verdict,
        };
        let command = permit::Command::Rejudge(Box::new(rejudged));
        vec![(Actor::System, Command::Permit(command))]
    }

    fn ask(&mut self, op: &Op) -> Vec<(Actor, Command)> {
        let request = match op {
            Op::Ask {
                agent,
                action,
                claims: list,
                prio,
                wait,
                ttl,
                money,
                label,
                instance,
                by,
            } => {
                let agent = pick(&AGENTS, *agent);
                let mut body = json!({
                    "action": pick(&ACTIONS, *action), "resources": claims(&self.world.state, list),
                    "wait_ms": pick(&WAITS, *wait),
                });
                if prio % 3 > 0 {
                    body["priority"] = json!(prio % 10 + 1);
                }
                if ttl % 5 > 0 {
                    body["ttl_ms"] = json!(pick(&TTLS, *ttl));
                }
                if money % 2 > 0 {
                    body["cost"] = json!({"money_micros": money % 32, "tokens": money / 32});
                }
                if instance % 16 >= 14 {
                    let path = pick(&PATHS, *label);
                    let version = version(&self.world.state, path, *by);
                    body["reads"] = json!([{"path": path, "version": version}]);
                }
                // On behalf of one that is held, or not any more.
                if instance % 16 >= 10 && instance % 16 < 13 {
                    body["parent"] = json!(self.permit(by / 2).0);
                }
                if label % 4 > 0 {
                    body["parameters"] = json!({"n": label / 4 % 4});
                }
                if label % 3 > 0 {
                    body["labels"] = json!({"l": (label % 3).to_string()});
                }
                if instance % 4 == 1 {
                    let name = if instance % 8 == 1 { "i" } else { "k" };
                    let stale = u64::from(instance % 32 == 1);
                    let epoch = self.epoch(agent, name).saturating_sub(stale);
                    body["instance"] = json!({"id": name, "epoch": epoch});
                }
                let body = body.to_string();
                let body = &body[1..body.len() - 1];
                Arc::new(request(&format!("r{}", self.asked.len()), agent, body))
            }
            Op::Again(nth) | Op::Reuse(nth, _) if !self.asked.is_empty() => {
                // Mostly the last ones, as retries do.
                let back = usize::from(*nth) % self.asked.len().min(8);
                let request = &self.asked[self.asked.len() - 1 - back];
                match op {
                    Op::Reuse(_, by) => {
                        let mut other = (**request).clone();
                        other.wait_ms.0 += u64::from(by % 2);
                        other.cost.money_micros += u64::from(by % 3);
                        Arc::new(other)
                    }
                    _ => request.clone(),
                }
            }
            _ => return Vec::new(),
        };
        let by = match op {
            Op::Ask { by, .. } if by % 32 == 0 => Actor::Agent("bob".parse().unwrap()),
            Op::Ask { by, .. } if by % 2 == 0 => Actor::Agent(request.agent.clone()),
            Op::Ask { by, .. } if by % 8 == 1 => {
                Actor::Key(pick(&["k1", "k2"], by / 8).parse().unwrap())
            }
            _ => Actor::Local,
        };
        if matches!(op, Op::Ask { .. }) {
            self.asked.push(request.clone());
        }
        let command = fleet_types::permit::Command::Request(request);
        vec![(by, Command::Permit(command))]
    }

    fn held(&self, op: &Op) -> Vec<(Actor, Command)> {
        let body = match op {
            Op::Finish { nth, ending, cost } => {
                let (permit, agent) = self.permit(*nth);
                let ending = pick(&["completed", "completed", "failed", "cancelled"], *ending);
                let cost =
                    (cost % 3 > 0).then(|| json!({"money_micros": cost / 3, "tokens": cost / 32}));
                json!({"finish": {"permit": permit, "agent": agent, "ending": ending, "cost": cost}})
            }
            Op::Renew(nth, ttl) => {
                let (permit, agent) = self.permit(*nth);
                let ttl = (ttl % 5 > 0).then(|| pick(&TTLS, *ttl));
                json!({"renew": {"permit": permit, "agent": agent, "ttl_ms": ttl}})
            }
            Op::Extend {
                nth,
                claims: list,
                wait,
            } => {
                let (permit, agent) = self.permit(*nth);
                let wait = pick(&WAITS, *wait);
                json!({"extend": {"permit": permit, "agent": agent, "resources": claims(&self.world.state, list), "wait_ms": wait}})
            }
            _ => return Vec::new(),
        };
        Self::local(command("permit", body))
    }

    fn instance(&self, op: &Op) -> Vec<(Actor, Command)> {
        let name = |at: u8| pick(&["i", "k"], at);
        let (Op::Connect(agent, instance, _)
        | Op::Instance(agent, instance, ..)
        | Op::Ack(agent, instance, _)) = op
        else {
            return Vec::new();
        };
        let (agent, instance) = (pick(&AGENTS, *agent), name(*instance));
        let key = json!({"agent": agent, "instance": instance});
        let epoch = self.epoch(agent, instance);
        let body = match op {
            Op::Connect(_, _, resume) => {
                json!({"connect": {"key": key, "resume": resume.then_some(epoch)}})
            }
            Op::Instance(_, _, what, stale) => {
                let epoch = epoch - u64::from(*stale && epoch > 0);
                match what % 3 {
                    0 => json!({"ready": {"key": key, "epoch": epoch}}),
                    1 => json!({"disconnect": {"key": key, "epoch": epoch}}),
                    _ => json!({"miss": {"key": key, "epoch": epoch, "missed": 3}}),
                }
            }
            Op::Ack(_, _, nth) => {
                json!({"acknowledge_halt": {"key": key, "epoch": epoch, "halt": self.halt(*nth), "in_flight": nth}})
            }
            _ => return Vec::new(),
        };
        Self::local(command("instance", body))
    }

    fn halts(&self, op: &Op) -> Vec<(Actor, Command)> {
        let actor = |by: u8| match by % 4 {
            0 => Actor::Agent(pick(&AGENTS, by / 4).parse().unwrap()),
            1 => Actor::Key("k1".parse().unwrap()),
            2 => Actor::Key("k2".parse().unwrap()),
            _ => Actor::Local,
        };
        match op {
            Op::Halt {
                target,
                mode,
                two,
                by,
            } => {
                let target = match target % 8 {
                    0 => json!("all"),
                    1 => json!({"scope": "north"}),
                    2 => json!({"scope": "south"}),
                    3 => json!({"group": "g0"}),
                    4 => json!({"selector": {"l": "1"}}),
                    at => json!({"agent": pick(&AGENTS, at)}),
                };
                let mode = pick(
                    &[
                        "risk_reducing_only",
                        "pause",
                        "graceful",
                        "immediate",
                        "pause",
                    ],
                    *mode,
                );
                let body = json!({"target": target, "mode": mode, "reason": "drill", "release_by_two": two});
                vec![(actor(*by), command("halt", json!({ "order": body })))]
            }
            Op::Release(nth, by) => {
                let body = json!({"release": {"halt": self.halt(*nth)}});
                vec![(actor(*by), command("halt", body))]
            }
            _ => Vec::new(),
        }
    }

    /// Changes of the fleet's own rules.
    fn rule(&self, op: &Op) -> Command {
        match op {
            Op::Register {
                agent,
                version,
                scope,
                max,
                weight,
                label,
                status,
                allow,
            } => {
                let mut body = json!({
                    "id": pick(&AGENTS, *agent), "version": (version % 2 + 1).to_string(),
                    "weight": pick(&[1, 100, 300], *weight), "priority": weight % 10 + 1,
                    "status": pick(&["active", "active", "active", "beta", "deprecated", "offline"], *status),
                });
                if scope % 4 > 0 {
                    body["scope"] = json!(pick(&SCOPES, *scope));
                }
                if max % 2 > 0 {
                    body["config"] = json!({"concurrency_max": max % 3 + 1});
                }
                if label % 3 > 0 {
                    body["labels"] = json!({"l": (label % 3).to_string()});
                }
                if allow % 2 > 0 {
                    body["allow"] = json!({"actions": ["cut.**"], "resources": ["a/**"]});
                }
                command("agent", json!({ "register": body }))
            }
            Op::Watch(path) => command(
                "version",
                json!({"watch": {"resources": [pick(&PATHS, *path)]}}),
            ),
            Op::Status(agent, status) => {
                let status = pick(&["active", "active", "offline", "deprecated"], *status);
                command(
                    "agent",
                    json!({"set_status": {"agent": pick(&AGENTS, *agent), "status": status}}),
                )
            }
            Op::Unregister(agent) => {
                command("agent", json!({"remove": {"agent": pick(&AGENTS, *agent)}}))
            }
            Op::Group(group, members) => {
                let members = AGENTS
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| members & (1 << at) != 0);
                let members: Vec<&str> = members.map(|(_, name)| *name).collect();
                command(
                    "group",
                    json!({"set": {"id": pick(&["g0", "g1"], *group), "members": members}}),
                )
            }
            Op::Ungroup(group) => command(
                "group",
                json!({"remove": {"group": pick(&["g0", "g1"], *group)}}),
            ),
            Op::Action(at, risk) => {
                let pattern = pick(&["cut.*", "pay", "cut.a"], *at);
                command(
                    "action",
                    json!({"set": {"pattern": pattern, "risk_reducing": risk}}),
                )
            }
            Op::Limit {
                id,
                kind,
                max,
                each,
                selector: selects,
                reserve,
                dynamic,
            } => {
                let max = u64::from(max % 5) + 1;
                let measure = match kind % 3 {
                    0 => {
                        json!({"rate": {"permits": max, "per_ms": pick(&[7, 1_000, 60_000], *reserve), "burst": (kind % 2 == 0).then_some(kind % 4 + 1)}})
                    }
                    _ => json!({"concurrency": {"max": max}}),
                };
                let mut body = json!({
                    "id": format!("l{}", id % 3), "measure": measure, "selector": selector(*selects),
                    "each": pick(&["all", "all", "agent", "resource", "action"], *each),
                });
                if reserve % 3 == 1 && max > 1 {
                    body["reserved"] =
                        json!({pick(&["low", "normal", "critical"], *reserve): max - 1});
                }
                if *dynamic {
                    body["dynamic"] =
                        json!({"floor": max, "ceiling": max + 3, "latency_ms_target": 100});
                }
                command("limit", json!({ "set": body }))
            }
            Op::Unlimit(id) => command(
                "limit",
                json!({"remove": {"limit": format!("l{}", id % 3)}}),
            ),
            Op::Budget {
                id,
                hard,
                each,
                period,
                soft,
                selector: selects,
            } => {
                let each = match each % 4 {
                    0 | 1 => json!("all"),
                    2 => json!("agent"),
                    _ => json!({"label": "l"}),
                };
                let mut body = json!({
                    "id": format!("b{}", id % 3), "unit": pick(&["money", "money", "tokens"], *id),
                    "hard": hard % 64, "each": each, "selector": selector(*selects),
                    "period": pick(&["hour", "day", "total", "month"], *period),
                });
                if soft % 2 > 0 {
                    body["soft"] = json!(soft % (hard % 64 + 1));
                }
                command("budget", json!({ "set": body }))
            }
            Op::Rule {
                id,
                form,
                per,
                cases,
                span,
                stage,
            } => {
                let case = |at: u8| -> Value {
                    let cases = [
                        r#"{"action":"pay"}"#,
                        r#"{"action":"cut.*"}"#,
                        r#"{"action":"cut.a"}"#,
                        r#"{}"#,
                        r#"{"agent":"ann"}"#,
                        r#"{"resource":"a/**"}"#,
                        r#"{"labels":{"l":"1"}}"#,
                        r#"{"parameters":{"/n":{"at_least":2}}}"#,
                    ];
                    pick(&cases, at).parse().unwrap()
                };
                let per: Value = pick(
                    &[
                        r#"["resource"]"#,
                        r#"["resource"]"#,
                        r#"["agent"]"#,
                        r#"[]"#,
                        r#"["label:l","resource"]"#,
                        r#"["parameter:/n"]"#,
                        r#"["agent","resource"]"#,
                    ],
                    *per,
                )
                .parse()
                .unwrap();
                let (span, other) = (1 << (span % 16), case(cases / 8));
                let form = match form % 8 {
                    0 => json!({"contradiction": {"with": other, "within_ms": span, "per": per}}),
                    1 => json!({"exclusion": {"with": other, "per": per}}),
                    2 => json!({"sequence": {"after": other, "within_ms": span, "per": per}}),
                    3 => json!({"separation": {"from": other, "within_ms": span, "per": per}}),
                    4 => json!({"cooling_off": {"for_ms": span, "per": per}}),
                    5 => json!({"quota": {"max": cases % 3 + 1, "window_ms": span, "per": per}}),
                    6 => json!({"quota": {"max": 4, "window_ms": span, "sum": "/n", "per": per}}),
                    _ => json!({"throttle": {"max": cases % 3 + 1, "window_ms": span, "per": per}}),
                };
                let stage = pick(
                    &["enforce", "enforce", "enforce", "observe", "draft"],
                    *stage,
                );
                let rule = json!({"id": format!("u{}", id % 3), "stage": stage, "when": case(*cases), "form": form});
                command("rule", json!({"set": {"rule": rule}}))
            }
            Op::ApprovalRule { .. } => people::rule(op),
            Op::Order { .. } | Op::Plan(..) | Op::Unplan(_) => self.ahead(op),
            Op::RuleLife(id, what) => {
                let rule = format!("u{}", id % 3);
                let body = match what % 4 {
                    0 => json!({"remove": {"rule": rule}}),
                    1 => json!({"roll_back": {"rule": rule, "version": null}}),
                    2 => json!({"roll_back": {"rule": rule, "version": what / 64 + 1}}),
                    _ => json!({"reset": {"rule": rule}}),
                };
                command("rule", body)
            }
            Op::Policy {
                id,
                says,
                cases,
                stage,
            } => {
                let cases = pick(
                    &[
                        r#"{}"#,
                        r#"{"action":"pay"}"#,
                        r#"{"action":"cut.*"}"#,
                        r#"{"agent":"ann"}"#,
                        r#"{"resource":"a/**"}"#,
                        r#"{"labels":{"l":"1"}}"#,
                        r#"{"scope":"north"}"#,
                        r#"{"group":"g0"}"#,
                        r#"{"parameters":{"/n":{"at_least":2}}}"#,
                    ],
                    *cases,
                );
                let cases: Value = cases.parse().unwrap();
                let says = pick(
                    &[
                        "allow",
                        "deny 2",
                        "deny",
                        "transform",
                        "approve 3",
                        "failed 3",
                        "transform 1",
                    ],
                    *says,
                );
                let stage = pick(
                    &["enforce", "enforce", "enforce", "observe", "draft"],
                    *stage,
                );
                set(
                    json!({"id": format!("p{}", id % 3), "stage": stage, "when": cases, "module": says}),
                )
            }
            Op::PolicyLife(id, what) => {
                let policy = format!("p{}", id % 3);
                let body = match what % 4 {
                    0 => json!({"remove": {"policy": policy}}),
                    1 => json!({"roll_back": {"policy": policy, "version": null}}),
                    2 => json!({"roll_back": {"policy": policy, "version": what / 64 + 1}}),
                    _ => json!({"set_data": {"data": {"n": what / 64}}}),
                };
                command("policy", body)
            }
            Op::Tool {
                id,
                kind,
                guard,
                cases,
            } => tool(*id, *kind, *guard, *cases),
            Op::Untool(id) => command("tool", json!({"remove": {"tool": pick(&ACTIONS, *id)}})),
            Op::Unbudget(id) => command(
                "budget",
                json!({"remove": {"budget": format!("b{}", id % 3)}}),
            ),
            Op::TopUp(id, amount) => {
                let account = (amount % 4 == 3).then_some("ann");
                command(
                    "budget",
                    json!({"top_up": {"budget": format!("b{}", id % 3), "account": account, "amount": amount % 32}}),
                )
            }
            Op::Settings(at) => {
                let mut settings = serde_json::to_value(&self.world.state.settings).unwrap();
                let (key, value) = pick(
                    &[
                        ("waiting_max", "3"),
                        ("waiting_max", "100000"),
                        ("age_step_ms", "1"),
                        ("request_memory_ms", "1000"),
                        ("ttl_ms_max", "3000"),
                        ("ttl_ms_max", "86400000"),
                        ("auto_register", "true"),
                        ("default_decision", "\"deny\""),
                        ("default_decision", "\"allow\""),
                        ("policy_stage", "\"observe\""),
                        ("policy_stage", "\"enforce\""),
                        ("policy_stage", "\"draft\""),
                        ("tools_required", "[\"cut.*\"]"),
                        ("tools_required", "[]"),
                        ("delegation_depth_max", "1"),
                        ("delegation_depth_max", "0"),
                        ("delegation_depth_max", "8"),
                    ],
                    *at,
                );
                settings[key] = value.parse().unwrap();
                command("configure", settings)
            }
            Op::Scope(at, set) => {
                let path = pick(&SCOPES[1..], *at);
                let body = match set {
                    true => json!({"set": {"path": path}}),
                    false => json!({"remove": {"path": path}}),
                };
                command("scope", body)
            }
            Op::Graph(from, to, declare) => {
                let node = |at: u8| pick(&["agent:ann", "action:pay", "resource:a/b"], at);
                let mut body = json!({"from": node(*from), "to": node(*to)});
                if *declare {
                    body["description"] = json!(pick(&["", "one", "two"], to / 4));
                    command("graph", json!({ "declare": body }))
                } else {
                    command("graph", json!({ "undeclare": body }))
                }
            }
            _ => Command::Tick,
        }
    }
}
