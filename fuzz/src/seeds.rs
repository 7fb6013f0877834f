//! What the decoders should take: samples by hand, one on each line of a file in `seeds/`, and what a simulated fleet
//! writes.
use crate::parts::Parts;
use fleet_core::Evicted;
use fleet_journal::Reader;
use fleet_runtime::Recall;
use fleet_runtime::recall::Shelf;
use fleet_runtime::recall::place::{InMemory, Place};
use fleet_sim::Config;
use fleet_sim::requests::{self, Known};
use fleet_sim::rng::Rng;
use fleet_sim::server::{Machine, Server};
use fleet_types::{Envelope, Seq, Time};
use serde_json::json;
use std::sync::Arc;

/// 2026-11-02 08:00:00 UTC, in microseconds.
const MORNING: u64 = 1_793_606_400_000_000;

fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// Frames of a client.
#[must_use]
pub fn session_client() -> Vec<Vec<u8>> {
    let mut seeds = lines(include_str!("../seeds/session_client.jsonl"));
    // A masked text frame, a ping and a close, as RFC 6455 §5.7 has them.
    seeds.push(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x89\x80\x37\xfa\x21\x3d\x88\x80\x37\xfa\x21\x3d".to_vec());
    seeds
}

/// Frames of a server.
#[must_use]
pub fn session_server() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/session_server.jsonl"))
}

/// Bodies over HTTP.
#[must_use]
pub fn bodies() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/bodies.jsonl"))
}

/// Query strings, cursors, names.
#[must_use]
pub fn queries() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/queries.txt"))
}

/// Modules of policies.
#[must_use]
pub fn modules() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../bench/src/payments.rego").to_vec(),
        b"package fleet\ndeny contains x if { some y in numbers.range(1, 9); x := sprintf(\"%d %s\", [y, input.request.agent]) }\n".to_vec(),
        b"package fleet\nallow if f(input.request.parameters.amount) > 3\nf(x) := y if { y := x * x } else := 2\ntransform := {\"priority\": 3}\n".to_vec(),
        b"package fleet\nimport rego.v1\napprove contains {\"reason\": \"x\", \"assignees\": [\"role:admin\"]} if { not input.agent.id; regex.match(`a+`, \"aa\") }\n".to_vec(),
    ]
}

/// Schemas of tools' arguments, and arguments.
#[must_use]
pub fn schemas() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/schemas.txt"))
        .chunks(2)
        .map(|pair| pair.join(&b'\n'))
        .collect()
}

/// Files for `fleet apply`.
#[must_use]
pub fn manifest() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../examples/fleet.yaml").to_vec(),
        include_bytes!("../../examples/bank/fleet.yaml").to_vec(),
        b"agents:\n  - id: a\n    scope: a//b\n    colour: red\n  - name: x\nlimit: []\n".to_vec(),
        b"agents: &a [{id: x}, *b]\n".to_vec(),
        b"id: r\nform: { quota: { max: 1, window_ms: 2, per: [agent, resource] } }\n".to_vec(),
        b"rules: [{id: r, form: {cooling_off: {for_ms: 1}}}]\ntests:\n  - { name: t, begins: 2026-11-02T08:00:00Z, given: [{agent: a, action: b, ending: failed}], ask: {agent: a, action: b}, expect: {decision: denied, rule: r} }\n".to_vec(),
    ]
}

/// Definitions of workflows.
#[must_use]
pub fn definitions() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../crates/workflow/tests/every-kind.yaml").to_vec(),
        include_bytes!("../../templates/ci-cd-review.yaml").to_vec(),
        include_bytes!("../../templates/procurement.yaml").to_vec(),
        b"name: w\nnodes: {a: {kind: wait, for: 1s, after: b}, b: {kind: transform, value: nodes.a.outputs}}\n".to_vec(),
        b"{\"name\": \"w\", \"nodes\": {\"a\": {\"kind\": \"emit\", \"event\": \"{{ inputs['x y'][0] }} \\\\{{\"}}}".to_vec(),
        b"name: &a [x]\nnodes: {b: *a, b: {kind: 3}}\n".to_vec(),
    ]
}

