//! Every decoder against bytes that nobody wrote.
//!
//! A target takes bytes and panics where a promise is broken: no decoder panics, and what it took comes back the same
//! from its own encoding. libFuzzer looks for such bytes with coverage as its guide (`fuzz_targets/`, one line each); the
//! fast tests try the seeds and some thousand changes of them.
//!
//! To add one: a function in [`targets`], its line in [`TARGETS`], its seeds, a file in `fuzz_targets/` and its entry in
//! `Cargo.toml`.
pub mod mutate;
pub mod parts;
pub mod seeds;
pub mod targets;

/// A decoder under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// As `cargo fuzz run` knows it.
    pub name: &'static str,
    /// Tries some bytes.
    pub run: fn(&[u8]),
    /// What it should take.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target {
        name: "session_client",
        run: targets::session_client,
        seeds: seeds::session_client,
    },
    Target {
        name: "session_server",
        run: targets::session_server,
        seeds: seeds::session_server,
    },
    Target {
        name: "bodies",
        run: targets::bodies,
        seeds: seeds::bodies,
    },
    Target {
        name: "commands",
        run: targets::commands,
        seeds: seeds::commands,
    },
    Target {
        name: "queries",
        run: targets::queries,
        seeds: seeds::queries,
    },
    Target {
        name: "rows",
        run: targets::rows,
        seeds: seeds::rows,
    },
    Target {
        name: "snapshots",
        run: targets::snapshots,
        seeds: seeds::snapshots,
    },
    Target {
        name: "runs",
        run: targets::runs,
        seeds: seeds::runs,
    },
    Target {
        name: "modules",
        run: targets::modules,
        seeds: seeds::modules,
    },
    Target {
        name: "schemas",
        run: targets::schemas,
        seeds: seeds::schemas,
    },
    Target {
        name: "definitions",
        run: targets::definitions,
        seeds: seeds::definitions,
    },
    Target {
        name: "expressions",
        run: targets::expressions,
        seeds: seeds::expressions,
    },
    Target {
        name: "manifest",
        run: targets::manifest,
        seeds: seeds::manifest,
    },
];

mod apply;
mod failure;

#[path = "../../crates/cli/src/paint.rs"]
#[allow(dead_code, unreachable_pub, reason = "the program's: see `apply`")]
mod paint;
