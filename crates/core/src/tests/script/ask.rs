//! The command that a line asks for.
use super::Player;
use super::line::{Line, command, compact, number};
use crate::tests::{policies, show};
use fleet_types::permit::{self, Request};
use fleet_types::policy::{Judged, JudgedExtend, Rejudged, Verdict};
use fleet_types::{Actor, Command, Epoch};
use serde_json::{Map, Value, json};
use std::sync::Arc;

impl Player {
    pub fn command(&mut self, line: &Line<'_>) -> Command {
        let id = line.words.get(1).copied().unwrap_or_default();
        match line.word(0) {
            "tick" => Command::Tick,
            "settings" => self.settings(line),
            "agent" => agent(line, id),
            "status" => command(
                "agent",
                json!({"set_status": compact(json!({
                    "agent": id, "status": line.word(2), "version": line.option("version"),
                    "replaced_by": line.option("replaced_by"),
                }))}),
            ),
            "unregister" => command("agent", json!({"remove": {"agent": id}})),
            "group" => command(
                "group",
                json!({"set": {"id": id, "members": &line.words[2..]}}),
            ),
            "ungroup" => command("group", json!({"remove": {"group": id}})),
            "scope" => command("scope", json!({"set": {"path": id}})),
            "unscope" => command("scope", json!({"remove": {"path": id}})),
            "declare" => command(
                "graph",
                json!({"declare": {"from": id, "to": line.word(2), "description": line.words.get(3).unwrap_or(&"")}}),
            ),
            "undeclare" => command(
                "graph",
                json!({"undeclare": {"from": id, "to": line.word(2)}}),
            ),
            "action" => {
                let risk_reducing = line.has("risk_reducing");
                command(
                    "action",
                    json!({"set": {"pattern": id, "risk_reducing": risk_reducing}}),
                )
            }
            "unaction" => command("action", json!({"remove": {"pattern": id}})),
            "limit" => limit(line, id),
            "unlimit" => command("limit", json!({"remove": {"limit": id}})),
            "budget" => budget(line, id),
            "unbudget" => command("budget", json!({"remove": {"budget": id}})),
            "topup" => command(
                "budget",
                json!({"top_up": compact(json!({
                    "budget": id, "amount": number(line.word(2)), "account": line.option("account"),
                }))}),
            ),
            "rule" => {
                let rule: Value = serde_json::from_str(id).unwrap();
                command("rule", json!({"set": {"rule": rule}}))
            }
            "unrule" => command("rule", json!({"remove": {"rule": id}})),
            "rollback" => {
                let version = line.number("to");
                command(
                    "rule",
                    json!({"roll_back": {"rule": id, "version": version}}),
                )
            }
            "reset" => command("rule", json!({"reset": {"rule": id}})),
            "policy" => {
                let mut policy = json!({"id": id, "module": line.word(2).replace('-', " ")});
                policy["when"] = line.selector();
                if let Some(stage) = line.option("stage") {
                    policy["stage"] = json!(stage);
                }
                policies::set(policy)
            }
            "tool" => {
                let mut tool: Value = serde_json::from_str(line.word(2)).unwrap();
                tool["id"] = json!(id);
                command("tool", json!({"set": {"tool": tool}}))
            }
            "untool" => command("tool", json!({"remove": {"tool": id}})),
            "unpolicy" => command("policy", json!({"remove": {"policy": id}})),
            "back-policy" => {
                let version = line.number("to");
                command(
                    "policy",
                    json!({"roll_back": {"policy": id, "version": version}}),
                )
            }
            "policy-data" => command("policy", json!({"set_data": {"data": {"n": number(id)}}})),
            "rejudge" => self.rejudge(line),
            "offer" => {
                let answer: Value = serde_json::from_str(line.word(4)).unwrap();
                let answer = self.renamed(answer);
                let conflict = self.conflict(line.word(3));
                command(
                    "conflict",
                    json!({"answer": {
                        "conflict": conflict, "permit": self.permit(line), "agent": id, "answer": answer,
                    }}),
                )
            }
            "vote" => {
                let conflict = self.conflict(line.word(3));
                command(
                    "conflict",
                    json!({"vote": {
                        "conflict": conflict, "winner": self.permit(line), "agent": id,
                    }}),
                )
            }
            "settle" => {
                let winner = line.option("winner").map(|name| self.permit_named(name));
                command(
                    "conflict",
                    json!({"resolve": compact(json!({
                        "conflict": self.conflict(id), "winner": winner, "revoke": line.has("revoke"),
                        "reason": line.option("reason").unwrap_or_default(),
                    }))}),
                )
            }
            "plan" => {
                let steps: Value = serde_json::from_str(line.word(3)).unwrap();
                let ttl = line.number("ttl").unwrap_or(60_000);
                let plan = json!({"agent": line.word(2), "steps": steps, "ttl_ms": ttl});
                command("plan", json!({"declare": {"plan": plan}}))
            }
            "unplan" => {
                let plan = self.names.plan_named(id);
                command(
                    "plan",
                    json!({"withdraw": {"plan": plan, "agent": line.word(2)}}),
                )
            }
            "watch" => command("version", json!({"watch": {"resources": &line.words[1..]}})),
            "ask" => {
                let command = self.ask(line);
                self.asked.insert(line.word(2).to_owned(), command.clone());
                command
            }
            "again" => self.asked[line.word(2)].clone(),
            "finish" => self.finish(line, "completed"),
            "fail" => self.finish(line, "failed"),
            "cancel" => self.finish(line, "cancelled"),
            "renew" => command(
                "permit",
                json!({"renew": {"permit": self.permit(line), "agent": id, "ttl_ms": line.number("ttl")}}),
            ),
            "extend" => command(
                "permit",
                json!({"extend": {
                    "permit": self.permit(line), "agent": id, "resources": line.claims(3, &self.names),
                    "wait_ms": line.number("wait").unwrap_or(0),
                }}),
            ),
            "answer" | "escalate" | "reassign" | "comment" | "delegate" | "undelegate" => {
                self.approval(line)
            }
            "connector" => {
                let to = match line.word(2) {
                    "postgres" => json!({"postgres": {"url": {"env": "CONNECTOR_TEST"}}}),
                    _ => {
                        json!({"webhook": {"url": "http://h/", "secret": {"env": "CONNECTOR_TEST"}}})
                    }
                };
                let body = json!({"id": id, "to": to, "mark": format!("m-{id}")});
                command("connector", json!({ "set": body }))
            }
            "unconnector" => command("connector", json!({"remove": {"connector": id}})),
            "begin" | "saga" => {
                let steps = (line.word(0) == "saga").then(|| {
                    let steps: Value = serde_json::from_str(line.word(3)).unwrap();
                    steps
                });
                let members: Vec<&str> = line
                    .option("members")
                    .map_or(Vec::new(), |list| list.split(',').collect());
                let body = compact(json!({
                    "request_id": line.word(2), "agent": id, "timeout_ms": line.number("timeout"),
                    "kind": if steps.is_some() { "saga" } else { "two_phase" },
                    "steps": steps, "members": members,
                }));
                command("txn", json!({ "begin": body }))
            }
            "enlist" => {
                let (kind, rest) = line.word(4).split_once(':').unwrap();
                let body = match (kind, rest.split_once('/')) {
                    ("session", Some((agent, instance))) => {
                        json!({"session": {"agent": agent, "instance": instance}})
                    }
                    (kind, _) => json!({ kind: {"connector": rest} }),
                };
                let branch = json!({"id": line.word(3), "participant": body});
                command(
                    "txn",
                    json!({"enlist": {"txn": self.txn(line.word(2)), "agent": id, "branch": branch}}),
                )
            }
            "hold" => {
                let permit = self.world.permit_of(id, line.word(3));
                let permit = permit.map_or_else(|| "p999".to_owned(), |permit| permit.to_string());
                command(
                    "txn",
                    json!({"hold": {"txn": self.txn(line.word(2)), "agent": id, "permit": permit}}),
                )
            }
            "commit" | "abort" => {
                let body = json!({"txn": self.txn(line.word(2)), "agent": id});
                command("txn", json!({ line.word(0): body }))
            }
            "report" => command(
                "txn",
                json!({"report": compact(json!({
                    "txn": self.txn(id), "branch": line.word(2), "phase": line.word(3),
                    "outcome": line.word(4), "attempt": line.number("attempt"),
                }))}),
            ),
            "resolve" => command(
                "txn",
                json!({"resolve": {
                    "txn": self.txn(id), "branch": line.word(2), "verdict": line.word(3),
                    "reason": line.option("why").unwrap_or("seen"),
                }}),
            ),
            "connect" | "ready" | "leave" | "miss" | "ack" => self.instance(line),
            "halt" => halt(line),
            "release" => {
                let mut halts = self.names.halts.iter();
                let halt = halts
                    .find(|(_, name)| *name == id)
                    .map(|(halt, _)| halt.to_string());
                command(
                    "halt",
                    json!({"release": {"halt": halt.unwrap_or_else(|| "h999".into())}}),
                )
            }
            other => panic!("no command {other}"),
        }
    }

