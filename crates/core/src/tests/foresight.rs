//! How well habits foresee: precision and recall on a history that was held back.
//!
//! Agents visit desks by schedules of their own: some come evenly, some at random, some moved elsewhere half-way. The
//! first part of the history is learned; in the second, every plan is asked who will likely come while a step lasts, and
//! the visits that did come then are the truth.
use super::world::World;
use fleet_types::plan::With;
use fleet_types::{Actor, Command, Reply, Time};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use serde_json::json;
use std::collections::BTreeSet;

const AGENTS: [&str; 12] = [
    "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b0", "planner",
];
const DESKS: u64 = 30;
const SECOND: u64 = 1_000_000;

/// A visit: when, who, where.
type Visit = (u64, usize, u64);

/// Two hours of visits, by second.
fn history(random: &mut impl FnMut(u64) -> u64) -> Vec<Visit> {
    let mut visits = Vec::new();
    for agent in 0..AGENTS.len() - 1 {
        // Each has some desks that it comes to, every so many seconds.
        for _ in 0..4 {
            let (mut desk, every) = (random(DESKS), 20 + random(220));
            let (jitter, moves) = (1 + random(every), random(4) == 0);
            let mut at = random(every);
            while at < 7_200 {
                if moves && at > 3_600 {
                    desk = (desk + 1) % DESKS;
                }
                visits.push((at, agent, desk));
                at += every / 2 + random(jitter) + 1;
            }
        }
    }
    visits.sort_unstable();
    visits
}

#[test]
fn who_comes_is_foreseen() {
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut random = |below: u64| rng.next_u64() % below;
    let visits = history(&mut random);
    let mut world = World::open(&AGENTS);
    let begin = world.wall.0;
    let plan = |world: &mut World, desk: Option<u64>, seconds: u64| {
        let resources =
            desk.map(|desk| json!({"path": format!("desk/{desk}"), "mode": "exclusive"}));
        let resources: Vec<_> = resources.into_iter().collect();
        let steps =
            json!([{"action": "sit", "resources": resources, "duration_ms": seconds * 1_000}]);
        let plan = json!({"agent": "planner", "steps": steps, "ttl_ms": 1_000});
        let command = serde_json::from_value(json!({"plan": {"declare": {"plan": plan}}}));
        match world.run(Actor::Local, command.unwrap()).answer {
            Ok(Reply::Done { seq }) => fleet_types::PlanId(seq),
            other => panic!("{other:?}"),
        }
    };
    plan(&mut world, None, 1); // From here on habits are learned.
    let (mut right, mut wrong, mut missed, mut asked) = (0u32, 0u32, 0u32, 0u32);
    for (number, (second, agent, desk)) in visits.iter().enumerate() {
        world.wall = Time(begin + second * SECOND + 1);
        // Half of the history is held back: there, now and then, a plan asks who will come.
        if *second > 3_600 && *second < 7_000 && number % 5 == 0 {
            let (wanted, seconds) = (random(DESKS), 30 + random(90));
            let id = plan(&mut world, Some(wanted), seconds);
            let view = crate::read::plan(&world.state, id, world.wall).unwrap();
            let foreseen: BTreeSet<String> = view
                .collisions
                .into_iter()
                .filter_map(|it| match it.with {
                    With::Likely { agent, .. } => Some(agent.to_string()),
                    _ => None,
                })
                .collect();
            let came: BTreeSet<String> = visits
                .iter()
                .filter(|(at, _, there)| {
                    *there == wanted && (*second..*second + seconds).contains(at)
                })
                .map(|(_, agent, _)| AGENTS[*agent].to_owned())
                .collect();
            asked += 1;
            right += foreseen.intersection(&came).count() as u32;
            wrong += foreseen.difference(&came).count() as u32;
            missed += came.difference(&foreseen).count() as u32;
        }
        let id = format!("v{number}");
        let body = format!(
            r#""action":"sit","resources":[{{"path":"desk/{desk}","mode":"exclusive"}}],"ttl_ms":1"#
        );
        let request = super::world::request(&id, AGENTS[*agent], &body);
        let command = fleet_types::permit::Command::Request(std::sync::Arc::new(request));
        world
            .run(Actor::Local, Command::Permit(command))
            .answer
            .unwrap();
    }
    let precision = right * 1_000 / (right + wrong).max(1);
    let recall = right * 1_000 / (right + missed).max(1);
    println!(
        "visits {} plans {asked} foreseen {} precision {precision} recall {recall} (of 1000)",
        visits.len(),
        right + wrong
    );
    assert!(
        precision >= 600 && recall >= 550,
        "precision {precision}, recall {recall}"
    );
}
