//! What the decoders should take: samples by hand, one on each line of a file in `seeds/`, and what a simulated fleet
//! writes.
use fleet_journal::Reader;
use fleet_journal::memory::Disk;
use fleet_sim::Config;
use fleet_sim::requests::{self, Known};
use fleet_sim::rng::Rng;
use fleet_sim::server::Server;
use fleet_types::{Envelope, Time};

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

/// Files for `fleet apply`.
#[must_use]
pub fn manifest() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../examples/fleet.yaml").to_vec(),
        include_bytes!("../../examples/bank/fleet.yaml").to_vec(),
        b"agents:\n  - id: a\n    scope: a//b\n    colour: red\n  - name: x\nlimit: []\n".to_vec(),
        b"agents: &a [{id: x}, *b]\n".to_vec(),
    ]
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
    let mut server = Server::start(&Disk::new(), &fleet).expect("an empty disk opens");
    for (at, envelopes) in asked().chunks(7).enumerate() {
        let wall = Time(MORNING + at as u64 * 1_000);
        let commands = envelopes.iter().map(|envelope| (0, envelope.clone()));
        server.turn(commands.collect(), Vec::new(), wall);
        server.write(1, wall);
    }
    (server, fleet)
}
