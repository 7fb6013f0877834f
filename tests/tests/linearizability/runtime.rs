//! The runtime's threads over a real SQLite journal.
use crate::{Seen, shape};
use fleet_core::read;
use fleet_journal::{Sqlite, sqlite};
use fleet_runtime::{Fleets, Handle, Options};
use fleet_tests::history::{Client, Door, Hold, Op, Ret, Verdict, record};
use fleet_types::lock::Held;
use fleet_types::permit::{self, Decision};
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{
    Actor, Code, Command, Envelope, Event, FleetId, PermitId, Reply, ResourcePath, Seq, TenantId,
    Token, directory,
};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A fleet of the runtime, and its journal's directory.
struct Threads {
    fleets: Fleets,
    fleet: Handle,
    _dir: TempDir,
}

fn local(command: Command) -> Envelope {
    Envelope {
        by: Actor::Local,
        command,
    }
}

fn start(dir: &Path) -> Fleets {
    let journal = Sqlite::open(dir, sqlite::Options::default()).unwrap();
    Fleets::start(Box::new(journal), Options::default()).unwrap()
}

fn holds(permit: PermitId, resources: &[Held]) -> Vec<Hold> {
    let hold = |held: &Held| Hold {
        permit: permit.0.0,
        path: held.path.to_string(),
        mode: held.mode,
        token: held.token.0,
    };
    resources.iter().map(hold).collect()
}

impl Threads {
    async fn start() -> Threads {
        let dir = tempfile::tempdir().unwrap();
        let fleets = start(dir.path());
        let tenant: TenantId = "acme".parse().unwrap();
        let fleet: FleetId = "main".parse().unwrap();
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
            let create = local(Command::Directory(command));
            fleets.directory().call(create).await.unwrap().unwrap();
        }
        let fleet = fleets.get(&tenant, &fleet).await.unwrap().unwrap();
        let settings = Settings {
            default_decision: DefaultDecision::Allow,
            auto_register: true,
            ..Settings::default()
        };
        let configure = local(Command::Configure(Box::new(settings)));
        fleet.call(configure).await.unwrap().unwrap();
        Threads {
            fleets,
            fleet,
            _dir: dir,
        }
    }

    /// The grant of a permit that waits.
    async fn turn(&self, permit: PermitId) -> Ret {
        let mut at = permit.0;
        loop {
            for record in self.fleet.records_after(at, 1_000).await.unwrap() {
                at = record.seq;
                match &record.event {
                    Event::PermitGranted(event) if event.permit == permit => {
                        let held = event.request.resources.iter().map(|claim| Held {
                            path: claim.path.clone(),
                            mode: claim.mode,
                            token: Token(at.0),
                        });
                        let held: Vec<Held> = held.collect();
                        return granted(permit, &held);
                    }
                    Event::PermitDenied(denied) => panic!("{denied:?}"),
                    _ => {}
                }
            }
        }
    }

    async fn command(&self, noun: &str, body: serde_json::Value) -> Reply {
        let command: Command = serde_json::from_value(json!({ noun: body })).unwrap();
        self.fleet.call(local(command)).await.unwrap().unwrap()
    }
}

/// The answer that a grant is.
pub fn granted(permit: PermitId, resources: &[Held]) -> Ret {
    Ret::Granted {
        permit: permit.0.0,
        holds: holds(permit, resources),
    }
}

impl Door for Threads {
    async fn call(&self, client: Client, id: &str, op: &Op) -> Ret {
        let agent = format!("agent-{client}");
        match op {
            Op::Take { claims, waits } => {
                let claims = claims.iter();
                let claims: Vec<_> = claims
                    .map(|(path, mode)| json!({"path": path, "mode": mode}))
                    .collect();
                let wait_ms = if *waits { 600_000 } else { 0 };
                let request = json!({
                    "request_id": id, "agent": agent, "action": "x", "resources": claims,
                    "wait_ms": wait_ms, "ttl_ms": 3_600_000,
                });
                let reply = self.command("permit", json!({ "request": request })).await;
                match reply {
                    Reply::Decision(Decision::Granted(grant)) => {
                        granted(grant.permit, &grant.resources)
                    }
                    Reply::Decision(Decision::Denied(denial)) if denial.code == Code::LockHeld => {
                        Ret::Denied {
                            at: denial.permit.0.0,
                        }
                    }
                    Reply::Decision(Decision::Queued(queued)) => self.turn(queued.permit).await,
                    other => panic!("{other:?}"),
                }
            }
            Op::Give { permit } => {
                let finish = permit::Finish {
                    permit: PermitId(Seq(*permit)),
                    agent: agent.parse().unwrap(),
                    ending: permit::Ending::Completed,
                    cost: None,
                    latency_ms: None,
                };
                let command = Command::Permit(permit::Command::Finish(finish));
                self.fleet.call(local(command)).await.unwrap().unwrap();
                Ret::Given
            }
            Op::Look { under } => {
                let under: ResourcePath = under.parse().unwrap();
                let look =
                    move |state: &fleet_core::State| read::locks(state, Some(&under), None, 1_000);
                let page = self.fleet.read(look).await.unwrap();
                Ret::Holders(crate::server::holders(page.items))
            }
            Op::Validate { path, token } => {
                let (path, token): (ResourcePath, _) = (path.parse().unwrap(), Token(*token));
                let look = move |state: &fleet_core::State| read::validate(state, &path, token);
                Ret::Valid(self.fleet.read(look).await.unwrap())
            }
        }
    }
}

async fn histories(count: u64) {
    let threads = Arc::new(Threads::start().await);
    let mut seen = Seen::default();
    for seed in 0..count {
        let shape = shape(seed);
        let history = record(&threads, shape, seed).await;
        seen.check(&history);
        // To find that there is no order takes long with many clients.
        if shape.clients == 3
            && let Some(stale) = history.with_stale_token()
        {
            assert_eq!(stale.verdict(), Verdict::Broken, "{stale}");
        }
    }
    seen.assert_busy();
    threads.fleets.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn threads_over_a_journal() {
    histories(60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes"]
async fn long_threads_over_a_journal() {
    histories(3_000).await;
}
