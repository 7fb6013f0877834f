//! `rego`: a module of 24 rules, of which 18 decide, asked about one payment after the other on one thread and on two; and
//! permits over HTTP with that policy, beside the same without.
use crate::figures::{Figures, histogram, quantile_us, round};
use crate::http::{Kind, load};
use crate::served::serve;
use crate::world::{LARGE, agent_id};
use fleet_policy::{Asked, Bounds, Document, Module, STACK_BYTES, compile, hash, input, judge};
use fleet_types::policy::{self, Opinion, Policy};
use fleet_types::{Actor, Command, Envelope, FleetId, PolicyId, Seq, TenantId, Text, Time};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const MODULE: &str = include_str!("payments.rego");
/// 2026-11-20, 12:00:00 UTC.
const NOON: u64 = 1_795_176_000_000_000;

/// What operators tell the policy.
fn data() -> Value {
    let limits = json!({"payment": 1_000_000, "night": 50_000, "owner": 500_000, "probation": 100, "large": 100_000});
    json!({
        "limits": {"EUR": limits, "USD": limits},
        "currencies": ["EUR", "USD", "CHF"],
        "blocked": (0..1_000).map(|number| format!("XX{number:020}")).collect::<Vec<_>>(),
        "closed": ["emea/treasury/desk-99", "apac/treasury"],
        "countries": {"emea": ["DE", "FR", "CH", "AT", "NL"]},
    })
}

pub fn run(seconds: u64, dir: Option<&Path>) -> Figures {
    let module = compile(MODULE).expect("the module compiles");
    let (one, latencies) = evaluate(&module, 1, seconds);
    let (two, _) = evaluate(&module, 2, seconds);
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    let (plain, with) = runtime.block_on(served(dir, seconds));
    Figures {
        p50_us: Some(quantile_us(&latencies, 0.5)),
        p99_us: Some(quantile_us(&latencies, 0.99)),
        beside: Some(json!({
            "what": "the same server and connections without the policy",
            "permits_per_s": plain.0, "p50_us": plain.1, "p99_us": plain.2,
        })),
        ratio: Some((with.0 / plain.0 * 1_000.0).round() / 1_000.0),
        ..Figures::new("rego")
    }
    .with("rules", 24)
    .with(
        "evaluations_per_s",
        json!({"one_thread": round(one), "two_threads": round(two)}),
    )
    .with(
        "over_http",
        json!({"permits_per_s": with.0, "p50_us": with.1, "p99_us": with.2}),
    )
}

/// Evaluations a second on so many threads, what the input is made of included, and how long those of the first took.
fn evaluate(module: &Module, threads: usize, seconds: u64) -> (f64, hdrhistogram::Histogram<u64>) {
    let picture = picture();
    let policy: PolicyId = "payments".parse().expect("a name");
    let hash = hash(MODULE);
    let work = || {
        let (mut count, mut latencies) = (0u64, histogram());
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let mut request = LARGE.request(count);
            request.parameters = Some(Box::new(payment(count)));
            let request = Arc::new(request);
            let agent = picture.1[count as usize % picture.1.len()].clone();
            let began = Instant::now();
            let input = input(&request, agent, Time(NOON + count), false);
            let asked = Asked {
                policy: &policy,
                version: 1,
                set_at: Seq(1),
                hash: &hash,
                observed: false,
                module: Ok(module),
            };
            let asked = std::iter::once(asked);
            let bounds = Bounds::default();
            let (_, verdict) = judge(&request, asked, &input, &picture.0, bounds, |_| {});
            latencies.saturating_record(began.elapsed().as_nanos() as u64);
            let judged = &verdict.judged[0];
            assert_eq!(judged.opinion, Opinion::Allow, "{judged:?}");
            count += 1;
        }
        (count, latencies)
    };
    std::thread::scope(|scope| {
        let began = Instant::now();
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, work).expect("a thread starts")
            })
            .collect();
        let mut done: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect();
        let count: u64 = done.iter().map(|(count, _)| count).sum();
        let rate = count as f64 / began.elapsed().as_secs_f64();
        (rate, done.swap_remove(0).1)
    })
}

fn payment(number: u64) -> serde_json::Map<String, Value> {
    let Value::Object(arguments) = json!({
        "amount": 1 + number % 20_000, "currency": "EUR", "to": "DE02120300000000202051",
        "reference": format!("AB{:06}", number % 1_000_000),
    }) else {
        unreachable!("it is an object")
    };
    arguments
}

/// A fleet of ten thousand agents as policies see it, and some of these.
fn picture() -> (Document, Vec<Document>) {
    let agent = |number: usize| {
        Document::new(json!({
            "id": agent_id(number), "scope": format!("emea/treasury/desk-{}", number % 50), "owner": "ann",
            "groups": ["payers"], "labels": {}, "status": "active", "priority": 5,
        }))
    };
    let agents: Vec<Document> = (0..LARGE.agents).map(agent).collect();
    let names: Vec<String> = (0..LARGE.agents)
        .map(|number| agent_id(number).to_string())
        .collect();
    let fleet = Document::object([
        (
            "agents",
            Document::object(names.iter().zip(agents.iter().cloned())),
        ),
        ("data", Document::new(data())),
        ("halts", Document::new(json!([]))),
        (
            "budgets",
            Document::new(
                json!({"fleet-daily": {"accounts": [{"spent": 5, "hard": 1_000_000_000_000_u64}]}}),
            ),
        ),
    ]);
    (Document::object([("fleet", fleet)]), agents)
}

type Load = (f64, f64, f64);

async fn served(dir: &Path, seconds: u64) -> (Load, Load) {
    let served = serve(dir, LARGE).await;
    let addr = served.running.addr;
    let (rate, p50, p99, _) = load(addr, seconds, Kind::Payments).await;
    let plain = (rate, p50, p99);
    let tenant = TenantId::parse("default").expect("a name");
    let fleet = FleetId::parse("main").expect("a name");
    let handle = served.running.fleets().get(&tenant, &fleet).await;
    let handle = handle.expect("it opens").expect("dev makes it");
    let policy: Policy =
        serde_json::from_value(json!({"id": "payments", "module": MODULE})).expect("a policy");
    let set = policy::Command::Set {
        policy: Box::new(policy),
        hash: hash(MODULE),
        reason: Text::default(),
    };
    let data = policy::Command::SetData {
        data: serde_json::from_value(data()).expect("an object"),
        reason: Text::default(),
    };
    for command in [set, data] {
        let envelope = Envelope {
            by: Actor::Local,
            command: Command::Policy(command),
        };
        handle
            .call(envelope)
            .await
            .expect("it answers")
            .expect("it is taken");
    }
    let (rate, p50, p99, _) = load(addr, seconds, Kind::Payments).await;
    served.running.stop().await;
    (plain, (rate, p50, p99))
}
