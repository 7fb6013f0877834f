//! `fleet approvals`: who is asked, and what they answer.
mod answer;
mod delegate;
mod shown;
mod steer;

use crate::context::{Global, Watch};
use crate::failure::Outcome;
use crate::{output, parse};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::Fleet;
use fleet_client::http::ApprovalFilter;
use fleet_types::approval::{Assignee, Person, Phase};
use fleet_types::{ApprovalId, PermitId, Text};
use shown::{Delegated, Shown};

/// Approvals
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet approvals list --mine
  fleet approvals show a17
  fleet approvals approve a17 --comment \"the invoice is right\"
  fleet approvals reject a17 --comment \"wrong account\"
  fleet approvals answer a17 approve-once --field cost-centre=4711
  fleet approvals comment a17 \"waiting for the supplier\"
  fleet approvals escalate a17 --reason \"nobody is there\"
  fleet approvals reassign a17 role:operator user:k-3 --reason \"on leave\"
  fleet approvals delegate user:k-2b --for 14d --reason \"on leave\"
  fleet approvals delegations
  fleet approvals undelegate --as user:k-2
  fleet approvals watch --mine")]
pub enum Command {
    /// List approvals: those that something waits for, and the last that were
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one approval: the question, who is asked, and what they answered
    Show {
        /// Which
        approval: ApprovalId,
        #[command(flatten)]
        watch: Watch,
    },
    /// Answer with the option that approves
    Approve(answer::Plain),
    /// Answer with the option that rejects
    Reject(answer::Plain),
    /// Answer with one of the options
    Answer(answer::Chosen),
    /// Ask the next ones now
    Escalate(steer::Escalate),
    /// Ask others instead; for admins
    Reassign(steer::Reassign),
    /// Say something without deciding
    Comment(steer::Words),
    /// Let another answer in one's place for a while; takes the place of the delegation before
    Delegate(delegate::Delegate),
    /// End a delegation before its time
    Undelegate(delegate::Undelegate),
    /// List who answers in whose place
    Delegations {
        #[command(flatten)]
        watch: Watch,
    },
    /// Follow what happens to approvals; ends with Ctrl-C
    Watch {
        /// First list those that one may answer now
        #[arg(long)]
        mine: bool,
        #[command(flatten)]
        speaker: Speaker,
    },
}

/// Which approvals.
#[derive(Args)]
pub struct Which {
    /// In this state; absent: all
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Asked of this one now: user:KEY, role:operator, group:GROUP, agent:AGENT
    #[arg(long, value_name = "ASSIGNEE")]
    assignee: Option<Assignee>,
    /// That permit's
    #[arg(long)]
    permit: Option<PermitId>,
    /// Only those that one may answer now
    #[arg(long)]
    mine: bool,
    #[command(flatten)]
    speaker: Speaker,
}

/// Why.
#[derive(Args)]
pub struct Why {
    /// Why; people will read it
    #[arg(long, value_parser = parse::text, default_value = "")]
    reason: Text,
}

/// Who speaks.
#[derive(Args)]
pub struct Speaker {
    /// Who speaks, where the key may speak for several: agent:AGENT; without keys also user:KEY
    #[arg(long = "as", value_name = "PERSON")]
    speaks_as: Option<Person>,
}

/// Where an approval is.
#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// Answers are awaited
    Open,
    /// Enough have approved
    Approved,
    /// Somebody rejected it, or nobody answered in time
    Rejected,
    /// What waited for it ended, or needs it no more
    Moot,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List { which, watch } => {
            let filter = filter(which);
            let get = async || fleet.approvals(&filter).await;
            watch
                .list(global.output, Shown, when_none(&filter), get)
                .await
        }
        Command::Show { approval, watch } => {
            watch
                .each(async || {
                    output::detail(global.output, &Shown(fleet.approval(approval).await?))
                })
                .await
        }
        Command::Approve(plain) => answer::plain(global, &fleet, plain, true).await,
        Command::Reject(plain) => answer::plain(global, &fleet, plain, false).await,
        Command::Answer(chosen) => answer::chosen(global, &fleet, chosen).await,
        Command::Escalate(steps) => steer::escalate(&fleet, steps).await,
        Command::Reassign(others) => steer::reassign(&fleet, others).await,
        Command::Comment(words) => steer::comment(&fleet, words).await,
        Command::Delegate(other) => delegate::delegate(&fleet, other).await,
        Command::Undelegate(own) => delegate::end(&fleet, own).await,
        Command::Delegations { watch } => {
            let empty = "everybody answers for themselves: fleet approvals delegate TO --for SPAN";
            let get = async || fleet.delegations().await;
            watch.list(global.output, Delegated, empty, get).await
        }
        Command::Watch { mine, speaker } => follow(global, &fleet, mine, speaker).await,
    }
}

fn when_none(filter: &ApprovalFilter) -> &'static str {
    match (filter.mine, filter.state, &filter.assignee, filter.permit) {
        (true, ..) => "nothing waits for an answer of yours",
        (false, None, None, None) => {
            "nobody was asked to approve anything: rules of the form approval ask, see docs/approvals.md"
        }
        (false, ..) => {
            "no such approvals: without --state, --assignee and --permit, all are listed"
        }
    }
}

async fn follow(global: &Global, fleet: &Fleet, mine: bool, speaker: Speaker) -> Outcome {
    // From here on, so that nothing that happens during the list is missed.
    let after = fleet.status().await?.seq;
    if mine {
        let filter = ApprovalFilter {
            mine,
            speaks_as: speaker.speaks_as,
            ..ApprovalFilter::default()
        };
        let rows = fleet.approvals(&filter).await?.into_iter().map(Shown);
        let rows: Vec<Shown> = rows.collect();
        let empty = "nothing waits for an answer of yours yet";
        output::list(global.output, &rows, empty)?;
    }
    super::events::follow(global, fleet, Some(after), Some("approval.*")).await
}

fn filter(which: Which) -> ApprovalFilter {
    ApprovalFilter {
        state: which.state.map(|state| match state {
            State::Open => Phase::Open,
            State::Approved => Phase::Approved,
            State::Rejected => Phase::Rejected,
            State::Moot => Phase::Moot,
        }),
        assignee: which.assignee,
        permit: which.permit,
        mine: which.mine,
        speaks_as: which.speaker.speaks_as,
    }
}
