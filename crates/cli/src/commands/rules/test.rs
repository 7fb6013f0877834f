//! `fleet rules test`: the tests that stand beside rules, carried out in this process.
use crate::commands::apply::rule_file::{RuleFile, read_all};
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::{exit, output, paint, show};
use clap::Args;
use fleet_replay::trial::{Fleet, Part, Told};
use fleet_types::rule::Stage;
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::{Command, Rejection, Text, action, agent, budget, group, limit, rule, scope};
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
use serde::Serialize;
use std::path::PathBuf;

/// Carry out the tests that stand beside rules
///
/// The files together declare one fleet: files with one rule each, and files with the sections of `fleet apply` and `tests`. Each
/// test begins with that fleet and nothing done; time is what the test says. No server is needed. All rules are enforced,
/// whatever their stage, unless --as-staged is given. Without settings, everything is allowed that no rule forbids, and
/// whoever asks is registered. Exits with 1 when a test fails, with 2 when a file is not right.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet rules test freeze-pay.yaml freeze-pay.test.yaml
  fleet rules test fleet.yaml --only frozen
  fleet rules test rules/*.yaml -o json")]
pub struct Arguments {
    /// Files with one rule each, or with rules and tests
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only tests whose name holds this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Take stages as written, instead of enforcing all
    #[arg(long)]
    as_staged: bool,
}

/// What a test came to.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a Text,
    file: &'a str,
    line: usize,
    column: usize,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<&'a Told>,
}

pub fn run(global: &Global, arguments: &Arguments) -> Outcome {
    let files = read_all(&arguments.files)?;
    let fleet = fleet(&files, arguments.as_staged)?;
    let (mut passed, mut failed) = (0, 0);
    let mut rows = Vec::new();
    let mut outcomes = Vec::new();
    for file in &files {
        let tests = file.document.tests.iter().flatten();
        for (number, test) in tests.enumerate() {
            if test.name.as_str().contains(&arguments.only) {
                outcomes.push((file, number, test, fleet.run(test)));
            }
        }
    }
    for (file, number, test, outcome) in &outcomes {
        match outcome.why {
            None => passed += 1,
            Some(_) => failed += 1,
        }
        let part = match outcome.part {
            Part::Given => "given",
            Part::Expect => "expect",
        };
        let place = file.place_of_test(*number, part);
        if global.is_for_people() {
            let verdict = match outcome.why {
                None => paint::good("PASS"),
                Some(_) => paint::bad("FAIL"),
            };
            output::write(&format!("{verdict}  {}\n", test.name))?;
            if let Some(why) = &outcome.why {
                let label = LabeledSpan::at(place, "here");
                let diagnostic = MietteDiagnostic::new(why.clone()).with_label(label);
                let source = NamedSource::new(&file.name, file.text.clone());
                eprint!("{:?}", Report::new(diagnostic).with_source_code(source));
            }
        } else {
            let (line, column) = file.line_and_column(place.start);
            rows.push(Shown {
                name: &test.name,
                file: &file.name,
                line,
                column,
                passed: outcome.why.is_none(),
                why: outcome.why.as_deref(),
                got: outcome.got.as_ref(),
            });
        }
    }
    if !global.is_for_people() {
        output::raw(global.output, &rows)?;
    }
    if passed + failed == 0 {
        return Err(Failure::usage("no test is in these files").advise(
            "write some in a section tests: with name, given, ask and expect; docs/rule-life.md shows how",
        ));
    }
    eprintln!(
        "{}: {} passed, {} failed",
        show::count(passed + failed, "test"),
        show::number(passed),
        show::number(failed)
    );
    match failed {
        0 => Ok(()),
        _ => Err(Failure::told(exit::FAILED)),
    }
}

/// The fleet that the files declare together.
fn fleet(files: &[RuleFile], as_staged: bool) -> Outcome<Fleet> {
    let settings = files.iter().find_map(|file| file.document.settings.clone());
    let settings = settings.unwrap_or(Settings {
        default_decision: DefaultDecision::Allow,
        auto_register: true,
        ..Settings::default()
    });
    let mut commands = vec![(
        "settings".to_owned(),
        Command::Configure(Box::new(settings)),
    )];
    for file in files {
        let document = &file.document;
        let mut add = |kind: &str, name: &dyn ToString, command: Command| {
            commands.push((format!("{kind} {}", name.to_string()), command));
        };
        for it in document.scopes.iter().flatten() {
            add(
                "scope",
                &it.path,
                Command::Scope(scope::Command::Set(it.clone())),
            );
        }
        for it in document.actions.iter().flatten() {
            add(
                "action",
                &it.pattern,
                Command::Action(action::Command::Set(it.clone())),
            );
        }
        for it in document.agents.iter().flatten() {
            let register = agent::Command::Register(Box::new(it.clone()));
            add("agent", &it.id, Command::Agent(register));
        }
        for it in document.groups.iter().flatten() {
            add(
                "group",
                &it.id,
                Command::Group(group::Command::Set(it.clone())),
            );
        }
        for it in document.limits.iter().flatten() {
            let set = limit::Command::Set(Box::new(it.clone()));
            add("limit", &it.id, Command::Limit(set));
        }
        for it in document.budgets.iter().flatten() {
            let set = budget::Command::Set(Box::new(it.clone()));
            add("budget", &it.id, Command::Budget(set));
        }
        for it in file.rules() {
            let mut rule = it.clone();
            if !as_staged {
                rule.stage = Stage::Enforce;
            }
            let set = rule::Command::Set {
                rule: Box::new(rule),
                reason: Text::default(),
            };
            add("rule", &it.id, Command::Rule(set));
        }
    }
    let plain: Vec<Command> = commands
        .iter()
        .map(|(_, command)| command.clone())
        .collect();
    Fleet::new(&plain).map_err(|(number, rejection): (usize, Rejection)| {
        Failure::usage(format!("{}: {}", commands[number].0, rejection.message))
    })
}
