//! What can never run, never end or never be decided, and why.
use super::Compiler;
use crate::definition::kind::{self, Approval};
use fleet_types::approval::{Assignee, DeadlineEffect};

impl Compiler<'_, '_> {
    pub(super) fn never_when(&mut self, when: &str) {
        if constant(when) == Some(false) {
            self.within("when", |it| {
                it.note(
                    "it can never run: the condition is always false",
                    "take the node out",
                )
            });
        }
    }

    pub(super) fn never_taken(&mut self, condition: &str) {
        let Some(always) = constant(condition) else {
            return;
        };
        let never = if always { "else" } else { "then" };
        self.within("if", |it| {
            it.note(
                format!("`{never}` can never run: the condition is always {always}"),
                "take the condition out",
            );
        });
    }

    pub(super) fn never_until(&mut self, until: &str) {
        if constant(until) == Some(false) {
            self.within("until", |it| {
                it.note(
                    "the loop can never end well: the condition is always false",
                    "say what ends it",
                );
            });
        }
    }

    /// An agent, or something that a worker must be.
    pub(super) fn nobody(&mut self, it: &kind::Agent) {
        let workers = &it.workers;
        let is_any =
            workers.skills.is_empty() && workers.pool.is_none() && workers.labels.is_empty();
        if it.agent.is_none() && is_any {
            self.note_name(
                "it can never run: nothing says who does it",
                "add `agent`, or `workers` with skills, a pool or labels",
            );
        }
        if it.agent.is_none() && !it.alternatives.is_empty() {
            self.within("alternatives", |it| {
                it.note_name(
                    "there is no `agent` that they stand in for",
                    "make the first of them the `agent`",
                )
            });
        }
        for (number, agent) in it.alternatives.iter().enumerate() {
            if it.agent.as_ref() == Some(agent) || it.alternatives[..number].contains(agent) {
                self.within("alternatives", |it| {
                    it.at(number, |it| {
                        it.note(format!("{agent} is named twice"), "keep one of them")
                    });
                });
            }
        }
    }

    pub(super) fn manages_itself(&mut self, it: &kind::Delegate) {
        if it.agents.iter().all(|agent| *agent == it.manager) {
            self.within("agents", |this| {
                this.note_name(
                    format!("{} can give tasks to nobody but itself", it.manager),
                    "name those that do the work",
                );
            });
        }
    }

    pub(super) fn never_approved(&mut self, it: &Approval) {
        if !it.options.is_empty() && it.options.iter().all(|option| !option.approves) {
            self.within("options", |it| {
                it.note_name("it can never be approved: no option approves", "add one")
            });
        }
        let known = |wanted: &fleet_types::OptionId| match it.options.as_slice() {
            [] => matches!(wanted.as_str(), "approve" | "reject"),
            options => options.iter().any(|option| option.id == *wanted),
        };
        if let Some(option) = it.recommendation.as_ref().filter(|option| !known(option)) {
            self.within("recommendation", |it| {
                it.note(
                    format!("there is no option {option:?}"),
                    "recommend one that there is",
                )
            });
        }
        for (number, option) in it.options.iter().enumerate() {
            if it.options[..number]
                .iter()
                .any(|other| other.id == option.id)
            {
                self.within("options", |it| {
                    it.at(number, |it| {
                        it.note_name(format!("{} is there twice", option.id), "keep one")
                    })
                });
            }
        }
        self.enough(&it.assignees, it.needed);
        for (number, level) in it.escalate_to.iter().enumerate() {
            self.within("escalate_to", |this| {
                this.at(number, |this| this.enough(&level.assignees, level.needed));
            });
        }
        match (it.deadline, it.on_deadline) {
            (None, Some(_)) => self.within("on_deadline", |it| {
                it.note("there is no `deadline`", "add it")
            }),
            (_, Some(DeadlineEffect::Escalate)) if it.escalate_to.is_empty() => {
                self.within("on_deadline", |it| {
                    it.note("nobody is there to escalate to", "add `escalate_to`")
                });
            }
            _ => {}
        }
    }

    fn enough(&mut self, assignees: &[Assignee], needed: u32) {
        let is_one =
            |assignee: &Assignee| matches!(assignee, Assignee::User(_) | Assignee::Agent(_));
        if assignees.iter().all(is_one) && assignees.len() < needed as usize {
            let count = assignees.len();
            self.within("needed", |it| {
                it.note(
                    format!(
                        "it can never be approved: {needed} must approve, and {count} are asked"
                    ),
                    "ask more, or lower it",
                );
            });
        }
    }
}

/// What an expression always is, where it is no more than that.
fn constant(expression: &str) -> Option<bool> {
    match expression.trim() {
        "true" | "1" | "!0" => Some(true),
        "false" | "0" | "null" | "undefined" | "!1" | "''" | "\"\"" => Some(false),
        _ => None,
    }
}
