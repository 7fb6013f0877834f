//! `all`: every benchmark in a process of its own, and the table in `docs/performance.md`.
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// A benchmark, what it should reach, and where in its figures that stands.
struct Target {
    name: &'static str,
    wanted: &'static str,
    shown: &'static [&'static str],
}

const TARGETS: &[Target] = &[
    Target {
        name: "core",
        wanted: "≥ 400,000 permits/s on one core",
        shown: &["permits_per_s", "p50_us", "p99_us", "cpu_us_per_op"],
    },
    Target {
        name: "rules",
        wanted: "1,000 rules, 20 matching: ≥ 60 % of the permits/s without",
        shown: &["permits_per_s", "p50_us", "p99_us", "ratio"],
    },
    Target {
        name: "txn",
        wanted: "two-phase commits/s over two PostgreSQL servers, beside the same two updates alone",
        shown: &["commits_per_s", "p50_us", "p99_us", "ratio"],
    },
    Target {
        name: "rego",
        wanted: "a module of 24 rules: p50 ≤ 100 µs an evaluation",
        shown: &[
            "p50_us",
            "p99_us",
            "evaluations_per_s",
            "over_http",
            "ratio",
        ],
    },
    Target {
        name: "durable",
        wanted: "64 in flight: ≥ 80,000 permits/s, p50 ≤ 600 µs, p99 ≤ 3,000 µs; one in flight: p50 ≤ 300 µs",
        shown: &[
            "permits_per_s",
            "p50_us",
            "p99_us",
            "cpu_us_per_op",
            "one_in_flight",
            "ratio",
        ],
    },
    Target {
        name: "session",
        wanted: "more permits/s and a lower p50 than Redis' lock and unlock pairs, 5 times etcd's; past 57,600/s",
        shown: &[
            "permits_per_s",
            "p50_us",
            "p99_us",
            "cpu_us_per_op",
            "ratio",
            "ratio_to_etcd",
            "eight_in_flight_each",
            "eight_in_flight_ratio",
            "by_client_library",
        ],
    },
    Target {
        name: "http",
        wanted: "≥ 12,000 permits/s, p99 ≤ 10,000 µs",
        shown: &["permits_per_s", "p50_us", "p99_us", "cpu_us_per_op"],
    },
    Target {
        name: "graph",
        wanted: "10,000 agents, 100,000 edges: blast radius ≤ 10 ms, full analysis ≤ 1,000 ms; the writer with the view as fast as without",
        shown: &[
            "nodes",
            "edges",
            "blast_p50_ms",
            "blast_max_ms",
            "analysis_ms",
            "bottleneck_error",
            "ratio",
            "rebuilt_events_per_s",
        ],
    },
    Target {
        name: "halt",
        wanted: "server ≤ 5,000 µs, all sessions ≤ 1,000 ms, granted after: 0",
        shown: &[
            "server_ack_us",
            "ack_all_ms",
            "acknowledged",
            "reach",
            "granted_after_ack",
        ],
    },
    Target {
        name: "status",
        wanted: "p99 ≤ 10,000 µs",
        shown: &["p50_us", "p99_us", "permits_per_s"],
    },
    Target {
        name: "register",
        wanted: "p99 ≤ 20,000 µs",
        shown: &["p50_us", "p99_us", "permits_per_s"],
    },
    Target {
        name: "restart",
        wanted: "1,000,000 events: serving in ≤ 3,000 ms",
        shown: &["events", "serving_ms", "of_which_opening_the_journal_ms"],
    },
    Target {
        name: "replay",
        wanted: "1,000,000 recorded requests under other rules in ≤ 30 s",
        shown: &[
            "requests",
            "replayed_s",
            "requests_per_s",
            "newly_denied",
            "unlike_the_record",
            "resident_most_mib",
            "ratio",
        ],
    },
    Target {
        name: "memory",
        wanted: "≤ 400 MiB resident",
        shown: &["resident_mib", "held_locks"],
    },
];

/// Runs them all and writes the page.
pub fn all(seconds: u64, page: &Path) -> std::io::Result<()> {
    let mut rows = String::new();
    let mut besides = String::new();
    for target in TARGETS {
        eprintln!("{} …", target.name);
        let output = Command::new(std::env::current_exe()?)
            .args([target.name, "--json", "--seconds", &seconds.to_string()])
            .output()?;
        let figures: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            let words = String::from_utf8_lossy(&output.stderr);
            serde_json::json!({ "failed": words.lines().last().unwrap_or_default() })
        });
        let shown = target
            .shown
            .iter()
            .filter_map(|key| Some((key, figures.get(*key)?)));
        let shown: Vec<String> = shown.map(|(key, value)| format!("{key} {value}")).collect();
        let shown = match figures.get("failed") {
            Some(why) => format!("failed: {why}"),
            None => shown.join("; "),
        };
        // Writing into a string does not fail.
        let _ = writeln!(rows, "| `{}` | {} | {shown} |", target.name, target.wanted);
        if let Some(beside) = figures.get("beside") {
            let ratio = figures
                .get("ratio")
                .map(ToString::to_string)
                .unwrap_or_default();
            let _ = writeln!(besides, "| `{}` | {ratio} | {beside} |", target.name);
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = format!(
        "# Performance\n\n\
         Written by `cargo xtask bench all`; do not edit. A *permit* is a pair: request and complete. Client and server \
         share the machine's {cores} cores. Machines are noisy: the ratio against what ran beside it in the same call is \
         worth more than the figure.\n\n\
         | benchmark | wanted | measured |\n|---|---|---|\n{rows}\n\
         ## Beside\n\n| benchmark | ours to theirs | what ran beside |\n|---|---|---|\n{besides}\n\
         Each is `cargo xtask bench NAME [--json] [--seconds N]`. What bounds a figure that is not met, with profiles:\n\
         [performance-bounds.md](performance-bounds.md).\n"
    );
    std::fs::write(page, text)
}
