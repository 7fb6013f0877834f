//! `examples/conflicts`: each script is run as it stands, against a server of its own, and says what its page says.
use fleet_tests::{Server, binary};
use std::process::{Command, Stdio};

/// Runs an example; looks for these words in what it prints, in this order.
fn run(example: &str, wanted: &[&str]) {
    let server = Server::dev();
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

#[test]
fn resource() {
    run(
        "resource",
        &[
            "ann holds account/7 by p",
            "kind     resource\nstate    open\nover     account/7",
            "requests 1 of bob",
            "account/7 held by ann",
            // What ann is told and what bob is told may come in either order.
            "== ann is done",
            "account/7 exclusive (token",
            "state    resolved",
            "settled  by turn",
        ],
    );
}

#[test]
fn temporal() {
    run(
        "temporal",
        &[
            "rule restart-slowly (No host is restarted twice in five seconds): ann did it on host/1",
            "exit code 6",
            "kind     temporal\nstate    open\nover     rule restart-slowly on host/1",
            "granted\nholds  host/1 exclusive",
            "state    resolved",
            "settled  by turn",
        ],
    );
}

#[test]
fn data() {
    run(
        "data",
        &[
            "account/7 is of version",
            "version_conflict: account/7 is of version",
            "of agent ann wrote it since; read it again",
            "exit code 6",
            "kind     data\nstate    open\nover     account/7",
            "bob reads again, and may write\npermit p",
            "state    resolved",
            "settled  by turn",
        ],
    );
}

#[test]
fn business() {
    run(
        "business",
        &[
            "rule freeze-or-pay (Nobody pays from a frozen account): ann did the opposite on account/7",
            "exit code 6",
            "kind     business\nstate    open\nover     rule freeze-or-pay on account/7",
            "granted\nholds  account/8 exclusive",
            "granted\nholds  account/7 exclusive",
            "state    resolved",
            "settled  by turn",
        ],
    );
}

#[test]
fn plans() {
    run(
        "plans",
        &[
            "agent      ann",
            "collisions none ahead",
            "agent      bob",
            "of ann on ledger/eu",
            "order ",
            "(bob)",
            "(ann)",
            "agent      ann",
            "collisions none ahead",
        ],
    );
}

#[test]
fn resolution() {
    run(
        "resolution",
        &[
            "kind     resource\nstate    resolving\nover     press/1",
            "requests 2 of bob, cid",
            "dispute  by rule talk",
            "state    resolved",
            "settled  by override for p",
            ": quarter end",
            "== ann is done",
            "agent      cid",
            "holds      press/1 exclusive",
            "press/1 exclusive (token",
        ],
    );
}
