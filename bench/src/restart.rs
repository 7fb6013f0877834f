//! `restart`: a million events in the journal; how long until a fleet serves again, with a snapshot. Beside it: the
//! same journal replayed without one.
use crate::durable::fleet;
use crate::figures::Figures;
use crate::world::{LARGE, ask, finish};
use fleet_journal::{FleetKey, Sqlite, sqlite};
use fleet_runtime::{Failure, Fleets, Handle, Options, Outbox, Signal, recover};
use fleet_types::permit::Decision;
use fleet_types::{Answer, FleetId, Reply, TenantId};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Events in the journal.
const EVENTS: u64 = 1_000_000;

#[derive(Default)]
struct Grants {
    answers: Mutex<Vec<Answer>>,
    filled: Condvar,
}

impl Outbox for Grants {
    fn answer(&self, _: u64, answer: Result<Answer, Failure>) {
        let mut answers = self.answers.lock().expect("no thread panics");
        answers.push(answer.expect("the fleet serves"));
    }
    fn signal(&self, _: Signal) {}
    fn flush(&self) {
        self.filled.notify_one();
    }
}

/// Sends a batch and waits for all its answers.
fn all(handle: &Handle, batch: Vec<fleet_types::Envelope>, grants: &Arc<Grants>) -> Vec<Answer> {
    let outbox: Arc<dyn Outbox> = grants.clone();
    let count = batch.len();
    let commands = batch.into_iter().map(|envelope| (envelope, 0));
    handle
        .submit_all(commands, &outbox)
        .expect("the inbox has room");
    let answers = grants.answers.lock().expect("no thread panics");
    let mut answers = grants
        .filled
        .wait_while(answers, |answers| answers.len() < count)
        .expect("no thread panics");
    std::mem::take(&mut *answers)
}

pub fn run(dir: Option<&Path>) -> Figures {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let dir = dir.unwrap_or(temporary.path());
    let (fleets, handle) = fleet(dir);
    let grants = Arc::new(Grants::default());
    let mut number = 0;
    while handle.durable().0 < EVENTS {
        let batch: Vec<_> = (number..number + 2_000)
            .map(|number| ask(LARGE.request(number)))
            .collect();
        let agents: Vec<_> = (number..number + 2_000)
            .map(|number| LARGE.request(number).agent)
            .collect();
        number += 2_000;
        let answers = all(&handle, batch, &grants);
        let ends = answers
            .into_iter()
            .zip(agents)
            .filter_map(|(answer, agent)| match answer {
                Ok(Reply::Decision(Decision::Granted(grant))) => Some(finish(grant.permit, agent)),
                _ => None,
            });
        let ends: Vec<_> = ends.collect();
        all(&handle, ends, &grants);
    }
    let events = handle.durable().0;
    fleets.stop_now();
    drop(handle);

    // As after a graceful stop: the snapshot stands at the end.
    let began = Instant::now();
    let journal = Sqlite::open(dir, sqlite::Options::default()).expect("it opens");
    let opened = began.elapsed();
    let fleets = Fleets::start(Box::new(journal), Options::default()).expect("it starts");
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    let status = runtime.block_on(async {
        let tenant = TenantId::parse("bench").expect("a name");
        let fleet = FleetId::parse("main").expect("a name");
        let handle = fleets
            .get(&tenant, &fleet)
            .await
            .expect("it opens")
            .expect("it is known");
        handle
            .read(|state| fleet_core::read::status(state, state.now()))
            .await
            .expect("it serves")
    });
    let serving = began.elapsed();
    fleets.stop_now();

    let (replayed_s, replayed) = without_snapshot(dir);
    Figures {
        beside: Some(serde_json::json!({
            "what": "the same journal replayed from the first event, without a snapshot",
            "seconds": replayed_s, "events": replayed,
        })),
        ratio: Some((serving.as_secs_f64() / replayed_s * 1_000.0).round() / 1_000.0),
        ..Figures::new("restart")
    }
    .with("events", events)
    .with("serving_ms", serving.as_millis() as u64)
    .with("of_which_opening_the_journal_ms", opened.as_millis() as u64)
    .with("requests_remembered", status.requests_remembered)
}

fn without_snapshot(dir: &Path) -> (f64, u64) {
    let key = FleetKey::new("bench", "main").expect("a name");
    let _ = std::fs::remove_dir_all(dir.join("snapshots"));
    let began = Instant::now();
    let journal = Sqlite::open(dir, sqlite::Options::default()).expect("it opens");
    let mut reader = fleet_journal::Journal::reader(&journal).expect("it can be read");
    let recovered = recover(reader.as_mut(), &key).expect("it is sound");
    (began.elapsed().as_secs_f64(), recovered.replayed)
}
