//! A definition as an engine steps through it: flat, by index, complete.
//!
//! Invariants
//! - A node stands behind the node that contains it: an index is larger than its parent's.
//! - What a node waits for stands in the same body of the same parent; a reference outwards makes the ancestor in that body wait.
//! - Within a body no node waits for itself, directly or by others.
//! - The order of nodes follows from their names, so the same definition makes the same graph.
//!
//! The rule of running: a node is ready when all it waits for has ended: succeeded, skipped, or failed and optional. A node
//! that is skipped, or optional and has failed, gives null. So a join neither stalls nor fires early.
mod filled;
mod work;

pub use filled::{Unfilled, Wanted};

pub use work::{
    Agent, Approval, Assigned, Compensation, Pause, Permit, Position, Task, Work, Workers,
};

use crate::definition::{Concurrency, Estimate, OnLimit, Retry, Timeouts};
use crate::expression::Expression;
use crate::name::Name;
use crate::template::Template;
use crate::version::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt;

/// A place in [`Graph::nodes`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// As an index of a list.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A workflow, ready to be run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The workflow's name.
    pub name: SmolStr,
    /// Which definition it was made of.
    pub hash: Hash,
    /// What an execution is started with: the JSON Schema of each input.
    pub inputs: BTreeMap<Name, Value>,
    /// What it gives in the end.
    pub outputs: BTreeMap<Name, Output>,
    /// Values that nodes set and read.
    pub variables: BTreeMap<Name, Variable>,
    /// Secrets that nodes refer to.
    pub secrets: Vec<Name>,
    /// How much happens at once.
    pub concurrency: Limits,
    /// Every node.
    pub nodes: Vec<Node>,
    /// The outermost ones.
    pub root: Body,
}

/// Something that an execution gives in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// What.
    pub value: Template,
    /// What it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

/// A value that nodes set and read.
pub type Variable = crate::definition::Variable;

/// How much happens at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Executions at once, for each key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executions: Option<u32>,
    /// Which executions are counted together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Template>,
    /// What happens to one more.
    #[serde(default)]
    pub on_limit: OnLimit,
    /// Tasks of one execution at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u32>,
}

impl Limits {
    pub(crate) fn new(concurrency: &Concurrency, key: Option<Template>) -> Limits {
        Limits {
            executions: concurrency.executions,
            key,
            on_limit: concurrency.on_limit,
            tasks: concurrency.tasks,
        }
    }
}

/// Nodes that are run together: the outermost ones, a branch, a way, what is done for each item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// `then`, `nodes`, the name of a branch, the value of a case; empty: the outermost.
    pub label: SmolStr,
    /// In the order of their names.
    pub children: Vec<NodeIndex>,
    /// Those of them that wait for nothing in it.
    pub entries: Vec<NodeIndex>,
}

/// A body of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Which node.
    pub node: NodeIndex,
    /// Which of its bodies, from 0.
    pub body: u32,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name: of its own in its body.
    pub name: Name,
    /// Its name in the whole: `offers.legal.review`, by bodies and names in turn.
    pub path: SmolStr,
    /// What contains it; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What it waits for, by `after` and by data, in order.
    pub waits_for: Vec<NodeIndex>,
    /// What waits for it, in order.
    pub dependants: Vec<NodeIndex>,
    /// It is skipped unless this is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// Its failure fails nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Variables that it sets when it has succeeded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<Name, Template>,
    /// The JSON Schema of each output; absent: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<BTreeMap<Name, Value>>,
    /// 1 (least) to 10; absent: by the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How long it may take, with the workflow's defaults.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How often it is tried again, with the workflow's defaults; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The permit it runs under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Permit>,
    /// What undoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<Compensation>,
    /// What is expected of it.
    #[serde(default)]
    pub estimate: Estimate,
    /// What it does.
    pub work: Work,
    /// What it contains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bodies: Vec<Body>,
}

impl Graph {
    /// A node.
    ///
    /// # Panics
    /// When the index is of another graph.
    #[must_use]
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index.at()]
    }

    /// The node of this path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<NodeIndex> {
        let at = self.nodes.iter().position(|node| node.path == path)?;
        u32::try_from(at).ok().map(NodeIndex)
    }

    /// The body that a node stands in.
    #[must_use]
    pub fn body(&self, index: NodeIndex) -> &Body {
        match self.node(index).parent {
            None => &self.root,
            Some(parent) => &self.node(parent.node).bodies[parent.body as usize],
        }
    }

    /// Every index, in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeIndex)
    }

    /// Why this graph, which somebody has handed in, is none that can be stepped through; `None`: it can.
    ///
    /// For what comes from outside. Graphs that [`crate::read`] makes are sound.
    #[must_use]
    pub fn unsound(&self) -> Option<&'static str> {
        let count = self.nodes.len();
        let inside = |indices: &[NodeIndex]| indices.iter().all(|index| index.at() < count);
        if !inside(&self.root.children) || !inside(&self.root.entries) {
            return Some("its outermost nodes are not all there");
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if !inside(&node.waits_for) || !inside(&node.dependants) {
                return Some("a node waits for one that is not there");
            }
            let bodies = node.bodies.iter();
            if !bodies
                .clone()
                .all(|body| inside(&body.children) && inside(&body.entries))
            {
                return Some("a node contains one that is not there");
            }
            if let Some(parent) = node.parent {
                if parent.node.at() >= at {
                    return Some("a node stands before the one that contains it");
                }
                if parent.body as usize >= self.nodes[parent.node.at()].bodies.len() {
                    return Some("a node stands in a body that is not there");
                }
            }
            let parent = node.parent;
            if node
                .waits_for
                .iter()
                .any(|other| self.node(*other).parent != parent)
            {
                return Some("a node waits for one in another body");
            }
        }
        None
    }
}