/// Expressions.
#[must_use]
pub fn expressions() -> Vec<Vec<u8>> {
    lines(include_str!("../seeds/expressions.txt"))
}

/// Commands of every kind that the simulator knows.
#[must_use]
pub fn commands() -> Vec<Vec<u8>> {
    let commands = asked().into_iter();
    commands
        .map(|envelope| serde_json::to_vec(&envelope).expect("commands have a JSON form"))
        .collect()
}

/// Batches that a fleet wrote.
#[must_use]
pub fn rows() -> Vec<Vec<u8>> {
    let (server, fleet) = lived();
    let reader: &mut dyn Reader = &mut *server.reader();
    let batches = reader
        .read(&fleet, 1, 10_000)
        .expect("the journal is there");
    let mut seeds: Vec<Vec<u8>> = batches.into_iter().map(|batch| batch.events).collect();
    // A zstd frame of "[]" and zeros.
    seeds.push(b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x00[]".to_vec());
    seeds
}

/// Files of answers that a fleet's memory let go: of one block, whole and taken apart, and of several.
#[must_use]
pub fn runs() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for count in [1, 7, 60] {
        let small = stored(count);
        seeds.push(Parts::unpack(&small).write());
        seeds.push(small);
    }
    seeds.push(stored(150));
    seeds
}

/// The file of so many answers, granted and denied.
fn stored(count: u64) -> Vec<u8> {
    let place = InMemory::with_room(usize::MAX);
    let fleet = "acme/main".parse().expect("a key");
    let shelf = Shelf::open(fleet, Box::new(place.clone())).expect("an empty place opens");
    let mut recall = Recall::new(Arc::new(shelf), None, 10_000);
    for number in 0..count {
        let (at, id) = (MORNING + 1_000 * number, format!("p{number}"));
        let outcome = match number % 3 {
            0 => {
                json!({"Denied": {"permit": id, "code": "lock_held", "gate": "locks", "reason": "held"}})
            }
            _ => json!({"Granted": {"permit": id, "expires_at": at}}),
        };
        let entry = json!({
            "at": at, "seq": number, "asker": number % 5, "id": format!("r-{number}"), "fingerprint": number, "outcome": outcome,
        });
        recall.push(Evicted {
            seq: Seq(number + 9),
            number,
            entry: serde_json::from_value(entry).expect("an answer"),
        });
    }
    recall.flush().expect("there is room");
    let sheet = place.open(1).expect("it was stored");
    let mut file = vec![0; sheet.size() as usize];
    sheet.read(0, &mut file).expect("it is in memory");
    file
}

/// States that a fleet was in.
#[must_use]
pub fn snapshots() -> Vec<Vec<u8>> {
    vec![
        fleet_core::State::default().to_snapshot(),
        lived().0.state().to_snapshot(),
    ]
}

/// What some clients of a simulated world ask for.
fn asked() -> Vec<Envelope> {
    let mut config = Config::of(1, 0);
    config.weights = [1; requests::KINDS];
    let mut rng = Rng::new(1);
    let halts = ["h7".to_owned()];
    let permits = ["p12".parse().expect("an id")];
    let known = Known {
        agent: "agent-0",
        permits: &permits,
        epoch: 9,
        connected: true,
        halts: &halts,
    };
    let mut asked = requests::set_up(&config);
    for number in 0..60 {
        asked.push(requests::permit(
            &config,
            &mut rng,
            &known,
            &format!("r{number}"),
        ));
        asked.extend(requests::other(&config, &mut rng, &known));
    }
    asked
}

/// A server that was asked all that.
fn lived() -> (Server, fleet_journal::FleetKey) {
    let fleet = "acme/main".parse().expect("a key");
    let mut server = Server::start(&Machine::default(), &fleet).expect("an empty disk opens");
    for (at, envelopes) in asked().chunks(7).enumerate() {
        let wall = Time(MORNING + at as u64 * 1_000);
        let commands = envelopes.iter().map(|envelope| (0, envelope.clone()));
        server.turn(commands.collect(), Vec::new(), wall);
        server.write(1, wall);
    }
    (server, fleet)
}
