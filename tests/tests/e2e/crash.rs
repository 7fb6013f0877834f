//! The server is killed under load (SIGKILL) and started again: everything that was acknowledged is there, and a repeat
//! of its request id gets the first answer (I3, I5).
use crate::sessions::options;
use fleet_client::http::PermitFilter;
use fleet_client::{Ask, Session};
use fleet_tests::Server;
use fleet_types::permit::{Decision, Grant};
use fleet_types::session::PermitRequest;
use fleet_types::{AgentId, Millis, PermitId, RequestId};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Agents under load.
const AGENTS: usize = 8;
/// Requests of one agent that are under way at once.
const PIPELINE: usize = 16;

/// What one agent has been told.
#[derive(Default)]
struct Told {
    granted: Vec<(PermitRequest, Grant)>,
    /// Those whose end was asked for: they may be gone.
    ended: BTreeSet<PermitId>,
}

struct Agent {
    session: Session,
    told: Arc<Mutex<Told>>,
}

fn request(agent: &str, number: usize) -> PermitRequest {
    use fleet_client::ask::Asking;
    Ask::new("x".parse().unwrap())
        .agent(AgentId::parse(agent).unwrap())
        .request_id(RequestId::parse(&format!("{agent}-{number}")).unwrap())
        .exclusive(format!("r/{agent}/{number}").parse().unwrap())
        // Longer than the test.
        .ttl(Duration::from_secs(3_600))
        .into_request()
}

/// Asks until it is told to stop; every second permit is completed.
async fn work(
    session: Session,
    told: Arc<Mutex<Told>>,
    agent: String,
    from: usize,
    stop: Arc<tokio::sync::Notify>,
) -> usize {
    let mut number = from;
    let mut stopped = std::pin::pin!(stop.notified());
    loop {
        let batch = (number..number + PIPELINE).map(|number| {
            let (session, told, request) =
                (session.clone(), Arc::clone(&told), request(&agent, number));
            tokio::spawn(async move {
                // An error tells nothing: it may have been granted, and is not counted on.
                let Ok(Decision::Granted(grant)) = session.request(request.clone()).await else {
                    return;
                };
                let permit = grant.permit;
                let ends = number % 2 == 0;
                {
                    // Both at once: who looks between them would miss a permit that was completed.
                    let mut told = told.lock().unwrap();
                    told.granted.push((request, grant));
                    if ends {
                        told.ended.insert(permit);
                    }
                }
                if ends {
                    let _ = session.complete(permit).await;
                }
            })
        });
        let batch: Vec<_> = batch.collect();
        number += PIPELINE;
        for one in batch {
            tokio::select! {
                _ = one => {}
                () = &mut stopped => return number,
            }
        }
    }
}

async fn rounds(count: usize) {
    let mut server = Server::dev();
    // However long a start takes on a busy machine: nobody is taken for dead meanwhile, which would release what it holds.
    let mut settings = server.client().settings().await.unwrap();
    settings.heartbeat_ms = Millis(60_000);
    server.client().put_settings(&settings).await.unwrap();
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let options =
            options(&server, &format!("agent-{number}")).patience(Duration::from_secs(60));
        agents.push(Agent {
            session: Session::connect(options).await.unwrap(),
            told: Arc::default(),
        });
    }
    let mut next = [0; AGENTS];
    let mut checked = 0;
    for round in 0..count {
        println!("round {round}: {checked} grants checked");
        let stop: Arc<tokio::sync::Notify> = Arc::default();
        let working: Vec<_> = agents
            .iter()
            .enumerate()
            .map(|(number, agent)| {
                let name = format!("agent-{number}");
                tokio::spawn(work(
                    agent.session.clone(),
                    Arc::clone(&agent.told),
                    name,
                    next[number],
                    Arc::clone(&stop),
                ))
            })
            .collect();
        // Another moment in every round.
        tokio::time::sleep(Duration::from_millis(40 + (round as u64 * 37) % 160)).await;
        server.kill();
        stop.notify_waiters();
        for (number, working) in working.into_iter().enumerate() {
            next[number] = working.await.unwrap();
        }
        server.start_again();
        for agent in &agents {
            agent
                .session
                .watch()
                .wait_for(|standing| standing.connected)
                .await
                .unwrap();
        }
        checked += check(&server, &agents).await;
    }
    assert!(
        checked > count * AGENTS,
        "hardly anything was granted: {checked}"
    );
    let report = fleet_tests::fleet(&[
        "audit",
        "verify",
        "--data-dir",
        server.data_dir().to_str().unwrap(),
    ]);
    assert_eq!(report.code, 0, "{}{}", report.stdout, report.stderr);
}

/// What the journal tells of a permit that was granted and is gone, and of instances.
fn what_became_of(server: &Server, permit: PermitId) -> String {
    let after = (permit.0.0 - 1).to_string();
    let events = server.fleet(&["events", "--after", &after]).stdout;
    let name = permit.to_string();
    let told = events
        .lines()
        .filter(|line| line.contains("instance.") || line.split_whitespace().any(|w| w == name));
    let told: Vec<&str> = told.collect();
    format!("{permit} was granted and is gone:\n{}", told.join("\n"))
}

/// Takes what the agents have been told, and looks whether the server knows it; how much there was.
async fn check(server: &Server, agents: &[Agent]) -> usize {
    let client = server.client();
    // What has been told is taken first: requests that were under way go on meanwhile.
    let told: Vec<Told> = agents
        .iter()
        .map(|agent| std::mem::take(&mut *agent.told.lock().unwrap()))
        .collect();
    let live = client.permits(&PermitFilter::default()).await.unwrap();
    let live: BTreeSet<PermitId> = live.into_iter().map(|view| view.permit).collect();
    let mut count = 0;
    for (agent, told) in agents.iter().zip(told) {
        for (_, grant) in &told.granted {
            let there = live.contains(&grant.permit) || told.ended.contains(&grant.permit);
            assert!(there, "{}", what_became_of(server, grant.permit));
        }
        for some in told.granted.chunks(100) {
            let requests: Vec<PermitRequest> =
                some.iter().map(|(request, _)| request.clone()).collect();
            let answers = client.request_all(&requests).await.unwrap();
            for ((request, grant), answer) in some.iter().zip(answers) {
                let Some(Decision::Granted(again)) = answer.decision else {
                    panic!(
                        "{:?} was granted, and its repeat hears {answer:?}",
                        request.request_id
                    );
                };
                assert_eq!(
                    (again.permit, &again.resources),
                    (grant.permit, &grant.resources),
                    "{:?}",
                    request.request_id
                );
            }
        }
        count += told.granted.len();
        // What is left is given back, so that the table of permits does not grow with the rounds.
        let left = told
            .granted
            .iter()
            .filter(|(_, grant)| !told.ended.contains(&grant.permit))
            .map(|(_, grant)| {
                let (session, permit) = (agent.session.clone(), grant.permit);
                tokio::spawn(async move { (permit, session.complete(permit).await) })
            });
        for given in left.collect::<Vec<_>>() {
            let (permit, given) = given.await.unwrap();
            if let Err(error) = given {
                panic!("{error}: {}", what_became_of(server, permit));
            }
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_ten_times() {
    rounds(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn long_killed_under_load_two_hundred_times() {
    rounds(200).await;
}
