//! `fleet permits explain`: what every gate would answer.
use super::shown;
use super::wanted::Wanted;
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::paint;
use fleet_client::Fleet;
use fleet_types::explain::{Explanation, GateReport, Verdict};

pub async fn run(global: &Global, fleet: &Fleet, wanted: Wanted) -> Outcome {
    let explanation = fleet.explain(wanted.ask()?).await?;
    if global.output != Format::Table {
        return output::raw(global.output, &explanation);
    }
    output::write(&format!("{}\n", decided(&explanation)))?;
    shown::gates(&explanation.gates)
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
