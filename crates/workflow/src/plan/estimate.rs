//! How long a task takes and what it costs: measured, declared, by its kind, or assumed.
use super::Counts;
use super::lengths::{Combine, Lengths};
use crate::graph::{Body, Graph, Node, NodeIndex, Pause, Work};
use fleet_types::budget::Cost;
use fleet_types::{AgentId, Millis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Of a task about which nothing is known.
const TASK: Millis = Millis(30_000);
/// Of another workflow about which nothing is known.
const WORKFLOW: Millis = Millis(300_000);
/// Of a question to people, and of a wait for an event, about which nothing is known.
const PEOPLE: Millis = Millis(3_600_000);
/// Items of a list about which nothing is known.
const ITEMS: u64 = 10;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profiles {
    /// Of nodes of this workflow, by path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<SmolStr, Measured>,
    /// Of agents, whatever they do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<AgentId, Measured>,
    /// Of tools.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<SmolStr, Measured>,
    /// Of other workflows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub workflows: BTreeMap<SmolStr, Measured>,
}

/// What was measured of one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// How often.
    pub runs: u64,
    /// How long it takes: the median.
    pub duration_ms: Millis,
    /// What it costs: the mean.
    #[serde(default, skip_serializing_if = "Cost::is_zero")]
    pub cost: Cost,
    /// How many items, or rounds: the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// What an estimate goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Basis {
    /// So many runs.
    Measured {
        /// How many.
        runs: u64,
    },
    /// The definition says so.
    Declared,
    /// Its kind: a transform takes no time, a wait its own.
    Kind,
    /// What it contains.
    Contents,
    /// Nothing: it stands for any.
    Assumed,
}

#[derive(Clone, Debug)]
pub(super) struct One {
    pub duration: Millis,
    pub cost: Cost,
    pub basis: Basis,
    /// Of a map or a loop: how often its body is run.
    pub count: u64,
}

/// The estimates of all nodes, by index.
pub(super) struct Estimates {
    pub of: Vec<One>,
}

impl Estimates {
    pub(super) fn of(graph: &Graph, profiles: &Profiles) -> Estimates {
        let of = graph.nodes.iter().map(|node| one(node, profiles));
        Estimates { of: of.collect() }
    }

    /// How often each node is run.
    pub(super) fn runs(&self, graph: &Graph) -> Vec<u64> {
        let mut runs = vec![1_u64; graph.nodes.len()];
        for (at, node) in graph.nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                let parent = parent.node.at();
                runs[at] = runs[parent].saturating_mul(self.of[parent].count);
            }
        }
        runs
    }

    /// What a node costs with what it contains, each time that it is run.
    pub(super) fn cost(&self, graph: &Graph, index: NodeIndex) -> Cost {
        let node = graph.node(index);
        if node.bodies.is_empty() {
            return self.of[index.at()].cost;
        }
        let bodies = node.bodies.iter().map(|body| self.body(graph, body));
        let inner = match node.work.is_choice() {
            true => bodies.fold(Cost::ZERO, dearer),
            false => bodies.fold(Cost::ZERO, sum),
        };
        times(inner, self.of[index.at()].count)
    }

    fn body(&self, graph: &Graph, body: &Body) -> Cost {
        body.children
            .iter()
            .fold(Cost::ZERO, |all, child| sum(all, self.cost(graph, *child)))
    }

    pub(super) fn whole(&self, graph: &Graph) -> Cost {
        self.body(graph, &graph.root)
    }

    /// How long it takes when one task comes after the other.
    pub(super) fn sequential(&self, graph: &Graph, times: &Lengths) -> u64 {
        let mut length = times.length.clone();
        let of = |body: &Body, length: &[u64]| {
            body.children
                .iter()
                .fold(0_u64, |all, child| all.saturating_add(length[child.at()]))
        };
        for index in graph.indices().rev() {
            let node = graph.node(index);
            if node.bodies.is_empty() {
                continue;
            }
            let bodies = node.bodies.iter().enumerate();
            let bodies: Vec<u64> = bodies
                .filter(|(number, _)| !is_catch(node, *number))
                .map(|(_, body)| of(body, &length))
                .collect();
            let inner = match node.work.is_choice() {
                true => bodies.into_iter().max().unwrap_or(0),
                false => bodies.into_iter().fold(0, u64::saturating_add),
            };
            let pause = pause(node);
            length[index.at()] = inner
                .saturating_add(pause)
                .saturating_mul(self.of[index.at()].count);
        }
        of(&graph.root, &length)
    }

    pub(super) fn counts(&self, graph: &Graph) -> Counts {
        let mut counts = Counts::default();
        for (one, node) in self.of.iter().zip(&graph.nodes) {
            match one.basis {
                _ if !node.bodies.is_empty() => {}
                Basis::Measured { .. } => counts.measured += 1,
                Basis::Declared => counts.declared += 1,
                Basis::Kind | Basis::Contents => counts.by_kind += 1,
                Basis::Assumed => counts.assumed += 1,
            }
        }
        counts
    }
}

