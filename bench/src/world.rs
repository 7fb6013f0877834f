//! The fleet that benchmarks run in: agents in three-level scopes, resources, limits and budgets that all apply.
use fleet_types::budget::{Account, Budget, Period, Unit};
use fleet_types::limit::{Concurrency, Each, Limit, Measure, Rate, Reserved};
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::{Ending, Finish, Request};
use fleet_types::selector::Selector;
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{
    Actor, AgentId, Command, Envelope, Labels, Millis, PermitId, RequestId, ResourcePath, Text,
    agent, budget, limit, permit,
};
use std::sync::Arc;

/// The sizes of a world.
#[derive(Clone, Copy)]
pub struct World {
    pub agents: usize,
    pub resources: usize,
}

/// The world of the specification.
pub const LARGE: World = World {
    agents: 10_000,
    resources: 100_000,
};

pub fn local(command: Command) -> Envelope {
    Envelope {
        by: Actor::Local,
        command,
    }
}

impl World {
    /// Commands that make the world: settings, 3 limits, 2 budgets, the agents.
    pub fn build(self) -> Vec<Envelope> {
        let mut commands = vec![local(Command::Configure(Box::new(Settings {
            default_decision: DefaultDecision::Deny,
            ..Settings::default()
        })))];
        let rate = Measure::Rate(Rate {
            permits: 1_000_000,
            per_ms: Millis(1_000),
            burst: Some(1_000_000_000),
        });
        let scope = Selector {
            scope: Some("emea/treasury".parse().expect("a path")),
            ..Selector::default()
        };
        let action = Selector {
            action: Some("payment.send".parse().expect("a pattern")),
            ..Selector::default()
        };
        let concurrency = Measure::Concurrency(Concurrency { max: 1_000_000 });
        for (id, selector, each, measure) in [
            ("fleet-rate", Selector::default(), Each::All, rate.clone()),
            ("scope-in-flight", scope.clone(), Each::All, concurrency),
            ("agent-rate", action, Each::Agent, rate),
        ] {
            let limit = Limit {
                id: id.parse().expect("a name"),
                description: Text::default(),
                selector,
                each,
                measure,
                reserved: Reserved::default(),
                dynamic: None,
            };
            commands.push(local(Command::Limit(limit::Command::Set(Box::new(limit)))));
        }
        for (id, selector, each, unit) in [
            (
                "fleet-daily",
                Selector::default(),
                Account::All,
                Unit::Money,
            ),
            ("scope-tokens", scope, Account::All, Unit::Tokens),
        ] {
            let budget = Budget {
                id: id.parse().expect("a name"),
                description: Text::default(),
                selector,
                each,
                unit,
                period: Period::Day,
                hard: permit::COST_MAX,
                soft: None,
            };
            commands.push(local(Command::Budget(budget::Command::Set(Box::new(
                budget,
            )))));
        }
        for number in 0..self.agents {
            let mut definition = agent::Definition::new(agent_id(number));
            definition.scope = Some(
                format!("emea/treasury/desk-{}", number % 50)
                    .parse()
                    .expect("a path"),
            );
            definition.allow.actions = vec!["payment.*".parse().expect("a pattern")];
            definition.allow.resources = vec!["ledger/**".parse().expect("a pattern")];
            commands.push(local(Command::Agent(agent::Command::Register(Box::new(
                definition,
            )))));
        }
        commands
    }

    /// The n-th request: agents and resources in a fixed scatter, so that neighbours share neither.
    pub fn request(self, number: u64) -> Request {
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let agent = (scattered >> 20) as usize % self.agents;
        let resource = (scattered >> 33) as usize % self.resources;
        Request {
            request_id: RequestId::parse(&format!("r-{number:016x}")).expect("a name"),
            agent: agent_id(agent),
            instance: None,
            action: "payment.send".parse().expect("a name"),
            resources: vec![Claim::new(resource_path(resource), Mode::Exclusive)],
            reads: Vec::new(),
            parameters: None,
            cost: budget::Cost {
                money_micros: 1_000,
                tokens: 10,
            },
            priority: None,
            wait_ms: Millis(0),
            ttl_ms: None,
            labels: Labels::default(),
            explain: false,
            approval: None,
            parent: None,
        }
    }
}

pub fn agent_id(number: usize) -> AgentId {
    AgentId::parse(&format!("agent-{number:05}")).expect("a name")
}

pub fn resource_path(number: usize) -> ResourcePath {
    ResourcePath::parse(&format!("ledger/eu/acc-{number:06}")).expect("a path")
}

pub fn ask(request: Request) -> Envelope {
    local(Command::Permit(permit::Command::Request(Arc::new(request))))
}

pub fn finish(permit: PermitId, agent: AgentId) -> Envelope {
    local(Command::Permit(permit::Command::Finish(Finish {
        permit,
        agent,
        ending: Ending::Completed,
        cost: Some(budget::Cost {
            money_micros: 900,
            tokens: 9,
        }),
        latency_ms: None,
    })))
}
