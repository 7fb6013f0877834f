//! The bank with real processes: what goes wrong without coordination, and that nothing does with it, while agents
//! are killed and stopped, a halt is thrown and the coordinator goes away.
mod desk;

use desk::{Desk, DeskClient};
use fleet_bank::coordinate::NoControl;
use fleet_bank::{
    AgentOptions, Chaos, Launch, Mode, Options, Progress, Report, Run, Server, agent_main,
    agent_main_with, run_with,
};
use fleet_types::AgentId;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Not a test: what an agent's process runs. The orchestrator starts this test program with this name.
#[test]
fn agent_process() {
    let Some(options) = AgentOptions::from_environment().unwrap() else {
        return;
    };
    // The test harness leaves its line unfinished.
    writeln!(std::io::stdout()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let code = runtime.block_on(async {
        match options.server.clone() {
            Some(desk) => {
                let agent = AgentId::parse(&options.seat.name()).unwrap();
                agent_main_with(options, DeskClient::connect(desk.base_url, agent)).await
            }
            None => agent_main(options).await,
        }
    });
    std::process::exit(code.into());
}

fn options(mode: Mode, folder: &Path, seconds: u64) -> Options {
    let mut options = Options::new(mode, folder.to_owned());
    options.duration = Some(Duration::from_secs(seconds));
    options.progress = Progress::Silent;
    options.launch = Some(Launch {
        program: std::env::current_exe().unwrap(),
        arguments: ["--exact", "--nocapture", "agent_process"]
            .map(str::to_owned)
            .to_vec(),
    });
    options
}

fn latest(report: &Report) -> &Run {
    println!("{report}");
    report.run().unwrap()
}

/// Whether all is well that locks and the fence are for: the desk knows no rules.
fn holds(run: &Run) -> bool {
    run.findings
        .violations()
        .iter()
        .all(|(_, count)| *count == 0)
}

async fn never() {
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_permits_the_ledger_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Mode::Uncoordinated, folder.path(), 4);
    let report = run_with(options, NoControl, never()).await.unwrap();
    let run = latest(&report);
    assert_eq!(run.agents, 24);
    assert_eq!(run.events.failed, 0, "{:?}", run.events.complaints);
    let findings = &run.findings;
    assert!(findings.entries > 100, "{findings:?}");
    assert!(findings.lost_updates > 0, "{findings:?}");
    assert!(findings.double_payments > 0, "{findings:?}");
    assert_ne!(findings.total_difference, 0);
    // The damage is the agents', not the log's.
    assert_eq!(findings.log_breaks, 0);
    assert!(!run.clean && !report.failed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_permits_nothing_is_lost_whatever_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open().await;
    let mut options = options(Mode::Coordinated, folder.path(), 8);
    options.server = Some(Server {
        base_url: desk.address.clone(),
        fleet: "bank".into(),
        key: None,
    });
    options.lease = Duration::from_millis(500);
    options.chaos = Chaos {
        kill_agents_every: Some(Duration::from_millis(400)),
        pause_agents_every: Some(Duration::from_millis(700)),
        stall_agents_every: Some(Duration::from_millis(150)),
        kill_banks_every: None,
        pause_for: Duration::from_millis(1_500),
        halt_at: Some(Duration::from_secs(3)),
        halt_for: Duration::from_secs(1),
    };
    let outage = desk.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        outage.outage(Duration::from_secs(1));
    });
    let report = run_with(options, desk, never()).await.unwrap();
    let run = latest(&report);
    println!("{:#?}", run.permits);
    assert!(holds(run), "{:?}", run.findings);
    assert!(run.findings.entries > 100 && run.permits.queued > 0);
    assert!(run.events.killed > 5 && run.events.paused > 3);
    assert!(
        run.findings.stale_writes_refused > 0,
        "the fence was needed"
    );
    assert_eq!(run.events.failed, 0, "{:?}", run.events.complaints);
    assert_eq!(run.events.halts.len(), 1);
    assert!(run.permits.lost > 0, "the outage was felt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_carried_out_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("transfers.csv");
    let mut text = String::from("id,from,to,amount_minor,currency,memo\n");
    for index in 0..300 {
        text += &format!(
            "{index},eu/a-{},us/b-{},{},EUR,\n",
            index % 7,
            index % 5,
            100 + index
        );
    }
    text += "300,eu/a-1,us/b-1,much,EUR,\n0,eu/a-1,us/b-1,1,EUR,again\n";
    std::fs::write(&input, text).unwrap();
    let desk = Desk::open().await;
    let mut options = options(Mode::Coordinated, folder.path(), 120);
    options.input = Some(input);
    options.duplicates_percent = 50;
    options.server = Some(Server {
        base_url: desk.address.clone(),
        fleet: "bank".into(),
        key: None,
    });
    let report = run_with(options, desk, never()).await.unwrap();
    let run = latest(&report);
    assert!(holds(run), "{:?}", run.findings);
    assert_eq!(
        (run.input.rows, run.input.bad_count, run.accounts),
        (300, 2, 12)
    );
    let lines: Vec<u64> = run.input.bad.iter().map(|bad| bad.line).collect();
    assert_eq!(lines, [302, 303]);
    use fleet_bank::ledger::State;
    let settled: u64 = run.instructions.values().sum();
    assert_eq!((settled, run.instructions.get(&State::Open)), (300, None));
    assert!(run.millis < 100_000);
}
