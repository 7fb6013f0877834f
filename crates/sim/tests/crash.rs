//! A crash at every write of a fixed script, with every prefix of what was not synced kept; then the clients repeat what
//! was not answered, and the end must be the same as without the crash.
use fleet_journal::memory::{Bug, Disk, Fate};
use fleet_runtime::Failure;
use fleet_sim::check::Checker;
use fleet_sim::server::{Machine, Server, Written, all_records};
use fleet_types::{Actor, Answer, Command, Envelope, Event, Record, Time};
use serde_json::{Value, json};

const MORNING: u64 = 1_793_606_400_000_000;
/// Less than are asked.
const MEMORY_MAX: usize = 3;

fn local(noun: &str, body: Value) -> Envelope {
    let command: Command = serde_json::from_value(json!({ noun: body })).unwrap();
    Envelope {
        by: Actor::Local,
        command,
    }
}

fn ask(id: &str, agent: &str, path: &str, wait: u64) -> Envelope {
    let body = json!({
        "request_id": id, "agent": agent, "action": "pay", "wait_ms": wait, "ttl_ms": 86_400_000,
        "resources": [{"path": path, "mode": "exclusive"}], "cost": {"money_micros": 5},
    });
    local("permit", json!({ "request": body }))
}

/// Commands that may be repeated without harm: by request id, or because they say how things should be.
fn script() -> Vec<Envelope> {
    let register = |id: &str| local("agent", json!({"register": {"id": id}}));
    let mut script = vec![
        local("configure", json!({"default_decision": "allow"})),
        register("ann"),
        register("bob"),
        local(
            "limit",
            json!({"set": {"id": "l", "measure": {"concurrency": {"max": 3}}}}),
        ),
        local(
            "budget",
            json!({"set": {"id": "b", "unit": "money", "period": "total", "hard": 40, "soft": 10}}),
        ),
    ];
    for round in 0..4 {
        let path = format!("ledger/{}", round % 2);
        script.push(ask(&format!("a{round}"), "ann", &path, 0));
        script.push(ask(&format!("b{round}"), "bob", &path, 60_000));
        script.push(ask(&format!("a{round}"), "ann", &path, 0));
    }
    script.push(local("scope", json!({"set": {"path": "north"}})));
    script
}

struct Run {
    /// What each command was answered.
    answers: Vec<Option<Answer>>,
    records: Vec<Record>,
    crashed: bool,
}

/// What is granted and to which request, in the end: the same however often the way there was interrupted.
fn outcome(run: &Run) -> Vec<String> {
    let mut outcome: Vec<String> = run
        .records
        .iter()
        .filter_map(|record| match &record.event {
            Event::PermitGranted(event) => Some(format!("granted {}", event.request.request_id)),
            Event::PermitQueued(event) => Some(format!("queued {}", event.request.request_id)),
            Event::PermitDenied(event) => Some(format!(
                "denied {} {}",
                event.request.request_id, event.denial.code
            )),
            _ => None,
        })
        .collect();
    outcome.sort();
    outcome
}

/// Plays the script; `die` says how the disk fails, `kept` what of the unsynced survives.
fn play(set_up: impl Fn(&Disk), kept: Option<usize>, snapshot_every: usize) -> Result<Run, String> {
    let machine = Machine {
        memory_max: MEMORY_MAX,
        ..Machine::default()
    };
    let disk = &machine.disk;
    let fleet = "acme/main".parse().unwrap();
    set_up(disk);
    let mut checker = Checker::new(MEMORY_MAX);
    let mut run = Run {
        answers: Vec::new(),
        records: Vec::new(),
        crashed: false,
    };
    let script = script();
    run.answers.resize(script.len(), None);
    let mut lives = 0;
    'lives: loop {
        lives += 1;
        assert!(lives < 5, "it never gets through");
        let mut server = Server::start(&machine, &fleet)?;
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            checker.recovered(
                all_records(server.reader().as_mut(), &fleet),
                server.state(),
            );
        }));
        if let Err(why) = caught {
            return Err(why.downcast_ref::<String>().cloned().unwrap_or_default());
        }
        let mut end = script.len();
        for at in 0.. {
            if at >= end && !server.is_busy() {
                break;
            }
            let wall = Time(MORNING + at as u64 * 1_000 + lives * 1_000_000);
            if at < script.len() {
                if run.answers[at].is_some() {
                    continue;
                }
                server.turn(vec![(at as u64, script[at].clone())], Vec::new(), wall);
                if at % 3 == 2 && server.has_room() {
                    continue; // Two turns in one transaction.
                }
            }
            end = end.max(at + 1);
            let written = server.write(2, wall);
            checker.released(std::mem::take(&mut server.released));
            for (tag, answer) in server.answers.take() {
                match answer {
                    Ok(answer) => {
                        checker.answer(&script[tag as usize], &answer);
                        run.answers[tag as usize] = Some(answer);
                    }
                    Err(Failure::Unknown | Failure::ReadOnly(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            let saves =
                snapshot_every > 0 && at % snapshot_every == 0 && written == Written::Committed;
            if written == Written::Died || (saves && server.snapshot().is_err()) {
                run.crashed = true;
                drop(server);
                match kept {
                    Some(kept) => disk.crash(kept),
                    None => disk.kill(),
                }
                disk.die_after(None);
                continue 'lives;
            }
        }
        run.records = all_records(server.reader().as_mut(), &fleet);
        return Ok(run);
    }
}

#[test]
fn a_crash_at_every_write_loses_nothing_acknowledged() {
    let calm = outcome(&play(|_| {}, None, 0).unwrap());
    let mut points = 0;
    for snapshot_every in [0, 4] {
        for steps in 0..200 {
            let mut crashed = false;
            for kept in [None, Some(0), Some(1), Some(usize::MAX)] {
                let context =
                    format!("steps={steps} kept={kept:?} snapshot_every={snapshot_every}");
                let run = play(|disk| disk.die_after(Some(steps)), kept, snapshot_every);
                let run = run.unwrap_or_else(|why| panic!("{context}: {why}"));
                assert_eq!(outcome(&run), calm, "{context}: another end");
                assert!(
                    run.answers.iter().all(Option::is_some),
                    "{context}: no answer"
                );
                crashed |= run.crashed;
                points += u64::from(run.crashed);
            }
            if !crashed {
                break;
            }
        }
    }
    println!("{points} crash points");
    assert!(points > 100, "the test hardly crashed: it tests nothing");
}

#[test]
fn a_failed_sync_at_every_append_loses_nothing_acknowledged() {
    let calm = outcome(&play(|_| {}, None, 0).unwrap());
    for fate in [Fate::Kept, Fate::Lost] {
        for kept in [None, Some(0), Some(1)] {
            let run = play(|disk| disk.fail_next_sync(fate), kept, 0).unwrap();
            assert!(run.crashed);
            assert_eq!(outcome(&run), calm, "{fate:?} {kept:?}");
        }
    }
}

#[test]
fn a_disk_that_does_not_sync_is_caught() {
    let caught = (0..60).filter(|steps| {
        let set_up = |disk: &Disk| {
            disk.set_bug(Bug::AckWithoutSync);
            disk.die_after(Some(*steps));
        };
        play(set_up, Some(0), 0).is_err()
    });
    assert!(
        caught.count() > 0,
        "acknowledged work was lost and nobody noticed"
    );
}
