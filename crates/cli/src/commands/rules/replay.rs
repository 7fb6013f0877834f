//! `fleet rules replay`: what would other rules have done to the requests that were made?
use crate::commands::apply::rule_file::{read_all, rules_of};
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::{exit, output, paint, parse, show};
use clap::Args;
use fleet_journal::{FleetKey, sqlite};
use fleet_replay::{
    Answer, Candidate, Change, Counts, Error, Journal, Kind, Options, Progress, Report, ResultOf,
    Source, replay,
};
use fleet_types::{Record, RuleId, Seq, TenantId, Time};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// Records of one portion that come from a server.
const PORTION: usize = 1_000;

/// Decide the requests that were made anew, under other rules, and show what would have been answered differently
///
/// Reads the journal in the data directory, also beside a running server, or with --remote the server's stream of events.
/// Nothing is changed. All rules of the files are enforced in it, whatever their stage, unless --as-staged is given.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet rules replay --candidate freeze-pay.yaml
  fleet rules replay --candidate freeze-pay.yaml --from 2h --data-dir /var/lib/fleet
  fleet rules replay --without runaway --from 2026-11-20 --to 2026-11-21T12:00:00Z
  fleet rules replay --candidate rules.yaml --only --changes all -o json")]
pub struct Arguments {
    /// Files with rules to set, each in place of one of the same name: one rule, or a declared fleet
    #[arg(long, value_name = "FILE", num_args = 1..)]
    candidate: Vec<PathBuf>,
    /// Rules to leave out
    #[arg(long, value_name = "RULE", num_args = 1..)]
    without: Vec<RuleId>,
    /// Leave out all rules that the files do not name
    #[arg(long)]
    only: bool,
    /// Take stages as written, instead of enforcing all
    #[arg(long)]
    as_staged: bool,
    /// Compare requests from this time on: 2026-11-21T08:30:00Z, 2026-11-21, or how long ago: 2h
    #[arg(long, value_parser = parse::moment, value_name = "TIME")]
    from: Option<Time>,
    /// Up to this time
    #[arg(long, value_parser = parse::moment, value_name = "TIME")]
    to: Option<Time>,
    /// List so many changed answers, or all
    #[arg(long, value_parser = changes, default_value = "20", value_name = "COUNT")]
    changes: usize,
    /// The server's data directory
    #[arg(
        long,
        alias = "data",
        default_value = "fleet-data",
        value_name = "DIRECTORY",
        conflicts_with = "remote"
    )]
    data_dir: PathBuf,
    /// Read the server's stream of events instead of files
    #[arg(long)]
    remote: bool,
    /// The tenant, in a data directory of several
    #[arg(long, default_value = "default", value_name = "NAME")]
    tenant: TenantId,
}

fn changes(text: &str) -> Result<usize, String> {
    match text {
        "all" => Ok(usize::MAX),
        number => number
            .parse()
            .map_err(|_| format!("{number:?} is neither a number nor all")),
    }
}

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    let files = read_all(&arguments.candidate)?;
    let candidate = Candidate {
        rules: rules_of(&files),
        without: arguments.without.clone(),
        only: arguments.only,
        as_staged: arguments.as_staged,
    };
    if candidate.rules.is_empty() && candidate.without.is_empty() && !candidate.only {
        return Err(Failure::usage(
            "nothing is to be tried: name rules to set with --candidate, or to leave out with --without",
        ));
    }
    let options = Options {
        from: arguments.from.unwrap_or(Time::ZERO),
        to: arguments.to.unwrap_or(Time::MAX),
        changes_max: arguments.changes,
    };
    let fleet = FleetKey::new(arguments.tenant.as_str(), global.fleet.as_str())
        .map_err(|error| Failure::usage(format!("failed to {error}")))?;
    let mut bar = Bar::new(global.is_for_people());
    let report = match arguments.remote {
        false => {
            let mut source = journal(&arguments.data_dir, &fleet)?;
            let tell = &mut |progress| bar.tell(progress);
            replay(&mut source, &fleet, &candidate, &options, tell).map_err(failed)?
        }
        true => remote(global, fleet, candidate, options, bar).await?,
    };
    show(global, &report)
}

