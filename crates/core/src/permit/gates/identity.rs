//! Does the caller speak for this agent? (That the agent is known was found on the way here.)
use super::{Ask, Stop};
use fleet_types::Code;
use fleet_types::explain::Gate;

pub fn pass(ask: &Ask<'_>) -> Result<(), Box<Stop>> {
    if ask.by.may_act_as(&ask.request.agent) {
        return Ok(());
    }
    Err(Stop::deny(
        Gate::Identity,
        Code::IdentityMismatch,
        format!(
            "this credential does not speak for agent {}",
            ask.request.agent
        ),
    ))
}
