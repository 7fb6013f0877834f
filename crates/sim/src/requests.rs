//! What clients ask for: commands as a client of the API would send them.
use crate::config::Config;
use crate::rng::Rng;
use fleet_types::{Actor, PermitId};
use fleet_types::{Command, Envelope};
use serde_json::{Value, json};

/// Kinds of requests; [`Config::weights`] says how often each is made.
pub const KINDS: usize = 18;

/// What a client knows that it can ask about.
pub struct Known<'k> {
    /// Its agent.
    pub agent: &'k str,
    /// Permits it was granted, with what it holds.
    pub permits: &'k [PermitId],
    /// Its epoch, the current one or, after it was away, an old one.
    pub epoch: u64,
    /// Whether it has a session at all.
    pub connected: bool,
    /// Halts it has heard of.
    pub halts: &'k [String],
}

fn command(noun: &str, body: Value) -> Command {
    serde_json::from_value(json!({ noun: body })).expect("a command of the wire's format")
}

fn local(command: Command) -> Envelope {
    Envelope {
        by: Actor::Local,
        command,
    }
}

/// Scope, agents and settings that every world begins with.
#[must_use]
pub fn set_up(config: &Config) -> Vec<Envelope> {
    let settings = json!({
        "default_decision": "allow", "request_memory_ms": 604_800_000_u64, "waiting_max": 1_000,
    });
    let mut commands = vec![local(command("configure", settings))];
    for client in 0..config.clients {
        let scope = if client % 2 == 0 { "north" } else { "south" };
        let body = json!({"id": agent(client), "scope": scope, "weight": client + 1});
        commands.push(local(command("agent", json!({ "register": body }))));
    }
    let members: Vec<String> = (0..config.clients).map(agent).collect();
    commands.push(local(command(
        "group",
        json!({"set": {"id": "g", "members": members}}),
    )));
    commands
}

/// The name of a client's agent.
#[must_use]
pub fn agent(client: u64) -> String {
    format!("agent-{client}")
}

fn path(config: &Config, rng: &mut Rng) -> String {
    // Few hot and many cold, parents and children.
    let at = rng.below(config.paths).min(rng.below(config.paths));
    match rng.below(4) {
        0 => format!("r{at}"),
        1 => format!("r{at}/x/y"),
        _ => format!("r{at}/x"),
    }
}

fn claims(config: &Config, rng: &mut Rng) -> Value {
    let mut claims: Vec<Value> = Vec::new();
    for _ in 0..rng.below(3) {
        let path = path(config, rng);
        if claims.iter().all(|claim| claim["path"] != path.as_str()) {
            let mode = *rng.pick(&["shared", "commuting", "exclusive", "exclusive"]);
            claims.push(json!({"path": path, "mode": mode}));
        }
    }
    claims.into()
}

/// A request for a permit with this id.
#[must_use]
pub fn permit(config: &Config, rng: &mut Rng, known: &Known<'_>, id: &str) -> Envelope {
    let mut body = json!({
        "request_id": id, "agent": known.agent, "action": *rng.pick(&["pay", "cut.a", "read"]),
        "resources": claims(config, rng), "wait_ms": *rng.pick(&[0, 0, 10, 1_000, 60_000]),
        "ttl_ms": *rng.pick(&[1, 500, 5_000, 60_000]), "priority": rng.below(10) + 1,
    });
    if rng.below(3) == 0 {
        body["cost"] = json!({"money_micros": rng.below(50), "tokens": rng.below(5)});
    }
    if known.connected && rng.below(2) == 0 {
        body["instance"] = json!({"id": "i", "epoch": known.epoch});
    }
    let by = match rng.below(2) {
        0 => Actor::Local,
        _ => Actor::Agent(known.agent.parse().expect("a name")),
    };
    Envelope {
        by,
        command: command("permit", json!({ "request": body })),
    }
}

