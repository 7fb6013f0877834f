//! What is said of a request beforehand is what it then hears, also of an agent that asking would register.
use super::world::World;
use crate::read;
use fleet_types::budget;
use fleet_types::explain::Gate;
use fleet_types::halt::{Command as Halt, Mode, Order, Target};
use fleet_types::permit::{self, Decision, Request};
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{Actor, AgentId, Code, Command, Reply, Text};
use serde_json::json;
use std::sync::Arc;

fn request(agent: &str, wait_ms: u64) -> Request {
    let request = json!({
        "request_id": agent, "agent": agent, "action": "x", "wait_ms": wait_ms,
        "resources": [{"path": "r/1", "mode": "exclusive"}],
    });
    serde_json::from_value(request).unwrap()
}

fn ask(world: &mut World, request: Request) -> &'static str {
    let command = permit::Command::Request(Arc::new(request));
    match world.local(Command::Permit(command)).answer.unwrap() {
        Reply::Decision(Decision::Granted(_)) => "granted",
        Reply::Decision(Decision::Queued(_)) => "queued",
        Reply::Decision(Decision::Denied(_)) => "denied",
        other => panic!("{other:?}"),
    }
}

/// Explains a request of somebody unknown, then asks; both must say this.
fn check(default_decision: DefaultDecision, setting: &[Command], wait_ms: u64, expected: &str) {
    let mut world = World::new();
    let settings = Settings {
        default_decision,
        auto_register: true,
        ..Settings::default()
    };
    world.local(Command::Configure(Box::new(settings)));
    for command in setting {
        world.local(command.clone()).answer.unwrap();
    }
    let asked = request("new", wait_ms);
    let explained = read::explain(&world.state, &Actor::Local, &asked, world.wall).unwrap();
    assert_eq!(explained.decision, expected, "{setting:?}");
    assert_eq!(ask(&mut world, asked), expected, "{setting:?}");
}

#[test]
fn of_an_agent_that_asking_would_register() {
    let halt = |target: Target| {
        let reason = Text::clip("test");
        Command::Halt(Halt::Order(Order {
            target,
            mode: Mode::Immediate,
            reason,
            release_by_two: None,
        }))
    };
    let id = |id: &str| AgentId::parse(id).unwrap();
    let holds = Command::Permit(permit::Command::Request(Arc::new(request("old", 0))));
    let open = DefaultDecision::Allow;
    check(open, &[], 0, "granted");
    check(DefaultDecision::Deny, &[], 0, "denied");
    check(open, &[halt(Target::All)], 0, "denied");
    let elsewhere = [holds.clone(), halt(Target::Agent(id("old")))];
    check(open, &elsewhere, 0, "granted");
    check(open, std::slice::from_ref(&holds), 0, "denied");
    check(open, &[holds], 60_000, "queued");
}

#[test]
fn of_an_agent_that_nobody_registers() {
    let world = World::open(&["known"]);
    let explain = |agent, by| read::explain(&world.state, &by, &request(agent, 0), world.wall);
    assert_eq!(explain("known", Actor::Local).unwrap().decision, "granted");
    let unknown = explain("new", Actor::Local).unwrap_err();
    assert_eq!(unknown.code, Code::AgentUnknown);
}

#[test]
fn a_budget_says_what_it_counts() {
    let note = |unit: &str, field: &str| {
        let mut world = World::open(&["known"]);
        let budget = json!({"id": "b", "unit": unit, "period": "total", "hard": 10});
        let set = budget::Command::Set(serde_json::from_value(budget).unwrap());
        world.local(Command::Budget(set)).answer.unwrap();
        let mut asked = request("known", 0);
        asked.cost = serde_json::from_value(json!({field: 11})).unwrap();
        let said = read::explain(&world.state, &Actor::Local, &asked, world.wall).unwrap();
        let gate = said
            .gates
            .into_iter()
            .find(|gate| gate.gate == Gate::Budget);
        gate.unwrap().note.to_string()
    };
    assert_eq!(
        note("money", "money_micros"),
        "budget b has 10 millionths left and 11 were asked; top it up or ask for less"
    );
    assert_eq!(
        note("tokens", "tokens"),
        "budget b has 10 tokens left and 11 were asked; top it up or ask for less"
    );
}
