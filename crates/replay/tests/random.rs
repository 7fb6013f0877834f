//! Random histories, decided anew.
mod history;

use fleet_journal::FleetKey;
use fleet_replay::{Candidate, Options, Report, replay};
use fleet_types::Record;
use history::{History, op};
use proptest::prelude::*;

fn decide(records: &[Record], candidate: &Candidate) -> Report {
    let fleet = FleetKey::new("default", "main").unwrap();
    let options = Options {
        changes_max: usize::MAX,
        ..Options::default()
    };
    let records: Vec<Record> = records.into();
    let mut source = records.into_iter();
    replay(&mut source, &fleet, candidate, &options, &mut |_| {}).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The rules as they were answer as they did.
    #[test]
    fn without_other_rules_nothing_changes(ops in proptest::collection::vec(op(), 1..80)) {
        let history = History::of(&ops);
        let report = decide(&history.records, &Candidate::default());
        prop_assert!(report.is_unchanged(), "{report:#?}");
        prop_assert_eq!(report.unlike_the_record, 0, "{:#?}", report);
        prop_assert_eq!(report.refused, 0);
        prop_assert_eq!(report.requests, history.requests());
    }

    /// Twice the same, whatever the candidate; and what is counted is what is listed.
    #[test]
    fn the_same_replay_finds_the_same(
        ops in proptest::collection::vec(op(), 1..80),
        rules in proptest::collection::vec(0..history::RULES.len(), 1..4),
        only: bool,
    ) {
        let history = History::of(&ops);
        let mut rules: Vec<_> = rules.into_iter().map(|at| history::rule(at, "candidate")).collect();
        for (number, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("c{number}").parse().unwrap();
        }
        let candidate = Candidate { rules, only, ..Candidate::default() };
        let report = decide(&history.records, &candidate);
        prop_assert_eq!(&report, &decide(&history.records, &candidate));
        prop_assert_eq!(report.unlike_the_record, 0);
        prop_assert_eq!(report.changed.total(), report.changes.len() as u64);
        let by_agent: u64 = report.by_agent.iter().map(|row| row.counts.total()).sum();
        prop_assert_eq!(by_agent, report.changed.total());
    }
}
