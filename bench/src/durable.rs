//! `durable`: permits through the runtime and SQLite with a real sync, 64 in flight and one in flight. Beside it:
//! bare `fdatasync` group commit of the same number of bytes per batch.
use crate::figures::{Figures, cpu, histogram, quantile_us, round};
use crate::world::{LARGE, ask, finish, local};
use fleet_journal::{Sqlite, sqlite};
use fleet_runtime::{Failure, Fleets, Handle, Options, Outbox, Signal};
use fleet_types::permit::Decision;
use fleet_types::{Answer, Command, FleetId, Reply, TenantId, directory};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// An answer, its tag, and when it came.
type Came = (u64, Result<Answer, Failure>, Instant);

/// Answers as they come, for one thread that drives many permits.
#[derive(Default)]
struct Collector {
    answers: Mutex<Vec<Came>>,
    filled: Condvar,
}

impl Outbox for Collector {
    fn answer(&self, tag: u64, answer: Result<Answer, Failure>) {
        let mut answers = self.answers.lock().expect("no thread panics");
        answers.push((tag, answer, Instant::now()));
    }
    fn signal(&self, _: Signal) {}
    fn flush(&self) {
        self.filled.notify_one();
    }
}

/// Starts a fleet with the large world on a fresh journal.
pub fn fleet(dir: &Path) -> (Fleets, Handle) {
    let journal = Sqlite::open(dir, sqlite::Options::default()).expect("a fresh journal opens");
    let fleets = Fleets::start(Box::new(journal), Options::default()).expect("it starts");
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    let handle = runtime.block_on(async {
        let tenant = TenantId::parse("bench").expect("a name");
        let fleet = FleetId::parse("main").expect("a name");
        let create = [
            directory::Command::CreateTenant {
                tenant: tenant.clone(),
            },
            directory::Command::CreateFleet {
                tenant: tenant.clone(),
                fleet: fleet.clone(),
            },
        ];
        for command in create {
            let done = fleets
                .directory()
                .call(local(Command::Directory(command)))
                .await;
            done.expect("the directory answers").expect("it is taken");
        }
        let handle = fleets
            .get(&tenant, &fleet)
            .await
            .expect("it opens")
            .expect("it is known");
        for envelope in LARGE.build() {
            handle
                .call(envelope)
                .await
                .expect("it answers")
                .expect("it is taken");
        }
        handle
    });
    (fleets, handle)
}

