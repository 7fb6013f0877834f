//! `fleet rules`: what must not happen together, what must come first, how often, by whom.
mod check;
pub mod found;
mod replay;
mod test;
mod versions;

use super::{apply, tell_change};
use crate::context::{Global, Watch};
use crate::failure::Outcome;
use crate::output::{self, Detail, Row};
use crate::{paint, parse, show};
use clap::{Args, Subcommand};
use fleet_client::http::bodies::RollBack;
use fleet_types::calendar::Calendar;
use fleet_types::rule::{
    Allocation, Bounds, Case, Condition, Form, Order, Per, Rule, Stage, Strategy,
};
use fleet_types::{Millis, RuleId, Text, view};
use serde::Serialize;
use std::path::PathBuf;

/// Rules
#[derive(Subcommand)]
#[command(after_help = "Examples:
  fleet rules set -f freeze-pay.yaml --reason \"incident 4711\"
  fleet rules list --watch
  fleet rules get freeze-pay
  fleet rules history freeze-pay
  fleet rules rollback freeze-pay --to 2 --reason \"version 3 stopped too much\"
  fleet rules remove freeze-pay --reason \"accounts are frozen elsewhere now\"
  fleet rules reset runaway --reason \"its agent is mended\"")]
pub enum Command {
    /// List rules and what they do
    List {
        #[command(flatten)]
        watch: Watch,
    },
    /// Show one rule, with its earlier versions
    Get {
        /// Which
        rule: RuleId,
    },
    /// Set a rule, or its next version, as a file says
    Set {
        /// The file, as YAML or JSON; - reads standard input
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        why: Why,
    },
    /// Remove a rule with all its versions
    Remove {
        /// Which
        rule: RuleId,
        #[command(flatten)]
        why: Why,
    },
    /// Make an earlier version of a rule the next one
    Rollback {
        /// Which
        rule: RuleId,
        /// To which version; absent: the one before
        #[arg(long, value_name = "VERSION")]
        to: Option<u32>,
        #[command(flatten)]
        why: Why,
    },
    Check(check::Arguments),
    Test(test::Arguments),
    Replay(Box<replay::Arguments>),
    /// List the versions of a rule: when it was set, by whom, why
    History {
        /// Which
        rule: RuleId,
    },
    /// Show in what two versions of a rule differ, or the one in force and a file
    Diff(versions::Diff),
    /// Let through again what a throttle has stopped
    Reset {
        /// Which
        rule: RuleId,
        #[command(flatten)]
        why: Why,
    },
}

/// Why it is changed.
#[derive(Args)]
pub struct Why {
    /// Why; people will read it
    #[arg(long, value_parser = parse::text, default_value = "")]
    pub reason: Text,
}

pub async fn run(global: &Global, command: Command) -> Outcome {
    let fleet = global.fleet()?;
    match command {
        Command::Check(arguments) => check::run(global, arguments).await,
        Command::Test(arguments) => test::run(global, &arguments),
        Command::History { rule } => versions::history(global, &rule).await,
        Command::Diff(arguments) => versions::diff(global, arguments).await,
        Command::Replay(arguments) => replay::run(global, *arguments).await,
        Command::List { watch } => {
            let empty = "no rules yet: fleet rules set -f FILE";
            let get = async || fleet.rules().await;
            watch.list(global.output, Shown, empty, get).await
        }
        Command::Get { rule } => output::detail(global.output, &Shown(fleet.rule(&rule).await?)),
        Command::Set { file, why } => {
            let rule: Rule = apply::read_one(&file)?;
            let done = fleet.put_rule_because(&rule, &why.reason).await?;
            tell_change(done.changed, &format!("rule {}: {}", rule.id, says(&rule)));
            found::tell(&done.warnings);
            Ok(())
        }
        Command::Remove { rule, why } => {
            fleet.remove_rule_because(&rule, &why.reason).await?;
            eprintln!("rule {rule} is removed");
            Ok(())
        }
        Command::Rollback { rule, to, why } => {
            let target = RollBack {
                version: to,
                reason: why.reason,
            };
            let done = fleet.roll_back_rule(&rule, &target).await?;
            let now = fleet.rule(&rule).await?;
            eprintln!(
                "rule {rule} is at version {}: {}",
                now.version,
                says(&now.rule)
            );
            found::tell(&done.warnings);
            Ok(())
        }
        Command::Reset { rule, why } => {
            let changed = fleet.reset_rule(&rule, why.reason).await?.changed;
            tell_change(changed, &format!("rule {rule} lets through again"));
            Ok(())
        }
    }
}

/// `action pay: at most 3 in 10s for each agent`.
fn says(rule: &Rule) -> String {
    format!("{}: {}", case(&rule.when), form(&rule.form))
}

/// `action payment.*, /amount above 100, mon tue 08:30–17:00`; `everything`.
pub fn case(case: &Case) -> String {
    let mut parts = Vec::new();
    let selector = case.selector();
    if selector != Default::default() {
        parts.push(show::selector(&selector));
    }
    for (pointer, condition) in &case.parameters {
        parts.push(format!("{pointer} {}", holds(condition)));
    }
    parts.extend(case.during.as_ref().map(during));
    show::joined(&parts, ", ", "everything")
}

