//! May the agent take this action on these resources? What its lists do not name follows the fleet's default.
use super::{Ask, Stop};
use fleet_types::explain::Gate;
use fleet_types::lock::Claim;
use fleet_types::settings::DefaultDecision;
use fleet_types::{Code, Pattern};

pub fn pass(ask: &Ask<'_>) -> Result<(), Box<Stop>> {
    let action = ask.request.action.as_str();
    if !allowed(ask, &ask.agent.terms.allow.actions, action) {
        return Err(Stop::deny(
            Gate::Capability,
            Code::ActionNotAllowed,
            format!(
                "agent {} may not take action {action}; add it to allow.actions",
                ask.agent.id
            ),
        ));
    }
    resources(ask, &ask.request.resources)
}

pub fn resources(ask: &Ask<'_>, claims: &[Claim]) -> Result<(), Box<Stop>> {
    for claim in claims {
        if !allowed(ask, &ask.agent.terms.allow.resources, claim.path.as_str()) {
            return Err(Stop::deny(
                Gate::Capability,
                Code::ResourceNotAllowed,
                format!(
                    "agent {} may not touch {}; add it to allow.resources",
                    ask.agent.id, claim.path
                ),
            ));
        }
    }
    Ok(())
}

fn allowed(ask: &Ask<'_>, list: &[Pattern], name: &str) -> bool {
    list.iter().any(|pattern| pattern.matches(name))
        || ask.state.settings.default_decision == DefaultDecision::Allow
}
