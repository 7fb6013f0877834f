//! Many seeds: safety under faults, then a healthy world must converge. Planted mistakes must be caught.
use fleet_sim::{Config, Planted, run};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn seeds(first: u64, count: u64, steps: u64) -> BTreeMap<String, u64> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + count {
        let config = Config::of(seed, steps);
        let shown = format!("replay with: {}\n{config:?}", config.replay());
        let report =
            catch_unwind(AssertUnwindSafe(|| run(config))).unwrap_or_else(|_| panic!("{shown}"));
        for (what, count) in report.faults.iter().chain(&report.events) {
            *seen.entry((*what).to_owned()).or_default() += count;
        }
        *seen.entry("lives".into()).or_default() += report.lives;
        *seen.entry("records".into()).or_default() += report.records;
        *seen.entry("answers".into()).or_default() += report.answers;
        *seen.entry("simulated seconds".into()).or_default() += report.simulated_us / 1_000_000;
    }
    seen
}

fn first_seed() -> u64 {
    let seed = std::env::var("FLEET_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    seed.unwrap_or(1)
}

#[test]
fn seeds_keep_every_promise() {
    let seed = first_seed();
    println!("FLEET_SEED={seed}");
    let seen = seeds(seed, 60, 1_500);
    println!("{seen:#?}");
    // "Sometimes" assertions: what never happens is not tested.
    for what in [
        "power loss",
        "dies soon",
        "sync fails",
        "disk full",
        "append failed",
        "append unknown",
        "clock jumps",
        "snapshot",
        "stop",
        "died in answers",
        "file of answers lost",
        "answers restored",
        "client vanished",
        "permit.granted",
        "permit.queued",
        "permit.denied",
        "permit.expired",
        "permit.finished",
        "permit.renewed",
        "permit.extended",
        "permit.extension_queued",
        "permit.requeued",
        "instance.connected",
        "instance.failed",
        "halt.ordered",
        "halt.released",
        "halt.acknowledged",
        "agent.registered",
        "agent.status_set",
        "agent.removed",
        "limit.set",
        "budget.set",
    ] {
        assert!(seen.contains_key(what), "{what} never happened: {seen:#?}");
    }
}

#[test]
fn the_same_seed_twice_is_the_same_run() {
    for seed in [3, 14, 15] {
        let first = run(Config::of(seed, 800));
        assert_eq!(
            first,
            run(Config::of(seed, 800)),
            "seed {seed} is not one world"
        );
    }
}

/// How many of so many seeds notice a mistake.
fn caught(planted: Planted, seeds: u64, steps: u64) -> u64 {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {})); // These panics are what we want to see.
    let noticed = (1..=seeds).filter(|seed| {
        let config = Config::of(*seed, steps).with(planted);
        catch_unwind(AssertUnwindSafe(|| run(config))).is_err()
    });
    let noticed = noticed.count() as u64;
    std::panic::set_hook(hook);
    noticed
}

#[test]
fn planted_mistakes_are_caught() {
    for (_, planted) in Planted::ALL {
        let noticed = caught(planted, 12, 1_500);
        println!("{planted:?}: {noticed} of 12 seeds");
        assert!(noticed > 0, "{planted:?} went unnoticed");
    }
}

/// How many of so many seconds the long run takes.
fn seconds() -> u64 {
    let said = std::env::var("FLEET_SIM_SECONDS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(300)
}

#[test]
#[ignore = "takes minutes: FLEET_SEED says where it begins, FLEET_SIM_SECONDS how long it goes on"]
fn long_seeds() {
    let first = first_seed();
    println!("FLEET_SEED={first}");
    let began = Instant::now();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut seed = first;
    while began.elapsed() < Duration::from_secs(seconds()) {
        for (what, count) in seeds(seed, 50, 3_000) {
            *seen.entry(what).or_default() += count;
        }
        seed += 50;
    }
    println!("{} seeds: {seen:#?}", seed - first);
}