fn failed(error: Error) -> Failure {
    let exit = match error {
        Error::NoFleet { .. } | Error::NoRule { .. } => exit::NOT_FOUND,
        Error::Refused { .. } | Error::TooEarly { .. } => exit::USAGE,
        Error::Journal { .. } => exit::CONFLICT,
        Error::Decode { .. } | Error::Source(_) => exit::FAILED,
    };
    let words = match &error {
        Error::TooEarly { from, oldest } => format!(
            "failed to go back to {}: the journal's beginning was pruned, and the oldest state that is kept is of {}; begin later",
            show::absolute(*from),
            show::absolute(*oldest)
        ),
        other => format!("failed to {other}"),
    };
    Failure::new(exit, words)
}

fn journal(data_dir: &Path, fleet: &FleetKey) -> Outcome<Journal> {
    if !data_dir.join(sqlite::FILE).is_file() {
        let words = format!("{} holds no journal", data_dir.display());
        return Err(Failure::new(exit::NOT_FOUND, words).advise(
            "name the server's data directory with --data-dir, or read from the server with --remote",
        ));
    }
    let reader = sqlite::reader(data_dir)
        .map_err(|error| Failure::new(exit::FAILED, format!("failed to {}", error.chain())))?;
    Journal::open(reader, fleet.clone()).map_err(failed)
}

/// Takes the record from the server's stream. It has no snapshots, so it begins with the fleet.
async fn remote(
    global: &Global,
    key: FleetKey,
    candidate: Candidate,
    options: Options,
    mut bar: Bar,
) -> Outcome<Report> {
    let fleet = global.fleet()?;
    let end = fleet.status().await?.seq;
    let mut events = fleet.events(Some(Seq(0)), None).await?;
    let (send, portions) = mpsc::channel(4);
    let mut source = Remote { portions, end };
    let deciding = tokio::task::spawn_blocking(move || {
        let tell = &mut |progress| bar.tell(progress);
        replay(&mut source, &key, &candidate, &options, tell)
    });
    let mut seen = Seq(0);
    let mut portion = Vec::new();
    while seen < end {
        let record = match events.next().await {
            Ok(record) => record,
            Err(error) => {
                let _ = send.send(Err(Error::Source(error.to_string()))).await;
                break;
            }
        };
        if record.seq.0 != seen.0 + 1 {
            let words = format!(
                "follow the stream of events: {} comes after {seen}; use a key that is bound to no scope, and begin before what was pruned",
                record.seq
            );
            let _ = send.send(Err(Error::Source(words))).await;
            break;
        }
        seen = record.seq;
        portion.push(record);
        if (portion.len() == PORTION || seen == end)
            && send.send(Ok(std::mem::take(&mut portion))).await.is_err()
        {
            break; // It has heard enough, or failed.
        }
    }
    drop(send);
    let decided = deciding.await;
    let decided = decided
        .map_err(|error| Failure::new(exit::FAILED, format!("failed to replay: {error}")))?;
    decided.map_err(failed)
}

/// Records that come from a server.
struct Remote {
    portions: mpsc::Receiver<Result<Vec<Record>, Error>>,
    end: Seq,
}

impl Source for Remote {
    fn begin(&mut self, _: Time) -> Result<fleet_core::State, Error> {
        Ok(fleet_core::State::default())
    }

    fn portion(&mut self) -> Result<Option<Vec<Record>>, Error> {
        self.portions.blocking_recv().transpose()
    }

    fn end(&self) -> Seq {
        self.end
    }
}

