//! Answering: `approve`, `reject`, or one of the options by its name.
use super::Speaker;
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::parse;
use clap::Args;
use fleet_client::Fleet;
use fleet_types::approval::{AnswerBody, Counted, Phase};
use fleet_types::{ApprovalId, FieldId, OptionId, Text};
use serde_json::Value;
use std::collections::BTreeMap;

/// An answer whose option is known by what it does.
#[derive(Args)]
pub struct Plain {
    /// Which
    approval: ApprovalId,
    #[command(flatten)]
    more: More,
}

/// An answer with its option.
#[derive(Args)]
pub struct Chosen {
    /// Which
    approval: ApprovalId,
    /// Which of its options
    option: OptionId,
    #[command(flatten)]
    more: More,
}

/// What an answer tells besides.
#[derive(Args)]
pub struct More {
    /// Why; people will read it
    #[arg(long, value_parser = parse::text, default_value = "")]
    comment: Text,
    /// What is asked for besides: a number, true, false, or text
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    fields: Vec<(FieldId, Value)>,
    #[command(flatten)]
    speaker: Speaker,
}

/// `limit=500`, `urgent=true`, `reason="12"`: JSON where it is a number, a truth or quoted; else text.
fn field(text: &str) -> Result<(FieldId, Value), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is no field; write NAME=VALUE"))?;
    let name = FieldId::parse(name).map_err(|invalid| invalid.to_string())?;
    let value = match serde_json::from_str::<Value>(value) {
        Ok(known @ (Value::Number(_) | Value::Bool(_) | Value::String(_))) => known,
        Ok(Value::Null | Value::Array(_) | Value::Object(_)) | Err(_) => Value::from(value),
    };
    Ok((name, value))
}

pub async fn plain(global: &Global, fleet: &Fleet, plain: Plain, approves: bool) -> Outcome {
    let view = fleet.approval(plain.approval).await?;
    let mut fitting = view.options.iter().filter(|it| it.approves == approves);
    let option = match (fitting.next(), fitting.next()) {
        (Some(only), None) => only.id.clone(),
        (first, second) => {
            let names: Vec<&str> = first
                .into_iter()
                .chain(second)
                .chain(fitting)
                .map(|option| option.id.as_str())
                .collect();
            let does = if approves { "approve" } else { "reject" };
            let names = names.join(", ");
            return Err(Failure::usage(format!(
                "several options of approval {} {does}: {names}",
                plain.approval
            ))
            .advise(format!("fleet approvals answer {} OPTION", plain.approval)));
        }
    };
    send(global, fleet, plain.approval, option, plain.more).await
}

pub async fn chosen(global: &Global, fleet: &Fleet, chosen: Chosen) -> Outcome {
    send(global, fleet, chosen.approval, chosen.option, chosen.more).await
}

async fn send(
    global: &Global,
    fleet: &Fleet,
    approval: ApprovalId,
    option: OptionId,
    more: More,
) -> Outcome {
    let mut fields = BTreeMap::new();
    for (name, value) in more.fields {
        if fields.insert(name.clone(), value).is_some() {
            return Err(Failure::usage(format!("field {name} is given twice")));
        }
    }
    let body = AnswerBody {
        option,
        fields,
        comment: more.comment,
        speaks_as: more.speaker.speaks_as,
    };
    let counted = fleet.answer(approval, &body).await?;
    match global.output {
        Format::Table => output::write(&format!("{}\n", words(&counted))),
        Format::Name => output::write(&format!("{}\n", counted.approval)),
        Format::Json | Format::Yaml => output::raw(global.output, &counted),
    }
}

fn words(counted: &Counted) -> String {
    let approval = counted.approval;
    match (counted.state, counted.missing) {
        (Phase::Open, 1) => format!("approval {approval} needs one voice more"),
        (Phase::Open, missing) => format!("approval {approval} needs {missing} voices more"),
        (state, _) => format!("approval {approval} is {}", state.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_fields_are_what_they_look_like() {
        let value = |text: &str| field(text).unwrap().1;
        assert_eq!(value("a=500"), json!(500));
        assert_eq!(value("a=true"), json!(true));
        assert_eq!(value("a=\"12\""), json!("12"));
        assert_eq!(value("a=because of b=c"), json!("because of b=c"));
        assert_eq!(value("a="), json!(""));
        assert_eq!(value("a=[1]"), json!("[1]"));
        assert!(field("a").is_err() && field("=1").is_err());
    }
}
