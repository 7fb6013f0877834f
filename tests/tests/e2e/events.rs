//! Following what happens.
use fleet_tests::Server;
use std::time::Duration;

#[test]
fn following_goes_on_after_a_restart_without_a_gap_or_a_repeat() {
    let mut server = Server::dev();
    let follower = server.follow(&["events", "--follow", "--after", "0", "-o", "json"]);
    let mut expected = 1;
    let mut read_to = |head: u64| {
        while expected <= head {
            let line = follower
                .line(Duration::from_secs(20))
                .unwrap_or_else(|| panic!("no event {expected}"));
            let record: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["seq"], expected, "{line}");
            expected += 1;
        }
    };
    for round in 0..3 {
        for number in 0..5 {
            server
                .fleet(&[
                    "permits",
                    "request",
                    "x",
                    "--agent",
                    &format!("a-{round}-{number}"),
                ])
                .ok();
        }
        let head = server.fleet(&["status", "-o", "json"]).json()["seq"]
            .as_u64()
            .unwrap();
        read_to(head);
        server.kill();
        server.start_again();
    }
}

#[test]
fn events_are_chosen_by_type_and_place() {
    let server = Server::dev();
    for agent in ["a", "b", "c"] {
        server.fleet(&["permits", "request", "x", "--agent", agent, "-x", "r"]);
    }
    let names = |line: &[&str]| -> Vec<String> {
        let text = server.fleet(line).ok();
        text.lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["event"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .next()
                    .unwrap()
                    .clone()
            })
            .collect()
    };
    assert_eq!(
        names(&["events", "--types", "permit.*", "-o", "json"]),
        ["permit.granted", "permit.denied", "permit.denied"]
    );
    let seqs = server
        .fleet(&["events", "--types", "permit.denied", "-o", "name"])
        .ok();
    let after = seqs.lines().next().unwrap();
    assert_eq!(
        names(&[
            "events",
            "--types",
            "permit.denied",
            "--after",
            after,
            "-o",
            "json"
        ]),
        ["permit.denied"]
    );
    server
        .fleet(&["events", "--types", "nonsense"])
        .failed(2, "permit.granted");
    let shown = server.fleet(&["audit", "show", "--seq", after]).json();
    assert_eq!(shown["seq"].to_string(), after);
    server
        .fleet(&["audit", "show", "--seq", "999"])
        .failed(3, "no entry 999");
}
