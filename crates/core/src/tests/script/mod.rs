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
mod ask;
mod line;
mod see;

use super::show::{self, Names};
use super::world::{Outcome, World};
use fleet_types::policy::Verdict;
use fleet_types::{Actor, Command, Epoch, Event, Millis, PlanId, Record, Reply, Time, Token};
use line::{Line, number};
use std::collections::BTreeMap;

pub struct Player {
    world: World,
    names: Names,
    asked: BTreeMap<String, Command>,
    /// What policies said last.
    said: Verdict,
    /// Epochs of each instance, the current one last.
    epochs: BTreeMap<String, Vec<Epoch>>,
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

    /// Whatever the script did, its records must lead to the same state (I2), before and after a snapshot.
    pub fn end(&self) {
        super::model::check_replay(&self.world);
    }
}
