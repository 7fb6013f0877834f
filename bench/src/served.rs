//! A real server on loopback in this process, with the large world in its default fleet.
use crate::world::World;
use fleet_server::{Config, Running};
use fleet_types::{FleetId, TenantId};
use std::path::Path;

/// A server and the handle of its default fleet.
pub struct Served {
    pub running: Running,
    pub url: String,
}

/// Starts it.
pub async fn serve(dir: &Path, world: World) -> Served {
    raise_file_limit();
    let mut config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: dir.to_owned(),
        mode: fleet_server::config::Mode::Dev,
        log_filter: "warn".to_owned(),
        ..Config::default()
    };
    config.limits.requests_per_key_max = config.limits.requests_max;
    config.limits.sessions_max = 20_000;
    config.limits.sessions_per_key_max = 20_000;
    let running = fleet_server::start(config)
        .await
        .expect("the server starts");
    let tenant = TenantId::parse("default").expect("a name");
    let fleet = FleetId::parse("main").expect("a name");
    let handle = running.fleets().get(&tenant, &fleet).await;
    let handle = handle
        .expect("it opens")
        .expect("dev makes the default fleet");
    for envelope in world.build() {
        handle
            .call(envelope)
            .await
            .expect("it answers")
            .expect("it is taken");
    }
    let url = format!("http://{}", running.addr);
    Served { running, url }
}

/// Ten thousand connections need twice as many files in one process.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where this is refused the benchmark says how many sessions it got.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
