//! Permits and questions with their holes filled: in the words of the gates and of approvals.
use super::{Approval, Permit};
use crate::definition::kind::{FieldKind, Level};
use crate::template::{Lookup, MissingPath, Template};
use fleet_types::approval::{self, Terms};
use fleet_types::budget::Cost;
use fleet_types::lock::Claim;
use fleet_types::{ActionName, FieldId, Labels, Millis, ResourcePath, Text};
use serde_json::{Map, Value};

/// What a permit is asked for with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What is done.
    pub action: ActionName,
    /// On what.
    pub resources: Vec<Claim>,
    /// The action's arguments; empty: none.
    pub parameters: Map<String, Value>,
    /// Most it will cost.
    pub cost: Cost,
    /// How long it waits for its turn; absent: nothing is said.
    pub wait: Option<Millis>,
    /// How long it holds; absent: the fleet's default.
    pub ttl: Option<Millis>,
    /// For selectors and budgets.
    pub labels: Labels,
}

/// Why holes cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// A path leads nowhere.
    #[error(transparent)]
    Missing(#[from] MissingPath),
    /// What came in is not what is wanted there: `resources[0]`, and why.
    #[error("{field}: {why}")]
    Invalid {
        /// Where.
        field: String,
        /// Why.
        why: String,
    },
}

fn invalid(field: impl Into<String>, why: &impl ToString) -> Unfilled {
    Unfilled::Invalid {
        field: field.into(),
        why: why.to_string(),
    }
}

/// A value as text; null is nothing.
fn text(template: &Template, lookup: &dyn Lookup) -> Result<String, MissingPath> {
    Ok(match template.resolve(lookup)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

impl Permit {
    /// With its holes filled.
    ///
    /// # Errors
    /// When a path leads nowhere, a resource is no path, or labels are out of their bounds.
    pub fn fill(&self, lookup: &dyn Lookup) -> Result<Wanted, Unfilled> {
        let mut resources: Vec<Claim> = Vec::new();
        for (number, (path, mode)) in self.resources.iter().enumerate() {
            let field = || format!("resources[{number}]");
            let path = ResourcePath::parse(&text(path, lookup)?);
            let path = path.map_err(|why| invalid(field(), &why))?;
            // Two holes may be filled alike: the stronger mode holds.
            match resources.iter_mut().find(|claim| claim.path == path) {
                Some(claim) => claim.mode = claim.mode.max(*mode),
                None => resources.push(Claim::new(path, *mode)),
            }
        }
        let mut parameters = Map::new();
        for (name, value) in &self.parameters {
            parameters.insert(name.to_string(), value.resolve(lookup)?);
        }
        let mut labels = std::collections::BTreeMap::new();
        for (name, value) in &self.labels {
            labels.insert(name.clone(), text(value, lookup)?.into());
        }
        Ok(Wanted {
            action: self.action.clone(),
            resources,
            parameters,
            cost: self.cost,
            wait: self.wait.map(|span| span.0),
            ttl: self.ttl.map(|span| span.0),
            labels: Labels::parse(labels).map_err(|why| invalid("labels", &why))?,
        })
    }
}

impl Approval {
    /// The terms of the question, with their holes filled; longer texts are cut.
    ///
    /// # Errors
    /// When a path leads nowhere.
    pub fn terms(&self, lookup: &dyn Lookup) -> Result<Terms, Unfilled> {
        let said = |template: &Template| -> Result<Text, Unfilled> {
            Ok(Text::clip(&text(template, lookup)?))
        };
        let options = self.options.iter().map(|choice| approval::ResponseOption {
            id: choice.id.clone(),
            label: Text::clip(&choice.label),
            approves: choice.approves,
        });
        let fields = self.fields.iter().map(|field| {
            Ok(approval::Field {
                id: FieldId::parse(field.id.as_str()).map_err(|why| invalid("fields", &why))?,
                label: Text::clip(&field.label),
                kind: match &field.kind {
                    FieldKind::Text => approval::FieldKind::Text,
                    FieldKind::Number => approval::FieldKind::Number,
                    FieldKind::Boolean => approval::FieldKind::Boolean,
                    FieldKind::Choice(choices) => {
                        let choices = choices.iter().map(|choice| Text::clip(choice));
                        approval::FieldKind::Choice(choices.collect())
                    }
                },
                required: field.required,
            })
        });
        let level = |level: &Level| approval::Level {
            assignees: level.assignees.clone(),
            needed: level.needed,
            deadline_ms: level.deadline.map(|span| span.0),
        };
        Ok(Terms {
            question: said(&self.question)?,
            assignees: self.asked.assignees.clone(),
            needed: self.asked.needed,
            options: match self.options.is_empty() {
                true => approval::defaults(),
                false => options.collect(),
            },
            recommendation: self.recommendation.clone(),
            context: said(&self.context)?,
            risks: self.risks.iter().map(said).collect::<Result<_, _>>()?,
            impact: said(&self.impact)?,
            fields: fields.collect::<Result<_, Unfilled>>()?,
            deadline_ms: self.asked.deadline.map(|span| span.0),
            on_deadline: self.on_deadline,
            escalate_to: self.escalate_to.iter().map(level).collect(),
            urgency: self.urgency,
            sla_ms: self.sla.map(|span| span.0),
        })
    }
}
