//! `fleet permits`: ask, look, end.
use crate::context::{Global, Watch};
use crate::exit;
use crate::failure::{Failure, Outcome, exit_of};
use crate::output::{self, Detail, Format, Row};
use crate::{paint, parse, show};
use clap::{Args, Subcommand, ValueEnum};
use fleet_client::http::{Ended, PermitFilter};
use fleet_client::{Ask, Fleet};
use fleet_types::agent::Priority;
use fleet_types::budget::Cost;
use fleet_types::explain::{Explanation, GateReport, Verdict};
use fleet_types::lock::{Held, Mode};
use fleet_types::permit::{Decision, Ending, Grant, View, ViewState};
use fleet_types::session::{FinishBody, RenewBody};
use fleet_types::{ActionName, AgentId, Millis, PermitId, RequestId, ResourcePath};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Permits
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet permits request payment.send --agent pay-1 --exclusive ledger/account-7 --wait 10s
  fleet permits complete p42 --agent pay-1
  fleet permits explain payment.send --agent pay-1 --exclusive ledger/account-7
  fleet permits list --state queued --watch")]
pub enum Command {
    /// List permits that wait or hold
    List {
        /// Of this agent
        #[arg(long)]
        agent: Option<AgentId>,
        /// In this state
        #[arg(long, value_enum)]
        state: Option<State>,
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one permit
    Get {
        /// Which
        permit: PermitId,
        /// While it waits for its turn, wait here so long for the decision
        #[arg(long, value_parser = parse::millis, default_value = "0s", value_name = "TIME")]
        wait: Millis,
    },
    /// Ask for a permit; exits with 6 when it is denied
    Request(Box<Wanted>),
    /// Say what every gate would answer; nothing is changed
    Explain(Box<Wanted>),
    /// Say that the action was done
    Complete(End),
    /// Say that the action was tried and failed
    Fail(End),
    /// Say that the action was not begun; withdraws one that waits
    Cancel(End),
    /// Hold a permit longer
    Renew {
        /// Which
        permit: PermitId,
        /// Who holds it; absent: the agent that the key is bound to
        #[arg(long)]
        agent: Option<AgentId>,
        /// From now on; absent: as long as first asked
        #[arg(long, value_parser = parse::millis, value_name = "TIME")]
        ttl: Option<Millis>,
    },
}

/// A permit's state.
#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// Waits
    Queued,
    /// Holds
    Granted,
    /// Holds, and waits for more
    Extending,
}

/// What is asked for.
#[derive(Args)]
pub struct Wanted {
    /// What is to be done, such as payment.send
    action: ActionName,
    /// Who wants it; absent: the agent that the key is bound to
    #[arg(long)]
    agent: Option<AgentId>,
    /// A resource that nobody else may hold meanwhile; may be given several times
    #[arg(short = 'x', long, value_name = "RESOURCE", alias = "resource")]
    exclusive: Vec<ResourcePath>,
    /// A resource that others may read meanwhile
    #[arg(long, value_name = "RESOURCE")]
    shared: Vec<ResourcePath>,
    /// A resource that others may change meanwhile, in ways whose order does not matter
    #[arg(long, value_name = "RESOURCE")]
    commuting: Vec<ResourcePath>,
    /// Wait so long for its turn; without: an answer now
    #[arg(long, value_parser = parse::millis, default_value = "0s", value_name = "TIME")]
    wait: Millis,
    /// Hold it so long unless renewed; absent: the fleet's default
    #[arg(long, value_parser = parse::millis, value_name = "TIME")]
    ttl: Option<Millis>,
    /// Most money it will cost, such as 0.25
    #[arg(long, value_parser = parse::money, default_value = "0", value_name = "AMOUNT")]
    money: u64,
    /// Most tokens it will cost
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    tokens: u64,
    /// 1 (least) to 10 (most urgent); absent: the agent's own
    #[arg(long, value_parser = parse::priority)]
    priority: Option<Priority>,
    /// A label, for selectors and budgets; may be given several times
    #[arg(short, long, value_parser = parse::label, value_name = "KEY=VALUE")]
    label: Vec<(String, String)>,
    /// The action's arguments, as a JSON object
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    /// Your own id of this request: a repeat gets the first answer
    #[arg(long, value_name = "ID")]
    request_id: Option<RequestId>,
    /// Show what every gate saw
    #[arg(long)]
    explain: bool,
}

