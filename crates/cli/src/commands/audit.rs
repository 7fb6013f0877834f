//! `fleet audit`: is the journal what was written, and what stands at a place in it?
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::{exit, paint, show};
use clap::Subcommand;
use fleet_journal::Report;
use fleet_types::Seq;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Audit
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet audit verify                       all journals of ./fleet-data: every hash, every link, no gap
  fleet audit verify --data-dir /var/lib/fleet -o json
  fleet audit show 42                      what happened at this place, from the server")]
pub enum Command {
    /// Verify a data directory's journals from beginning to end; exits with 5 when something is damaged
    Verify {
        /// The data directory; a server may run on it meanwhile
        #[arg(
            long,
            alias = "data",
            default_value = "fleet-data",
            value_name = "DIRECTORY"
        )]
        data_dir: PathBuf,
        /// Archives of pruned journals, to be verified too
        #[arg(long, value_name = "DIRECTORY")]
        archives: Option<PathBuf>,
    },
    /// Show the entry at a place in the journal
    Show {
        /// The place, as `fleet events` shows it
        #[arg(value_name = "SEQ", required_unless_present = "seq")]
        place: Option<u64>,
        /// The same
        #[arg(long, hide = true, conflicts_with = "place")]
        seq: Option<u64>,
    },
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    match command {
        Command::Verify { data_dir, archives } => verify(global, &data_dir, archives.as_deref()),
        Command::Show { place, seq } => {
            let seq = place.or(seq).unwrap_or_default();
            let fleet = global.fleet()?;
            let head = fleet.status().await?.seq;
            if seq == 0 || seq > head.0 {
                return Err(Failure::new(
                    exit::NOT_FOUND,
                    format!("the journal has no entry {seq}: it has 1 to {head}"),
                ));
            }
            let record = fleet.events(Some(Seq(seq - 1)), None).await?.next().await?;
            output::raw(global.output, &record)
        }
    }
}

/// Reads the journals of a data directory and says what was found.
pub fn journals(data_dir: &Path) -> Outcome<Report> {
    if !data_dir.join(fleet_journal::sqlite::FILE).is_file() {
        return Err(Failure::new(
            exit::NOT_FOUND,
            format!("{} holds no journal", data_dir.display()),
        )
        .advise("name the server's data directory with --data-dir"));
    }
    fleet_journal::audit(data_dir)
        .map_err(|error| Failure::new(exit::FAILED, format!("failed to {}", error.chain())))
}

fn verify(global: &Global, data_dir: &Path, archives: Option<&Path>) -> Outcome {
    let begun = Instant::now();
    let report = journals(data_dir)?;
    let archived = match archives {
        None => Vec::new(),
        Some(archives) => fleet_journal::audit_archives(archives, Some(data_dir))
            .map_err(|error| Failure::new(exit::FAILED, format!("failed to {}", error.chain())))?,
    };
    if global.output != Format::Table {
        output::raw(global.output, &report)?;
    } else {
        let rows: Vec<Vec<String>> = report
            .fleets
            .iter()
            .map(|fleet| {
                let hash: String = fleet
                    .head_hash
                    .iter()
                    .take(8)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                vec![
                    fleet.fleet.to_string(),
                    show::number(fleet.events),
                    show::number(fleet.batches),
                    format!("{}–{}", fleet.first_seq, fleet.last_seq),
                    hash,
                    match &fleet.damage {
                        None => paint::good("sound"),
                        Some(damage) => paint::bad(&format!("damaged: {damage}")),
                    },
                ]
            })
            .collect();
        output::table(
            &["JOURNAL", "EVENTS", "BATCHES", "PLACES", "HEAD", "VERDICT"],
            &rows,
        )?;
        eprintln!(
            "{} verified in {}",
            show::count(report.events(), "event"),
            show::span_ms(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
        );
        for archive in &archived {
            eprintln!("archive {archive:?}");
        }
    }
    if report.is_sound() {
        return Ok(());
    }
    Err(
        Failure::new(exit::CONFLICT, "a journal is not what was written")
            .advise("stop the server, keep this directory for study, restore it from a backup"),
    )
}
