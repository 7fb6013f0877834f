//! What is lost when agents are missing: who takes over, which nodes cannot run, and what fails with them.
use crate::definition::kind::OnFailure;
use crate::graph::{Agent, Approval, Graph, Node, NodeIndex, Work};
use fleet_types::AgentId;
use fleet_types::approval::Assignee;
use serde::Serialize;
use smol_str::SmolStr;
use std::collections::BTreeSet;

/// What is lost without some agents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Absence {
    /// What becomes of the whole.
    pub effect: Effect,
    /// The nodes that would have one of them, in order.
    pub nodes: Vec<Absent>,
    /// Nodes that never run, as they wait for what fails.
    pub stopped: Vec<SmolStr>,
}

/// A node that would have a missing agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Absent {
    /// Its path.
    pub path: SmolStr,
    /// Who is missing.
    pub missing: Vec<AgentId>,
    /// Who takes over; none: nobody.
    pub instead: Vec<AgentId>,
    /// What becomes of it.
    pub effect: Effect,
    /// In words.
    pub why: &'static str,
}

/// What becomes of a node, or of the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It goes on.
    #[default]
    GoesOn,
    /// It goes on with less: something optional is left out, or a failure is caught.
    WithLess,
    /// It fails where a certain way is taken.
    MayFail,
    /// It fails.
    Fails,
}

/// What is lost without these agents.
pub(super) fn without(graph: &Graph, missing: &BTreeSet<AgentId>) -> Absence {
    if missing.is_empty() {
        return Absence::default();
    }
    let mut absence = Absence::default();
    let mut effects = vec![Effect::GoesOn; graph.nodes.len()];
    for index in graph.indices().rev() {
        let node = graph.node(index);
        let mut effect = match node.bodies.is_empty() {
            true => match task(node, missing) {
                Some(absent) => {
                    let effect = absent.effect;
                    absence.nodes.push(absent);
                    effect
                }
                None => Effect::GoesOn,
            },
            false => structured(node, &effects),
        };
        if node.optional {
            effect = effect.min(Effect::WithLess);
        }
        if node.when.is_some() && effect == Effect::Fails {
            effect = Effect::MayFail;
        }
        effects[index.at()] = effect;
    }
    absence.nodes.reverse();
    absence.effect = worst(&graph.root.children, &effects);
    absence.stopped = stopped(graph, &effects);
    absence
}

fn worst(children: &[NodeIndex], effects: &[Effect]) -> Effect {
    children
        .iter()
        .map(|child| effects[child.at()])
        .max()
        .unwrap_or_default()
}

/// Who is missing, who takes over, what becomes of it, and why.
type Lost = (Vec<AgentId>, Vec<AgentId>, Effect, &'static str);

/// The agents that are missing.
struct Missing<'m>(&'m BTreeSet<AgentId>);

impl Missing<'_> {
    fn gone<'a>(&self, agents: impl IntoIterator<Item = &'a AgentId>) -> Vec<AgentId> {
        let gone = agents.into_iter().filter(|agent| self.0.contains(*agent));
        gone.cloned().collect()
    }

    fn there(&self, agents: &[AgentId]) -> Vec<AgentId> {
        let there = agents.iter().filter(|agent| !self.0.contains(*agent));
        there.cloned().collect()
    }

    fn agent(&self, agent: &Agent) -> Lost {
        let gone = self.gone(&agent.agent);
        match self.there(&agent.alternatives).into_iter().next() {
            None => (gone, Vec::new(), Effect::Fails, "nobody takes over"),
            Some(instead) => (
                gone,
                vec![instead],
                Effect::GoesOn,
                "an alternative takes over",
            ),
        }
    }

    fn delegate(&self, manager: &AgentId, agents: &[AgentId]) -> Lost {
        let gone = self.gone(agents.iter().chain([manager]));
        let left = self.there(agents);
        match (self.0.contains(manager), left.is_empty()) {
            (true, _) => (gone, Vec::new(), Effect::Fails, "nobody plans"),
            (false, true) => (
                gone,
                Vec::new(),
                Effect::Fails,
                "nobody is there to be given tasks",
            ),
            (false, false) => (
                gone,
                left,
                Effect::WithLess,
                "the others are given its tasks",
            ),
        }
    }

    fn approval(&self, approval: &Approval) -> Lost {
        let asked = &approval.asked;
        let agents: Vec<&AgentId> = asked
            .assignees
            .iter()
            .filter_map(|assignee| match assignee {
                Assignee::Agent(agent) => Some(agent),
                Assignee::User(_) | Assignee::Role(_) | Assignee::Group(_) => None,
            })
            .collect();
        let gone = self.gone(agents.iter().copied());
        let left = agents.len() - gone.len();
        let are_all_agents = agents.len() == asked.assignees.len();
        let (effect, why) = match are_all_agents && left < asked.needed as usize {
            true if approval.escalate_to.is_empty() => {
                (Effect::Fails, "too few are left to answer")
            }
            true => (
                Effect::WithLess,
                "too few are left to answer, so that it is escalated",
            ),
            false => (Effect::GoesOn, "others can answer"),
        };
        (gone, Vec::new(), effect, why)
    }
}

