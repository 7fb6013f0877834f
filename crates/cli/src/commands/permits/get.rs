//! `fleet permits get`.
use super::shown::Shown;
use crate::context::Global;
use crate::failure::Outcome;
use crate::{output, parse};
use clap::Args;
use fleet_client::Fleet;
use fleet_types::{Millis, PermitId};

/// Which permit.
#[derive(Args)]
pub struct Get {
    /// Which
    permit: PermitId,
    /// While it waits for its turn, wait here so long for the decision
    #[arg(long, value_parser = parse::millis, default_value = "0s", value_name = "TIME")]
    wait: Millis,
}

pub async fn run(global: &Global, fleet: &Fleet, get: Get) -> Outcome {
    let view = fleet.permit(get.permit, get.wait).await?;
    output::detail(global.output, &Shown(view))
}
