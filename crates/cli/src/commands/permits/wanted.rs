//! What is asked for: the same words for `fleet permits request` and `fleet permits explain`.
use crate::failure::{Failure, Outcome};
use crate::parse;
use clap::Args;
use fleet_client::Ask;
use fleet_types::agent::Priority;
use fleet_types::budget::Cost;
use fleet_types::lock::Mode;
use fleet_types::{ActionName, AgentId, Millis, PermitId, RequestId, ResourcePath, Seq};
use std::time::Duration;

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
    /// Only if this resource is still of this version; may be given several times
    #[arg(long, value_parser = parse::version, value_name = "RESOURCE=VERSION")]
    if_version: Vec<(ResourcePath, Seq)>,
    /// A resource it goes by without holding it, in the version it was read; may be given several times
    #[arg(long, value_parser = parse::version, value_name = "RESOURCE=VERSION")]
    reads: Vec<(ResourcePath, Seq)>,
    /// Wait so long for its turn; without: an answer now. Ctrl-C and SIGTERM withdraw it, kill -9 leaves it in the queue
    #[arg(long, value_parser = parse::millis, default_value = "0s", value_name = "TIME")]
    pub wait: Millis,
    /// Hold it so long unless renewed; absent: the fleet's default
    #[arg(long, value_parser = parse::millis, value_name = "TIME")]
    ttl: Option<Millis>,
    /// Most money it will cost, such as 0.25
    #[arg(long, value_parser = parse::money, default_value = "0", value_name = "AMOUNT")]
    money: u64,
    /// Most tokens it will cost
    #[arg(long, value_parser = parse::tokens, default_value = "0", value_name = "COUNT")]
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
    /// What to tell whoever may be asked to approve it, as a JSON object: context, risks, impact, recommendation, urgency
    #[arg(long, value_name = "JSON")]
    about: Option<String>,
    /// On behalf of this permit, which must be held
    #[arg(long, value_name = "PERMIT")]
    parent: Option<PermitId>,
    /// Your own id of this request: a repeat gets the first answer
    #[arg(long, value_name = "ID")]
    request_id: Option<RequestId>,
    /// Show what every gate saw
    #[arg(long)]
    pub explain: bool,
}

impl Wanted {
    /// As the client asks.
    pub fn ask(self) -> Outcome<Ask> {
        let claimed = [&self.exclusive, &self.shared, &self.commuting];
        for (path, _) in &self.if_version {
            if !claimed.iter().any(|paths| paths.contains(path)) {
                return Err(Failure::usage(format!(
                    "--if-version names {path}, which is not claimed; claim it with --exclusive, or say --reads"
                )));
            }
        }
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
                let mut versions = self.if_version.iter();
                let version = versions.find(|(of, _)| *of == path);
                ask = match version {
                    Some((_, version)) => ask.claim_version(path, mode, *version),
                    None => ask.claim(path, mode),
                };
            }
        }
        for (path, version) in self.reads {
            ask = ask.reads(path, version);
        }
        if let Some(agent) = self.agent {
            ask = ask.agent(agent);
        }
        if let Some(ttl) = self.ttl {
            ask = ask.ttl(Duration::from_millis(ttl.0));
        }
        if let Some(parent) = self.parent {
            ask = ask.parent(parent);
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
        if let Some(text) = self.about {
            let about = serde_json::from_str(&text)
                .map_err(|error| Failure::usage(format!("--about is not right: {error}")))?;
            ask = ask.about(about);
        }
        Ok(if self.explain { ask.explain() } else { ask })
    }
}