fn task(node: &Node, missing: &BTreeSet<AgentId>) -> Option<Absent> {
    let missing = Missing(missing);
    let (gone, instead, effect, why) = match &node.work {
        Work::Agent(agent) => missing.agent(agent),
        Work::Debate {
            positions,
            arbitrator,
            ..
        } => {
            let sides = positions.values().map(|position| &position.agent);
            (
                missing.gone(sides.chain([arbitrator])),
                Vec::new(),
                Effect::Fails,
                "a debate needs all its sides and its arbitrator",
            )
        }
        Work::Delegate {
            manager, agents, ..
        } => missing.delegate(manager, agents),
        Work::Approval(approval) => missing.approval(approval),
        _ => (Vec::new(), Vec::new(), Effect::GoesOn, ""),
    };
    let (gone, instead, effect, why) = match (gone.is_empty(), &node.compensation) {
        (true, Some(compensation)) => (
            missing.gone(&compensation.agent),
            Vec::new(),
            Effect::WithLess,
            "it could not be undone",
        ),
        _ => (gone, instead, effect, why),
    };
    (!gone.is_empty()).then(|| Absent {
        path: node.path.clone(),
        missing: gone,
        instead,
        effect,
        why,
    })
}

fn structured(node: &Node, effects: &[Effect]) -> Effect {
    let bodies: Vec<Effect> = node
        .bodies
        .iter()
        .map(|body| worst(&body.children, effects))
        .collect();
    let worst = bodies.iter().copied().max().unwrap_or_default();
    let best = bodies.iter().copied().min().unwrap_or_default();
    match &node.work {
        // A way that is not there at all goes on.
        Work::Conditional(_) if bodies.len() < 2 => worst.min(Effect::MayFail),
        Work::Switch { default: None, .. } => worst.min(Effect::MayFail),
        Work::Conditional(_) | Work::Switch { .. } => match best == Effect::Fails {
            true => Effect::Fails,
            false => worst.min(Effect::MayFail),
        },
        Work::Parallel {
            needed,
            on_failure: OnFailure::Collect,
            ..
        } => {
            let sure = bodies
                .iter()
                .filter(|body| **body < Effect::MayFail)
                .count();
            let maybe = bodies.iter().filter(|body| **body < Effect::Fails).count();
            let needed = *needed as usize;
            match (sure >= needed, maybe >= needed) {
                (true, _) => worst.min(Effect::WithLess),
                (false, true) => Effect::MayFail,
                (false, false) => Effect::Fails,
            }
        }
        Work::Map {
            on_failure: OnFailure::Collect,
            ..
        } => worst.min(Effect::WithLess),
        Work::Try {
            catch: Some(catch),
            catch_on,
            finally,
        } => {
            let caught = bodies.get(*catch as usize).copied().unwrap_or_default();
            let finally = finally
                .and_then(|at| bodies.get(at as usize))
                .copied()
                .unwrap_or_default();
            let tried = match (bodies[0], catch_on.is_empty()) {
                (Effect::GoesOn | Effect::WithLess, _) => bodies[0],
                (_, true) => caught.max(Effect::WithLess),
                (tried, false) => caught.max(tried.min(Effect::MayFail)),
            };
            tried.max(finally)
        }
        _ => worst,
    }
}

/// What waits for what fails, directly or by others, with what it contains.
fn stopped(graph: &Graph, effects: &[Effect]) -> Vec<SmolStr> {
    let mut is_stopped = vec![false; graph.nodes.len()];
    let failing = graph
        .indices()
        .filter(|index| effects[index.at()] == Effect::Fails);
    let mut open: Vec<NodeIndex> = failing
        .flat_map(|index| graph.node(index).dependants.iter().copied())
        .collect();
    while let Some(index) = open.pop() {
        if std::mem::replace(&mut is_stopped[index.at()], true) {
            continue;
        }
        let node = graph.node(index);
        open.extend(node.dependants.iter().copied());
        open.extend(
            node.bodies
                .iter()
                .flat_map(|body| body.children.iter().copied()),
        );
    }
    let stopped = graph.indices().filter(|index| is_stopped[index.at()]);
    stopped
        .map(|index| graph.node(index).path.clone())
        .collect()
}
