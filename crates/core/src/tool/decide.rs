//! Registering and removing tools.
use crate::approval::check;
use crate::decide::{Decided, rejected};
use crate::rule::decide::check_case;
use crate::state::State;
use fleet_types::event::{ToolRemoved, ToolSet};
use fleet_types::tool::{COUNT_MAX, Command, Guard, Segment, Tool};
use fleet_types::{Actor, Code, Event, Rejection, Text};
use std::sync::Arc;

pub fn decide(state: &State, by: &Actor, command: &Command) -> Decided {
    if matches!(by, Actor::Agent(_)) {
        let words = "an agent does not change tools; a person must";
        return rejected(Code::Forbidden, words);
    }
    match command {
        Command::Set { tool, reason } => set(state, tool, reason),
        Command::Remove { tool, reason } => match state.tools.by_id.contains_key(tool) {
            true => Decided::event(Event::ToolRemoved(ToolRemoved {
                tool: tool.clone(),
                reason: reason.clone(),
            })),
            false => rejected(Code::NotFound, format!("there is no tool {tool}")),
        },
    }
}

fn set(state: &State, tool: &Tool, reason: &Text) -> Decided {
    let known = state.tools.by_id.get(&tool.id);
    if known.is_some_and(|entry| *entry.tool == *tool) {
        return Decided::unchanged();
    }
    if known.is_none() && state.tools.by_id.len() >= COUNT_MAX {
        let words = format!("a fleet has at most {COUNT_MAX} tools");
        return rejected(Code::Conflict, words);
    }
    if let Err(rejection) = check(tool) {
        return Decided::Rejected(rejection);
    }
    Decided::event(Event::ToolSet(ToolSet {
        tool: Arc::new(tool.clone()),
        version: known.map_or(1, |entry| entry.version + 1),
        reason: reason.clone(),
    }))
}

/// Whether a tool makes sense; its schema is somebody else's.
///
/// # Errors
/// When it does not, by the field.
pub fn check(tool: &Tool) -> Result<(), Rejection> {
    let invalid = |field: String, words: &str| {
        Err(Rejection::new(Code::Invalid, format!("{field} {words}")).field(&field))
    };
    if let Some(terms) = &tool.approval {
        check::terms("approval", terms)?;
    }
    let nobody = "is needed: a guard says approval, and nobody would be asked";
    if tool.guard == Guard::Approval && tool.approval.is_none() {
        return invalid("approval".into(), nobody);
    }
    for (at, case) in tool.cases.iter().enumerate() {
        check_case(&format!("cases[{at}].when"), &case.when)?;
        if let Some(terms) = &case.approval {
            check::terms(&format!("cases[{at}].approval"), terms)?;
        }
        if case.guard == Guard::Approval && case.approval.is_none() && tool.approval.is_none() {
            return invalid(format!("cases[{at}].approval"), nobody);
        }
        let elsewhere = case.when.action.as_ref();
        if elsewhere.is_some_and(|action| !action.matches(tool.id.as_str())) {
            let words = "is about another action: the case could never hold";
            return invalid(format!("cases[{at}].when.action"), words);
        }
    }
    for (at, template) in tool.resources.iter().enumerate() {
        let before = &tool.resources[..at];
        if before.iter().any(|other| other.path == template.path) {
            let words = "stands there twice; keep the stronger mode";
            return invalid(format!("resources[{at}].path"), words);
        }
        // One that begins with an argument could name anything.
        if let Some(Segment::Argument(_)) = template.path.segments().next() {
            let words =
                "begins with an argument, so callers could name anything; begin it with a word";
            return invalid(format!("resources[{at}].path"), words);
        }
    }
    for (at, rate) in tool.cost.per.iter().enumerate() {
        if rate.unit.is_zero() {
            let words = "is nothing: the argument would not matter";
            return invalid(format!("cost.per[{at}].unit"), words);
        }
    }
    Ok(())
}