    /// With what policies say of it, where the line asks for that.
    pub fn judged(&mut self, line: &Line<'_>, command: Command) -> Command {
        let Some(how) = line.option("judged") else {
            return command;
        };
        let Command::Permit(command) = command else {
            panic!("nothing that policies judge");
        };
        Command::Permit(match command {
            permit::Command::Request(asked) => {
                let (request, verdict) = self.verdict(&asked, how);
                let attempts = 0;
                permit::Command::Judged(Box::new(Judged {
                    request,
                    verdict,
                    attempts,
                }))
            }
            permit::Command::Extend(extend) => {
                let asked = crate::read::extension(&self.world.state, &extend).unwrap();
                let (_, verdict) = self.verdict(&Arc::new(asked), how);
                let attempts = 0;
                permit::Command::JudgedExtend(Box::new(JudgedExtend {
                    extend,
                    verdict,
                    attempts,
                }))
            }
            other => other,
        })
    }

    fn verdict(&mut self, asked: &Arc<Request>, how: &str) -> (Arc<Request>, Verdict) {
        match how {
            "now" => {
                let said = policies::judge(&self.world.state, asked, self.world.wall);
                self.said = said.1.clone();
                said
            }
            "last" => {
                let verdict = Verdict {
                    original: None,
                    ..self.said.clone()
                };
                (asked.clone(), verdict)
            }
            other => panic!("judged when? {other}"),
        }
    }

