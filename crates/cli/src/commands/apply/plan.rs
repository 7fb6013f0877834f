//! What must change so that a fleet is as declared.
use super::Document;
use super::things::{AnyThing, Done, Thing, Unmarked};
use crate::commands::tools;
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::show;
use fleet_client::Fleet;
use fleet_types::policy::Policy;
use fleet_types::settings::Settings;
use fleet_types::{AgentId, ScopePath};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// All changes, in the order in which they are made.
pub struct Plan {
    /// Also those that are none.
    pub changes: Vec<Change>,
}

/// What happens to one thing.
#[derive(Serialize)]
pub struct Change {
    /// What happens.
    pub verb: Verb,
    /// A kind of thing.
    pub kind: &'static str,
    /// Which.
    pub name: String,
    /// `field: old → new`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    #[serde(skip)]
    pub(super) step: Step,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// It is new.
    Create,
    /// It is there and differs.
    Update,
    /// It is there and not declared.
    Remove,
    /// It is as declared.
    Unchanged,
}

/// How it is done.
pub(super) enum Step {
    Configure(Box<Settings>),
    Put(Box<dyn AnyThing>),
    Remove(Box<dyn AnyThing>),
}

impl Step {
    pub fn carry_out<'a>(&'a self, fleet: &'a Fleet) -> Done<'a> {
        match self {
            Step::Configure(settings) => {
                Box::pin(async move { fleet.put_settings(settings).await.map(drop) })
            }
            Step::Put(thing) => thing.put(fleet),
            Step::Remove(thing) => thing.remove(fleet),
        }
    }
}

/// Compares what is declared with what is there, by name.
struct Comparison<'a> {
    fleet: &'a Fleet,
    changes: Vec<Change>,
    removals: Vec<Change>,
    prune: bool,
}

impl Comparison<'_> {
    /// One section, where it is declared; what `may_go` holds of may be removed.
    async fn section<T: Thing>(
        &mut self,
        declared: Option<Vec<T>>,
        may_go: impl Fn(&T) -> bool,
    ) -> Outcome {
        let Some(declared) = declared else {
            return Ok(());
        };
        let there = T::there(self.fleet).await?.into_iter();
        let there: BTreeMap<String, T> = there.map(|thing| (thing.name(), thing)).collect();
        let mut named = BTreeSet::new();
        let mut count = there.len();
        for thing in declared {
            let name = thing.name();
            named.insert(name.clone());
            let (verb, differences) = match there.get(&name) {
                None => (Verb::Create, Vec::new()),
                Some(old) if *old == thing => (Verb::Unchanged, Vec::new()),
                Some(old) => (Verb::Update, differences(old, &thing)),
            };
            count += usize::from(verb == Verb::Create);
            self.changes.push(Change {
                verb,
                kind: T::KIND,
                name,
                differences,
                step: Step::Put(Box::new(thing)),
            });
        }
        check_count::<T>(count, there.len())?;
        if !self.prune {
            return Ok(());
        }
        for (name, thing) in there.into_iter().rev() {
            if !named.contains(&name) && may_go(&thing) {
                self.removals.push(Change {
                    verb: Verb::Remove,
                    kind: T::KIND,
                    name,
                    differences: Vec::new(),
                    step: Step::Remove(Box::new(thing)),
                });
            }
        }
        Ok(())
    }
}

/// Whether there may be so many of a kind: the server would say so too, but halfway. What is removed goes last.
fn check_count<T: Thing>(count: usize, there: usize) -> Outcome {
    match T::COUNT_MAX {
        Some(most) if count > most => {
            let (kind, shown) = (T::KIND, |count: usize| show::number(count as u64));
            let words = format!(
                "with what is declared there would be {} of the kind {kind}, and a fleet has at most {}; nothing was changed",
                shown(count),
                shown(most)
            );
            Err(Failure::new(exit::CONFLICT, words).advise(format!(
                "there are {} now: declare fewer, or remove some first (what --prune removes goes last, and counts until then)",
                shown(there)
            )))
        }
        Some(_) | None => Ok(()),
    }
}

