//! `fleet permits complete`, `fail` and `cancel`: how a permit ends.
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Detail};
use crate::{paint, parse, show};
use clap::Args;
use fleet_client::Fleet;
use fleet_client::http::Ended;
use fleet_types::budget::Cost;
use fleet_types::permit::Ending;
use fleet_types::session::FinishBody;
use fleet_types::{AgentId, Code, PermitId};
use serde::Serialize;

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
    #[arg(long, value_parser = parse::tokens, value_name = "COUNT")]
    tokens: Option<u64>,
}

pub async fn run(global: &Global, fleet: &Fleet, end: End, ending: Ending) -> Outcome {
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
        Err(error) if ending == Ending::Cancelled && error.code() == Some(Code::Cancelled) => {
            eprintln!("{} is withdrawn", end.permit);
            Ok(())
        }
        Err(error) => Err(error.into()),
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