struct Load {
    pairs: u64,
    denied: u64,
    seconds: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

/// Keeps `in_flight` permits going: each is asked for, and completed as soon as it is granted.
fn load(handle: &Handle, in_flight: u64, seconds: u64, first: u64) -> Load {
    let collector = Arc::new(Collector::default());
    let outbox: Arc<dyn Outbox> = collector.clone();
    let mut number = first;
    let mut slots: Vec<(Instant, fleet_types::AgentId, bool)> = Vec::new();
    let mut latencies = histogram();
    let (mut pairs, mut denied) = (0, 0);
    let mut submit = |tag: u64, slots: &mut Vec<(Instant, fleet_types::AgentId, bool)>| {
        let request = LARGE.request(number);
        number += 1;
        let slot = (Instant::now(), request.agent.clone(), true);
        match slots.get_mut(tag as usize) {
            Some(old) => *old = slot,
            None => slots.push(slot),
        }
        ask(request)
    };
    let (began, cpu_before) = (Instant::now(), cpu());
    let first: Vec<_> = (0..in_flight)
        .map(|tag| (submit(tag, &mut slots), tag))
        .collect();
    handle
        .submit_all(first.into_iter(), &outbox)
        .expect("the inbox has room");
    let end = began + Duration::from_secs(seconds);
    let mut open = in_flight;
    while open > 0 {
        let answers = {
            let answers = collector.answers.lock().expect("no thread panics");
            let mut answers = collector
                .filled
                .wait_while(answers, |answers| answers.is_empty())
                .expect("no thread panics");
            std::mem::take(&mut *answers)
        };
        let mut next = Vec::with_capacity(answers.len());
        for (tag, answer, at) in answers {
            let (asked, agent, asking) = slots[tag as usize].clone();
            match answer
                .expect("the fleet serves")
                .expect("sound commands are taken")
            {
                Reply::Decision(Decision::Granted(grant)) if asking => {
                    latencies.saturating_record((at - asked).as_nanos() as u64);
                    slots[tag as usize].2 = false;
                    next.push((finish(grant.permit, agent), tag));
                    continue;
                }
                Reply::Decision(Decision::Denied(_)) => denied += 1,
                Reply::Finished(_) => pairs += 1,
                other => panic!("unexpected: {other:?}"),
            }
            if Instant::now() < end {
                next.push((submit(tag, &mut slots), tag));
            } else {
                open -= 1;
            }
        }
        handle
            .submit_all(next.into_iter(), &outbox)
            .expect("the inbox has room");
    }
    let seconds = began.elapsed().as_secs_f64();
    Load {
        pairs,
        denied,
        seconds,
        p50_us: quantile_us(&latencies, 0.5),
        p99_us: quantile_us(&latencies, 0.99),
        cpu_us: round((cpu() - cpu_before).as_secs_f64() * 1e6 / pairs as f64),
    }
}

/// How many pairs a second with 64 in flight.
pub fn pairs_per_s(handle: &Handle, seconds: u64, first: u64) -> f64 {
    let load = load(handle, 64, seconds, first);
    load.pairs as f64 / load.seconds
}

/// Bare group commit: writes of `bytes` to a file that is long enough already, each followed by `fdatasync`.
fn floor(dir: &Path, bytes: usize, seconds: f64) -> (f64, f64) {
    let file = File::create(dir.join("floor")).expect("a file can be made");
    let span = 64 * 1024 * 1024;
    file.write_all_at(&vec![1; span], 0)
        .expect("it can be filled");
    file.sync_all().expect("it can be synced");
    let block = vec![7u8; bytes];
    let mut latencies = histogram();
    let (began, mut at, mut count) = (Instant::now(), 0, 0u64);
    while began.elapsed().as_secs_f64() < seconds {
        let wrote = Instant::now();
        file.write_all_at(&block, at).expect("it can be written");
        file.sync_data().expect("it can be synced");
        latencies.saturating_record(wrote.elapsed().as_nanos() as u64);
        at = (at + bytes as u64) % (span - bytes) as u64;
        count += 1;
    }
    (
        count as f64 / began.elapsed().as_secs_f64(),
        quantile_us(&latencies, 0.5),
    )
}

pub fn run(seconds: u64, dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let (fleets, handle) = fleet(dir);
    let before = (handle.durable().0, size(dir));
    let many = load(&handle, 64, seconds, 0);
    let after = (handle.durable().0, size(dir));
    let one = load(&handle, 1, seconds.min(3), 1 << 40);
    fleets.stop_now();
    // Records are compressed; a batch of the 64 in flight is about this many bytes on disk.
    let bytes_per_event = (after.1.saturating_sub(before.1)) / (after.0 - before.0).max(1);
    let bytes = (bytes_per_event * 64).max(512) as usize;
    let (syncs, floor_p50) = floor(dir, bytes, 2.0);
    let rate = many.pairs as f64 / many.seconds;
    // The floor carries 64 events a sync, and a pair is two events.
    let floor_pairs = syncs * 64.0 / 2.0;
    Figures {
        permits_per_s: Some(round(rate)),
        p50_us: Some(many.p50_us),
        p99_us: Some(many.p99_us),
        cpu_us_per_op: Some(many.cpu_us),
        beside: Some(serde_json::json!({
            "what": "bare fdatasync group commit, 64 events of the same bytes per sync",
            "bytes_per_sync": bytes,
            "syncs_per_s": round(syncs),
            "p50_us": floor_p50,
            "pairs_per_s": round(floor_pairs),
        })),
        ratio: Some((rate / floor_pairs * 1_000.0).round() / 1_000.0),
        ..Figures::new("durable")
    }
    .with("in_flight", 64)
    .with("denied", many.denied)
    .with("bytes_per_event", bytes_per_event)
    .with(
        "one_in_flight",
        serde_json::json!({
            "permits_per_s": round(one.pairs as f64 / one.seconds),
            "p50_us": one.p50_us, "p99_us": one.p99_us, "cpu_us_per_op": one.cpu_us,
        }),
    )
}

fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|m| m.len())
        .sum()
}
