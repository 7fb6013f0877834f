//! `rules`: permits in memory under 1,000 active rules of mixed forms, of which 20 match each request. Beside it: the
//! same fleet without rules, in turns of a second.
use crate::core::{Desk, Measured};
use crate::figures::{Figures, round};
use crate::world::{LARGE, local};
use fleet_types::permit::Request;
use fleet_types::{Command, Envelope, rule};
use serde_json::{Value, json};

const RULES: usize = 1_000;
const MATCHING: usize = 20;

pub fn run(seconds: u64) -> Figures {
    let mut plain = Desk::open(LARGE.build());
    let mut ruled = Desk::open(LARGE.build().into_iter().chain(rules()).collect());
    // Warm: every resource was asked for, so that what rules remember has its usual size.
    for desk in [&mut plain, &mut ruled] {
        let mut asked = 0;
        while asked < 3 * LARGE.resources {
            asked += desk.work(1, dress).pairs();
        }
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..seconds.max(3) {
        without.push(plain.work(1, dress));
        with.push(ruled.work(1, dress));
    }
    let median = |mut all: Vec<Measured>| {
        all.sort_by(|one, other| one.rate().total_cmp(&other.rate()));
        all.swap_remove(all.len() / 2)
    };
    let (with, without) = (median(with), median(without));
    Figures {
        beside: Some(json!({
            "what": "the same fleet without rules, in turns of a second; medians of both",
            "permits_per_s": round(without.rate()),
        })),
        ratio: Some((with.rate() / without.rate() * 1_000.0).round() / 1_000.0),
        ..with.figures("rules")
    }
    .with("rules", RULES)
    .with("matching", MATCHING)
}

/// What rules look at.
fn dress(request: &mut Request) {
    let Value::Object(arguments) = json!({"amount": 250, "currency": "EUR"}) else {
        unreachable!("it is an object")
    };
    request.parameters = Some(Box::new(arguments));
}

/// Two of each form and some more match every request; the others name actions or agents of their own.
fn rules() -> impl Iterator<Item = Envelope> {
    (0..RULES).map(|number| {
        let when = match number {
            0..MATCHING => json!({"action": "payment.send"}),
            _ if number % 3 == 0 => json!({"agent": format!("clerk-{number}"), "action": "payment.*"}),
            _ if number % 3 == 1 => json!({"action": format!("case-{number}.close")}),
            _ => json!({"scope": format!("emea/sales/desk-{number}")}),
        };
        let other = json!({"action": format!("account-{number}.freeze")});
        let form = match number % 9 {
            0 => json!({"bounds": {"parameter": "/amount", "at_most": 1_000_000}}),
            1 => json!({"contradiction": {"with": other, "within_ms": 10_000}}),
            2 => json!({"exclusion": {"with": other}}),
            3 => json!({"separation": {"from": other, "within_ms": 10_000}}),
            4 => json!({"quota": {"max": 1_000_000_000, "window_ms": 100, "per": ["agent"]}}),
            5 => json!({"quota": {"max": 1_000_000_000, "window_ms": 100, "sum": "/amount", "per": ["agent"]}}),
            6 => json!({"throttle": {"max": 1_000_000, "window_ms": 100, "per": ["agent"]}}),
            7 => json!({"bounds": {"parameter": "/amount", "at_least": 1}}),
            _ => json!({"cooling_off": {"for_ms": 1}}),
        };
        let rule = json!({"id": format!("rule-{number}"), "when": when, "form": form});
        let command = rule::Command::Set {
            rule: serde_json::from_value(rule).expect("a rule"),
            reason: fleet_types::Text::default(),
        };
        local(Command::Rule(command))
    })
}
