//! Random commands against a small reference model, with every invariant checked after each of them.
//!
//! The seed is fixed unless `FLEET_SEED` says otherwise; it and the configuration are printed first. What a failure
//! prints is shrunk already; it goes into `regressions`.
mod ahead;
mod approvals;
mod checks;
mod command;
mod ops;
mod orders;
mod people;
mod policies;
mod reference;
mod regressions;
mod rules;
mod tools;
mod txns;
mod versions;

use super::world::World;
pub use checks::check_replay;
use command::Driver;
use ops::Case;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use reference::Reference;

/// Carries out a case; panics where an invariant is broken.
pub fn run(case: &Case) -> World {
    let mut driver = Driver::new();
    let mut reference = Reference::default();
    reference.follow(&driver.world.records);
    let mut rules = rules::Rules::default();
    let mut approvals = approvals::Approvals::default();
    approvals.follow(None, &driver.world.records);
    let mut txns = txns::Txns::default();
    let mut policies = policies::Policies::default();
    policies.follow(&driver.world.records, &driver.world.state);
    let mut tools = tools::Tools::default();
    tools.follow(&driver.world.records, &driver.world.state);
    let mut versions = versions::Versions::default();
    let mut orders = orders::Orders::default();
    orders.follow(&driver.world.records, &reference);
    let mut twins = checks::Twins::of(&driver.world);
    for op in &case.ops {
        let begin = driver.world.records.len();
        for (by, command) in driver.commands(op) {
            let before = driver.world.records.len();
            twins.before(&driver.world);
            let outcome = driver.world.run(by.clone(), command.clone());
            reference.answered(&by, &command, &outcome.answer, &outcome.records);
            reference.follow(&driver.world.records[before..]);
            rules.follow(&driver.world.records[before..]);
            approvals.follow(Some(&command), &driver.world.records[before..]);
            txns.follow(&driver.world, before);
            policies.follow(&driver.world.records[before..], &driver.world.state);
            tools.follow(&driver.world.records[before..], &driver.world.state);
            versions.follow(&driver.world.records[before..]);
            orders.follow(&driver.world.records[before..], &reference);
            twins.after(&driver.world, by, command, &outcome);
        }
        checks::check(&driver.world, &reference, begin);
    }
    let mut follower = driver.world.replayed();
    std::mem::swap(&mut follower, &mut driver.world.state); // From here on the replayed fleet lives on.
    checks::check_replay(&driver.world);
    checks::everything_ends(&mut driver.world);
    driver.world
}

/// Runs so many cases of so many commands.
fn hunt(cases: u32, length: usize) {
    let seed = std::env::var("FLEET_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_261_121);
    println!("FLEET_SEED={seed} cases={cases} length={length}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&ops::case(length), |case| {
        run(&case);
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, case)) => {
            panic!("FLEET_SEED={seed}: {why}\nshrunk to {:?}", case)
        }
        Err(TestError::Abort(why)) => panic!("FLEET_SEED={seed}: gave up: {why}"),
    }
}

#[test]
fn random_commands_keep_every_invariant() {
    hunt(256, 60);
}

#[test]
#[ignore = "minutes: FLEET_SEED=… cargo test --release -p fleet-core long_ -- --ignored"]
fn long_random_commands() {
    let cases = std::env::var("FLEET_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    hunt(cases.unwrap_or(20_000), 120);
}
