//! `fleet doctor`: what is wrong with this machine, its data and its server, and what to do.
use super::audit::journals;
use crate::context::Global;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::{paint, show};
use clap::Args;
use fleet_client::{Error, Fleet, Http};
use fleet_runtime::recall::look::look;
use fleet_types::Time;
use serde::Serialize;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Look for what is wrong with this machine, its data and its server
///
/// Changes nothing. Exits with 1 when something is wrong.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet doctor
  fleet doctor --data-dir /var/lib/fleet --server https://fleet.example")]
pub struct Arguments {
    /// The data directory
    #[arg(
        long,
        alias = "data",
        default_value = "fleet-data",
        value_name = "DIRECTORY"
    )]
    data_dir: PathBuf,
}

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    Warning,
    Wrong,
}

/// What was looked at.
#[derive(Serialize)]
struct Check {
    what: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_do: Option<String>,
}

impl Check {
    fn new(
        what: &'static str,
        verdict: Verdict,
        found: impl Into<String>,
        to_do: Option<String>,
    ) -> Self {
        Check {
            what,
            verdict,
            found: found.into(),
            to_do,
        }
    }

    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Check::new(what, Verdict::Good, found, None)
    }

    fn warning(what: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Check::new(what, Verdict::Warning, found, Some(to_do.into()))
    }

    fn wrong(what: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Check::new(what, Verdict::Wrong, found, Some(to_do.into()))
    }
}

/// A disk with less than this will be full soon.
const SPACE_LITTLE: u64 = 1 << 30;
/// A disk with less than this refuses snapshots, then writes.
const SPACE_TOO_LITTLE: u64 = 100 << 20;
/// Earlier versions of SQLite can corrupt a journal when it is written back.
const SQLITE_NEEDED: i32 = 3_051_003;
/// Before this release was made: such a clock is wrong.
const CLOCK_EARLIEST: Time = Time(1_767_225_600_000_000); // 2026-01-01
/// A server's clock may differ by so much before it matters for leases.
const CLOCK_SKEW_US: u64 = 2_000_000;

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    let dir = &arguments.data_dir;
    let mut checks = vec![directory(dir), space(dir), sqlite()];
    let http = global.http()?;
    let live = http.is_live().await;
    checks.push(port(&global.server, live.is_ok(), dir));
    checks.extend(journal(dir));
    checks.push(clock());
    checks.extend(server(global, &http, live).await);
    if global.output == Format::Table {
        for check in &checks {
            let sign = match check.verdict {
                Verdict::Good => paint::good("ok     "),
                Verdict::Warning => paint::waiting("warning"),
                Verdict::Wrong => paint::bad("WRONG  "),
            };
            output::write(&format!("{sign} {:10} {}\n", check.what, check.found))?;
            if let Some(to_do) = &check.to_do {
                output::write(&format!("        {:10} → {to_do}\n", ""))?;
            }
        }
    } else {
        output::raw(global.output, &checks)?;
    }
    if checks.iter().any(|check| check.verdict == Verdict::Wrong) {
        return Err(Failure::told(exit::FAILED));
    }
    Ok(())
}

fn directory(dir: &Path) -> Check {
    const WHAT: &str = "directory";
    let shown = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let shown = shown.display();
    match std::fs::metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Check::warning(
            WHAT,
            format!("{shown} is not there yet"),
            "`fleet dev` makes it; or name another with --data-dir",
        ),
        Err(error) => Check::wrong(
            WHAT,
            format!("{shown}: {error}"),
            "give this user access to it",
        ),
        Ok(found) if !found.is_dir() => Check::wrong(
            WHAT,
            format!("{shown} is no directory"),
            "name another with --data-dir",
        ),
        Ok(_) => match rustix::fs::access(
            dir,
            rustix::fs::Access::READ_OK
                | rustix::fs::Access::WRITE_OK
                | rustix::fs::Access::EXEC_OK,
        ) {
            Ok(()) => Check::good(WHAT, format!("{shown} can be read and written")),
            Err(error) => Check::wrong(
                WHAT,
                format!("{shown} cannot be written: {error}"),
                "give this user access to it",
            ),
        },
    }
}