/// Something else to ask, by weight; `None` where there is nothing to ask about.
#[must_use]
pub fn other(config: &Config, rng: &mut Rng, known: &Known<'_>) -> Option<Envelope> {
    let total: u32 = config.weights[1..].iter().sum();
    let mut at = rng.below(u64::from(total)) as u32;
    let mut kind = 0;
    for (index, weight) in config.weights.iter().enumerate().skip(1) {
        if at < *weight {
            kind = index;
            break;
        }
        at -= *weight;
    }
    let held = |rng: &mut Rng| (!known.permits.is_empty()).then(|| *rng.pick(known.permits));
    let agent = known.agent;
    let key = json!({"agent": agent, "instance": "i"});
    let command = match kind {
        1 | 2 => {
            let ending = *rng.pick(&["completed", "failed", "cancelled"]);
            let cost = (rng.below(3) == 0).then(|| json!({"money_micros": rng.below(80)}));
            let body =
                json!({"permit": held(rng)?, "agent": agent, "ending": ending, "cost": cost});
            command("permit", json!({ "finish": body }))
        }
        3 => command(
            "permit",
            json!({"renew": {"permit": held(rng)?, "agent": agent, "ttl_ms": rng.below(9_000) + 1}}),
        ),
        4 => {
            let wait = *rng.pick(&[0, 1_000, 60_000]);
            let body = json!({"permit": held(rng)?, "agent": agent, "resources": claims(config, rng), "wait_ms": wait});
            command("permit", json!({ "extend": body }))
        }
        5 => {
            let resume = (rng.below(2) == 0).then_some(known.epoch);
            command(
                "instance",
                json!({"connect": {"key": key, "resume": resume}}),
            )
        }
        6 => command(
            "instance",
            json!({"disconnect": {"key": key, "epoch": known.epoch}}),
        ),
        7 => command(
            "instance",
            json!({"ready": {"key": key, "epoch": known.epoch}}),
        ),
        8 => {
            let mode = *rng.pick(&["pause", "graceful", "immediate", "risk_reducing_only"]);
            let target = rng
                .pick(&[
                    json!("all"),
                    json!({"scope": "north"}),
                    json!({"group": "g"}),
                    json!({"agent": agent}),
                ])
                .clone();
            let body = json!({"target": target, "mode": mode, "reason": "drill"});
            command("halt", json!({ "order": body }))
        }
        9 => {
            let halt = known.halts.last()?;
            command("halt", json!({"release": {"halt": halt}}))
        }
        10 => {
            let measure = match rng.below(2) {
                0 => json!({"concurrency": {"max": rng.below(4) + 1}}),
                _ => {
                    json!({"rate": {"permits": rng.below(4) + 1, "per_ms": *rng.pick(&[10, 1_000])}})
                }
            };
            let each = *rng.pick(&["all", "agent", "resource"]);
            let body =
                json!({"id": format!("l{}", rng.below(3)), "measure": measure, "each": each});
            command("limit", json!({ "set": body }))
        }
        11 => command(
            "limit",
            json!({"remove": {"limit": format!("l{}", rng.below(3))}}),
        ),
        12 => {
            let body = json!({"id": format!("b{}", rng.below(2)), "unit": "money", "hard": rng.below(500), "period": *rng.pick(&["hour", "total"])});
            command("budget", json!({ "set": body }))
        }
        13 => command(
            "budget",
            json!({"top_up": {"budget": format!("b{}", rng.below(2)), "amount": rng.below(100) + 1}}),
        ),
        14 => {
            let halt = known.halts.last()?;
            command(
                "instance",
                json!({"acknowledge_halt": {"key": key, "epoch": known.epoch, "halt": halt, "in_flight": rng.below(3)}}),
            )
        }
        _ => registry(kind, rng, agent),
    };
    Some(local(command))
}

/// Changes of the client's own agent.
fn registry(kind: usize, rng: &mut Rng, agent: &str) -> Command {
    match kind {
        // Somewhere else in the tree, maybe out of the reach of a halt, which must not help.
        15 => {
            let scope = *rng.pick(&["north", "south", "east"]);
            command(
                "agent",
                json!({"register": {"id": agent, "scope": scope, "weight": rng.below(5) + 1}}),
            )
        }
        16 => {
            let status = *rng.pick(&["beta", "active", "active", "active", "offline"]);
            command(
                "agent",
                json!({"set_status": {"agent": agent, "status": status}}),
            )
        }
        _ => command("agent", json!({"remove": {"agent": agent}})),
    }
}