impl Plan {
    /// Looks at the fleet and compares; asks only for the sections that are declared.
    ///
    /// # Errors
    /// When the server refuses or is not there, a file of a policy is not right, or a bound would be passed.
    pub async fn make(
        fleet: &Fleet,
        document: Document,
        folder: &Path,
        prune: bool,
    ) -> Outcome<Plan> {
        let mut all = Comparison {
            fleet,
            changes: Vec::new(),
            removals: Vec::new(),
            prune,
        };
        if let Some(settings) = document.settings {
            let there = fleet.settings().await?;
            all.changes.push(Change {
                verb: match settings == there {
                    true => Verb::Unchanged,
                    false => Verb::Update,
                },
                kind: "settings",
                name: fleet.id().to_string(),
                differences: differences(&there, &settings),
                step: Step::Configure(Box::new(settings)),
            });
        }
        if let Some(declared) = document.scopes {
            let scopes = fleet.scopes().await?.into_iter();
            let used = scopes.filter(|scope| scope.agents > 0);
            let used: BTreeSet<ScopePath> = used.map(|scope| scope.path).collect();
            let kept: Vec<ScopePath> = declared.iter().map(|scope| scope.path.clone()).collect();
            let is_needed = |scope: &ScopePath| {
                used.contains(scope) || kept.iter().any(|path| scope.covers(path))
            };
            all.section(Some(declared), |scope| !is_needed(&scope.path))
                .await?;
        }
        all.section(document.actions, |_| true).await?;
        if let Some(declared) = document.agents {
            let kept: BTreeSet<AgentId> = declared.iter().map(|agent| agent.id.clone()).collect();
            all.section(Some(declared), |agent| !kept.contains(&agent.id))
                .await?;
        }
        all.section(document.groups, |_| true).await?;
        all.section(document.limits, |_| true).await?;
        all.section(document.rules, |_| true).await?;
        if let Some(declared) = document.policies {
            let declared = declared.into_iter().map(|it| it.read(folder));
            let declared: Outcome<Vec<Policy>> = declared.collect();
            all.section(Some(declared?), |_| true).await?;
        }
        for tool in document.tools.iter().flatten() {
            tools::is_right(tool)?;
            tools::warn(tool);
        }
        all.section(document.tools, |_| true).await?;
        all.section(document.budgets, |_| true).await?;
        let connectors = document.connectors.map(|declared| {
            let declared = declared.into_iter();
            declared.map(Unmarked::unmarked).collect::<Vec<_>>()
        });
        all.section(connectors, |_| true).await?;
        all.section(document.graph, |_| true).await?;
        let mut changes = all.changes;
        // What stands on others goes first.
        changes.extend(all.removals.into_iter().rev());
        Ok(Plan { changes })
    }
}

/// Field by field, in words.
pub fn differences(old: &impl Serialize, new: &impl Serialize) -> Vec<String> {
    let mut lines = Vec::new();
    let value = |thing: Result<Value, serde_json::Error>| thing.unwrap_or_default();
    compare(
        "",
        &value(serde_json::to_value(old)),
        &value(serde_json::to_value(new)),
        &mut lines,
    );
    lines
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    if old == new {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (old, new) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let (old, new) = (
                old.get(name).unwrap_or(&Value::Null),
                new.get(name).unwrap_or(&Value::Null),
            );
            compare(&path, old, new, lines);
        }
        return;
    }
    let show = |value: &Value| {
        if value.is_null() {
            "none".to_owned()
        } else {
            value.to_string()
        }
    };
    if let (Some(old), Some(new)) = (old.as_str(), new.as_str())
        && [old, new].iter().any(|text| text.contains('\n'))
    {
        // A text of several lines: which differ is for other tools.
        return lines.push(format!("{path} differs"));
    }
    lines.push(format!("{path}: {} → {}", show(old), show(new)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_field() {
        let old = serde_json::json!({"a": 1, "b": {"c": "x", "d": [1]}});
        let new = serde_json::json!({"a": 1, "b": {"c": "y"}, "e": true});
        assert_eq!(
            differences(&old, &new),
            ["b.c: \"x\" → \"y\"", "b.d: [1] → none", "e: none → true"]
        );
    }
}
