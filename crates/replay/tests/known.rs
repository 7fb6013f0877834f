//! Short histories whose every answer is known.
use fleet_core::{State, read, step};
use fleet_journal::FleetKey;
use fleet_replay::{Candidate, End, Kind, Options, Report, replay};
use fleet_types::approval::Phase;
use fleet_types::permit::Decision;
use fleet_types::rule::Rule;
use fleet_types::{Actor, Command, Envelope, PermitId, Record, Reply, Time};
use serde_json::{Value, json};

const BEGIN: u64 = 1_793_606_400_000_000;

/// Writes down what is asked of a fleet, at milliseconds.
struct Scribe {
    state: State,
    records: Vec<Record>,
}

impl Scribe {
    fn new() -> Scribe {
        let mut scribe = Scribe {
            state: State::default(),
            records: Vec::new(),
        };
        let open =
            json!({"default_decision": "allow", "auto_register": true, "ttl_ms_default": 20_000});
        scribe.run(0, "configure", open);
        scribe
    }

    fn run(&mut self, ms: u64, noun: &str, body: Value) -> Option<Reply> {
        let now = Time(BEGIN + ms * 1_000).max(Time(self.state.now().0 + 1));
        let command: Command = serde_json::from_value(json!({ noun: body })).unwrap();
        let envelope = Envelope {
            by: Actor::Local,
            command,
        };
        step(&mut self.state, &envelope, now, &mut self.records).ok()
    }

    fn rule(&mut self, rule: &Rule) {
        self.run(0, "rule", json!({"set": {"rule": rule}}));
    }

    /// The permit, granted or not.
    fn ask(&mut self, ms: u64, agent: &str, action: &str, wait_ms: u64) -> PermitId {
        let id = format!("{agent}-{action}-{ms}");
        let claim = json!([{"path": "x/1", "mode": "shared"}]);
        let request = json!({
            "request_id": id, "agent": agent, "action": action, "resources": claim, "wait_ms": wait_ms,
        });
        match self.run(ms, "permit", json!({"request": request})) {
            Some(Reply::Decision(Decision::Granted(grant))) => grant.permit,
            Some(Reply::Decision(Decision::Queued(queued))) => queued.permit,
            Some(Reply::Decision(Decision::Denied(denial))) => denial.permit,
            other => panic!("{other:?}"),
        }
    }

    fn complete(&mut self, ms: u64, permit: PermitId, agent: &str) {
        let finish = json!({"permit": permit, "agent": agent, "ending": "completed"});
        let done = self.run(ms, "permit", json!({"finish": finish}));
        assert!(done.is_some());
    }

    /// Bob answers the only approval that is open.
    fn approve(&mut self, ms: u64) {
        let filter = read::ApprovalFilter {
            state: Some(Phase::Open),
            ..read::ApprovalFilter::default()
        };
        let open = read::approvals(&self.state, &filter, self.state.now(), None, 2).items;
        assert_eq!(open.len(), 1);
        let verb = json!({"answer": {"approval": open[0].approval, "option": "approve"}});
        let speaks_as = json!({"agent": "bob"});
        let body = json!({"proof": {"role": "agent"}, "speaks_as": speaks_as, "verb": verb});
        assert!(self.run(ms, "approval", body).is_some());
    }

    fn replay(&self, candidate: &Candidate, from_ms: u64) -> Report {
        let fleet = FleetKey::new("default", "main").unwrap();
        let options = Options {
            from: Time(BEGIN + from_ms * 1_000),
            ..Options::default()
        };
        let mut source = self.records.clone().into_iter();
        let report = replay(&mut source, &fleet, candidate, &options, &mut |_| {}).unwrap();
        assert_eq!(report.unlike_the_record, 0, "{report:#?}");
        report
    }
}

fn rule(id: &str, when: Value, form: Value) -> Rule {
    serde_json::from_value(json!({"id": id, "when": when, "form": form})).unwrap()
}

fn exclusion() -> Rule {
    let form = json!({"exclusion": {"with": {"action": "b"}}});
    rule("apart", json!({"action": "a"}), form)
}

fn kinds(report: &Report) -> Vec<(PermitId, Kind, End)> {
    let changes = report.changes.iter();
    changes
        .map(|change| (change.permit, change.kind, change.ended))
        .collect()
}

#[test]
fn who_waits_now_ends_as_much_later() {
    let mut scribe = Scribe::new();
    let first = scribe.ask(0, "ann", "a", 0);
    let late = scribe.ask(200, "bob", "b", 5_000);
    scribe.complete(700, late, "bob"); // After 500 ms.
    scribe.complete(1_000, first, "ann");
    let refused = scribe.ask(1_200, "cid", "a", 0);
    scribe.complete(1_300, refused, "cid");
    let passes = scribe.ask(1_600, "dan", "a", 0);
    scribe.complete(1_700, passes, "dan");
    let candidate = Candidate {
        rules: vec![exclusion()],
        ..Candidate::default()
    };
    let report = scribe.replay(&candidate, 0);
    // It holds from 1,000 to 1,500 instead of 200 to 700.
    assert_eq!(
        kinds(&report),
        [
            (late, Kind::NewlyQueued, End::Completed),
            (refused, Kind::NewlyDenied, End::Completed),
        ]
    );
    assert_eq!(report.changed.newly_queued_completed, 1);
    // What lies before is known and not compared: an exclusion remembers nothing, so the lanes part at 1,100.
    let report = scribe.replay(&candidate, 1_100);
    assert_eq!((report.requests, kinds(&report)), (2, vec![]));
}

