//! The benchmarks, run by `cargo xtask bench NAME [--json]`. Machines are noisy: every figure that depends on one is
//! quoted beside something that ran in the same call.
mod core;
mod durable;
mod etcd;
mod figures;
mod frames;
mod graph;
mod halt;
mod http;
mod lanes;
mod memory;
mod peer;
mod redis;
mod rego;
mod replay;
mod report;
mod restart;
mod rules;
mod served;
mod session;
mod status;
mod txn;
mod world;

use clap::{Parser, ValueEnum};
use figures::Figures;

/// As in the server: the system's allocator costs a fifth of a permit.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures FleetCommand.
#[derive(Parser)]
struct Args {
    /// Which benchmark.
    name: Name,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// How long to measure, in seconds, where it depends on time.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Where files are put; the default is a temporary directory.
    #[arg(long)]
    dir: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Decide and apply in memory, on one core.
    Core,
    /// The same under 1,000 rules.
    Rules,
    /// Two-phase commits over two PostgreSQL servers, beside the same updates alone.
    Txn,
    /// A policy of 24 rules: evaluations, and permits over HTTP with and without it.
    Rego,
    /// Through the runtime and SQLite with a real sync, 64 in flight, and one.
    Durable,
    /// 64 WebSocket sessions, beside Redis and etcd.
    Session,
    /// 64 keep-alive HTTP connections.
    Http,
    /// The dependency graph of 10,000 agents and 100,000 edges; the writer with and without it.
    Graph,
    /// One halt over 10,000 connected sessions.
    Halt,
    /// The glance at 10,000 agents under load.
    Status,
    /// Registration of an agent under load.
    Register,
    /// From a journal of 1,000,000 events to serving.
    Restart,
    /// A million recorded requests under other rules.
    Replay,
    /// Resident memory of 10,000 agents and 100,000 held locks.
    Memory,
    /// Every one of them, written to `docs/performance.md`.
    All,
}

/// `fleet-bench hold --url URL --first N --count N`: started by `halt` only.
fn holds() -> bool {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["hold", "--url", url, "--first", first, "--count", count] = words.as_slice()
        && let (Ok(first), Ok(count)) = (first.parse(), count.parse())
    {
        halt::hold(url, first, count);
        return true;
    }
    false
}

fn main() {
    if holds() {
        return;
    }
    let args = Args::parse();
    let figures: Figures = match args.name {
        Name::Core => core::run(args.seconds),
        Name::Rules => rules::run(args.seconds),
        Name::Txn => txn::run(args.seconds, args.dir.as_deref()),
        Name::Rego => rego::run(args.seconds, args.dir.as_deref()),
        Name::Durable => durable::run(args.seconds, args.dir.as_deref()),
        Name::Session => session::run(args.seconds, args.dir.as_deref()),
        Name::Http => http::run(args.seconds, args.dir.as_deref()),
        Name::Graph => graph::run(args.seconds, args.dir.as_deref()),
        Name::Halt => halt::run(args.dir.as_deref()),
        Name::Status => status::run(status::What::Status, args.seconds, args.dir.as_deref()),
        Name::Register => status::run(status::What::Register, args.seconds, args.dir.as_deref()),
        Name::Restart => restart::run(args.dir.as_deref()),
        Name::Replay => replay::run(args.dir.as_deref()),
        Name::Memory => memory::run(),
        Name::All => {
            let page = std::path::Path::new("docs/performance.md");
            if let Err(error) = report::all(args.seconds, page) {
                eprintln!("failed to write {}: {error}", page.display());
                std::process::exit(1);
            }
            return;
        }
    };
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&figures).expect("figures have a JSON form")
        );
    } else {
        println!("{figures}");
    }
}