/// How far it is, where a person looks on.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(for_people: bool) -> Bar {
        if !for_people || !std::io::stderr().is_terminal() {
            return Bar(None);
        }
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent}% {msg}, {eta} to go")
        {
            bar.set_style(style);
        }
        Bar(Some(bar))
    }

    fn tell(&mut self, progress: Progress) {
        if let Some(bar) = &self.0 {
            bar.set_length(progress.end.0);
            bar.set_position(progress.at.0);
            bar.set_message(show::count(progress.requests, "request"));
            if progress.at >= progress.end {
                bar.finish_and_clear();
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn show(global: &Global, report: &Report) -> Outcome {
    if global.output == output::Format::Name {
        return report
            .changes
            .iter()
            .try_for_each(|change| output::write(&format!("{}\n", change.permit)));
    }
    if !global.is_for_people() {
        return output::raw(global.output, report);
    }
    eprintln!(
        "{} decided anew, up to {}; {}",
        show::count(report.requests, "request"),
        show::absolute(report.to),
        match report.unlike_the_record {
            0 => "the rules as they were answer as the record does".to_owned(),
            some => paint::waiting(&format!(
                "the rules as they were answer {} otherwise than the record",
                show::number(some)
            )),
        }
    );
    for (count, words) in [
        (report.refused, "command of the record was refused here"),
        (
            report.extensions_not_asked,
            "extension that was refused is not in the record and was not asked again",
        ),
        (
            report.not_decided,
            "event of transactions and decided conflicts is not carried out anew",
        ),
    ] {
        if count > 0 {
            eprintln!("{} {words}", show::number(count));
        }
    }
    let counts = report.changed;
    let completed = |count: u64, of: u64| match (count, of) {
        (_, 0) => String::new(),
        (count, _) => format!(", of which {} had completed", show::number(count)),
    };
    for (words, count, more) in [
        (
            "newly denied",
            counts.newly_denied,
            completed(counts.newly_denied_completed, counts.newly_denied),
        ),
        ("newly allowed", counts.newly_allowed, String::new()),
        (
            "newly queued",
            counts.newly_queued,
            completed(counts.newly_queued_completed, counts.newly_queued),
        ),
        ("no longer queued", counts.no_longer_queued, String::new()),
        ("otherwise", counts.otherwise, String::new()),
    ] {
        let words = paint::bold(&format!("{words:17}"));
        output::write(&format!("{words} {}{more}\n", show::number(count)))?;
    }
    let (now, before) = (report.approvals_asked, report.approvals_asked_before);
    if now + before > 0 {
        let words = paint::bold(&format!("{:17}", "approvals asked"));
        let (now, before) = (show::number(now), show::number(before));
        output::write(&format!("{words} {now}, where it was {before}\n"))?;
    }
    match report.is_unchanged() {
        true => Ok(()),
        false => show_changes(report),
    }
}

/// By rule, by agent, and the requests themselves.
fn show_changes(report: &Report) -> Outcome {
    output::write("\n")?;
    let rows: Vec<Vec<String>> = report
        .by_rule
        .iter()
        .map(|(rule, counts)| [vec![rule.to_string()], numbers(counts)].concat())
        .collect();
    if !rows.is_empty() {
        output::table(&[&["RULE"], &NUMBERS[..]].concat(), &rows)?;
        output::write("\n")?;
    }
    let rows: Vec<Vec<String>> = report
        .by_agent
        .iter()
        .take(20)
        .map(|row| {
            let names = vec![row.agent.to_string(), row.action.to_string()];
            [names, numbers(&row.counts)].concat()
        })
        .collect();
    output::table(&[&["AGENT", "ACTION"], &NUMBERS[..]].concat(), &rows)?;
    if !report.changes.is_empty() {
        output::write("\n")?;
        let rows: Vec<Vec<String>> = report.changes.iter().map(cells).collect();
        output::table(
            &[
                "PERMIT", "ASKED", "AGENT", "ACTION", "BEFORE", "NOW", "ENDED",
            ],
            &rows,
        )?;
    }
    if report.left_off > 0 {
        eprintln!(
            "… and {} more: --changes all",
            show::number(report.left_off)
        );
    }
    Ok(())
}

const NUMBERS: [&str; 5] = [
    "NEWLY DENIED",
    "OF THEM COMPLETED",
    "NEWLY ALLOWED",
    "NEWLY QUEUED",
    "NO LONGER QUEUED",
];

fn numbers(counts: &Counts) -> Vec<String> {
    [
        counts.newly_denied,
        counts.newly_denied_completed,
        counts.newly_allowed,
        counts.newly_queued,
        counts.no_longer_queued,
    ]
    .map(show::number)
    .into()
}

fn cells(change: &Change) -> Vec<String> {
    let now = answer(&change.now);
    vec![
        change.permit.to_string(),
        show::absolute(change.at),
        change.agent.to_string(),
        change.action.to_string(),
        answer(&change.before),
        match change.kind {
            Kind::NewlyDenied => paint::bad(&now),
            Kind::NewlyAllowed | Kind::NoLongerQueued => paint::good(&now),
            Kind::NewlyQueued | Kind::Otherwise => paint::waiting(&now),
        },
        show::word(&change.ended).replace('_', " "),
    ]
}

/// `granted after waiting (freeze-pay)`, `denied: rule_violated (freeze-pay)`.
fn answer(answer: &Answer) -> String {
    let mut text = show::word(&answer.result);
    match (answer.result, &answer.code) {
        (ResultOf::Denied, Some(code)) => text.push_str(&format!(": {}", show::word(code))),
        (ResultOf::Granted, _) if answer.waited => text.push_str(" after waiting"),
        (ResultOf::Granted | ResultOf::Denied | ResultOf::Waits, _) => {}
    }
    if let Some(rule) = &answer.rule {
        text.push_str(&format!(" ({rule})"));
    }
    text
}
