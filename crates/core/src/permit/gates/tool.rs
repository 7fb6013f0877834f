//! Is the action a tool where it must be, and do its arguments and its guard let it pass? The arguments were looked at in
//! front of the queue; here what was found counts, if it is about the tool as it stands now.
use super::{Ask, Needs, Report, Stop};
use crate::tool::judge::{is_current, words};
use crate::tool::{Entry, Guarded};
use fleet_types::approval::{Need, Source};
use fleet_types::explain::Gate;
use fleet_types::lock::Claim;
use fleet_types::permit::Blocker;
use fleet_types::tool::{Fault, Guard};
use fleet_types::{ActionName, Code};

/// Before all gates: what follows from a tool that is another by now says nothing to any of them.
pub fn current(ask: &Ask<'_>) -> Result<(), Box<Stop>> {
    if is_current(ask.state, ask.request, ask.verdict) {
        return Ok(());
    }
    let words = "its tool has changed since the request was judged; it is judged anew";
    let blocker = blocker(&ask.request.action, &[], &[]);
    Err(Stop::wait(Gate::Tool, Code::PolicyStale, words, blocker))
}

/// What it wants approved goes to `needs`, which the gate of approvals looks up.
pub fn pass(ask: &Ask<'_>, needs: &mut Needs, report: &mut Report) -> Result<(), Box<Stop>> {
    let action = &ask.request.action;
    let Some(entry) = ask.state.tools.by_id.get(action) else {
        return known(ask);
    };
    report.saw(|| format!("{action}.version"), entry.version.into());
    let said = ask.verdict.and_then(|verdict| verdict.tool.as_deref());
    let faults = said.map_or(&[][..], |said| &said.faults);
    if !faults.is_empty() {
        let told = format!(
            "tool {action} does not take these arguments: {}",
            words(faults)
        );
        let mut stop = Stop::deny(Gate::Tool, Code::ToolArguments, told);
        stop.blocker = Some(blocker(action, faults, &[]));
        return Err(stop);
    }
    let guarded = entry.guarded(ask.agent, ask.request, ask.now);
    guard(entry, &guarded, needs)
}

/// What a permit claims anew, while it holds: a case of the guard may be about that.
pub fn pass_extension(ask: &Ask<'_>, needs: &mut Needs, claims: &[Claim]) -> Result<(), Box<Stop>> {
    let Some(entry) = ask.state.tools.by_id.get(&ask.request.action) else {
        return Ok(());
    };
    let mut cases = entry.tool.cases.iter();
    if !cases.any(|case| case.when.resource.is_some()) {
        return Ok(());
    }
    let before = entry.guarded(ask.agent, ask.request, ask.now);
    let mut more = ask.request.clone();
    more.resources.extend(claims.iter().cloned());
    let after = entry.guarded(ask.agent, &more, ask.now);
    match before.case == after.case {
        true => Ok(()), // It is no new use of the tool.
        false => guard(entry, &after, needs),
    }
}

fn guard(entry: &Entry, guarded: &Guarded<'_>, needs: &mut Needs) -> Result<(), Box<Stop>> {
    let tool = &entry.tool.id;
    match (guarded.guard, guarded.terms) {
        (Guard::Automatic, _) => Ok(()),
        (Guard::Approval, Some(terms)) => {
            needs.push(Need {
                source: Source::Tool(tool.text().clone()),
                terms: terms.clone(),
            });
            Ok(())
        }
        // It is not registered without terms; and whatever needs an approval that nobody can give is forbidden.
        (Guard::Approval, None) | (Guard::Forbidden, _) => {
            let case = guarded.case;
            let which = case.map_or_else(String::new, |at| format!(" in its case {}", at + 1));
            let told = format!(
                "tool {tool} is forbidden{which}; ask for something else, or have its guard changed"
            );
            let mut stop = Stop::deny(Gate::Tool, Code::ToolForbidden, told);
            stop.blocker = Some(blocker(tool, &[], &[]));
            Err(stop)
        }
    }
}

/// An action that is no tool, where it must be one.
fn known(ask: &Ask<'_>) -> Result<(), Box<Stop>> {
    let action = &ask.request.action;
    let mut required = ask.state.settings.tools_required.iter();
    let Some(pattern) = required.find(|pattern| pattern.matches(action.as_str())) else {
        return Ok(());
    };
    let nearest = ask.verdict.map_or(&[][..], |verdict| &verdict.nearest);
    let meant = match nearest {
        [] => "fleet tools list names those that are".to_owned(),
        names => {
            let names: Vec<&str> = names.iter().map(ActionName::as_str).collect();
            format!("did you mean {}?", names.join(", "))
        }
    };
    let told = format!(
        "there is no tool {action}, and tools_required has {pattern}: register it, or {meant}"
    );
    let mut stop = Stop::deny(Gate::Tool, Code::ToolUnknown, told);
    stop.blocker = Some(blocker(action, &[], nearest));
    Err(stop)
}

fn blocker(tool: &ActionName, faults: &[Fault], nearest: &[ActionName]) -> Blocker {
    Blocker::Tool {
        tool: tool.clone(),
        faults: faults.to_vec(),
        nearest: nearest.to_vec(),
    }
}
