//! The words of the scripts.
//!
//! ```text
//! settings KEY=VALUE…            agent ID KEY=VALUE…        status ID STATUS [version=V]   unregister ID
//! group ID MEMBER…               ungroup ID                 scope PATH                     unscope PATH
//! declare FROM TO [DESCRIPTION]  undeclare FROM TO         see graph
//! action PATTERN [risk_reducing] unaction PATTERN           label=K:V wherever labels are taken
//! limit ID rate=N/MS|at_once=N [burst=N] [each=…] [reserve=CLASS:N…] [dynamic=FLOOR..CEILING@MS] [selector]
//! budget ID money=N|tokens=N [soft=N] [period=…] [each=agent|label:K] [selector]    topup ID N [account=A]
//! rule {JSON without spaces}     unrule ID     rollback ID [to=VERSION]     reset ID     arg=NAME:VALUE where one asks
//! policy ID SAYS [stage=S] [selector]    unpolicy ID    back-policy ID [to=VERSION]    policy-data N    rejudge AGENT REQUEST
//! tool ACTION {JSON without spaces}     untool ACTION     parent=AGENT/REQUEST where one asks
//! judged=now|last where one asks: with what the policies say, or said when they were asked last
//! plan NAME AGENT {STEPS} [ttl=MS]     unplan NAME AGENT     see plans|plan NAME
//! offer AGENT REQUEST THING {JSON, @REQUEST for a permit}    vote AGENT REQUEST THING
//! settle THING [winner=REQUEST] [revoke] [reason=…]    see conflicts    THING: a path, version:PATH, RULE:KEY
//! watch PATH…    read=PATH@PLACE where one asks, a claim is MODE:PATH[@PLACE]: a token, e.REQUEST (its end), w.PATH, d.REQUEST
//! ask AGENT REQUEST [MODE:PATH…] [do=ACTION] [wait=MS] [ttl=MS] [prio=N] [money=N] [tokens=N] [on=INSTANCE[@OLD]]
//! finish|fail|cancel AGENT REQUEST [money=N] [tokens=N] [latency=MS]     renew AGENT REQUEST [ttl=MS]
//! extend AGENT REQUEST MODE:PATH… [wait=MS]                              again AGENT REQUEST: the same body once more
//! connect AGENT/INSTANCE [resume]  ready|leave|miss|ack AGENT/INSTANCE [HALT] [in_flight=N] [old]
//! halt NAME MODE all|scope=…|group=…|agent=…|label=… [two]               release NAME
//! answer AGENT REQUEST OPTION [comment=TEXT] [field=NAME:VALUE…]         escalate|comment AGENT REQUEST [TEXT]
//! reassign AGENT REQUEST ASSIGNEE… [needed=N]     delegate TO for=MS [from=PERSON]     undelegate [from=PERSON]
//!   role=ROLE [within=SCOPE] as=PERSON where somebody answers; role admin unless by=agent or by=key, then agent, operator
//! connector ID postgres|webhook                          unconnector ID
//! begin AGENT TXN [timeout=MS] [members=A,B]             saga AGENT TXN {JSON steps without spaces} [timeout=MS]
//! enlist AGENT TXN BRANCH session:A/I|webhook:C|postgres:C    hold AGENT TXN REQUEST    commit|abort AGENT TXN
//! report TXN BRANCH PHASE OUTCOME [attempt=N] (by the server)  resolve TXN BRANCH VERDICT [why=WORD]
//! sleep MS     clock MS (jumps, without ticks)     tick     by=ACTOR anywhere: local, system, agent:A, key:K
//! see approvals|txn TXN|log TXN|due|locks|permits|version PATH|limit ID|budget ID|policy ID|halt NAME|instances AGENT|agent ID|status    valid PATH REQUEST
//! ```
use super::policies;
use super::show::{self, Names};
use super::world::{Outcome, World};
use fleet_types::permit::{self, Request};
use fleet_types::policy::{Judged, JudgedExtend, Rejudged, Verdict};
use fleet_types::{
    Actor, AgentId, Command, Epoch, Event, Millis, PlanId, Record, Reply, Time, Token,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub struct Player {
    world: World,
    names: Names,
    asked: BTreeMap<String, Command>,
    /// What policies said last.
    said: Verdict,
    /// Epochs of each instance, the current one last.
    epochs: BTreeMap<String, Vec<Epoch>>,
}

/// The words of one line.
struct Line<'l> {
    words: Vec<&'l str>,
    options: Vec<(&'l str, &'l str)>,
}

