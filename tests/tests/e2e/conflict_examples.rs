//! `examples/conflicts`: each script is run as it stands, against a server of its own, and says what its page says; and all of
//! them go one after the other at one server, too.
use fleet_tests::{Server, binary};
use std::process::{Command, Stdio};

/// Runs an example at a server of its own; looks for these words in what it prints, in this order.
fn run(example: &str, wanted: &[&str]) {
    run_at(&Server::dev(), example, wanted);
}

/// The same, at a server that may have seen others.
fn run_at(server: &Server, example: &str, wanted: &[&str]) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/conflicts");
    let programs = binary().parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(format!("{folder}/{example}/run.sh"))
        .env("PATH", format!("{programs}:{path}"))
        .env("FLEET_SERVER", &server.url)
        .env_remove("FLEET_FLEET")
        .env_remove("FLEET_KEY")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("a script can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    let mut rest = &*said;
    for words in wanted {
        match rest.split_once(words) {
            Some((_, after)) => rest = after,
            None => panic!("{words:?} does not follow in\n{said}\n{complained}"),
        }
    }
    let readme = std::fs::read_to_string(format!("{folder}/{example}/README.md")).unwrap();
    assert!(readme.contains(&format!("examples/conflicts/{example}/run.sh")));
}

const RESOURCE: &[&str] = &[
    "ann holds account/7 by p",
    "kind     resource\nstate    open\nover     account/7",
    "requests 1 of bob",
    "account/7 held by ann",
    // What ann is told and what bob is told may come in either order.
    "== ann is done",
    "account/7 exclusive (token",
    "state    resolved",
    "settled  all have had their turns or given up",
];

#[test]
fn resource() {
    run("resource", RESOURCE);
}

const TEMPORAL: &[&str] = &[
    "rule restart-slowly (No host is restarted twice in five seconds): ann did it on host/1",
    "exit code 6",
    "kind     temporal\nstate    open\nover     rule restart-slowly on host/1",
    "granted",
    "host/1 exclusive",
    "state    resolved",
    "settled  all have had their turns or given up",
];

#[test]
fn temporal() {
    run("temporal", TEMPORAL);
}

const DATA: &[&str] = &[
    "account/7 is of version",
    "version_conflict: account/7 is of version",
    "of agent ann wrote it since; read it again",
    "exit code 6",
    "kind     data\nstate    open\nover     account/7",
    "bob reads again, and may write\npermit p",
    "state    resolved",
    "settled  all have had their turns or given up",
];

#[test]
fn data() {
    run("data", DATA);
}

const BUSINESS: &[&str] = &[
    "rule freeze-or-pay (Nobody pays from a frozen account): ann did the opposite on account/7",
    "exit code 6",
    "kind     business\nstate    open\nover     rule freeze-or-pay on account/7",
    "granted",
    "account/8 exclusive",
    "granted",
    "account/7 exclusive",
    "state    resolved",
    "settled  all have had their turns or given up",
];

#[test]
fn business() {
    run("business", BUSINESS);
}

const PLANS: &[&str] = &[
    "agent      ann",
    "collisions none ahead",
    "agent      bob",
    "of ann on ledger/eu",
    "order ",
    "(bob)",
    "(ann)",
    "agent      ann",
    "collisions none ahead",
];

#[test]
fn plans() {
    run("plans", PLANS);
}

const RESOLUTION: &[&str] = &[
    "kind     resource\nstate    resolving\nover     press/1",
    "requests 2 of bob, cid",
    "dispute  by rule talk",
    "state    resolved",
    "settled  a person has decided, p",
    " goes first: quarter end",
    "== ann is done",
    "agent      cid",
    "holds      press/1 exclusive",
    "press/1 exclusive (token",
];

#[test]
fn resolution() {
    run("resolution", RESOLUTION);
}

/// None leaves behind what the next would run into, nor what it would run into itself.
#[test]
fn one_after_the_other_and_one_of_them_again() {
    let server = Server::dev();
    for (example, wanted) in [
        ("resource", RESOURCE),
        ("temporal", TEMPORAL),
        ("business", BUSINESS),
        ("data", DATA),
        ("plans", PLANS),
        ("resolution", RESOLUTION),
        ("business", BUSINESS),
    ] {
        run_at(&server, example, wanted);
    }
}
