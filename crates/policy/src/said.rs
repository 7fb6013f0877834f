//! What one module said, read from its answer; anything it should not have said is a failure.
use fleet_types::Text;
use fleet_types::approval::Terms;
use fleet_types::policy::{APPROVALS_MAX, Opinion, REASONS_MAX};
use regorus::Value;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// Most values of a change of a request.
const PATCH_VALUES_MAX: usize = 1_024;
/// Largest change, in bytes of its texts.
const PATCH_BYTES_MAX: usize = 32 * 1024;
/// How deep its values may lie.
const PATCH_DEPTH_MAX: usize = 32;

/// A change of a request: a JSON merge patch (RFC 7386) of `parameters`, `labels`, `priority` and `cost`.
pub type Patch = Map<String, Json>;

/// What one module said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it comes to.
    pub opinion: Opinion,
    /// Why.
    pub reasons: Vec<Text>,
    /// Which approvals it wants; none: it does not say whom to ask.
    pub terms: Vec<Arc<Terms>>,
    /// How it wants the request changed, where it lets it pass.
    pub patch: Option<Patch>,
}

impl Said {
    /// It came to no answer.
    pub(crate) fn failed(why: impl AsRef<str>) -> Said {
        Said {
            opinion: Opinion::Failed,
            reasons: vec![Text::clip(why.as_ref())],
            terms: Vec::new(),
            patch: None,
        }
    }

    /// Reads an answer.
    pub(crate) fn read(answer: &Value, has_allow: bool) -> Said {
        match read(answer, has_allow) {
            Ok(said) => said,
            Err(why) => Said::failed(why),
        }
    }
}

fn read(answer: &Value, has_allow: bool) -> Result<Said, String> {
    let deny = reasons("deny", one(answer, "deny"), |_| Ok(()))?;
    let (mut terms, mut all_named) = (Vec::new(), true);
    let approve = reasons("approve", one(answer, "approve"), |value| {
        match wanted(value)? {
            Some(wanted) if terms.len() < APPROVALS_MAX => terms.push(Arc::new(wanted)),
            Some(_) => return Err(format!("approve wants more than {APPROVALS_MAX} approvals")),
            None => all_named = false,
        }
        Ok(())
    })?;
    if !all_named {
        terms.clear();
    }
    let patch = match one(answer, "transform") {
        None => None,
        Some(value) => Some(patch(value)?),
    };
    let allowed = match one(answer, "allow") {
        None => !has_allow,
        Some(Value::Bool(allowed)) => *allowed,
        Some(_) => return Err("allow must be true or false".into()),
    };
    let said = |opinion, reasons| {
        Ok(Said {
            opinion,
            reasons,
            terms: Vec::new(),
            patch: None,
        })
    };
    if let Some(deny) = deny {
        return said(Opinion::Deny, deny);
    }
    if !allowed {
        return said(Opinion::Deny, vec![Text::clip("it does not allow this")]);
    }
    let opinion = match (&approve, &patch) {
        (Some(_), _) => Opinion::Approve,
        (None, Some(_)) => Opinion::Transform,
        (None, None) => Opinion::Allow,
    };
    Ok(Said {
        opinion,
        reasons: approve.unwrap_or_default(),
        terms,
        patch,
    })
}

/// A rule's value, if it has one.
fn one<'v>(answer: &'v Value, rule: &str) -> Option<&'v Value> {
    let values = answer[rule].as_array().ok()?;
    values.iter().find(|value| **value != Value::Undefined)
}

/// The reasons that a rule gives; `None` when it gives none.
fn reasons(
    rule: &str,
    value: Option<&Value>,
    mut each: impl FnMut(&Value) -> Result<(), String>,
) -> Result<Option<Vec<Text>>, String> {
    let Some(value) = value else {
        return Ok(None);
    };
    let mut found = Vec::new();
    let mut any = false;
    let mut take = |value: &Value| -> Result<(), String> {
        any = true;
        let words = match value {
            Value::String(words) => words,
            Value::Object(_) => match &value["reason"] {
                Value::String(words) => words,
                _ => return Err(format!("{rule} has an object without a text `reason`")),
            },
            _ => return Err(format!("{rule} must hold texts, or objects with `reason`")),
        };
        if found.len() < REASONS_MAX {
            found.push(Text::clip(words));
        }
        each(value)?;
        Ok(())
    };
    match value {
        Value::Set(set) => set.iter().try_for_each(&mut take)?,
        Value::Array(list) => list.iter().try_for_each(&mut take)?,
        _ => {
            return Err(format!(
                "{rule} must be a set: write `{rule} contains reason if …`"
            ));
        }
    }
    Ok(any.then_some(found))
}