/// How a permit ends.
#[derive(Args)]
pub struct End {
    /// Which
    permit: PermitId,
    /// Who holds it; absent: the agent that the key is bound to
    #[arg(long)]
    agent: Option<AgentId>,
    /// What it did cost; absent: what was reserved
    #[arg(long, value_parser = parse::money, value_name = "AMOUNT")]
    money: Option<u64>,
    /// How many tokens it did cost
    #[arg(long, value_name = "COUNT")]
    tokens: Option<u64>,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::List {
            agent,
            state,
            watch,
        } => {
            let state = state.map(|state| match state {
                State::Queued => ViewState::Queued,
                State::Granted => ViewState::Granted,
                State::Extending => ViewState::Extending,
            });
            let filter = PermitFilter { agent, state };
            let empty =
                "no permits are held or waited for: fleet permits request ACTION --agent AGENT";
            watch
                .each(async || {
                    let rows: Vec<_> = fleet
                        .permits(&filter)
                        .await?
                        .into_iter()
                        .map(Shown)
                        .collect();
                    output::list(global.output, &rows, empty)
                })
                .await
        }
        Command::Get { permit, wait } => {
            let view = fleet.permit(permit, wait).await?;
            output::detail(global.output, &Shown(view))
        }
        Command::Request(wanted) => request(global, &fleet, *wanted).await,
        Command::Explain(wanted) => {
            let explanation = fleet.explain(wanted.ask()?).await?;
            if global.output != Format::Table {
                return output::raw(global.output, &explanation);
            }
            output::write(&format!("{}\n", decided(&explanation)))?;
            gates(&explanation.gates)
        }
        Command::Complete(end) => finish(global, &fleet, end, Ending::Completed).await,
        Command::Fail(end) => finish(global, &fleet, end, Ending::Failed).await,
        Command::Cancel(end) => finish(global, &fleet, end, Ending::Cancelled).await,
        Command::Renew { permit, agent, ttl } => {
            let grant = fleet
                .renew(permit, &RenewBody { agent, ttl_ms: ttl })
                .await?;
            output::detail(global.output, &Granted(grant))
        }
    }
}

impl Wanted {
    fn ask(self) -> Outcome<Ask> {
        let mut ask = Ask::new(self.action)
            .cost(Cost {
                money_micros: self.money,
                tokens: self.tokens,
            })
            .wait(Duration::from_millis(self.wait.0))
            .labels(parse::labels(&self.label).map_err(Failure::usage)?);
        for (paths, mode) in [
            (self.exclusive, Mode::Exclusive),
            (self.shared, Mode::Shared),
            (self.commuting, Mode::Commuting),
        ] {
            for path in paths {
                ask = ask.claim(path, mode);
            }
        }
        if let Some(agent) = self.agent {
            ask = ask.agent(agent);
        }
        if let Some(ttl) = self.ttl {
            ask = ask.ttl(Duration::from_millis(ttl.0));
        }
        if let Some(priority) = self.priority {
            ask = ask.priority(priority);
        }
        if let Some(id) = self.request_id {
            ask = ask.request_id(id);
        }
        if let Some(text) = self.parameters {
            let parameters = serde_json::from_str(&text).map_err(|error| {
                Failure::usage(format!("--parameters is no JSON object: {error}"))
            })?;
            ask = ask.parameters(parameters);
        }
        Ok(if self.explain { ask.explain() } else { ask })
    }
}

async fn request(global: &Global, fleet: &Fleet, wanted: Wanted) -> Outcome {
    let until = Instant::now() + Duration::from_millis(wanted.wait.0);
    let explain = wanted.explain;
    let mut decision = fleet.request(wanted.ask()?).await?;
    while let Decision::Queued(queued) = &decision {
        // Not given up when the wait is over: the server's last word comes a moment later, and only that ends it.
        let left = until.saturating_duration_since(Instant::now());
        if global.is_for_people() {
            eprintln!(
                "{} waits for {}",
                queued.permit,
                show::blocker(&queued.waits_for)
            );
        }
        let wait = Millis(
            u64::try_from(left.as_millis())
                .unwrap_or(u64::MAX)
                .clamp(1_000, 25_000),
        );
        decision = match fleet.permit(queued.permit, wait).await {
            Ok(view) if view.state == ViewState::Queued => continue,
            Ok(view) => Decision::Granted(Grant {
                permit: view.permit,
                resources: view.resources,
                expires_at: view.until,
                explain: Vec::new(),
            }),
            Err(error) => match error.denial() {
                Some(denial) => Decision::Denied(denial.clone()),
                None => return Err(error.into()),
            },
        };
    }
    tell(global, decision, explain)
}

