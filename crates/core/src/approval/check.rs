//! Whether terms make sense, and whether an answer gives what they ask for.
use fleet_types::approval::{Assignee, DeadlineEffect, FieldKind, Terms};
use fleet_types::{Code, FieldId, Millis, Rejection, Role, Text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Longest deadline: 31 days.
const DEADLINE_MS_MAX: u64 = 31 * 86_400_000;
/// Most that must approve.
const NEEDED_MAX: u32 = 32;

fn invalid(field: &str, words: impl AsRef<str>) -> Rejection {
    Rejection::new(Code::Invalid, format!("{field} {}", words.as_ref())).field(field)
}

/// Whether terms make sense; `name` is where they stand.
pub fn terms(name: &str, terms: &Terms) -> Result<(), Rejection> {
    let at = |field: &str| format!("{name}.{field}");
    self::assignees(&at("assignees"), &terms.assignees, terms.needed)?;
    options(name, terms)?;
    fields(name, terms)?;
    span(&at("deadline_ms"), terms.deadline_ms)?;
    span(&at("sla_ms"), terms.sla_ms)?;
    for (number, level) in terms.escalate_to.iter().enumerate() {
        let at = |field: &str| format!("{name}.escalate_to[{number}].{field}");
        self::assignees(&at("assignees"), &level.assignees, level.needed)?;
        span(&at("deadline_ms"), level.deadline_ms)?;
    }
    match (terms.on_deadline, terms.deadline_ms) {
        (Some(_), None) => Err(invalid(
            &at("on_deadline"),
            "says what happens at a deadline, and there is none; give deadline_ms",
        )),
        (Some(DeadlineEffect::Escalate), Some(_)) if terms.escalate_to.is_empty() => Err(invalid(
            &at("escalate_to"),
            "is empty, and the deadline escalates; say to whom",
        )),
        (None | Some(_), None | Some(_)) => Ok(()),
    }
}

fn span(field: &str, span: Option<Millis>) -> Result<(), Rejection> {
    match span {
        Some(span) if !(1..=DEADLINE_MS_MAX).contains(&span.0) => {
            Err(invalid(field, format!("must be 1–{DEADLINE_MS_MAX}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether so many of these can approve.
pub fn assignees(field: &str, assignees: &[Assignee], needed: u32) -> Result<(), Rejection> {
    if assignees.is_empty() {
        return Err(invalid(field, "is empty: nobody could answer"));
    }
    for (number, assignee) in assignees.iter().enumerate() {
        let at = format!("{field}[{number}]");
        if assignees[..number].contains(assignee) {
            return Err(invalid(&at, format!("{assignee} stands there twice")));
        }
        if let Assignee::Role(Role::Viewer | Role::Agent) = assignee {
            let words = format!("{assignee} is too wide; name operator, admin, or somebody");
            return Err(invalid(&at, words));
        }
    }
    let needed_at = match field.strip_suffix("assignees") {
        Some(front) => format!("{front}needed"),
        None => "needed".to_owned(),
    };
    let named = assignees.iter().all(|assignee| match assignee {
        Assignee::User(_) | Assignee::Agent(_) => true,
        Assignee::Role(_) | Assignee::Group(_) => false,
    });
    let most = match named {
        true => assignees.len() as u32,
        false => NEEDED_MAX,
    };
    if needed == 0 {
        return Err(invalid(&needed_at, "0 must be at least 1"));
    }
    if needed > most {
        let words = match named {
            true => format!("{needed} is more than the {most} named"),
            false => format!("{needed} is more than {most}"),
        };
        return Err(invalid(&needed_at, words));
    }
    Ok(())
}

fn options(name: &str, terms: &Terms) -> Result<(), Rejection> {
    let field = format!("{name}.options");
    let mut seen = BTreeSet::new();
    if let Some(twice) = terms.options.iter().find(|it| !seen.insert(&it.id)) {
        return Err(invalid(&field, format!("has {} twice", twice.id)));
    }
    for (approves, words) in [(true, "approves"), (false, "rejects")] {
        if !terms.options.iter().any(|it| it.approves == approves) {
            return Err(invalid(&field, format!("has none that {words}")));
        }
    }
    match &terms.recommendation {
        Some(option) if terms.option(option).is_none() => Err(invalid(
            &format!("{name}.recommendation"),
            format!("{option} is none of the options"),
        )),
        Some(_) | None => Ok(()),
    }
}

fn fields(name: &str, terms: &Terms) -> Result<(), Rejection> {
    let mut seen = BTreeSet::new();
    for (number, field) in terms.fields.iter().enumerate() {
        let at = format!("{name}.fields[{number}]");
        if !seen.insert(&field.id) {
            return Err(invalid(&at, format!("{} stands there twice", field.id)));
        }
        if let FieldKind::Choice(values) = &field.kind {
            let distinct: BTreeSet<&Text> = values.iter().collect();
            if values.is_empty() || distinct.len() < values.len() {
                let words = "must name values, each once";
                return Err(invalid(&format!("{at}.kind.choice"), words));
            }
        }
    }
    Ok(())
}

/// Whether an answer gives what the terms ask for, and nothing else.
pub fn values(terms: &Terms, values: &BTreeMap<FieldId, Value>) -> Result<(), Rejection> {
    for id in values.keys() {
        if !terms.fields.iter().any(|field| field.id == *id) {
            let known: Vec<&str> = terms.fields.iter().map(|it| it.id.as_str()).collect();
            let words = match known.is_empty() {
                true => "is not asked for; nothing is".to_owned(),
                false => format!("is not asked for; {} is", known.join(", ")),
            };
            return Err(invalid(&format!("fields.{id}"), words));
        }
    }
    for field in &terms.fields {
        let at = format!("fields.{}", field.id);
        let Some(value) = values.get(&field.id) else {
            if field.required {
                return Err(invalid(&at, "is missing, and every answer must tell it"));
            }
            continue;
        };
        let fits = match (&field.kind, value) {
            (FieldKind::Text, Value::String(text)) => Text::parse(text).is_ok(),
            (FieldKind::Number, Value::Number(_)) | (FieldKind::Boolean, Value::Bool(_)) => true,
            (FieldKind::Choice(values), Value::String(text)) => {
                values.iter().any(|value| value.as_str() == text)
            }
            (
                FieldKind::Text | FieldKind::Number | FieldKind::Boolean | FieldKind::Choice(_),
                _,
            ) => false,
        };
        if !fits {
            let wanted = match &field.kind {
                FieldKind::Text => format!("text of at most {} bytes", Text::BYTES_MAX),
                FieldKind::Number => "a number".to_owned(),
                FieldKind::Boolean => "true or false".to_owned(),
                FieldKind::Choice(values) => {
                    let values: Vec<&str> = values.iter().map(Text::as_str).collect();
                    format!("one of {}", values.join(", "))
                }
            };
            return Err(invalid(&at, format!("must be {wanted}")));
        }
    }
    Ok(())
}