#[test]
fn what_was_never_granted_takes_as_long_as_its_action_does() {
    let mut scribe = Scribe::new();
    scribe.rule(&exclusion());
    let measured = scribe.ask(1_200, "cid", "b", 0);
    scribe.complete(1_500, measured, "cid"); // 300 ms.
    let long = scribe.ask(2_000, "ann", "a", 0);
    let granted = scribe.ask(2_100, "bob", "b", 0); // Denied; now granted, until 2,400.
    let hot = scribe.ask(2_700, "dan", "b", 0); // Denied; now too, as one ended 300 ms ago.
    let cool = scribe.ask(3_000, "eve", "b", 0); // Denied; now granted.
    scribe.complete(4_000, long, "ann");
    let cooling = json!({"cooling_off": {"for_ms": 500, "per": []}});
    let candidate = Candidate {
        rules: vec![rule("cool", json!({"action": "b"}), cooling)],
        without: vec!["apart".parse().unwrap()],
        ..Candidate::default()
    };
    let report = scribe.replay(&candidate, 0);
    assert_eq!(
        kinds(&report),
        [
            (granted, Kind::NewlyAllowed, End::NotGranted),
            (hot, Kind::Otherwise, End::NotGranted),
            (cool, Kind::NewlyAllowed, End::NotGranted),
        ]
    );
    let rules: Vec<&str> = report.by_rule.keys().map(|rule| rule.as_str()).collect();
    assert_eq!(rules, ["apart", "cool"]);
}

#[test]
fn who_was_asked_answers_as_much_later_and_nobody_else_does() {
    let mut scribe = Scribe::new();
    let asks = |action: &str| {
        let form = json!({"approval": {"assignees": [{"agent": "bob"}]}});
        rule(&format!("ask-{action}"), json!({"action": action}), form)
    };
    scribe.rule(&asks("b"));
    let knows = scribe.ask(0, "bob", "c", 0);
    scribe.complete(10, knows, "bob");
    let first = scribe.ask(100, "ann", "a", 0);
    let asked = scribe.ask(200, "cid", "b", 5_000);
    scribe.approve(500); // 300 ms after the question.
    scribe.complete(600, asked, "cid"); // 100 ms after the grant.
    scribe.complete(1_000, first, "ann");
    // The question comes at 1,000 now, the answer at 1,300; it holds until 1,400.
    let hit = scribe.ask(1_350, "dan", "a", 0);
    scribe.complete(1_360, hit, "dan");
    let free = scribe.ask(1_450, "dan", "a", 0);
    scribe.complete(1_460, free, "dan");
    let candidate = Candidate {
        rules: vec![exclusion()],
        ..Candidate::default()
    };
    let report = scribe.replay(&candidate, 0);
    assert_eq!(
        kinds(&report),
        [(hit, Kind::NewlyDenied, End::Completed)],
        "{report:#?}"
    );
    assert_eq!(
        (report.approvals_asked, report.approvals_asked_before),
        (1, 1)
    );
    // Nobody was asked about these, so nobody approves them.
    let candidate = Candidate {
        rules: vec![asks("a")],
        ..Candidate::default()
    };
    let report = scribe.replay(&candidate, 0);
    let denied = [first, hit, free].map(|permit| (permit, Kind::NewlyDenied, End::Completed));
    assert_eq!(kinds(&report), denied);
}

#[test]
fn rules_know_what_was_before_the_first_request_that_is_compared() {
    let mut scribe = Scribe::new();
    let first = scribe.ask(1_000, "ann", "a", 0);
    scribe.complete(1_001, first, "ann");
    let second = scribe.ask(5_000, "bob", "a", 0);
    scribe.complete(5_001, second, "bob");
    let cooling = json!({"cooling_off": {"for_ms": 10_000}});
    let candidate = Candidate {
        rules: vec![rule("cool", json!({}), cooling)],
        ..Candidate::default()
    };
    let report = scribe.replay(&candidate, 4_000);
    assert_eq!(report.requests, 1);
    assert_eq!(
        kinds(&report),
        [(second, Kind::NewlyDenied, End::Completed)]
    );
    let refused = Candidate {
        without: vec!["nobody".parse().unwrap()],
        ..Candidate::default()
    };
    let fleet = FleetKey::new("default", "main").unwrap();
    let mut source = scribe.records.clone().into_iter();
    let error = replay(
        &mut source,
        &fleet,
        &refused,
        &Options::default(),
        &mut |_| {},
    );
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("leave out rule nobody"), "{error}");
}
