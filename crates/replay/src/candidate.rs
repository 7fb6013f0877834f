//! Other rules than those that were: set, left out, or instead of all.
use crate::error::Error;
use fleet_core::{State, read, step};
use fleet_types::event::{RuleRemoved, RuleSet};
use fleet_types::rule::{self, Rule, Stage};
use fleet_types::{Actor, Code, Command, Envelope, Event, Millis, RuleId, Text};
use std::collections::BTreeSet;

/// Other rules than those that were.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// Set, each in place of one of the same name.
    pub rules: Vec<Rule>,
    /// Left out.
    pub without: Vec<RuleId>,
    /// Whether no other rules stand beside them.
    pub only: bool,
    /// Whether stages count as written; else all of them are enforced, drafts too.
    pub as_staged: bool,
}

impl Candidate {
    /// The longest span that one of its rules remembers.
    #[must_use]
    pub fn memory(&self) -> Millis {
        let windows = self.rules.iter().map(|rule| rule.form.span());
        windows.max().unwrap_or_default()
    }

    /// Names of what it sets.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<RuleId> {
        self.rules.iter().map(|rule| rule.id.clone()).collect()
    }

    /// Whether a recorded change of a rule is none of its business.
    pub(crate) fn leaves(&self, event: &Event) -> bool {
        let id = match event {
            Event::RuleSet(RuleSet { rule, .. }) => &rule.id,
            Event::RuleRemoved(RuleRemoved { rule, .. }) => rule,
            _ => return true, // Only rules are a candidate's business.
        };
        !self.only && !self.without.contains(id) && !self.rules.iter().any(|rule| rule.id == *id)
    }

    /// Makes a state so, as a person would. Tells which of the rules to be left out are not there yet.
    pub(crate) fn put_into(&self, state: &mut State) -> Result<BTreeSet<RuleId>, Error> {
        let mut gone = self.without.clone();
        if self.only {
            let mut after = None;
            loop {
                let page = read::rules(state, None, after.as_deref(), read::COUNT_MAX);
                let own = self.ids();
                let ids = page.items.into_iter().map(|row| row.rule.id);
                gone.extend(ids.filter(|id| !own.contains(id)));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        let mut unseen = BTreeSet::new();
        for id in gone {
            let reason = Text::default();
            let command = rule::Command::Remove {
                rule: id.clone(),
                reason,
            };
            if !carry_out(state, command, &id)? {
                unseen.insert(id);
            }
        }
        for rule in &self.rules {
            let mut rule = rule.clone();
            if !self.as_staged {
                rule.stage = Stage::Enforce;
            }
            let id = rule.id.clone();
            let command = rule::Command::Set {
                rule: Box::new(rule),
                reason: Text::default(),
            };
            carry_out(state, command, &id)?;
        }
        Ok(unseen)
    }
}

/// Whether the rule was there, or is now.
fn carry_out(state: &mut State, command: rule::Command, id: &RuleId) -> Result<bool, Error> {
    let envelope = Envelope {
        by: Actor::Local,
        command: Command::Rule(command),
    };
    let now = state.now();
    match step(state, &envelope, now, &mut Vec::new()) {
        Ok(_) => Ok(true),
        Err(rejection) if rejection.code == Code::NotFound => Ok(false),
        Err(rejection) => Err(Error::Refused {
            rule: id.clone(),
            why: rejection.message,
        }),
    }
}