impl Combine for Estimates {
    fn combine(&self, index: NodeIndex, node: &Node, bodies: &[u64]) -> (u64, Vec<u64>) {
        let longest = bodies.iter().copied().max().unwrap_or(0);
        let count = self.of[index.at()].count;
        let at_start = vec![0; bodies.len()];
        match &node.work {
            Work::Parallel {
                needed,
                max_concurrent,
                ..
            } => {
                let mut sorted = bodies.to_vec();
                sorted.sort_unstable();
                let needed = (*needed as usize).clamp(1, sorted.len().max(1));
                let awaited = sorted.get(needed - 1).copied().unwrap_or(0);
                let sum = sorted[..needed.min(sorted.len())]
                    .iter()
                    .fold(0_u64, |sum, one| sum.saturating_add(*one));
                let packed = max_concurrent.map_or(0, |most| sum.div_ceil(u64::from(most).max(1)));
                (awaited.max(packed), at_start)
            }
            Work::Map { max_concurrent, .. } => {
                let waves = max_concurrent.map_or(u64::from(count > 0), |most| {
                    count.div_ceil(u64::from(most).max(1))
                });
                (longest.saturating_mul(waves), at_start)
            }
            Work::Loop { .. } => (
                longest.saturating_add(pause(node)).saturating_mul(count),
                at_start,
            ),
            Work::Try { finally, .. } => {
                let tried = bodies.first().copied().unwrap_or(0);
                let finally = finally
                    .and_then(|at| bodies.get(at as usize))
                    .copied()
                    .unwrap_or(0);
                let mut offsets = vec![tried; bodies.len()];
                offsets[0] = 0;
                (tried.saturating_add(finally), offsets)
            }
            _ => (longest, at_start),
        }
    }
}

/// What is done only when something fails.
pub(super) fn is_catch(node: &Node, body: usize) -> bool {
    matches!(&node.work, Work::Try { catch: Some(catch), .. } if *catch as usize == body)
}

fn pause(node: &Node) -> u64 {
    match &node.work {
        Work::Loop {
            pause: Some(pause), ..
        } => pause.0.0,
        _ => 0,
    }
}

fn one(node: &Node, profiles: &Profiles) -> One {
    let measured = measured(node, profiles);
    let declared = &node.estimate;
    let (by_kind, kind_basis) = by_kind(node);
    let (duration, basis) = match (measured, declared.duration) {
        (Some(measured), _) => (
            measured.duration_ms,
            Basis::Measured {
                runs: measured.runs,
            },
        ),
        (None, Some(span)) => (span.0, Basis::Declared),
        (None, None) => (by_kind, kind_basis),
    };
    let cost = match measured
        .map(|measured| measured.cost)
        .filter(|cost| !cost.is_zero())
    {
        Some(cost) => cost,
        None if !declared.cost.is_zero() => declared.cost,
        None => node
            .permit
            .as_ref()
            .map_or(Cost::ZERO, |permit| permit.cost),
    };
    let count = measured
        .and_then(|measured| measured.count)
        .or(declared.count);
    let count = match &node.work {
        Work::Map { over, .. } => count.unwrap_or(match over {
            crate::Template::Literal(Value::Array(items)) => items.len() as u64,
            crate::Template::List(items) => items.len() as u64,
            _ => ITEMS,
        }),
        Work::Loop { max, .. } => count.unwrap_or(u64::from(*max)).min(u64::from(*max)),
        _ => 1,
    };
    let basis = if node.bodies.is_empty() {
        basis
    } else {
        Basis::Contents
    };
    One {
        duration,
        cost,
        basis,
        count,
    }
}

fn measured<'p>(node: &Node, profiles: &'p Profiles) -> Option<&'p Measured> {
    let by_path = profiles.nodes.get(&node.path);
    let by_who = || match &node.work {
        Work::Agent(agent) => profiles.agents.get(agent.agent.as_ref()?),
        Work::Tool(task) => profiles.tools.get(task.tool.as_str()),
        Work::Workflow { workflow, .. } => profiles.workflows.get(workflow),
        _ => None,
    };
    by_path.or_else(by_who).filter(|measured| measured.runs > 0)
}

fn by_kind(node: &Node) -> (Millis, Basis) {
    match &node.work {
        Work::Agent(_) | Work::Tool(_) => (TASK, Basis::Assumed),
        Work::Workflow { .. } => (WORKFLOW, Basis::Assumed),
        Work::Approval(approval) => match approval.sla.or(approval.asked.deadline) {
            Some(span) => (span.0, Basis::Declared),
            None => (PEOPLE, Basis::Assumed),
        },
        Work::Wait(Pause::For(span)) => (span.0, Basis::Kind),
        Work::Wait(Pause::Until(_) | Pause::Event { .. }) => match node.timeouts.run {
            Some(span) => (span.0, Basis::Declared),
            None => (PEOPLE, Basis::Assumed),
        },
        Work::Debate { rounds, .. } => (
            Millis(TASK.0.saturating_mul(u64::from(*rounds) + 1)),
            Basis::Assumed,
        ),
        Work::Delegate { .. } => (Millis(TASK.0 * 4), Basis::Assumed),
        Work::Transform(_)
        | Work::Emit { .. }
        | Work::Compensate(_)
        | Work::Conditional(_)
        | Work::Switch { .. }
        | Work::Parallel { .. }
        | Work::Map { .. }
        | Work::Loop { .. }
        | Work::Try { .. } => (Millis(0), Basis::Kind),
    }
}

fn sum(a: Cost, b: Cost) -> Cost {
    Cost {
        money_micros: a.money_micros.saturating_add(b.money_micros),
        tokens: a.tokens.saturating_add(b.tokens),
    }
}

fn dearer(a: Cost, b: Cost) -> Cost {
    Cost {
        money_micros: a.money_micros.max(b.money_micros),
        tokens: a.tokens.max(b.tokens),
    }
}

fn times(cost: Cost, count: u64) -> Cost {
    Cost {
        money_micros: cost.money_micros.saturating_mul(count),
        tokens: cost.tokens.saturating_mul(count),
    }
}
