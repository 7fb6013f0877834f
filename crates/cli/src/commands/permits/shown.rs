//! Permits, and what the gates said, as they are shown.
use crate::failure::Outcome;
use crate::output::{self, Detail, Row};
use crate::{paint, show};
use fleet_types::AgentId;
use fleet_types::explain::{GateReport, Verdict};
use fleet_types::lock::{Held, ResourceVersion};
use fleet_types::permit::{Grant, View, ViewState};
use serde::Serialize;

/// A line for each gate.
pub fn gates(gates: &[GateReport]) -> Outcome {
    // A permit that was waited for is told of without them.
    if gates.is_empty() {
        return Ok(());
    }
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
    show::joined(&lines, "\n", "-")
}

fn versions(versions: &[ResourceVersion]) -> Option<(&'static str, String)> {
    let lines: Vec<String> = versions
        .iter()
        .map(|it| format!("{} {}", it.path, it.version))
        .collect();
    (!lines.is_empty()).then(|| ("versions", lines.join("\n")))
}

/// One that holds.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Granted(pub Grant);

impl Detail for Granted {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
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
        ];
        lines.extend(versions(&self.0.versions));
        if let Some(changed) = &self.0.changed {
            // What may be done is not what was asked.
            let changed = serde_json::to_string(changed).unwrap_or_default();
            lines.push(("changed to", paint::waiting(&changed)));
        }
        lines
    }
    fn name(&self) -> String {
        self.0.permit.to_string()
    }
}

/// One that waits or holds.
#[derive(Serialize)]
#[serde(transparent)]
pub struct Shown(pub View);

impl Shown {
    fn state(&self) -> String {
        let word = show::word(&self.0.state);
        match self.0.state {
            ViewState::Granted => paint::good(&word),
            ViewState::Queued | ViewState::AwaitingApproval | ViewState::Extending => {
                paint::waiting(&word)
            }
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
        if let Some(parent) = view.request.parent {
            let agents = view.chain.iter().map(AgentId::as_str);
            let agents: Vec<&str> = agents.chain([view.request.agent.as_str()]).collect();
            lines.push(("on behalf of", format!("{parent} ({})", agents.join(" → "))));
        }
        if matches!(view.state, ViewState::Queued | ViewState::AwaitingApproval) {
            lines.push(("wants", show::joined(&asked, "\n", "-")));
        } else {
            lines.push(("holds", held(&view.resources)));
            lines.extend(versions(&view.versions));
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