fn holds(condition: &Condition) -> String {
    let mut parts = Vec::new();
    parts.extend(condition.equals.as_ref().map(|value| format!("is {value}")));
    if !condition.one_of.is_empty() {
        parts.push(format!("is one of {}", show::list(&condition.one_of)));
    }
    for (words, bound) in [
        ("at least", &condition.at_least),
        ("at most", &condition.at_most),
        ("above", &condition.above),
        ("below", &condition.below),
    ] {
        parts.extend(bound.as_ref().map(|bound| format!("{words} {bound}")));
    }
    let pattern = condition.matches.as_ref();
    parts.extend(pattern.map(|pattern| format!("matches {pattern}")));
    parts.join(" and ")
}

fn during(calendar: &Calendar) -> String {
    let days: Vec<String> = calendar.days.iter().map(show::word).collect();
    let days = show::joined(&days, " ", "daily");
    let zone = match calendar.utc_offset_minutes {
        0 => "UTC".to_owned(),
        minutes => {
            let (sign, minutes) = if minutes < 0 {
                ('-', -minutes)
            } else {
                ('+', minutes)
            };
            format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    };
    format!("{days} {}–{} {zone}", calendar.from, calendar.to)
}

/// `at most 3 in 10s for each agent`.
fn form(form: &Form) -> String {
    let span = |span: Millis| show::span_ms(span.0);
    match form {
        Form::Bounds(form) => bounds(form),
        Form::Contradiction(form) => format!(
            "not within {} of {}{}",
            span(form.within_ms),
            case(&form.with),
            each(&form.per)
        ),
        Form::Exclusion(form) => format!("not during {}{}", case(&form.with), each(&form.per)),
        Form::Sequence(form) => format!(
            "only within {} after {}{}",
            span(form.within_ms),
            case(&form.after),
            each(&form.per)
        ),
        Form::Separation(form) => format!(
            "not by whoever did {} within {}{}",
            case(&form.from),
            span(form.within_ms),
            each(&form.per)
        ),
        Form::CoolingOff(form) => {
            format!("not again for {}{}", span(form.for_ms), each(&form.per))
        }
        Form::Quota(form) => {
            let sum = form.sum.as_ref();
            format!(
                "{}at most {} in {}{}",
                sum.map(|sum| format!("sum of {sum} ")).unwrap_or_default(),
                form.max,
                span(form.window_ms),
                each(&form.per)
            )
        }
        Form::Allocation(form) => allocation(form),
        Form::Resolution(form) => format!(
            "conflicts by {}, after {} and until {}, else {}",
            strategy(&form.strategy),
            span(form.after_ms),
            span(form.deadline_ms),
            show::word(&form.fallback)
        ),
        Form::Throttle(form) => format!(
            "stopped after more than {} in {}{}",
            form.max,
            span(form.window_ms),
            each(&form.per)
        ),
        Form::Approval(terms) => {
            let asked = show::asked_of(&terms.assignees, terms.needed);
            format!("only with the approval of {asked}")
        }
    }
}

/// `given by label desk: risk, sales; a place is worth 1m`.
fn allocation(form: &Allocation) -> String {
    let order = match &form.order {
        Order::Label { key, values } => format!("label {key}: {}", show::list(values)),
        Order::Agents(patterns) => format!("agent: {}", show::list(patterns)),
        Order::Groups(groups) => format!("group: {}", show::list(groups)),
        Order::Shares { groups, turn_ms } => {
            let shares = groups
                .iter()
                .map(|(group, shares)| format!("{group} {shares}"));
            let turn = show::span_ms(turn_ms.0);
            return format!(
                "given by shares: {}; a turn costs {turn}",
                show::list(shares)
            );
        }
    };
    let place = show::span_ms(form.place_ms.0);
    format!("given by {order}; a place is worth {place}")
}

fn strategy(strategy: &Strategy) -> String {
    match strategy {
        Strategy::Priority {} => "priority".to_owned(),
        Strategy::FirstCome {} => "first come".to_owned(),
        Strategy::FairShare { turn_ms } => format!("turns of {}", show::span_ms(turn_ms.0)),
        Strategy::Negotiation {} => "negotiation".to_owned(),
        Strategy::Vote { voters: None } => "vote of the parties".to_owned(),
        Strategy::Vote {
            voters: Some(group),
        } => format!("vote of group {group}"),
        Strategy::Escalation {} => "escalation".to_owned(),
    }
}

fn bounds(bounds: &Bounds) -> String {
    let mut parts = Vec::new();
    parts.extend(bounds.at_least.as_ref().map(|it| format!("at least {it}")));
    parts.extend(bounds.at_most.as_ref().map(|it| format!("at most {it}")));
    parts.extend(
        bounds
            .around
            .as_ref()
            .map(|it| format!("within {} ‰ of {}", it.permille, it.parameter)),
    );
    format!("{} {}", bounds.parameter, parts.join(", "))
}

fn each(per: &Per) -> String {
    match per.parts() {
        [] => String::new(),
        parts => format!(" for each {}", show::list(parts)),
    }
}

/// What a rule has tripped for.
fn tripped(things: &[impl AsRef<str>]) -> String {
    let things: Vec<String> = things
        .iter()
        .map(|key| match show::thing(key.as_ref()).as_str() {
            "" => "everything".to_owned(),
            thing => thing.to_owned(),
        })
        .collect();
    match things.is_empty() {
        true => "-".to_owned(),
        false => paint::bad(&things.join(", ")),
    }
}

pub fn stage(stage: Stage) -> String {
    match stage {
        Stage::Enforce => show::word(&stage),
        Stage::Draft | Stage::Observe => paint::waiting(&show::word(&stage)),
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(view::Rule);

impl Row for Shown {
    const COLUMNS: &'static [&'static str] = &[
        "RULE",
        "STAGE",
        "VERSION",
        "FOR",
        "SAYS",
        "IN FLIGHT",
        "WAITING",
        "STOPPED",
        "TRIPPED",
        "WARNINGS",
    ];
    fn cells(&self) -> Vec<String> {
        let rule = &self.0.rule;
        let tripped = match self.0.tripped.len() as u64 {
            0 => "-".to_owned(),
            count => paint::bad(&show::number(count)),
        };
        vec![
            rule.id.to_string(),
            stage(rule.stage),
            self.0.version.to_string(),
            case(&rule.when),
            form(&rule.form),
            show::number(self.0.in_flight),
            show::number(self.0.waiting),
            show::number(self.0.stopped),
            tripped,
            match self.0.warnings.len() as u64 {
                0 => "-".to_owned(),
                count => paint::waiting(&show::number(count)),
            },
        ]
    }
    fn name(&self) -> String {
        self.0.rule.id.to_string()
    }
}

impl Detail for Shown {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let rule = &self.0.rule;
        let mut lines = vec![
            ("rule", rule.id.to_string()),
            ("stage", stage(rule.stage)),
            ("version", self.0.version.to_string()),
            ("for", case(&rule.when)),
            ("says", form(&rule.form)),
        ];
        if !rule.description.is_empty() {
            lines.push(("description", rule.description.to_string()));
        }
        lines.push(("in flight", show::number(self.0.in_flight)));
        lines.push(("waiting", show::number(self.0.waiting)));
        lines.push(("stopped", show::number(self.0.stopped)));
        lines.push(("tripped", tripped(&self.0.tripped)));
        if let (Some(at), Some(by)) = (self.0.set_at, &self.0.set_by) {
            let why = match self.0.reason.as_str() {
                "" => String::new(),
                why => format!(": {why}"),
            };
            let set = format!("{} by {}{why}", show::absolute(at), show::actor(by));
            lines.push(("set", set));
        }
        if !self.0.warnings.is_empty() {
            let warnings: Vec<String> = self.0.warnings.iter().map(found::words).collect();
            lines.push(("warnings", paint::waiting(&warnings.join("\n"))));
        }
        let earlier = self.0.versions.iter().rev().map(|former| {
            format!(
                "{} {}, {}",
                former.version,
                show::word(&former.rule.stage),
                says(&former.rule)
            )
        });
        let earlier: Vec<String> = earlier.collect();
        lines.push(("earlier", show::joined(&earlier, "\n", "-")));
        lines
    }
    fn name(&self) -> String {
        self.0.rule.id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_in_words() {
        for (rule, words) in [
            (
                r#"{"id":"r","when":{"action":"account.freeze"},"form":{"contradiction":{"with":{"action":"payment.*"},"within_ms":10000}}}"#,
                "action account.freeze: not within 10s of action payment.* for each resource",
            ),
            (
                r#"{"id":"r","when":{"agent":"ann"},"form":{"exclusion":{"with":{"agent":"bob"},"per":[]}}}"#,
                "agent ann: not during agent bob",
            ),
            (
                r#"{"id":"r","form":{"quota":{"max":100.5,"window_ms":60000,"sum":"/volume","per":["agent","label:case"]}}}"#,
                "everything: sum of /volume at most 100.5 in 1m for each agent, label:case",
            ),
            (
                r#"{"id":"r","when":{"parameters":{"/currency":{"one_of":["EUR","USD"]},"/n":{"above":1,"below":3}}},"form":{"bounds":{"parameter":"/price","at_least":1,"around":{"parameter":"/quote","permille":50}}}}"#,
                "/currency is one of \"EUR\", \"USD\", /n above 1 and below 3: /price at least 1, within 50 ‰ of /quote",
            ),
            (
                r#"{"id":"r","when":{"during":{"days":["sat","sun"],"from":"22:00","to":"06:00","utc_offset_minutes":-90}},"form":{"throttle":{"max":2,"window_ms":1000,"per":[]}}}"#,
                "sat sun 22:00–06:00 UTC-01:30: stopped after more than 2 in 1s",
            ),
        ] {
            assert_eq!(says(&serde_json::from_str(rule).unwrap()), words);
        }
    }
}
