//! `fleet conflicts`: who is in whose way, and what is done about it.
use super::tell_change;
use crate::context::{Global, Watch};
use crate::failure::{Failure, Outcome};
use crate::output::{self, Detail, Row};
use crate::{paint, parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::http::conflicts::{ConflictFilter, Resolve};
use fleet_types::conflict::{Answer, Collision, Dispute, Kind, Level, Party, State, View, Way};
use fleet_types::{AgentId, ConflictId, Millis, PermitId, ResourcePath, Text};
use serde::Serialize;

/// Conflicts
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet conflicts list --state open --watch
  fleet conflicts show c17
  fleet conflicts resolve c17 --winner p33 --reason \"quarter end goes first\"
  fleet conflicts override c17 --winner p33 --reason \"incident 4711\"     takes it from whoever holds it
  fleet conflicts answer c17 --permit p33 --agent ann --yield
  fleet conflicts vote c17 --agent ann --winner p33")]
pub enum Command {
    /// List conflicts, the newest first
    List {
        /// Of this kind
        #[arg(long, value_enum)]
        kind: Option<KindWord>,
        /// In this state
        #[arg(long, value_enum)]
        state: Option<StateWord>,
        /// That this agent ran into
        #[arg(long)]
        agent: Option<AgentId>,
        /// Over this resource, or one below it
        #[arg(long, value_name = "RESOURCE")]
        prefix: Option<ResourcePath>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one conflict, with its evidence
    Show {
        /// Which
        conflict: ConflictId,
    },
    /// Decide who goes first; who holds goes on until it is done
    Resolve(Decision),
    /// Decide who goes first, and take the resource from whoever holds it now
    Override(Decision),
    /// Offer something to settle a conflict, as one of its parties
    Answer(Offer),
    /// Vote for who goes first
    Vote {
        /// Which
        conflict: ConflictId,
        /// Who votes; absent: the agent that the key is bound to
        #[arg(long)]
        agent: Option<AgentId>,
        /// Who shall go first
        #[arg(long)]
        winner: PermitId,
    },
}

/// What a person decides.
#[derive(Args)]
pub struct Decision {
    /// Which
    conflict: ConflictId,
    /// Who goes first; absent: the order stays as it is
    #[arg(long)]
    winner: Option<PermitId>,
    /// Why; people will read it
    #[arg(long, value_parser = parse::text, default_value = "")]
    reason: Text,
}

/// What a party offers.
#[derive(Args)]
pub struct Offer {
    /// Which
    conflict: ConflictId,
    /// By which of its permits it is a party
    #[arg(long)]
    permit: PermitId,
    /// Whose permit; absent: the agent that the key is bound to
    #[arg(long)]
    agent: Option<AgentId>,
    #[command(flatten)]
    gives: Gives,
}

/// What is given: one of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Gives {
    /// Give way: go last, or end before the deadline
    #[arg(long = "yield")]
    give_way: bool,
    /// Give nothing
    #[arg(long)]
    insist: bool,
    /// Exchange turns with this permit, when it says the same
    #[arg(long, value_name = "PERMIT")]
    swap: Option<PermitId>,
    /// Let go of this part of what is held; may be given several times
    #[arg(long, value_name = "RESOURCE")]
    split: Vec<ResourcePath>,
    /// Go as if asked so much later
    #[arg(long, value_parser = parse::millis, value_name = "TIME")]
    defer: Option<Millis>,
}

/// A kind, as it is typed.
#[derive(Clone, Copy, ValueEnum)]
pub enum KindWord {
    Resource,
    Temporal,
    Data,
    Business,
}

/// A state, as it is typed.
#[derive(Clone, Copy, ValueEnum)]
pub enum StateWord {
    Open,
    Resolving,
    Escalated,
    Resolved,
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Kind {
        match word {
            KindWord::Resource => Kind::Resource,
            KindWord::Temporal => Kind::Temporal,
            KindWord::Data => Kind::Data,
            KindWord::Business => Kind::Business,
        }
    }
}

impl From<StateWord> for State {
    fn from(word: StateWord) -> State {
        match word {
            StateWord::Open => State::Open,
            StateWord::Resolving => State::Resolving,
            StateWord::Escalated => State::Escalated,
            StateWord::Resolved => State::Resolved,
        }
    }
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List {
            kind,
            state,
            agent,
            prefix,
            watch,
        } => {
            let filter = ConflictFilter {
                kind: kind.map(Kind::from),
                state: state.map(State::from),
                agent,
                prefix,
            };
            let empty = "no conflicts: nobody has run into another lately";
            let get = async || fleet.conflicts(&filter).await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Show { conflict } => {
            output::detail(global.output, &Shown(fleet.conflict(conflict).await?))
        }
        Command::Resolve(decision) => decide(global, decision, false).await,
        Command::Override(decision) => decide(global, decision, true).await,
        Command::Answer(offer) => {
            let (conflict, permit) = (offer.conflict, offer.permit);
            let agent = offer.agent.clone();
            let answer = offer.gives.answer()?;
            let offered = fleet
                .offer(conflict, permit, agent.as_ref(), &answer)
                .await?;
            tell_change(
                offered.changed,
                &format!("{permit} has answered in {conflict}"),
            );
            Ok(())
        }
        Command::Vote {
            conflict,
            agent,
            winner,
        } => {
            let voted = fleet.vote(conflict, agent.as_ref(), winner).await?;
            tell_change(voted.changed, &format!("a vote for {winner} in {conflict}"));
            Ok(())
        }
    }
}

async fn decide(global: &Global, decision: Decision, revoke: bool) -> Outcome {
    let fleet = global.fleet()?;
    let Decision {
        conflict,
        winner,
        reason,
    } = decision;
    let by = Resolve {
        winner,
        revoke,
        reason,
    };
    let resolved = fleet.resolve_conflict(conflict, &by).await?;
    let words = match winner {
        Some(winner) => format!("conflict {conflict} is decided: {winner} goes first"),
        None => format!("conflict {conflict} is decided: the order stays as it is"),
    };
    tell_change(resolved.changed, &words);
    Ok(())
}

impl Gives {
    fn answer(self) -> Outcome<Answer> {
        match self {
            Gives { give_way: true, .. } => Ok(Answer::Yield {}),
            Gives { insist: true, .. } => Ok(Answer::Insist {}),
            Gives {
                swap: Some(with), ..
            } => Ok(Answer::Swap { with }),
            Gives {
                defer: Some(by), ..
            } => Ok(Answer::Defer { by }),
            Gives { split, .. } if !split.is_empty() => Ok(Answer::Split { resources: split }),
            Gives { .. } => Err(Failure::usage(
                "say --yield, --swap, --split, --defer or --insist".to_owned(),
            )),
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(View);

impl Shown {
    fn state(&self) -> String {
        let word = show::word(&self.0.state);
        match self.0.state {
            State::Open | State::Resolving => paint::waiting(&word),
            State::Escalated => paint::bad(&word),
            State::Resolved => word,
        }
    }

    /// `acc/1`; `rule freeze-pay on acc/1`.
    fn over(&self) -> String {
        match (&self.0.resource, &self.0.rule) {
            (Some(resource), _) => resource.to_string(),
            (None, Some(rule)) => match show::thing(&self.0.key).as_str() {
                "" => format!("rule {rule}"),
                thing => format!("rule {rule} on {thing}"),
            },
            (None, None) => "-".to_owned(),
        }
    }

    fn settled(&self) -> String {
        let Some(resolution) = &self.0.resolution else {
            return "-".to_owned();
        };
        let how = settled(resolution.how, resolution.winner);
        match resolution.reason.as_str() {
            "" => how,
            reason => format!("{how}: {reason}"),
        }
    }
}

/// How a conflict was settled: `a person has decided, p7 goes first`.
pub fn settled(how: Way, winner: Option<PermitId>) -> String {
    let how = match how {
        Way::Turn => "all have had their turns or given up",
        Way::Priority => "turns go by priority",
        Way::FirstCome => "turns go by who asked first",
        Way::FairShare => "the parties take turns",
        Way::Yield => "one has given way",
        Way::Swap => "two have exchanged their turns",
        Way::Split => "a holder has let go of a part",
        Way::Defer => "one goes later",
        Way::Vote => "there was a vote",
        Way::Override => "a person has decided",
    };
    match winner {
        Some(winner) => format!("{how}, {winner} goes first"),
        None => how.to_owned(),
    }
}

/// What somebody ran into, with the times of then.
fn collision(collision: &Collision) -> String {
    format!(
        "{} {} ({}) {}: {}",
        show::absolute(collision.at),
        collision.agent,
        collision.permit,
        collision.action,
        show::blocker_then(&collision.blocker)
    )
}

fn before(level: &Level) -> String {
    match &level.scope {
        Some(scope) => format!(", before operators of {scope}"),
        None => ", before operators of the fleet".to_owned(),
    }
}

fn dispute(dispute: &Dispute) -> String {
    let party = |party: &Party| {
        let what = if party.holds { "holds" } else { "waits" };
        format!("{} ({}) {what}", party.agent, party.permit)
    };
    let mut lines = vec![format!(
        "by rule {} until {}{}",
        dispute.rule,
        show::relative(dispute.deadline),
        dispute.before.as_ref().map(before).unwrap_or_default()
    )];
    lines.extend(dispute.parties.iter().map(party));
    let offers = dispute.offers.iter();
    lines.extend(offers.map(|offer| {
        let answer = serde_json::to_string(&offer.answer).unwrap_or_default();
        format!("{} ({}) offers {answer}", offer.agent, offer.permit)
    }));
    let votes = dispute.votes.iter();
    lines.extend(votes.map(|vote| format!("{} votes for {}", vote.agent, vote.winner)));
    lines.join("\n")
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "CONFLICT", "KIND", "STATE", "OVER", "AGENTS", "REQUESTS", "WAITING", "WAITED", "SINCE",
        "SETTLED",
    ];
    fn cells(&self) -> Vec<String> {
        vec![
            self.0.conflict.to_string(),
            show::word(&self.0.kind),
            self.state(),
            self.over(),
            show::list(&self.0.agents),
            show::number(self.0.requests),
            show::number(self.0.waiting),
            show::span_ms(self.0.waited_ms),
            show::relative(self.0.since),
            self.settled(),
        ]
    }
    fn name(&self) -> String {
        self.0.conflict.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let it = &self.0;
        let mut lines = vec![
            ("conflict", it.conflict.to_string()),
            ("kind", show::word(&it.kind)),
            ("state", self.state()),
            ("over", self.over()),
            (
                "since",
                format!(
                    "{} ({})",
                    show::absolute(it.since),
                    show::relative(it.since)
                ),
            ),
            (
                "requests",
                format!(
                    "{} of {}",
                    show::number(it.requests),
                    show::list(&it.agents)
                ),
            ),
            ("waiting", show::list(&it.permits)),
            ("waited", show::span_ms(it.waited_ms)),
            ("first", collision(&it.first)),
            ("last", collision(&it.last)),
        ];
        lines.extend(it.dispute.as_ref().map(|it| ("dispute", dispute(it))));
        lines.push(("settled", self.settled()));
        lines
    }
    fn name(&self) -> String {
        self.0.conflict.to_string()
    }
}