    pub fn rejudge(&mut self, line: &Line<'_>) -> Command {
        let permit = self.permit(line).parse().unwrap();
        let found = self.world.state.permits.find(permit).expect("it is there");
        let asked = found.asked().clone();
        let how = line.option("said").unwrap_or("now");
        let (request, verdict) = self.verdict(&asked, how);
        Command::Permit(permit::Command::Rejudge(Box::new(Rejudged {
            permit,
            request,
            verdict,
        })))
    }

    /// The last conflict over this thing.
    fn conflict(&self, thing: &str) -> String {
        let state = &self.world.state;
        let filter = crate::read::ConflictFilter::default();
        let page = crate::read::conflicts(state, &filter, self.world.wall, None, 1_000);
        let mut all = page.items.into_iter();
        let found = all.find(|it| show::thing(it) == thing);
        found.map_or_else(|| "c999".to_owned(), |it| it.conflict.to_string())
    }

    /// The permit that a request of this name became.
    fn permit_named(&self, name: &str) -> String {
        let mut named = self.names.permits.iter().rev();
        let found = named.find(|(_, known)| *known == name);
        found.map_or_else(|| "p999".to_owned(), |(id, _)| id.to_string())
    }

    /// A value with permits where a text begins with `@`.
    pub fn renamed(&self, value: Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix('@') {
                Some(name) => self.permit_named(name).into(),
                None => text.into(),
            },
            Value::Object(map) => {
                let entries = map.into_iter();
                entries.map(|(key, it)| (key, self.renamed(it))).collect()
            }
            other => other,
        }
    }

    /// The permit of this name: the agent's own, or else anybody's.
    pub fn permit(&self, line: &Line<'_>) -> String {
        let id = line.word(2);
        let own = self.world.permit_of(line.word(1), id);
        let mut others = self.names.permits.iter().rev();
        let other = || others.find(|(_, name)| *name == id).map(|(id, _)| *id);
        own.or_else(other)
            .map_or_else(|| "p999".to_owned(), |id| id.to_string())
    }

    /// What is asked about an approval: the newest of the permit of this name.
    pub fn approval(&self, line: &Line<'_>) -> Command {
        let name = || {
            let name = format!("a.{}", line.word(2));
            let mut known = self.names.approvals.iter().rev();
            let known = known.find(|(_, known)| known.trim_end_matches('+') == name);
            known.map_or_else(|| "a999".to_owned(), |(id, _)| id.to_string())
        };
        let reason = line.option("reason").unwrap_or_default();
        let verb = match line.word(0) {
            "answer" => {
                let fields = line.options.iter().filter(|(key, _)| *key == "field");
                let fields = fields.map(|(_, pair)| {
                    let (name, value) = pair.split_once(':').unwrap();
                    let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                    (name.to_owned(), value)
                });
                let fields: Map<String, Value> = fields.collect();
                let comment = line.option("comment").unwrap_or_default();
                json!({"answer": {
                    "approval": name(), "option": line.word(3), "fields": fields, "comment": comment,
                }})
            }
            "escalate" => json!({"escalate": {"approval": name(), "reason": reason}}),
            "reassign" => {
                let assignees = line.words[3..].iter().map(|word| {
                    let (kind, name) = word.split_once(':').unwrap();
                    json!({ kind: name })
                });
                let assignees: Vec<Value> = assignees.collect();
                json!({"reassign": {
                    "approval": name(), "assignees": assignees, "needed": line.number("needed"),
                }})
            }
            "comment" => {
                json!({"comment": {"approval": name(), "comment": line.word(3)}})
            }
            "delegate" => json!({"delegate": {
                "from": line.option("from").map(person), "to": person(line.word(1)),
                "for_ms": line.number("for"),
            }}),
            _ => json!({"end_delegation": {"from": line.option("from").map(person)}}),
        };
        let role = line.option("role").unwrap_or(match line.by() {
            Actor::Agent(_) => "agent",
            Actor::Key(_) => "operator",
            Actor::Local | Actor::System => "admin",
        });
        command(
            "approval",
            json!({
                "proof": {"role": role, "scope": line.option("within")},
                "speaks_as": line.option("as").map(person), "verb": verb,
            }),
        )
    }

    /// The transaction of this name.
    pub fn txn(&self, name: &str) -> String {
        let mut txns = self.names.txns.iter().rev();
        let found = txns.find(|(_, known)| *known == name);
        found.map_or_else(|| "t999".to_owned(), |(id, _)| id.to_string())
    }

    fn settings(&self, line: &Line<'_>) -> Command {
        let mut settings = serde_json::to_value(&self.world.state.settings).unwrap();
        for (key, value) in &line.options {
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            settings[key] = value;
        }
        command("configure", settings)
    }

    fn ask(&self, line: &Line<'_>) -> Command {
        let agent = line.word(1);
        let instance = line.option("on").map(|on| {
            let (name, back) = on.split_once('@').map_or((on, 1), |(name, _)| (name, 2));
            let epoch = self.epoch(&format!("{agent}/{name}"), back);
            json!({"id": name, "epoch": epoch})
        });
        let arguments = line.options.iter().filter(|(key, _)| *key == "arg");
        let arguments = arguments.map(|(_, pair)| {
            let (name, value) = pair.split_once(':').unwrap();
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            (name.to_owned(), value)
        });
        let arguments: Map<String, Value> = arguments.collect();
        let parameters = match line.option("with") {
            Some(text) => json!({"with": text}),
            None if arguments.is_empty() => Value::Null,
            None => arguments.into(),
        };
        let parent = line.option("parent").map(|of| {
            let (agent, request) = of.split_once('/').unwrap();
            let permit = self.world.permit_of(agent, request);
            permit.map_or_else(|| "p999".to_owned(), |permit| permit.to_string())
        });
        let body = compact(json!({ "parent": parent,
            "request_id": line.word(2), "agent": agent,
            "action": line.option("do").unwrap_or("work"),
            "resources": line.claims(3, &self.names), "reads": line.reads(&self.names),
            "cost": {"money_micros": line.number("money").unwrap_or(0), "tokens": line.number("tokens").unwrap_or(0)},
            "priority": line.number("prio"), "wait_ms": line.number("wait").unwrap_or(0),
            "ttl_ms": line.number("ttl"), "labels": line.labels(), "instance": instance,
            "parameters": parameters,
        }));
        command("permit", json!({"request": body}))
    }

    fn finish(&self, line: &Line<'_>, ending: &str) -> Command {
        let (money, tokens) = (line.number("money"), line.number("tokens"));
        let cost = (money.is_some() || tokens.is_some())
            .then(|| json!({"money_micros": money.unwrap_or(0), "tokens": tokens.unwrap_or(0)}));
        let body = compact(json!({
            "permit": self.permit(line), "agent": line.word(1), "ending": ending,
            "cost": cost, "latency_ms": line.number("latency"),
        }));
        command("permit", json!({"finish": body}))
    }

    /// The epoch of an instance, so many lives back; 0 if it had none.
    fn epoch(&self, name: &str, back: usize) -> Epoch {
        let epochs = self.epochs.get(name).map_or(&[][..], Vec::as_slice);
        epochs
            .len()
            .checked_sub(back)
            .map_or(Epoch(0), |at| epochs[at])
    }

    fn instance(&self, line: &Line<'_>) -> Command {
        let name = line.word(1);
        let (agent, instance) = name.split_once('/').unwrap();
        let key = json!({"agent": agent, "instance": instance});
        let epoch = self.epoch(name, if line.has("old") { 2 } else { 1 });
        let body = match line.word(0) {
            "connect" => {
                let resume = line.has("resume").then_some(epoch);
                json!({"connect": {"key": key, "resume": resume, "labels": line.labels()}})
            }
            "ready" => json!({"ready": {"key": key, "epoch": epoch}}),
            "leave" => json!({"disconnect": {"key": key, "epoch": epoch}}),
            "miss" => json!({"miss": {"key": key, "epoch": epoch, "missed": 3}}),
            _ => {
                let mut halts = self.names.halts.iter();
                let halt = halts
                    .find(|(_, name)| *name == line.word(2))
                    .map(|(halt, _)| halt.to_string());
                let halt = halt.unwrap_or_else(|| "h999".into());
                let in_flight = line.number("in_flight").unwrap_or(0);
                json!({"acknowledge_halt": {"key": key, "epoch": epoch, "halt": halt, "in_flight": in_flight}})
            }
        };
        command("instance", body)
    }
}

