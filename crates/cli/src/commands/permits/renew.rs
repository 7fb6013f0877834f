//! `fleet permits renew`.
use super::shown::Granted;
use crate::context::Global;
use crate::failure::Outcome;
use crate::{output, parse};
use clap::Args;
use fleet_client::Fleet;
use fleet_types::session::RenewBody;
use fleet_types::{AgentId, Millis, PermitId};

/// How long.
#[derive(Args)]
pub struct Renew {
    /// Which
    permit: PermitId,
    /// Who holds it; absent: the agent that the key is bound to
    #[arg(long)]
    agent: Option<AgentId>,
    /// Hold it so long from now on, such as 10m; absent: as long as was asked at first
    #[arg(long, value_parser = parse::millis, value_name = "TIME")]
    ttl: Option<Millis>,
}

pub async fn run(global: &Global, fleet: &Fleet, renew: Renew) -> Outcome {
    let body = RenewBody {
        agent: renew.agent,
        ttl_ms: renew.ttl,
    };
    let grant = fleet.renew(renew.permit, &body).await?;
    output::detail(global.output, &Granted(grant))
}
