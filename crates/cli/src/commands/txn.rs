//! `fleet txn`: transactions, several actions that happen together or not at all.
use super::apply;
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Format, Row};
use crate::{exit, paint, parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::http::{EndTxn, NewTxn};
use fleet_types::txn::{
    Branch, BranchState, BranchView, Outcome as Said, Participant, Phase, Standing, State, Verdict,
    View,
};
use fleet_types::{
    AgentId, BranchId, ConnectorId, InstanceId, Millis, PermitId, RequestId, Text, TxnId,
};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Transactions
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet txn begin --agent ann
  fleet txn hold t17 p12 --agent ann
  fleet txn enlist t17 eu --postgres bank-eu --agent ann     then prepare under the name it tells
  fleet txn commit t17 --agent ann
  fleet txn begin -f trip.yaml                               a saga
  fleet txn list --watch
  fleet txn show t17
  fleet txn log t17
  fleet txn abort t17 --reason \"the order was withdrawn\"
  fleet txn report t17 car do done                           for a participant without a session
  fleet txn resolve t17 eu --as committed --reason \"seen in the bank's own journal\"")]
pub enum Command {
    /// List transactions that are not over
    List {
        /// Those that are over too, as far as they are remembered
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one: its state, its branches, its log
    Show {
        /// Which
        txn: TxnId,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show what has happened in one
    Log {
        /// Which
        txn: TxnId,
    },
    /// Begin a two-phase commit, or what a file says: sagas too
    Begin(Begin),
    /// Enlist a participant in a two-phase commit
    #[command(group(clap::ArgGroup::new("participant").required(true)))]
    Enlist {
        /// In which
        txn: TxnId,
        /// The name of its part
        branch: BranchId,
        /// A database, by this connector: prepare your transaction there under the name that is told
        #[arg(long, value_name = "CONNECTOR", group = "participant")]
        postgres: Option<ConnectorId>,
        /// An address, by this connector
        #[arg(long, value_name = "CONNECTOR", group = "participant")]
        webhook: Option<ConnectorId>,
        /// An agent's instance, over its session
        #[arg(long, value_name = "AGENT/INSTANCE", group = "participant")]
        session: Option<String>,
        /// What it is told, as JSON
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
        /// Who asks; absent: the agent that the key is bound to
        #[arg(long)]
        agent: Option<AgentId>,
    },
    /// Let a transaction hold a permit to its end
    Hold {
        /// Which transaction
        txn: TxnId,
        /// Which permit
        permit: PermitId,
        /// Who holds it; absent: the agent that the key is bound to
        #[arg(long)]
        agent: Option<AgentId>,
    },
    /// Commit, if every participant can
    Commit {
        /// Which
        txn: TxnId,
        /// Whose it is; absent: the agent that the key is bound to
        #[arg(long)]
        agent: Option<AgentId>,
        #[command(flatten)]
        wait: Wait,
    },
    /// End one without effect; a saga turns back
    Abort {
        /// Which
        txn: TxnId,
        /// Whose it is; absent: you do it
        #[arg(long)]
        agent: Option<AgentId>,
        /// Why; people will read it
        #[arg(long, value_parser = parse::text, default_value = "")]
        reason: Text,
        #[command(flatten)]
        wait: Wait,
    },
    /// Say how a branch went, for a participant without a session
    Report {
        /// Of which transaction
        txn: TxnId,
        /// Of which branch
        branch: BranchId,
        /// What it was asked to do
        #[arg(value_enum)]
        phase: ThePhase,
        /// How it went
        #[arg(value_enum)]
        outcome: TheOutcome,
        /// Why
        #[arg(long, value_parser = parse::text, default_value = "")]
        reason: Text,
    },
    /// Settle a branch that does not settle itself
    Resolve {
        /// Of which transaction
        txn: TxnId,
        /// Which
        branch: BranchId,
        /// How: of a step, committed says it was done, aborted that it was not or is undone
        #[arg(long = "as", value_enum, value_name = "HOW")]
        verdict: TheVerdict,
        /// How you know; people will read it
        #[arg(long, value_parser = parse::text)]
        reason: Text,
    },
}

/// A transaction to be begun.
#[derive(Args)]
pub struct Begin {
    /// The file, as YAML or JSON; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Whose it is; absent: as the file says, or the agent that the key is bound to
    #[arg(long)]
    agent: Option<AgentId>,
    /// How long it may stay undecided
    #[arg(long, value_parser = parse::duration, value_name = "SPAN")]
    timeout: Option<Duration>,
    /// Another agent that may take part; again for more
    #[arg(long = "member", value_name = "AGENT")]
    members: Vec<AgentId>,
    /// What for; people will read it
    #[arg(long, value_parser = parse::text)]
    description: Option<Text>,
    /// Your own id of it: a repeat gets the one it began
    #[arg(long, value_name = "ID")]
    request_id: Option<RequestId>,
}

impl Begin {
    /// What the file says, and over it what the flags say.
    fn asked(self) -> Outcome<NewTxn> {
        let mut new: NewTxn = match self.file {
            Some(file) => apply::read_one(&file)?,
            None => NewTxn::default(),
        };
        new.agent = self.agent.or(new.agent);
        new.timeout_ms = self.timeout.map(millis).or(new.timeout_ms);
        new.members.extend(self.members);
        new.description = self.description.unwrap_or(new.description);
        new.request_id = self.request_id.or(new.request_id);
        Ok(new)
    }
}

/// How long to wait for the end.
#[derive(Args)]
pub struct Wait {
    /// Wait so long until it is over
    #[arg(long, value_parser = parse::duration, default_value = "10s", value_name = "SPAN")]
    wait: Duration,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ThePhase {
    Prepare,
    Commit,
    Abort,
    Do,
    Undo,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum TheOutcome {
    /// It is so
    Done,
    /// To prepare: nothing was changed
    ReadOnly,
    /// No, and nothing was changed
    Refused,
    /// Not known, or not now
    Failed,
    /// Found committed
    Committed,
    /// Found rolled back
    RolledBack,
    /// Nobody can find out any more
    Lost,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum TheVerdict {
    /// It was committed, or done
    Committed,
    /// It was rolled back, or not done, or is undone
    Aborted,
    /// Try again now
    Retry,
    /// Leave the step as it is and go on
    Skip,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List { all, watch } => {
            let empty = match all {
                true => "no transactions yet: fleet txn begin --agent AGENT",
                false => "no transaction is under way; --all shows those that are over",
            };
            let get = async || fleet.txns(all).await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Show { txn, watch } => {
            let show = async || output::detail(global.output, &Shown(fleet.txn(txn, None).await?));
            watch.each(show).await
        }
        Command::Log { txn } => {
            let log = fleet.txn(txn, None).await?.log;
            let rows: Vec<Line> = log.into_iter().map(Line).collect();
            output::list(global.output, &rows, "nothing has happened yet")
        }
        Command::Begin(begin) => tell(global, &fleet.begin_txn(&begin.asked()?).await?),
        Command::Enlist {
            txn,
            branch,
            postgres,
            webhook,
            session,
            payload,
            agent,
        } => {
            let branch = Branch {
                id: branch,
                participant: participant(postgres, webhook, session)?,
                payload: payload.as_deref().map(object).transpose()?,
            };
            tell(global, &fleet.enlist(txn, agent.as_ref(), &branch).await?)
        }
        Command::Hold { txn, permit, agent } => {
            tell(global, &fleet.hold(txn, agent.as_ref(), permit).await?)
        }
        Command::Commit { txn, agent, wait } => {
            let end = EndTxn {
                agent,
                wait_ms: Some(millis(wait.wait)),
                ..EndTxn::default()
            };
            let view = fleet.commit_txn(txn, &end).await?;
            ended(global, view, State::Committed)
        }
        Command::Abort {
            txn,
            agent,
            reason,
            wait,
        } => {
            let end = EndTxn {
                agent,
                wait_ms: Some(millis(wait.wait)),
                reason,
            };
            let view = fleet.abort_txn(txn, &end).await?;
            let wanted = match view.state {
                State::Compensated => State::Compensated,
                _ => State::Aborted,
            };
            ended(global, view, wanted)
        }
        Command::Report {
            txn,
            branch,
            phase,
            outcome,
            reason,
        } => {
            let said = fleet.report(txn, &branch, phase.into(), outcome.into(), &reason);
            super::tell_change(said.await?.changed, &format!("{branch} of {txn}: recorded"));
            Ok(())
        }
        Command::Resolve {
            txn,
            branch,
            verdict,
            reason,
        } => {
            let view = fleet.resolve(txn, &branch, verdict.into(), &reason).await?;
            output::detail(global.output, &Shown(view))
        }
    }
}

fn millis(span: Duration) -> Millis {
    Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

fn object(text: &str) -> Outcome<Box<serde_json::Map<String, serde_json::Value>>> {
    serde_json::from_str(text)
        .map(Box::new)
        .map_err(|error| Failure::usage(format!("--payload is no JSON object: {error}")))
}

fn participant(
    postgres: Option<ConnectorId>,
    webhook: Option<ConnectorId>,
    session: Option<String>,
) -> Outcome<Participant> {
    if let Some(connector) = postgres {
        return Ok(Participant::Postgres { connector });
    }
    if let Some(connector) = webhook {
        return Ok(Participant::Webhook { connector });
    }
    let session = session.unwrap_or_default();
    let wrong = |why: String| Failure::usage(format!("--session {session:?}: {why}"));
    let (agent, instance) = session
        .split_once('/')
        .ok_or_else(|| wrong("write AGENT/INSTANCE".into()))?;
    Ok(Participant::Session {
        agent: AgentId::parse(agent).map_err(|why| wrong(why.to_string()))?,
        instance: InstanceId::parse(instance).map_err(|why| wrong(why.to_string()))?,
    })
}

/// Says how it stands now.
fn tell(global: &Global, standing: &Standing) -> Outcome {
    if !global.is_for_people() {
        return match global.output {
            Format::Name => output::write(&format!("{}\n", standing.txn)),
            format => output::raw(format, standing),
        };
    }
    let state = show::word(&standing.state);
    output::write(&match &standing.gid {
        Some(gid) => format!("prepare it in your database: PREPARE TRANSACTION '{gid}'\n"),
        None => format!(
            "transaction {} {state}, to be decided {}\n",
            standing.txn,
            show::relative(standing.deadline)
        ),
    })
}

/// Says how it ended; another end than the one wanted is told by the exit code too.
fn ended(global: &Global, view: View, wanted: State) -> Outcome {
    let (txn, state) = (view.txn, view.state);
    if global.is_for_people() {
        let why = match view.reason.is_empty() || state == wanted && state == State::Committed {
            true => String::new(),
            false => format!(": {}", view.reason),
        };
        let line = format!("transaction {txn} {}{why}\n", painted(&view));
        output::write(&line)?;
    } else {
        output::detail(global.output, &Shown(view))?;
    }
    match state {
        _ if state == wanted => Ok(()),
        State::Aborted | State::Compensated | State::Mixed => Err(Failure::told(exit::CONFLICT)),
        _ if state.is_over() => Ok(()),
        _ => Err(Failure::new(
            exit::FAILED,
            format!("transaction {txn} is not over yet; it goes on by itself"),
        )
        .advise(format!("look with: fleet txn show {txn}"))),
    }
}

fn painted(view: &View) -> String {
    let word = show::word(&view.state);
    match view.state {
        _ if view.stuck => paint::bad(&format!("{word}, stuck: a person must settle a step")),
        State::Committed | State::Completed => paint::good(&word),
        State::Mixed => paint::bad(&word),
        State::Committing | State::Aborting | State::Compensating => paint::waiting(&word),
        State::Open | State::Preparing | State::Running | State::Aborted | State::Compensated => {
            word
        }
    }
}

/// `eu committing at bank-eu, attempt 3, again in 2s: connection refused`.
fn branch(branch: &BranchView) -> String {
    let who = match &branch.participant {
        Participant::Session { agent, instance } => format!("{agent}/{instance}"),
        Participant::Webhook { connector } | Participant::Postgres { connector } => {
            connector.to_string()
        }
    };
    let state = show::word(&branch.state);
    let state = match branch.state {
        BranchState::Stuck
        | BranchState::CommittedAlone
        | BranchState::AbortedAlone
        | BranchState::Lost => paint::bad(&state),
        _ => state,
    };
    let mut text = format!("{} {state} at {who}", branch.branch);
    if branch.attempts > 1 {
        text += &format!(", attempt {}", branch.attempts);
    }
    if let Some(at) = branch.again_at {
        text += &format!(" {}", show::relative(at));
    }
    if !branch.reason.is_empty() {
        text += &format!(": {}", branch.reason);
    }
    text
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(View);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "TRANSACTION",
        "KIND",
        "STATE",
        "AGENT",
        "BRANCHES",
        "PERMITS",
        "BEGUN",
        "DEADLINE",
    ];
    fn cells(&self) -> Vec<String> {
        let view = &self.0;
        vec![
            view.txn.to_string(),
            show::word(&view.kind),
            painted(view),
            view.agent.to_string(),
            show::number(view.branches.len() as u64),
            show::number(view.permits.len() as u64),
            show::relative(view.begun_at),
            match view.decided_at {
                Some(_) => "-".to_owned(),
                None => show::relative(view.deadline),
            },
        ]
    }
    fn name(&self) -> String {
        self.0.txn.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let view = &self.0;
        let mut lines = vec![
            ("transaction", view.txn.to_string()),
            ("kind", show::word(&view.kind)),
            ("state", painted(view)),
            ("agent", view.agent.to_string()),
        ];
        if !view.members.is_empty() {
            lines.push(("members", show::list(&view.members)));
        }
        if !view.description.is_empty() {
            lines.push(("for", view.description.to_string()));
        }
        lines.push(("begun", show::absolute(view.begun_at)));
        match (view.decided_at, view.decision) {
            (Some(at), Some(decision)) => {
                let why = match view.reason.is_empty() {
                    true => String::new(),
                    false => format!(": {}", view.reason),
                };
                let decision = show::word(&decision);
                lines.push(("decided", format!("{decision} {}{why}", show::absolute(at))));
            }
            _ => lines.push(("deadline", show::relative(view.deadline))),
        }
        if let Some(at) = view.ended_at {
            lines.push(("over", show::absolute(at)));
        }
        if !view.permits.is_empty() {
            lines.push(("holds", show::list(&view.permits)));
        }
        let branches: Vec<String> = view.branches.iter().map(branch).collect();
        lines.push(("branches", show::joined(&branches, "\n", "-")));
        let log: Vec<String> = view
            .log
            .iter()
            .map(|entry| format!("{}  {}", show::absolute(entry.at), entry.what))
            .collect();
        lines.push(("log", show::joined(&log, "\n", "-")));
        lines
    }
    fn name(&self) -> String {
        self.0.txn.to_string()
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Line(fleet_types::txn::LogEntry);

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &["EVENT", "AT", "WHAT"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.seq.to_string(),
            show::absolute(self.0.at),
            self.0.what.to_string(),
        ]
    }
    fn name(&self) -> String {
        self.0.seq.to_string()
    }
}

impl From<ThePhase> for Phase {
    fn from(phase: ThePhase) -> Phase {
        match phase {
            ThePhase::Prepare => Phase::Prepare,
            ThePhase::Commit => Phase::Commit,
            ThePhase::Abort => Phase::Abort,
            ThePhase::Do => Phase::Do,
            ThePhase::Undo => Phase::Undo,
        }
    }
}

impl From<TheOutcome> for Said {
    fn from(outcome: TheOutcome) -> Said {
        match outcome {
            TheOutcome::Done => Said::Done,
            TheOutcome::ReadOnly => Said::ReadOnly,
            TheOutcome::Refused => Said::Refused,
            TheOutcome::Failed => Said::Failed,
            TheOutcome::Committed => Said::Committed,
            TheOutcome::RolledBack => Said::RolledBack,
            TheOutcome::Lost => Said::Lost,
        }
    }
}

impl From<TheVerdict> for Verdict {
    fn from(verdict: TheVerdict) -> Verdict {
        match verdict {
            TheVerdict::Committed => Verdict::Committed,
            TheVerdict::Aborted => Verdict::Aborted,
            TheVerdict::Retry => Verdict::Retry,
            TheVerdict::Skip => Verdict::Skip,
        }
    }
}