fn person(text: &str) -> Value {
    let (kind, name) = text.split_once(':').unwrap();
    json!({ kind: name })
}

fn agent(line: &Line<'_>, id: &str) -> Command {
    let allow: Vec<&str> = line
        .option("allow")
        .map_or(Vec::new(), |list| list.split(',').collect());
    let touch: Vec<&str> = line
        .option("touch")
        .map_or(Vec::new(), |list| list.split(',').collect());
    let definition = compact(json!({
        "id": id, "version": line.option("version").unwrap_or("1"), "scope": line.option("scope"),
        "priority": line.number("prio"), "weight": line.number("weight"), "labels": line.labels(),
        "status": line.option("status"),
        "config": compact(json!({"concurrency_max": line.number("max")})),
        "allow": {"actions": allow, "resources": touch},
    }));
    command("agent", json!({"register": definition}))
}

fn limit(line: &Line<'_>, id: &str) -> Command {
    let measure = match (line.option("rate"), line.number("at_once")) {
        (Some(rate), _) => {
            let (permits, per) = rate.split_once('/').unwrap();
            let rate = json!({"permits": number(permits), "per_ms": number(per), "burst": line.number("burst")});
            json!({ "rate": compact(rate) })
        }
        (None, max) => json!({"concurrency": {"max": max}}),
    };
    let mut reserved = Map::new();
    for (_, pair) in line.options.iter().filter(|(key, _)| *key == "reserve") {
        let (class, count) = pair.split_once(':').unwrap();
        reserved.insert(class.into(), json!(number(count)));
    }
    let dynamic = line.option("dynamic").map(|text| {
        let (bounds, target) = text.split_once('@').unwrap();
        let (floor, ceiling) = bounds.split_once("..").unwrap();
        json!({"floor": number(floor), "ceiling": number(ceiling), "latency_ms_target": number(target)})
    });
    let body = compact(json!({
        "id": id, "measure": measure, "each": line.option("each"), "selector": line.selector(),
        "reserved": reserved, "dynamic": dynamic,
    }));
    command("limit", json!({ "set": body }))
}

fn budget(line: &Line<'_>, id: &str) -> Command {
    let (unit, hard) = match (line.number("money"), line.number("tokens")) {
        (Some(hard), _) => ("money", hard),
        (None, hard) => ("tokens", hard.unwrap()),
    };
    let each = line.option("each").map(|each| match each.split_once(':') {
        Some((kind, key)) => json!({ kind: key }),
        None => json!(each),
    });
    let body = compact(json!({
        "id": id, "unit": unit, "hard": hard, "period": line.option("period").unwrap_or("total"),
        "soft": line.number("soft"), "each": each, "selector": line.selector(),
    }));
    command("budget", json!({ "set": body }))
}

fn halt(line: &Line<'_>) -> Command {
    let target = match line
        .options
        .iter()
        .find(|(key, _)| *key != "by" && *key != "reason")
    {
        None => json!("all"),
        Some(("label", _)) => json!({"selector": line.labels()}),
        Some((kind, value)) => json!({ *kind: value }),
    };
    let body = compact(json!({
        "target": target, "mode": line.word(2), "reason": line.option("reason").unwrap_or("drill"),
        "release_by_two": line.has("two").then_some(true),
    }));
    command("halt", json!({ "order": body }))
}