fn tell(global: &Global, decision: Decision, explain: bool) -> Outcome {
    let denied = match &decision {
        Decision::Denied(denial) => Some(exit_of(denial.code)),
        Decision::Granted(_) | Decision::Queued(_) => None,
    };
    match (global.output, &decision) {
        (Format::Json | Format::Yaml, _) => output::raw(global.output, &decision)?,
        (Format::Name, Decision::Granted(grant)) => output::write(&format!("{}\n", grant.permit))?,
        (Format::Name, Decision::Queued(queued)) => output::write(&format!("{}\n", queued.permit))?,
        (Format::Name, Decision::Denied(_)) => {}
        (Format::Table, Decision::Granted(grant)) => {
            output::detail(Format::Table, &Granted(grant.clone()))?;
            if explain {
                gates(&grant.explain)?;
            }
        }
        (Format::Table, Decision::Queued(queued)) => {
            output::write(&format!(
                "{} {}: {} before it, waits for {}; denied {} if its turn has not come\n",
                queued.permit,
                paint::waiting("queued"),
                queued.position,
                show::blocker(&queued.waits_for),
                show::relative(queued.until),
            ))?;
            eprintln!(
                "ask again with: fleet permits get {} --wait 25s",
                queued.permit
            );
            if explain {
                gates(&queued.explain)?;
            }
        }
        (Format::Table, Decision::Denied(denial)) => {
            output::write(&format!(
                "{} by the {} gate: {}: {}\n",
                paint::bad("denied"),
                show::word(&denial.gate),
                denial.code,
                denial.reason
            ))?;
            if let Some(blocker) = &denial.blocker {
                output::write(&format!("in the way: {}\n", show::blocker(blocker)))?;
            }
            if let Some(after) = denial.retry_after_ms {
                eprintln!("try again in {}", show::span_ms(after.0));
            }
            eprintln!("more: https://fleetcommand.dev/errors/{}", denial.code);
            if explain {
                gates(&denial.explain)?;
            }
        }
    }
    match denied {
        Some(code) => Err(Failure::told(if code == exit::FAILED {
            exit::DENIED
        } else {
            code
        })),
        None => Ok(()),
    }
}

fn decided(explanation: &Explanation) -> String {
    let waits = |gate: &GateReport| gate.verdict == Verdict::Wait;
    match explanation.decision.as_str() {
        "granted" => paint::good("would be granted"),
        "queued" => paint::waiting("would wait"),
        _ if explanation.gates.iter().any(waits) => {
            paint::bad("would be denied now; with --wait it would wait for its turn")
        }
        _ => paint::bad("would be denied"),
    }
}

fn gates(gates: &[GateReport]) -> Outcome {
    let row = |gate: &GateReport| {
        let verdict = match gate.verdict {
            Verdict::Pass => paint::good("pass"),
            Verdict::Wait => paint::waiting("wait"),
            Verdict::Deny => paint::bad("deny"),
            Verdict::NotReached => "not reached".to_owned(),
        };
        let saw: Vec<String> = gate
            .saw
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let code = gate.code.map(|code| code.to_string()).unwrap_or_default();
        vec![
            show::word(&gate.gate),
            verdict,
            code,
            gate.note.to_string(),
            saw.join(" "),
        ]
    };
    output::table(
        &["GATE", "VERDICT", "CODE", "NOTE", "SAW"],
        &gates.iter().map(row).collect::<Vec<_>>(),
    )
}

