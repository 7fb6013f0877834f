//! `fleet workflow plan`: levels, the longest way, estimates, and what is lost without some agents.
use super::{Plan as Arguments, file};
use crate::context::Global;
use crate::failure::{Failure, Outcome};
use crate::{exit, output, paint, show};
use fleet_workflow::plan::{Absence, Basis, Effect, Plan, Planned, Profiles, plan};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Tasks of one level that are named.
const NAMED_MAX: usize = 12;
/// Rows of the table.
const ROWS_MAX: usize = 60;

pub fn run(global: &Global, arguments: &Arguments) -> Outcome {
    let workflow = file::read(&arguments.file)?;
    let profiles = match &arguments.profiles {
        None => Profiles::default(),
        Some(path) => {
            let text = file::text(path)?;
            serde_saphyr::from_str(&text)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?
        }
    };
    let without: BTreeSet<_> = arguments.without.iter().cloned().collect();
    let plan = plan(&workflow.graph, &profiles, &without);
    match global.is_for_people() {
        true => people(&plan, !without.is_empty())?,
        false => output::raw(global.output, &plan)?,
    }
    match plan.absence.effect {
        Effect::Fails => Err(Failure::told(exit::CONFLICT)),
        Effect::GoesOn | Effect::WithLess | Effect::MayFail => Ok(()),
    }
}

fn people(plan: &Plan, asked: bool) -> Outcome {
    let span = |ms: u64| show::span_ms(ms);
    let whole = plan.duration_ms.0;
    let saved = match plan.sequential_ms.0 {
        0 => String::new(),
        sequential => format!(
            ", {} % of the {} that it takes one by one",
            whole * 100 / sequential,
            span(sequential)
        ),
    };
    output::write(&format!(
        "{}  {}{saved}\n{}  {}\n{}  {}\n\n",
        paint::bold("takes"),
        span(whole),
        paint::bold("costs"),
        show::cost(&plan.cost),
        paint::bold("goes by"),
        basis(plan),
    ))?;
    let mut text = format!("{}\n", paint::bold("At the same time"));
    for (number, level) in plan.levels.iter().enumerate() {
        let named: Vec<&str> = level
            .iter()
            .take(NAMED_MAX)
            .map(|path| path.as_str())
            .collect();
        let more = match level.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(text, "{:>4}  {}{more}", number + 1, named.join(", "));
    }
    let _ = writeln!(
        text,
        "\n{}\n      {}\n",
        paint::bold("The longest way"),
        plan.critical_path.join(" → ")
    );
    output::write(&text)?;
    table(plan)?;
    if asked {
        absence(&plan.absence)?;
    }
    Ok(())
}

fn basis(plan: &Plan) -> String {
    let counts = &plan.basis;
    let parts = [
        (counts.measured, "measured"),
        (counts.declared, "declared"),
        (counts.by_kind, "by their kind"),
        (
            counts.assumed,
            "assumed: declare an `estimate`, or give --profiles",
        ),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

fn table(plan: &Plan) -> Outcome {
    let mut nodes: Vec<&Planned> = plan.nodes.iter().collect();
    nodes.sort_by_key(|node| (node.begins_ms, node.rank));
    let rows: Vec<Vec<String>> = nodes
        .iter()
        .take(ROWS_MAX)
        .map(|node| {
            let times = if node.times == 1 {
                String::new()
            } else {
                format!("{}×", node.times)
            };
            vec![
                node.path.to_string(),
                node.kind.to_owned(),
                show::span_ms(node.begins_ms.0),
                show::span_ms(node.duration_ms.0),
                times,
                show::cost(&node.cost),
                match node.slack_ms.0 {
                    0 => "none".to_owned(),
                    slack => show::span_ms(slack),
                },
                match node.basis {
                    Basis::Measured { runs } => format!("measured, {}", show::count(runs, "run")),
                    Basis::Declared => "declared".to_owned(),
                    Basis::Kind => "its kind".to_owned(),
                    Basis::Contents => "its contents".to_owned(),
                    Basis::Assumed => "assumed".to_owned(),
                },
            ]
        })
        .collect();
    output::table(
        &[
            "NODE", "KIND", "BEGINS", "TAKES", "", "COSTS", "SLACK", "GOES BY",
        ],
        &rows,
    )?;
    match nodes.len().saturating_sub(ROWS_MAX) {
        0 => Ok(()),
        more => output::write(&format!("… and {more} more; -o json has all\n")),
    }
}

fn absence(absence: &Absence) -> Outcome {
    let whole = match absence.effect {
        Effect::GoesOn => paint::good("it goes on"),
        Effect::WithLess => paint::waiting("it goes on with less"),
        Effect::MayFail => paint::waiting("it may fail, by the way it takes"),
        Effect::Fails => paint::bad("it fails"),
    };
    let mut text = format!("\n{}  {whole}\n", paint::bold("Without them"));
    for node in &absence.nodes {
        let names = |agents: &[fleet_types::AgentId]| {
            agents
                .iter()
                .map(fleet_types::AgentId::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let instead = match node.instead.is_empty() {
            true => String::new(),
            false => format!(": {}", names(&node.instead)),
        };
        let _ = writeln!(
            text,
            "  {} (without {}): {}{instead}",
            node.path,
            names(&node.missing),
            node.why
        );
    }
    if !absence.stopped.is_empty() {
        let _ = writeln!(text, "  never run: {}", absence.stopped.join(", "));
    }
    output::write(&text)
}
