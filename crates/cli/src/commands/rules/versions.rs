//! `fleet rules history` and `fleet rules diff`: what a rule was, who changed it, why, and in what.
use super::says;
use crate::commands::apply::{self, differences};
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Row};
use crate::{exit, show};
use clap::Args;
use fleet_types::rule::Rule;
use fleet_types::{Actor, RuleId, Text, Time, view};
use serde::Serialize;
use std::path::Path;

/// A version of a rule.
#[derive(Serialize)]
struct Version {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_by: Option<Actor>,
    #[serde(skip_serializing_if = "Text::is_empty")]
    reason: Text,
    rule: Rule,
}

impl Row for Version {
    const COLUMNS: &'static [&'static str] = &["VERSION", "SET", "BY", "STAGE", "SAYS", "WHY"];
    fn cells(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            self.set_at.map_or_else(|| "-".to_owned(), show::absolute),
            match &self.set_by {
                Some(by) => show::actor(by),
                None => "-".to_owned(),
            },
            show::word(&self.rule.stage),
            says(&self.rule),
            match self.reason.as_str() {
                "" => "-".to_owned(),
                why => why.to_owned(),
            },
        ]
    }
    fn name(&self) -> String {
        self.version.to_string()
    }
}

/// All versions that are kept, the newest first.
fn versions(found: view::Rule) -> Vec<Version> {
    let now = Version {
        version: found.version,
        set_at: found.set_at,
        set_by: found.set_by,
        reason: found.reason,
        rule: found.rule,
    };
    let earlier = found.versions.into_iter().rev().map(|former| Version {
        version: former.version,
        set_at: former.set_at,
        set_by: former.set_by,
        reason: former.reason,
        rule: former.rule,
    });
    std::iter::once(now).chain(earlier).collect()
}

pub async fn history(global: &Global, rule: &RuleId) -> Outcome {
    let found = global.fleet()?.rule(rule).await?;
    output::list(global.output, &versions(found), "no versions")
}

/// What is compared with what.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet rules diff freeze-pay                          the version before with the one in force
  fleet rules diff freeze-pay --from 3 --to 5
  fleet rules diff freeze-pay --to freeze-pay.yaml     the one in force with a file")]
pub struct Diff {
    /// Which
    rule: RuleId,
    /// The older version; absent: the one before, or where --to is a file the one in force
    #[arg(long, value_name = "VERSION")]
    from: Option<u32>,
    /// The newer version, or a file; absent: the one in force
    #[arg(long, value_name = "VERSION|FILE")]
    to: Option<String>,
}

/// Two versions, and in what they differ.
#[derive(Serialize)]
struct Shown {
    from: String,
    to: String,
    differences: Vec<String>,
}

pub async fn diff(global: &Global, arguments: Diff) -> Outcome {
    let found = global.fleet()?.rule(&arguments.rule).await?;
    let now = found.version;
    let all = versions(found);
    let of = |wanted: u32| {
        let version = all.iter().find(|version| version.version == wanted);
        version.map(|version| &version.rule).ok_or_else(|| {
            let known: Vec<String> = all.iter().map(|it| it.version.to_string()).collect();
            let words = format!(
                "rule {} keeps no version {wanted}; choose one of {}",
                arguments.rule,
                known.join(", ")
            );
            Failure::new(exit::NOT_FOUND, words)
        })
    };
    let number = arguments.to.as_ref().map(|to| to.parse::<u32>());
    let file = match (&arguments.to, &number) {
        (Some(to), Some(Err(_))) => Some(apply::read_one::<Rule>(Path::new(to))?),
        _ => None,
    };
    let (to_name, to) = match (&file, number, &arguments.to) {
        (Some(rule), _, Some(name)) => (name.clone(), rule),
        (_, Some(Ok(number)), _) => (format!("version {number}"), of(number)?),
        _ => (format!("version {now}"), of(now)?),
    };
    let from = arguments.from.unwrap_or(match file {
        Some(_) => now,
        None => now.saturating_sub(1),
    });
    if from == 0 {
        let words = format!("rule {} has one version only", arguments.rule);
        return Err(Failure::new(exit::NOT_FOUND, words));
    }
    let shown = Shown {
        from: format!("version {from}"),
        to: to_name,
        differences: differences(of(from)?, to),
    };
    if !global.is_for_people() {
        return output::raw(global.output, &shown);
    }
    eprintln!("{} → {}", shown.from, shown.to);
    if shown.differences.is_empty() {
        eprintln!("they are the same");
    }
    let mut lines = shown.differences.iter();
    lines.try_for_each(|line| output::write(&format!("{line}\n")))
}
