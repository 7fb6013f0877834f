//! What follows from the arguments of a tool: which resources it touches, and what it costs.
use fleet_types::budget::Cost;
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::{CLAIMS_MAX, COST_MAX, COST_MAX_TOLD, Request};
use fleet_types::tool::{CostModel, FAULTS_MAX, Fault, Segment, Template, Tool};
use fleet_types::{Pointer, ResourcePath, Text};
use serde_json::{Map, Number, Value};
use smol_str::SmolStr;
use std::sync::Arc;

/// What follows from a request's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// What the tool touches, each thing once.
    pub claims: Vec<Claim>,
    /// What it costs at least.
    pub cost: Cost,
}

type Arguments = Map<String, Value>;

/// Works it out.
///
/// # Errors
/// With each argument from which it does not follow.
pub fn derive(tool: &Tool, arguments: Option<&Arguments>) -> Result<Derived, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut claims: Vec<Claim> = Vec::new();
    for template in &tool.resources {
        match fill(template, arguments) {
            Ok(path) => join(&mut claims, path, template.mode),
            Err(mut found) => faults.append(&mut found),
        }
    }
    let cost = match cost(&tool.cost, arguments) {
        Ok(cost) => cost,
        Err(mut found) => {
            faults.append(&mut found);
            Cost::ZERO
        }
    };
    if faults.is_empty() {
        return Ok(Derived { claims, cost });
    }
    faults.dedup();
    faults.truncate(FAULTS_MAX);
    Err(faults)
}

/// The request with what follows from its arguments; the same one where that changes nothing.
///
/// # Errors
/// As [`derive`], and where it would claim more than a request may.
pub fn expand(tool: &Tool, request: &Arc<Request>) -> Result<Arc<Request>, Vec<Fault>> {
    let derived = derive(tool, request.parameters.as_deref())?;
    if is_covered(&derived, request) {
        return Ok(request.clone());
    }
    let mut expanded = (**request).clone();
    for claim in derived.claims {
        join(&mut expanded.resources, claim.path, claim.mode);
    }
    let most = |asked: u64, derived: u64| asked.max(derived);
    expanded.cost = Cost {
        money_micros: most(expanded.cost.money_micros, derived.cost.money_micros),
        tokens: most(expanded.cost.tokens, derived.cost.tokens),
    };
    if expanded.resources.len() > CLAIMS_MAX {
        return Err(vec![fault(
            "",
            format!(
                "fewer resources: with those that the tool touches they are {}, more than {CLAIMS_MAX}",
                expanded.resources.len()
            ),
        )]);
    }
    Ok(Arc::new(expanded))
}

/// Whether a request carries all of it already.
pub fn is_covered(derived: &Derived, request: &Request) -> bool {
    let holds = |claim: &Claim| {
        let mut own = request.resources.iter();
        own.any(|own| own.path == claim.path && stronger(own.mode, claim.mode) == own.mode)
    };
    derived.claims.iter().all(holds)
        && request.cost.money_micros >= derived.cost.money_micros
        && request.cost.tokens >= derived.cost.tokens
}

/// Adds a claim; where the path is claimed already, in the mode that does for both.
fn join(claims: &mut Vec<Claim>, path: ResourcePath, mode: Mode) {
    match claims.iter_mut().find(|claim| claim.path == path) {
        Some(claim) => claim.mode = stronger(claim.mode, mode),
        None => claims.push(Claim::new(path, mode)),
    }
}

/// The mode that lets in nobody whom one of the two keeps out.
fn stronger(one: Mode, other: Mode) -> Mode {
    match one == other {
        true => one,
        false => Mode::Exclusive,
    }
}

/// The path that a template stands for with these arguments.
fn fill(template: &Template, arguments: Option<&Arguments>) -> Result<ResourcePath, Vec<Fault>> {
    let (mut path, mut faults) = (String::new(), Vec::new());
    for segment in template.path.segments() {
        if !path.is_empty() {
            path.push('/');
        }
        match segment {
            Segment::Word(word) => path.push_str(word),
            Segment::Argument(pointer) => match value(&pointer, arguments) {
                Ok(text) => path.push_str(&text),
                Err(why) => {
                    let wanted = format!("{why}; {} needs it", template.path);
                    faults.push(fault(&pointer.to_string(), wanted));
                    path.push('x');
                }
            },
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    ResourcePath::parse(&path).map_err(|why| vec![fault("", why.to_string())])
}

/// An argument as one segment of a path.
fn value(pointer: &Pointer, arguments: Option<&Arguments>) -> Result<SmolStr, String> {
    let kind = "a text or a whole number that makes one segment of a path";
    let text: SmolStr = match arguments.and_then(|arguments| pointer.find(arguments)) {
        None => return Err(format!("{kind}, and it is not there")),
        Some(Value::String(text)) => text.as_str().into(),
        Some(Value::Number(number)) if number.is_u64() || number.is_i64() => {
            number.to_string().into()
        }
        Some(other) => return Err(format!("{kind}, not {}", name(other))),
    };
    let one = !text.contains(['/', '{', '}']) && ResourcePath::parse(&text).is_ok();
    match one {
        true => Ok(text),
        false => {
            let shown: String = text.chars().take(60).collect();
            Err(format!("{kind}, not {shown:?}"))
        }
    }
}

/// What a call costs by the model.
fn cost(model: &CostModel, arguments: Option<&Arguments>) -> Result<Cost, Vec<Fault>> {
    let mut faults = Vec::new();
    let (mut money, mut tokens) = (model.fixed.money_micros, model.fixed.tokens);
    for rate in &model.per {
        let argument = arguments.and_then(|arguments| rate.argument.find(arguments));
        let times = |unit: u64| match argument {
            Some(Value::Number(number)) => times(number, unit),
            Some(_) | None => None,
        };
        match (times(rate.unit.money_micros), times(rate.unit.tokens)) {
            (Some(more), Some(more_tokens)) => {
                money = money.saturating_add(more);
                tokens = tokens.saturating_add(more_tokens);
            }
            _ => {
                let is = match argument {
                    None => "it is not there".to_owned(),
                    Some(Value::Number(number)) => format!("not {number}"),
                    Some(other) => format!("not {}", name(other)),
                };
                faults.push(fault(
                    &rate.argument.to_string(),
                    format!("a number of at least 0 whose cost is at most {COST_MAX_TOLD}, {is}"),
                ));
            }
        }
    }
    if faults.is_empty() && (money > COST_MAX || tokens > COST_MAX) {
        let words = format!("less: all together cost more than {COST_MAX_TOLD}");
        faults.push(fault("", words));
    }
    match faults.is_empty() {
        true => Ok(Cost {
            money_micros: money,
            tokens,
        }),
        false => Err(faults),
    }
}

/// So many times a unit, rounded up. Whole numbers exactly, others as the nearest double.
fn times(number: &Number, unit: u64) -> Option<u64> {
    let product = match (number.as_u64(), number.as_f64()) {
        (Some(count), _) => u64::try_from(u128::from(count) * u128::from(unit)).ok()?,
        (None, Some(count)) if count >= 0.0 => {
            let product = (count * unit as f64).ceil();
            // Far below where doubles have gaps, and no NaN.
            (product <= COST_MAX as f64).then_some(product as u64)?
        }
        _ => return None,
    };
    (product <= COST_MAX).then_some(product)
}

fn fault(argument: &str, wanted: String) -> Fault {
    Fault {
        argument: argument.into(),
        wanted: Text::clip(&wanted),
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "such a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
