//! A fleet over a real SQLite journal: what was answered is there after a restart, and a repeat gets its first answer.
use fleet_journal::{Sqlite, sqlite};
use fleet_runtime::{Fleets, Handle, Options};
use fleet_types::permit::{self, Decision};
use fleet_types::{
    Actor, AgentId, Code, Command, Envelope, FleetId, Reply, TenantId, agent, directory, settings,
};
use std::path::Path;
use std::sync::Arc;

fn start(dir: &Path) -> Fleets {
    let journal = Sqlite::open(dir, sqlite::Options::default()).unwrap();
    Fleets::start(Box::new(journal), Options::default()).unwrap()
}

fn local(command: Command) -> Envelope {
    Envelope {
        by: Actor::Local,
        command,
    }
}

fn request(id: &str, agent: &str, path: &str) -> Envelope {
    let request: permit::Request = serde_json::from_value(serde_json::json!({
        "request_id": id, "agent": agent, "action": "payment.send",
        "resources": [{"path": path, "mode": "exclusive"}],
    }))
    .unwrap();
    local(Command::Permit(permit::Command::Request(Arc::new(request))))
}

async fn ask(fleet: &Handle, envelope: Envelope) -> Decision {
    match fleet.call(envelope).await.unwrap().unwrap() {
        Reply::Decision(decision) => decision,
        other => panic!("not a decision: {other:?}"),
    }
}

async fn set_up(fleets: &Fleets) -> Handle {
    let (tenant, fleet) = (
        "acme".parse::<TenantId>().unwrap(),
        "main".parse::<FleetId>().unwrap(),
    );
    for command in [
        directory::Command::CreateTenant {
            tenant: tenant.clone(),
        },
        directory::Command::CreateFleet {
            tenant: tenant.clone(),
            fleet: fleet.clone(),
        },
    ] {
        let envelope = local(Command::Directory(command));
        fleets.directory().call(envelope).await.unwrap().unwrap();
    }
    let handle = fleets.get(&tenant, &fleet).await.unwrap().unwrap();
    let settings = settings::Settings {
        default_decision: settings::DefaultDecision::Allow,
        ..settings::Settings::default()
    };
    let configure = local(Command::Configure(Box::new(settings)));
    handle.call(configure).await.unwrap().unwrap();
    for name in ["a", "b"] {
        let definition = agent::Definition::new(AgentId::parse(name).unwrap());
        let register = local(Command::Agent(agent::Command::Register(Box::new(
            definition,
        ))));
        handle.call(register).await.unwrap().unwrap();
    }
    handle
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let fleets = start(dir.path());
    let fleet = set_up(&fleets).await;
    let first = ask(&fleet, request("r1", "a", "ledger/1")).await;
    let Decision::Granted(grant) = &first else {
        panic!("not granted: {first:?}")
    };
    let second = ask(&fleet, request("r2", "b", "ledger/1")).await;
    assert!(
        matches!(&second, Decision::Denied(denial) if denial.code == Code::LockHeld),
        "{second:?}"
    );
    let records = fleet.records_after(fleet_types::Seq(0), 100).await.unwrap();
    assert_eq!(records.len() as u64, fleet.durable().0);
    fleets.stop().await;
    drop((fleet, fleets));

    let fleets = start(dir.path());
    let fleet = set_up(&fleets).await;
    assert_eq!(ask(&fleet, request("r1", "a", "ledger/1")).await, first);
    assert_eq!(ask(&fleet, request("r2", "b", "ledger/1")).await, second);
    let other_body = fleet.call(request("r1", "a", "ledger/2")).await.unwrap();
    assert_eq!(other_body.unwrap_err().code, Code::RequestIdReused);
    let status = fleet.read(fleet_core::read::status).await.unwrap();
    assert_eq!(
        (
            status.permits_granted,
            status.locks_held,
            status.totals.granted
        ),
        (1, 1, 1)
    );
    let token = grant.resources[0].token;
    let held = fleet
        .read(move |state| fleet_core::read::validate(state, &"ledger/1".parse().unwrap(), token))
        .await
        .unwrap();
    assert!(held, "the token of a live grant is valid after a restart");
    fleets.stop().await;
}
