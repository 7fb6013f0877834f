//! A fleet over a real SQLite journal, in which everything may happen that nothing forbids.
use fleet_journal::{Sqlite, sqlite};
use fleet_runtime::{Failure, Fleets, Handle, Options};
use fleet_types::permit::{self, Decision};
use fleet_types::{
    Actor, AgentId, Command, Envelope, FleetId, Reply, TenantId, agent, directory, settings,
};
use std::path::Path;
use std::sync::Arc;

pub fn start(dir: &Path, options: Options) -> Fleets {
    let journal = Sqlite::open(dir, sqlite::Options::default()).unwrap();
    Fleets::start(Box::new(journal), options).unwrap()
}

pub fn local(command: Command) -> Envelope {
    Envelope {
        by: Actor::Local,
        command,
    }
}

pub fn request(id: &str, agent: &str, path: &str) -> Envelope {
    let request: permit::Request = serde_json::from_value(serde_json::json!({
        "request_id": id, "agent": agent, "action": "payment.send",
        "resources": [{"path": path, "mode": "exclusive"}],
    }))
    .unwrap();
    local(Command::Permit(permit::Command::Request(Arc::new(request))))
}

pub async fn ask(fleet: &Handle, envelope: Envelope) -> Decision {
    loop {
        match fleet.call(envelope.clone()).await {
            Ok(answer) => match answer.unwrap() {
                Reply::Decision(decision) => return decision,
                other => panic!("not a decision: {other:?}"),
            },
            // With little memory a quick asker is faster than the thread that stores old answers: it comes again.
            Err(Failure::ReadOnly(why)) if why.contains("does not keep up") => {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Err(failure) => panic!("no answer: {failure:?}"),
        }
    }
}

pub async fn set_up(fleets: &Fleets) -> Handle {
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