/// The directory itself, or the nearest one above it that is there.
fn nearest(dir: &Path) -> PathBuf {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    dir.ancestors()
        .find(|dir| dir.exists())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

fn space(dir: &Path) -> Check {
    const WHAT: &str = "space";
    match rustix::fs::statvfs(nearest(dir)) {
        Err(error) => Check::warning(WHAT, format!("cannot be told: {error}"), "look with `df`"),
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let shown = format!("{} MiB free", show::number(free >> 20));
            if free < SPACE_TOO_LITTLE {
                Check::wrong(
                    WHAT,
                    shown,
                    "free some: a full disk refuses writes, and serves reads only",
                )
            } else if free < SPACE_LITTLE {
                Check::warning(
                    WHAT,
                    shown,
                    "free some soon, or keep fewer events (`keep_events`)",
                )
            } else {
                Check::good(WHAT, shown)
            }
        }
    }
}

fn sqlite() -> Check {
    let version = rusqlite::version();
    if rusqlite::version_number() >= SQLITE_NEEDED {
        Check::good("sqlite", version)
    } else {
        Check::wrong(
            "sqlite",
            format!("{version} can corrupt a journal"),
            "use a build with its own SQLite",
        )
    }
}

/// Who serves a directory, as the file `lock` in it tells while it is held.
fn served_by(dir: &Path) -> Option<String> {
    let mut file = File::open(dir.join("lock")).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).ok()?;
            Some(holder.trim().to_owned())
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn port(server: &str, live: bool, dir: &Path) -> Check {
    const WHAT: &str = "port";
    let address = server
        .split_once("://")
        .map_or(server, |(_, rest)| rest)
        .trim_end_matches('/');
    let resolved = address
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next());
    if live {
        let here = resolved.is_some_and(|address| address.ip().is_loopback());
        return match served_by(dir) {
            Some(holder) => Check::good(
                WHAT,
                format!("{address} is FleetCommand's; {holder} serves this directory"),
            ),
            None if here => Check::warning(
                WHAT,
                format!("{address} is a FleetCommand's that serves another directory"),
                "name the one you mean with --data-dir",
            ),
            None => Check::good(WHAT, format!("{address} is FleetCommand's")),
        };
    }
    let Some(address) = resolved else {
        return Check::warning(
            WHAT,
            format!("{address} is no address of a machine"),
            "name another with --server",
        );
    };
    if !address.ip().is_loopback() {
        return Check::good(WHAT, format!("{address} is another machine's"));
    }
    match TcpListener::bind(address) {
        Ok(_) => Check::good(WHAT, format!("{address} is free")),
        Err(error) => Check::wrong(
            WHAT,
            format!("{address} is taken, and not by FleetCommand: {error}"),
            "stop what uses it, or listen elsewhere: fleet dev --listen 127.0.0.1:7701",
        ),
    }
}

fn journal(dir: &Path) -> Vec<Check> {
    const WHAT: &str = "journal";
    if !dir.join(fleet_journal::sqlite::FILE).is_file() {
        return Vec::new();
    }
    let report = match journals(dir) {
        Ok(report) => report,
        Err(failure) => {
            return vec![Check::wrong(
                WHAT,
                failure.to_string(),
                "look with `fleet audit verify`",
            )];
        }
    };
    let mut checks = answers(dir, &report);
    let journal = match report.damage() {
        None => Check::good(
            WHAT,
            format!(
                "{} in {} verified, from the first to the head",
                show::count(report.events(), "event"),
                show::count(report.fleets.len() as u64, "journal")
            ),
        ),
        Some(damage) => Check::wrong(
            WHAT,
            format!("damaged: {damage}"),
            "stop the server, keep this directory for study, restore it from a backup",
        ),
    };
    checks.insert(0, journal);
    checks
}

/// The first answers to request ids that the fleets' memories have let go.
fn answers(dir: &Path, report: &fleet_journal::Report) -> Vec<Check> {
    const WHAT: &str = "answers";
    let mut checks = Vec::new();
    let (mut files, mut answers, mut bytes) = (0, 0, 0);
    for fleet in report.fleets.iter().map(|report| &report.fleet) {
        match look(dir, fleet) {
            Err(error) => checks.push(Check::wrong(
                WHAT,
                format!("{fleet}: failed to {}", error.chain()),
                "stop the server and restore this file, or move it away: the next start looks for its answers in the journal",
            )),
            Ok(look) => {
                files += look.runs;
                answers += look.answers;
                bytes += look.bytes;
                let Some((after, until)) = look.gap else {
                    continue;
                };
                let (after, until) = (show::absolute(after), show::absolute(until));
                checks.push(Check::warning(
                    WHAT,
                    format!("{fleet}: a file is missing, with what was answered from {after} to {until}"),
                    "start the server again: it looks for them in the journal; or restore the file while it is stopped",
                ));
            }
        }
    }
    if files > 0 && checks.is_empty() {
        let (answers, files) = (show::count(answers, "answer"), show::count(files, "file"));
        let found = format!(
            "{answers} in {files} read, {} MiB",
            show::number(bytes >> 20)
        );
        checks.push(Check::good(WHAT, found));
    }
    checks
}

