//! Who speaks, and as which of those who were asked.
use super::Approval;
use super::ask::is_asker;
use crate::state::State;
use fleet_types::approval::{Assignee, Command, Person, Proof};
use fleet_types::{Actor, AgentId, Code, Rejection, Role, Time};

/// A place among those who were asked.
pub struct Seat {
    pub assignee: Assignee,
    /// In whose place, where it was delegated.
    pub in_place_of: Option<Person>,
}

/// Who speaks: what the credential proves, or somebody whom it may speak for.
pub fn speaker(by: &Actor, command: &Command) -> Result<Person, Rejection> {
    let own = match by {
        Actor::Agent(agent) => Person::Agent(agent.clone()),
        Actor::Key(key) => Person::User(key.clone()),
        Actor::Local => Person::Local,
        Actor::System => {
            let words = "the server itself answers nothing";
            return Err(Rejection::new(Code::IdentityMismatch, words));
        }
    };
    let Some(said) = &command.speaks_as else {
        return Ok(own);
    };
    let may = match (by, said) {
        (_, said) if *said == own => true,
        // As everywhere: a key that is bound to no agent speaks for the agents of its fleet.
        (Actor::Key(_) | Actor::Local, Person::Agent(_)) => true,
        (Actor::Local, Person::User(_)) => true,
        (Actor::Key(_), Person::User(_) | Person::Local)
        | (Actor::Agent(_) | Actor::System, _)
        | (Actor::Local, Person::Local) => false,
    };
    match may {
        true => Ok(said.clone()),
        false => Err(Rejection::new(
            Code::IdentityMismatch,
            format!("this credential does not speak for {said}"),
        )
        .field("speaks_as")),
    }
}

/// Whether this very credential, or this person, asked for what is to be approved, or it is asked on its behalf.
pub fn is_own(state: &State, approval: &Approval, by: &Actor, person: &Person) -> bool {
    let same_key = matches!(by, Actor::Key(_)) && approval.asker.by.as_ref() == Some(by);
    let on_behalf = |agent: &AgentId| {
        let waiter = state.permits.find(approval.permit());
        waiter.is_some_and(|waiter| waiter.chain.contains(agent))
    };
    same_key
        || is_asker(&approval.asker, person)
        || matches!(person, Person::Agent(agent) if on_behalf(agent))
}

/// Whether a proved role reaches the asking agent.
pub fn reaches(state: &State, asker: &AgentId, proof: &Proof, role: Role) -> bool {
    if proof.role < role {
        return false;
    }
    match &proof.scope {
        None => true,
        Some(own) => {
            let agent = state.agents.get(asker);
            let scope = agent.and_then(|agent| agent.speaks.scope.as_ref());
            scope.is_some_and(|scope| own.covers(scope))
        }
    }
}

/// Every place that somebody has among those who were asked: its own first, then those delegated to it.
pub fn seats(
    state: &State,
    approval: &Approval,
    by: &Actor,
    (person, proof): (&Person, &Proof),
    now: Time,
) -> Vec<Seat> {
    let mut seats = Vec::new();
    let own = approval
        .assignees
        .iter()
        .find(|assignee| fits(state, approval, assignee, by, (person, proof)));
    if let Some(own) = own {
        seats.push(Seat {
            assignee: own.clone(),
            in_place_of: None,
        });
    }
    let delegations = state.approvals.delegations.iter();
    for delegation in delegations.filter(|it| it.to == *person && now < it.until) {
        let from = &delegation.from;
        if is_asker(&approval.asker, from) {
            continue;
        }
        let named = approval
            .assignees
            .iter()
            .find(|assignee| is_named(state, assignee, from));
        if let Some(named) = named {
            seats.push(Seat {
                assignee: named.clone(),
                in_place_of: Some(from.clone()),
            });
        }
    }
    seats
}

fn fits(
    state: &State,
    approval: &Approval,
    assignee: &Assignee,
    by: &Actor,
    (person, proof): (&Person, &Proof),
) -> bool {
    match (person, assignee) {
        // Whoever sits at a machine without keys may be any of them.
        (Person::Local, _) => true,
        (Person::User(_), Assignee::Role(role)) => {
            matches!(by, Actor::Key(_) | Actor::Local)
                && reaches(state, &approval.asker.agent, proof, *role)
        }
        (Person::User(_) | Person::Agent(_), _) => is_named(state, assignee, person),
    }
}

/// Whether somebody is meant by name, or as a member of a group: what can be delegated. A role belongs to a key and not
/// to a person, so it is not handed on.
fn is_named(state: &State, assignee: &Assignee, person: &Person) -> bool {
    match (assignee, person) {
        (Assignee::User(one), Person::User(other)) => one == other,
        (Assignee::Agent(one), Person::Agent(other)) => one == other,
        (Assignee::Group(group), Person::Agent(agent)) => {
            let group = state.groups.by_id.get(group);
            group.is_some_and(|group| group.members.contains(agent))
        }
        (Assignee::User(_), Person::Agent(_) | Person::Local)
        | (Assignee::Agent(_) | Assignee::Group(_), Person::User(_) | Person::Local)
        | (Assignee::Role(_), _) => false,
    }
}

/// An agent that a halt has stopped decides nothing meanwhile.
pub fn is_stopped(state: &State, person: &Person) -> Result<(), Rejection> {
    let Person::Agent(agent) = person else {
        return Ok(());
    };
    let Some(key) = state.agents.key(agent) else {
        let words = format!("agent {agent} is not registered");
        return Err(Rejection::new(Code::AgentUnknown, words));
    };
    match state.halts.over(state, key).next() {
        Some(halt) => Err(Rejection::new(
            Code::Halted,
            format!(
                "halt {halt} is in force over agent {agent}, which decides nothing until its release"
            ),
        )),
        None => Ok(()),
    }
}
