//! Every target over its seeds, and over some thousand changes of them.
use fleet_fuzz::mutate::mutate;
use fleet_fuzz::parts::Parts;
use fleet_fuzz::{TARGETS, Target};
use fleet_runtime::recall::Shelf;
use fleet_runtime::recall::place::{InMemory, Place};
use fleet_sim::rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of changed input that a target tries, at most; and how many inputs.
const BYTES: usize = 1 << 19;
const COUNT: usize = 4_000;

fn attempt(target: &Target, data: &[u8], what: &str) {
    let tried = catch_unwind(AssertUnwindSafe(|| (target.run)(data)));
    if tried.is_err() {
        let path = std::env::temp_dir().join(format!("fleet-fuzz-{}", target.name));
        std::fs::write(&path, data).unwrap();
        let (name, path) = (target.name, path.display());
        panic!(
            "{what} of {name}; replay with: cargo run -p fleet-fuzz --example files -- {name} {path}"
        );
    }
}

fn mutations(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = (target.seeds)();
    assert!(seeds.len() > 1);
    for (number, seed) in seeds.iter().enumerate() {
        attempt(target, seed, &format!("seed {number}"));
    }
    let mut rng = Rng::new(1);
    let mut bytes = 0;
    for number in 0..COUNT {
        let seed = rng.below(seeds.len() as u64) as usize;
        let other = rng.below(seeds.len() as u64) as usize;
        let changed = mutate(&mut rng, &seeds[seed], &seeds[other]);
        attempt(target, &changed, &format!("change {number}"));
        bytes += changed.len();
        if bytes > BYTES {
            break;
        }
    }
}

#[test]
fn session_client() {
    mutations("session_client");
}

#[test]
fn session_server() {
    mutations("session_server");
}

#[test]
fn bodies() {
    mutations("bodies");
}

#[test]
fn commands() {
    mutations("commands");
}

#[test]
fn queries() {
    mutations("queries");
}

#[test]
fn rows() {
    mutations("rows");
}

#[test]
fn snapshots() {
    mutations("snapshots");
}

#[test]
fn runs() {
    mutations("runs");
}

#[test]
fn modules() {
    mutations("modules");
}

#[test]
fn schemas() {
    mutations("schemas");
}

#[test]
fn manifest() {
    mutations("manifest");
}

#[test]
fn samples_are_taken() {
    fn all<T: serde::de::DeserializeOwned>(seeds: Vec<Vec<u8>>) {
        for seed in seeds.iter().filter(|seed| seed.starts_with(b"{")) {
            let taken = serde_json::from_slice::<T>(seed);
            assert!(taken.is_ok(), "{}: {:?}", seed.escape_ascii(), taken.err());
        }
    }
    all::<fleet_types::session::ClientFrame>(fleet_fuzz::seeds::session_client());
    all::<fleet_types::session::ServerFrame>(fleet_fuzz::seeds::session_server());
    all::<fleet_types::Envelope>(fleet_fuzz::seeds::commands());
    for seed in fleet_fuzz::seeds::runs() {
        let parts = Parts::read(&seed).filter(|_| !seed.starts_with(b"FLEETRN1"));
        let file = parts.map_or(seed, |parts| parts.pack());
        let place = InMemory::with_room(usize::MAX);
        place.write(1, &mut |out| out.write_all(&file)).unwrap();
        let shelf = Shelf::open("acme/main".parse().unwrap(), Box::new(place)).unwrap();
        shelf.verify().unwrap();
    }
}

#[test]
fn definitions() {
    mutations("definitions");
}

#[test]
fn expressions() {
    mutations("expressions");
}