fn clock() -> Check {
    let now = show::now();
    if now < CLOCK_EARLIEST {
        Check::wrong(
            "clock",
            show::absolute(now),
            "set this machine's clock: leases and budgets follow it",
        )
    } else {
        Check::good("clock", show::absolute(now))
    }
}

/// Policies that do not compile in the server's build deny whatever they look at.
async fn policies(fleet: &Fleet) -> Option<Check> {
    // A key that does not reach them has nothing to do with them.
    let policies = fleet.policies().await.ok()?;
    let broken = policies.iter().filter(|policy| policy.broken.is_some());
    let broken: Vec<&str> = broken.map(|policy| policy.policy.id.as_str()).collect();
    if broken.is_empty() {
        return None;
    }
    let found = format!("{} cannot be asked and deny", broken.join(", "));
    let to_do = "look with `fleet policies get`, and set them anew";
    Some(Check::wrong("policies", found, to_do))
}

async fn server(global: &Global, http: &Http, live: Result<(), Error>) -> Vec<Check> {
    const WHAT: &str = "server";
    if let Err(error) = live {
        return vec![Check::warning(
            WHAT,
            error.to_string(),
            "start one with `fleet dev`, or name another with --server",
        )];
    }
    let mut checks = Vec::new();
    checks.push(match http.is_ready().await {
        Ok(()) => Check::good(WHAT, format!("{} serves", http.base())),
        Err(error) => Check::wrong(
            WHAT,
            format!("{} lives, and cannot serve: {error}", http.base()),
            "look at its log; its disk may be full",
        ),
    });
    let before = show::now();
    match http.fleet(global.fleet.clone()).status().await {
        Ok(status) => {
            checks.push(Check::good(
                "fleet",
                format!(
                    "{} is at event {}, {}",
                    global.fleet,
                    show::number(status.seq.0),
                    show::count(status.agents, "agent")
                ),
            ));
            // The fleet's clock stands at its last event: it can be behind, never ahead.
            if status.at.micros_since(before) > CLOCK_SKEW_US {
                checks.push(Check::warning(
                    "clocks",
                    format!(
                        "the server's is {} ahead of this machine's",
                        show::span_ms(status.at.micros_since(before) / 1_000)
                    ),
                    "synchronise both with NTP",
                ));
            }
            checks.extend(policies(&http.fleet(global.fleet.clone())).await);
            if status.halts > 0 {
                checks.push(Check::warning(
                    "halts",
                    format!("{} in force", status.halts),
                    "look with `fleet halts list`",
                ));
            }
        }
        Err(error) => {
            let to_do = match error.status() {
                Some(401 | 403) => "give a key with --key or in FLEET_KEY",
                Some(404) => "`fleet fleets list` tells which there are",
                _ => "look at the server's log",
            };
            checks.push(Check::wrong(
                "fleet",
                format!("{}: {error}", global.fleet),
                to_do,
            ));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_journal::{FleetReport, GENESIS, Report};

    #[test]
    fn a_damaged_file_of_answers_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let report = Report {
            fleets: vec![FleetReport {
                fleet: "acme/main".parse().unwrap(),
                batches: 0,
                events: 0,
                first_seq: 0,
                last_seq: 0,
                head_hash: GENESIS,
                snapshots: Vec::new(),
                damage: None,
            }],
        };
        assert!(answers(dir.path(), &report).is_empty(), "there are none");
        let files = dir.path().join("answers/acme/main");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(
            files.join("000000000001.run"),
            "FLEETRN1 and nothing else FLEETRN1",
        )
        .unwrap();
        let checks = answers(dir.path(), &report);
        assert_eq!(checks.len(), 1);
        assert!(checks[0].verdict == Verdict::Wrong);
        assert!(
            checks[0].found.contains("000000000001.run"),
            "{}",
            checks[0].found
        );
    }
}