async fn finish(global: &Global, fleet: &Fleet, end: End, ending: Ending) -> Outcome {
    let cost = match (end.money, end.tokens) {
        (None, None) => None,
        (money, tokens) => Some(Cost {
            money_micros: money.unwrap_or(0),
            tokens: tokens.unwrap_or(0),
        }),
    };
    let body = FinishBody {
        agent: end.agent,
        cost,
        latency_ms: None,
    };
    match fleet.finish(end.permit, ending, &body).await {
        Ok(ended) => output::detail(global.output, &Over(ended)),
        // The answer to a withdrawal is the request's denial.
        Err(error)
            if ending == Ending::Cancelled
                && error.code() == Some(fleet_types::Code::Cancelled) =>
        {
            eprintln!("{} is withdrawn", end.permit);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn held(resources: &[Held]) -> String {
    let lines: Vec<String> = resources
        .iter()
        .map(|held| {
            format!(
                "{} {} (token {})",
                held.path,
                show::word(&held.mode),
                held.token
            )
        })
        .collect();
    if lines.is_empty() {
        "-".to_owned()
    } else {
        lines.join("\n")
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Granted(Grant);

impl Detail for Granted {
    fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "permit",
                format!("{} {}", self.0.permit, paint::good("granted")),
            ),
            ("holds", held(&self.0.resources)),
            (
                "until",
                format!(
                    "{} ({})",
                    show::relative(self.0.expires_at),
                    show::absolute(self.0.expires_at)
                ),
            ),
        ]
    }
    fn name(&self) -> String {
        self.0.permit.to_string()
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Over(Ended);

impl Detail for Over {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let posted: Vec<String> = self
            .0
            .posted
            .iter()
            .map(|charge| {
                let account = charge
                    .account
                    .as_ref()
                    .map(|account| format!(" ({account})"))
                    .unwrap_or_default();
                format!("{}{account}: {}", charge.budget, charge.amount)
            })
            .collect();
        let mut lines = vec![(
            "permit",
            format!(
                "{} {}",
                self.0.finish.permit,
                show::word(&self.0.finish.ending)
            ),
        )];
        if !posted.is_empty() {
            lines.push(("posted", posted.join("\n")));
        }
        if !self.0.overrun.is_zero() {
            lines.push(("overrun", paint::bad(&show::cost(&self.0.overrun))));
        }
        lines
    }
    fn name(&self) -> String {
        self.0.finish.permit.to_string()
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(View);

impl Shown {
    fn state(&self) -> String {
        let word = show::word(&self.0.state);
        match self.0.state {
            ViewState::Granted => paint::good(&word),
            ViewState::Queued | ViewState::Extending => paint::waiting(&word),
        }
    }
    fn waits_for(&self) -> String {
        self.0
            .waits_for
            .as_ref()
            .map_or("-".to_owned(), show::blocker)
    }
}

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "PERMIT",
        "STATE",
        "AGENT",
        "ACTION",
        "RESOURCES",
        "ASKED",
        "UNTIL",
        "WAITS FOR",
    ];
    fn cells(&self) -> Vec<String> {
        let view = &self.0;
        let resources = match view.request.resources.as_slice() {
            [] => "-".to_owned(),
            [one] => one.path.to_string(),
            [one, rest @ ..] => format!("{} +{}", one.path, rest.len()),
        };
        vec![
            view.permit.to_string(),
            self.state(),
            view.request.agent.to_string(),
            view.request.action.to_string(),
            resources,
            show::relative(view.asked_at),
            show::relative(view.until),
            self.waits_for(),
        ]
    }
    fn name(&self) -> String {
        self.0.permit.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let view = &self.0;
        let asked: Vec<String> = view
            .request
            .resources
            .iter()
            .map(|claim| format!("{} {}", claim.path, show::word(&claim.mode)))
            .collect();
        let mut lines = vec![
            ("permit", format!("{} {}", view.permit, self.state())),
            ("agent", view.request.agent.to_string()),
            ("action", view.request.action.to_string()),
            ("asked", show::absolute(view.asked_at)),
            (
                "until",
                format!(
                    "{} ({})",
                    show::relative(view.until),
                    show::absolute(view.until)
                ),
            ),
        ];
        if view.state == ViewState::Queued {
            lines.push((
                "wants",
                if asked.is_empty() {
                    "-".to_owned()
                } else {
                    asked.join("\n")
                },
            ));
        } else {
            lines.push(("holds", held(&view.resources)));
        }
        if view.waits_for.is_some() {
            lines.push(("waits for", self.waits_for()));
        }
        if !view.request.cost.is_zero() {
            lines.push(("reserved", show::cost(&view.request.cost)));
        }
        lines.push(("request id", view.request.request_id.to_string()));
        lines
    }
    fn name(&self) -> String {
        self.0.permit.to_string()
    }
}