impl<'l> Line<'l> {
    fn parse(line: &'l str) -> Line<'l> {
        let mut parsed = Line {
            words: Vec::new(),
            options: Vec::new(),
        };
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some(option) => parsed.options.push(option),
                None => parsed.words.push(word),
            }
        }
        parsed
    }

    fn word(&self, at: usize) -> &'l str {
        let missing = || panic!("word {at} is missing in {:?}", self.words);
        self.words.get(at).copied().unwrap_or_else(missing)
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    fn option(&self, name: &str) -> Option<&'l str> {
        let mut options = self.options.iter();
        options
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.option(name).map(number)
    }

    fn by(&self) -> Actor {
        match self.option("by") {
            None | Some("local") => Actor::Local,
            Some("system") => Actor::System,
            Some(other) => match other.split_once(':') {
                Some(("agent", id)) => Actor::Agent(id.parse().unwrap()),
                Some(("key", id)) => Actor::Key(id.parse().unwrap()),
                _ => panic!("no actor {other}"),
            },
        }
    }

    fn labels(&self) -> Value {
        let labels = self.options.iter().filter(|(key, _)| *key == "label");
        let labels = labels.map(|(_, pair)| pair.split_once(':').unwrap());
        labels
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn claims(&self, from: usize, names: &Names) -> Value {
        let claims = self.words[from..]
            .iter()
            .filter_map(|word| word.split_once(':'));
        let claim = |(mode, path): (&str, &str)| {
            let mode = match mode {
                "s" => "shared",
                "c" => "commuting",
                "x" => "exclusive",
                other => panic!("no mode {other}"),
            };
            match path.split_once('@') {
                Some((path, version)) => {
                    json!({"path": path, "mode": mode, "if_version": names.place(version)})
                }
                None => json!({"path": path, "mode": mode}),
            }
        };
        claims.map(claim).collect()
    }

    fn reads(&self, names: &Names) -> Value {
        let reads = self.options.iter().filter(|(key, _)| *key == "read");
        let read = |(_, pair): &(&str, &str)| {
            let (path, version) = pair.split_once('@').unwrap();
            json!({"path": path, "version": names.place(version)})
        };
        reads.map(read).collect()
    }

    fn selector(&self) -> Value {
        let mut selector = Map::new();
        for key in ["scope", "agent", "group", "action", "resource"] {
            if let Some(value) = self.option(key) {
                selector.insert(key.to_owned(), json!(value));
            }
        }
        selector.insert("labels".into(), self.labels());
        selector.into()
    }
}

fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is not a number"))
}

/// Leaves out what is null, so that defaults apply.
fn compact(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    value
}