/// The approval that an object with `assignees` wants: the terms of one, with the reason as its question.
fn wanted(value: &Value) -> Result<Option<Terms>, String> {
    if value["assignees"] == Value::Undefined {
        return Ok(None);
    }
    let mut room = Room {
        values: PATCH_VALUES_MAX,
        bytes: PATCH_BYTES_MAX,
    };
    let mut json = room.json(value, 0)?;
    if let Some(object) = json.as_object_mut()
        && let Some(reason) = object.remove("reason")
    {
        object.entry("question").or_insert(reason);
    }
    let terms = serde_json::from_value(json);
    terms
        .map(Some)
        .map_err(|error| format!("approve has no terms of an approval: {error}"))
}

fn patch(value: &Value) -> Result<Patch, String> {
    let mut room = Room {
        values: PATCH_VALUES_MAX,
        bytes: PATCH_BYTES_MAX,
    };
    let Json::Object(patch) = room.json(value, 0)? else {
        return Err("transform must be an object".into());
    };
    for (key, value) in &patch {
        let fits = match key.as_str() {
            "parameters" | "cost" => value.is_object(),
            "labels" => {
                let text = |value: &Json| value.is_string() || value.is_null();
                value
                    .as_object()
                    .is_some_and(|labels| labels.values().all(text))
            }
            "priority" => value.is_u64(),
            other => {
                return Err(format!(
                    "transform cannot change {other:?}; it can change parameters, labels, priority and cost"
                ));
            }
        };
        if !fits {
            return Err(format!("transform.{key} has the wrong shape"));
        }
    }
    Ok(patch)
}

/// How much of an answer is read.
struct Room {
    values: usize,
    bytes: usize,
}

impl Room {
    fn json(&mut self, value: &Value, depth: usize) -> Result<Json, String> {
        let too_large = || "an answer is too large".to_owned();
        if depth > PATCH_DEPTH_MAX {
            return Err(too_large());
        }
        self.values = self.values.checked_sub(1).ok_or_else(too_large)?;
        Ok(match value {
            Value::Null => Json::Null,
            Value::Bool(bit) => (*bit).into(),
            Value::Number(number) => {
                if number.as_big().is_some() && number.as_i128().is_none() {
                    return Err("an answer has a number of more than 128 bits".into());
                }
                let text = number.format_decimal();
                serde_json::from_str(&text)
                    .map_err(|_| format!("an answer has the number {text}"))?
            }
            Value::String(text) => {
                self.bytes = self.bytes.checked_sub(text.len()).ok_or_else(too_large)?;
                text.to_string().into()
            }
            Value::Array(list) => {
                let list: Result<Vec<Json>, String> = list
                    .iter()
                    .map(|value| self.json(value, depth + 1))
                    .collect();
                Json::Array(list?)
            }
            Value::Set(set) => {
                let list: Result<Vec<Json>, String> = set
                    .iter()
                    .map(|value| self.json(value, depth + 1))
                    .collect();
                Json::Array(list?)
            }
            Value::Object(map) => {
                let mut object = Map::new();
                for (key, value) in map.iter() {
                    let Value::String(key) = key else {
                        return Err("an answer has a key that is no text".into());
                    };
                    self.bytes = self.bytes.checked_sub(key.len()).ok_or_else(too_large)?;
                    object.insert(key.to_string(), self.json(value, depth + 1)?);
                }
                Json::Object(object)
            }
            Value::Undefined => return Err("an answer has an undefined value".into()),
        })
    }
}