fn command(noun: &str, body: Value) -> Command {
    let value = json!({ noun: body });
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

impl Player {
    pub fn new() -> Player {
        Player {
            world: World::open(&[]),
            names: Names::default(),
            asked: BTreeMap::new(),
            said: Verdict::default(),
            epochs: BTreeMap::new(),
        }
    }

    /// Carries out one line; what came of it.
    pub fn play(&mut self, line: &str) -> Vec<String> {
        let line = Line::parse(line);
        match line.word(0) {
            "sleep" => {
                let records = self.world.sleep(Millis(number(line.word(1))));
                let mut lines = Vec::new();
                for record in &records {
                    self.learn(record);
                    let at = show::time(record.at, &self.world);
                    lines.push(format!("{at}: {}", self.names.record(record, &self.world)));
                }
                lines
            }
            "clock" => {
                let jump = line.word(1);
                let wall = self.world.wall.0 as i64 + jump.parse::<i64>().unwrap() * 1_000;
                self.world.wall = Time(wall as u64);
                Vec::new()
            }
            "see" => self.see(&line),
            "valid" => {
                let token = self.names.tokens.iter();
                let wanted = format!("t.{}", line.word(2));
                let token = token
                    .filter(|(_, name)| **name == wanted)
                    .map(|(seq, _)| *seq)
                    .next_back();
                let path = line.word(1).parse().unwrap();
                let valid =
                    crate::read::validate(&self.world.state, &path, Token(token.unwrap_or(0)));
                vec![valid.to_string()]
            }
            _ => {
                let command = self.command(&line);
                let command = self.judged(&line, command);
                let mut by = line.by();
                if line.word(0) == "report" && line.option("by").is_none() {
                    by = Actor::System;
                }
                let registers = matches!(command, Command::Agent(_));
                let outcome = self.world.run(by.clone(), command);
                if let Ok(Reply::Halted { halt, .. }) = &outcome.answer {
                    self.names.halts.insert(*halt, line.word(1).to_owned());
                }
                if let Ok(Reply::Transaction(standing)) = &outcome.answer {
                    let name = line.word(2).to_owned();
                    self.names.txns.entry(standing.txn).or_insert(name);
                }
                if let ("plan", Ok(Reply::Done { seq })) = (line.word(0), &outcome.answer) {
                    let name = line.word(1).to_owned();
                    self.names.plans.insert(PlanId(*seq), name);
                }
                if let Ok(Reply::Connected { epoch, .. }) = &outcome.answer {
                    let epochs = self.epochs.entry(line.word(1).to_owned()).or_default();
                    if epochs.last() != Some(epoch) {
                        epochs.push(*epoch);
                    }
                }
                outcome.records.iter().for_each(|record| self.learn(record));
                self.told(&by, registers, &outcome)
            }
        }
    }

    fn learn(&mut self, record: &Record) {
        self.names.learn(record);
    }

    /// The answer, then every record but the one it tells of.
    fn told(&self, by: &Actor, registers: bool, outcome: &Outcome) -> Vec<String> {
        let mut lines = vec![self.names.answer(&outcome.answer, &self.world)];
        let own = outcome.records.iter().position(|record| {
            let in_passing = matches!(record.event, Event::AgentRegistered(_)) && !registers;
            record.by == *by && !in_passing
        });
        for (at, record) in outcome.records.iter().enumerate() {
            let released = match &record.event {
                Event::HaltOrdered(event) => &event.revoked,
                Event::InstanceConnected(event) => &event.released,
                Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                    &event.released
                }
                _ => &Vec::new(),
            };
            if own != Some(at) || !released.is_empty() {
                lines.push(format!("+ {}", self.names.record(record, &self.world)));
            }
        }
        lines
    }

    fn command(&mut self, line: &Line<'_>) -> Command {
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
    fn judged(&mut self, line: &Line<'_>, command: Command) -> Command {
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

    fn rejudge(&mut self, line: &Line<'_>) -> Command {
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
    fn renamed(&self, value: Value) -> Value {
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
    fn permit(&self, line: &Line<'_>) -> String {
        let id = line.word(2);
        let own = self.world.permit_of(line.word(1), id);
        let mut others = self.names.permits.iter().rev();
        let other = || others.find(|(_, name)| *name == id).map(|(id, _)| *id);
        own.or_else(other)
            .map_or_else(|| "p999".to_owned(), |id| id.to_string())
    }

    /// What is asked about an approval: the newest of the permit of this name.
    fn approval(&self, line: &Line<'_>) -> Command {
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
    fn txn(&self, name: &str) -> String {
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

    fn see(&self, line: &Line<'_>) -> Vec<String> {
        let (state, names) = (&self.world.state, &self.names);
        match line.word(1) {
            "locks" => {
                let locks = crate::read::locks(state, None, None, 1_000).items;
                let show = |lock: fleet_types::view::Lock| {
                    let held = lock.holders.iter().map(|holder| {
                        format!(
                            " {}:{}",
                            show::mode(holder.mode),
                            names.permit(holder.permit)
                        )
                    });
                    let waiting = lock.waiters.iter().map(|waiter| {
                        format!(
                            " {}:{}",
                            show::mode(waiter.mode),
                            names.permit(waiter.permit)
                        )
                    });
                    let (held, waiting): (String, String) = (held.collect(), waiting.collect());
                    let waiting = if waiting.is_empty() {
                        waiting
                    } else {
                        format!(" <-{waiting}")
                    };
                    format!("{}:{held}{waiting}", lock.path)
                };
                locks.into_iter().map(show).collect()
            }
            "approvals" => {
                let filter = crate::read::ApprovalFilter::default();
                let approvals =
                    crate::read::approvals(state, &filter, self.world.wall, None, 1_000).items;
                let show = |view: fleet_types::approval::View| {
                    let name = names.approval(view.approval);
                    let asked: Vec<String> =
                        view.assignees.iter().map(ToString::to_string).collect();
                    let until = view.deadline.map(|at| show::time(at, &self.world));
                    let until = until.map(|at| format!(" until {at}")).unwrap_or_default();
                    let sla = view.sla.map(|sla| format!(" sla {:?}", sla.state));
                    let voices = view.answers.iter().map(|voice| {
                        let place = voice.in_place_of.as_ref();
                        let place = place.map(|place| format!("for {place}"));
                        let place = place.unwrap_or_default();
                        format!(
                            "; {} {} {place} in {}",
                            voice.person, voice.option, voice.round
                        )
                    });
                    format!(
                        "{name} {} {} of {} of {}{until}{} round {}{}",
                        view.state.as_str(),
                        view.approvals,
                        view.needed,
                        asked.join(" "),
                        sla.unwrap_or_default(),
                        view.round,
                        voices.collect::<String>()
                    )
                };
                approvals.into_iter().map(show).collect()
            }
            "permits" => {
                let filter = crate::read::PermitFilter::default();
                let permits = crate::read::permits(state, &filter, None, 1_000).items;
                let show = |view: fleet_types::permit::View| {
                    let held = names.held(&view.resources);
                    let until = show::time(view.until, &self.world);
                    let waits = view
                        .waits_for
                        .as_ref()
                        .map(|blocker| names.blocker(blocker, &self.world));
                    let waits = waits
                        .map(|waits| format!(" waits for {waits}"))
                        .unwrap_or_default();
                    let chain = view.chain.iter().map(|id| format!(" by {id}"));
                    format!(
                        "{} {:?}{held}{waits} until {until}{}",
                        names.permit(view.permit),
                        view.state,
                        chain.collect::<String>()
                    )
                };
                permits.into_iter().map(show).collect()
            }
            "policy" => {
                let id = line.word(2).parse().unwrap();
                let policies = crate::read::policies(state, Some(&id), None, 10).items;
                let show = |policy: fleet_types::view::Policy| {
                    let versions: Vec<u32> = policy.versions.iter().map(|it| it.version).collect();
                    format!(
                        "version {}, denied {}, failed {}, before {versions:?}",
                        policy.version, policy.denied, policy.failed
                    )
                };
                policies.into_iter().map(show).collect()
            }
            "limit" => {
                let id = line.word(2).parse().unwrap();
                let limits = crate::read::limits(state, Some(&id), None, 10).items;
                let mut lines = Vec::new();
                for limit in limits {
                    let current = limit.current.map(|current| format!(" now {current}"));
                    lines.push(format!(
                        "waiting {}{}",
                        limit.waiting,
                        current.unwrap_or_default()
                    ));
                    lines.extend(limit.counts.iter().map(|count| {
                        let key = count.key.as_deref().unwrap_or("all");
                        format!(
                            "{key}: {} of {}, granted {}, stopped {}",
                            count.used, count.max, count.granted, count.stopped
                        )
                    }));
                }
                lines
            }
            "plans" => {
                let page = crate::read::plans(state, None, self.world.wall, None, 100);
                let shown = page.items.iter();
                shown.map(|it| names.plan(it.plan)).collect()
            }
            "plan" => {
                let id = names.plan_named(line.word(2));
                match crate::read::plan(state, id, self.world.wall) {
                    Some(view) => names.planned(&view, &self.world),
                    None => vec!["unknown".into()],
                }
            }
            "conflicts" => {
                let filter = crate::read::ConflictFilter::default();
                let page = crate::read::conflicts(state, &filter, self.world.wall, None, 1_000);
                let shown = page.items.iter();
                shown.map(|it| names.conflict(it, &self.world)).collect()
            }
            "version" => {
                let path = line.word(2).parse().unwrap();
                let Some(view) = crate::read::version(state, &path) else {
                    return vec!["unknown".into()];
                };
                let by = view
                    .written
                    .map(|by| format!(" by {}", names.permit(by.permit)));
                let below = view.below.iter().map(|it| format!(" {}", it.path));
                let (by, below) = (by.unwrap_or_default(), below.collect::<String>());
                vec![format!("{}{by}{below}", names.version(view.version.0))]
            }
            "budget" => {
                let id = line.word(2).parse().unwrap();
                let budgets =
                    crate::read::budgets(state, Some(&id), self.world.wall, None, 10).items;
                let accounts = budgets.into_iter().flat_map(|budget| budget.accounts);
                let show = |account: fleet_types::view::BudgetAccount| {
                    format!(
                        "{}: spent {}, reserved {}, of {}, overrun {}",
                        account.account.as_deref().unwrap_or("all"),
                        account.spent,
                        account.reserved,
                        account.hard,
                        account.overrun
                    )
                };
                accounts.map(show).collect()
            }
            "halt" => {
                let mut halts = names.halts.iter();
                let (id, _) = halts.find(|(_, name)| *name == line.word(2)).unwrap();
                let halt = crate::read::halt(state, *id).unwrap();
                let spread = &halt.propagation;
                let waiting: Vec<String> = spread
                    .unacknowledged
                    .iter()
                    .map(|key| key.instance.to_string())
                    .collect();
                vec![format!(
                    "{:?}{}: reach {}, acknowledged {}, in flight {}, p50 {:?} p99 {:?} max {:?} us, not yet: {}",
                    halt.mode,
                    if halt.released_at.is_some() {
                        " (released)"
                    } else {
                        ""
                    },
                    spread.reach,
                    spread.acknowledged,
                    spread.in_flight,
                    spread.p50_us,
                    spread.p99_us,
                    spread.max_us,
                    waiting.join(" ")
                )]
            }
            "agent" => {
                let id: AgentId = line.word(2).parse().unwrap();
                let Some(agent) = crate::read::agent(state, &id) else {
                    return vec!["unknown".into()];
                };
                let halts: Vec<String> = agent.halts.iter().map(|halt| names.halt(*halt)).collect();
                let versions: Vec<String> = agent
                    .versions
                    .iter()
                    .map(|(v, status)| format!("{v} {status:?}"))
                    .collect();
                let instances: Vec<String> = agent
                    .instances
                    .iter()
                    .map(|i| format!("{} {:?}", i.id, i.state))
                    .collect();
                vec![format!(
                    "speaks {}; versions {}; instances {}; groups {:?}; granted {} waiting {}; halts {}",
                    agent.definition.version,
                    versions.join(", "),
                    instances.join(", "),
                    agent.groups,
                    agent.permits_granted,
                    agent.permits_waiting,
                    halts.join(" ")
                )]
            }
            "graph" => crate::read::declared(state)
                .iter()
                .map(|edge| format!("{} -> {} {}", edge.from, edge.to, edge.description))
                .collect(),
            "status" => {
                let status = crate::read::status(state, self.world.wall);
                vec![
                    format!(
                        "agents {}, instances {:?}, granted {}, waiting {}, locks {}, halts {}, approvals {}, conflicts {} ({} escalated), transactions {} ({} stuck), remembered {}",
                        status.agents,
                        status.instances,
                        status.permits_granted,
                        status.permits_waiting,
                        status.locks_held,
                        status.halts,
                        status.approvals_open,
                        status.conflicts,
                        status.conflicts_escalated,
                        status.transactions,
                        status.transactions_stuck,
                        status.requests_remembered
                    ),
                    format!("{:?}", status.totals),
                ]
            }
            "txn" | "log" => {
                let id = self.txn(line.word(2)).parse().unwrap();
                let Some(txn) = crate::read::txn(state, id) else {
                    return vec!["unknown".into()];
                };
                if line.word(1) == "log" {
                    return txn
                        .log
                        .iter()
                        .map(|entry| names.renamed(entry.what.as_str()))
                        .collect();
                }
                let held: Vec<String> = txn
                    .permits
                    .iter()
                    .map(|permit| names.permit(*permit))
                    .collect();
                let mut lines = vec![format!(
                    "{:?}{} holds {}",
                    txn.state,
                    if txn.stuck { " (stuck)" } else { "" },
                    held.join(" ")
                )];
                lines.extend(
                    txn.branches
                        .iter()
                        .map(|it| format!("{} {:?}", it.branch, it.state)),
                );
                lines
            }
            "due" => {
                let dues = crate::due(state).into_iter();
                let show = |due: crate::Due| {
                    let at = show::time(due.at, &self.world);
                    let (order, txn) = (&due.order, names.txn(due.order.txn));
                    format!(
                        "{txn} {} {} {} at {at}",
                        order.branch,
                        order.phase.as_str(),
                        order.attempt
                    )
                };
                dues.map(show).collect()
            }
            other => panic!("nothing to see of {other}"),
        }
    }

    /// Whatever the script did, its records must lead to the same state (I2), before and after a snapshot.
    pub fn end(&self) {
        super::model::check_replay(&self.world);
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
