//! What can be read of the dependency graph: edges with their traffic, what hangs on a node, and what is wrong with the
//! whole. Spans are in microseconds, counts are whole.
use super::{Kind, Node};
use crate::id::{AgentId, Seq};
use crate::path::ResourcePath;
use crate::text::Text;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What went over an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Traffic {
    /// Requests that asked for it: granted, denied, or still waiting.
    pub asked: u64,
    /// Of them, in the last hour: the hour so far and the share of the hour before that lies within sixty minutes.
    pub last_hour: u64,
    /// Of them, in the last day, likewise.
    pub last_day: u64,
    /// Granted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub granted: u64,
    /// Denied, at once or after waiting.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denied: u64,
    /// Granted, and reported as failed, expired, or taken back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Times somebody had to wait for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waits: u64,
    /// How long those waits took together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_us: u64,
    /// Asked for to hold it shared: to read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shared: u64,
    /// Asked for to hold it commuting: to add to it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub commuting: u64,
    /// Asked for to hold it alone: to write.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exclusive: u64,
    /// How often permits hold it now: once for each of the resources that it stands for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub holding: u64,
    /// Requests that wait for it now.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waiting: u64,
    /// When it was first seen.
    pub first: Time,
    /// When it was last seen.
    pub last: Time,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// An edge: `from` needs `to`. It is declared, or was seen in traffic, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GraphEdge)]
pub struct Edge {
    /// Who or what needs the other.
    pub from: Node,
    /// Who or what is needed. A resource may stand for all below it: see `rolled_up`.
    pub to: Node,
    /// Whether somebody declared it.
    pub declared: bool,
    /// What for, as declared.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// What went over it; absent where it was declared only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// Whether `to` stands for many resources below it, which are not told apart any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_up: bool,
}

/// How much there is of the graph, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GraphSize {
    /// Nodes.
    pub nodes: u64,
    /// Edges.
    pub edges: u64,
    /// Of them declared.
    pub declared: u64,
    /// Edges that were forgotten to make room, those not seen for longest first.
    pub forgotten: u64,
    /// Resources that stand for all below them, because there were too many.
    pub rolled_up: u64,
    /// Traffic is counted since this time; absent: nothing has happened yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// A part of the graph's edges, by `from` and `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GraphPage {
    /// The edges.
    pub items: Vec<Edge>,
    /// Ask for what comes after this; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// As of this place in the journal.
    pub seq: Seq,
    /// Of the whole graph, whatever was asked for.
    pub size: GraphSize,
}

/// What the whole graph shows. Each list is ranked, the worst first, and cut at the number asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Analysis {
    /// As of this place in the journal.
    pub seq: Seq,
    /// Nodes looked at.
    pub nodes: u64,
    /// Edges looked at.
    pub edges: u64,
    /// Parts that hang together, whatever the edges' direction.
    pub parts: u64,
    /// Nodes that need each other in a circle.
    pub cycles: Vec<Cycle>,
    /// Nodes whose loss cuts the graph apart.
    pub points: Vec<Point>,
    /// Edges whose loss cuts the graph apart, where more than one node is cut off.
    pub bridges: Vec<Bridge>,
    /// Nodes that most shortest ways lead through.
    pub bottlenecks: Bottlenecks,
    /// Resources that agents wait for.
    pub contention: Vec<Contention>,
    /// Agents that meet at the same resource.
    pub pairs: Vec<Pair>,
    /// How many there are of each list before it was cut.
    pub found: Found,
}

/// How many there are of each list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AnalysisFound)]
pub struct Found {
    /// Cycles.
    pub cycles: u64,
    /// Single points of failure.
    pub points: u64,
    /// Bridges.
    pub bridges: u64,
    /// Contended resources.
    pub contention: u64,
    /// Pairs of agents.
    pub pairs: u64,
}

/// Nodes that need each other in a circle: a strongly connected part, and one shortest way round in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GraphCycle)]
pub struct Cycle {
    /// How many nodes need each other.
    pub size: u64,
    /// A shortest circle among them: each needs the next, the last the first.
    pub shortest: Vec<Node>,
    /// Whether every edge of that circle is declared.
    pub declared: bool,
}

/// A single point of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GraphPoint)]
pub struct Point {
    /// Which.
    pub node: Node,
    /// Nodes that would no longer hang together with the largest rest.
    pub cuts_off: u64,
    /// Into how many parts its own part would fall.
    pub parts: u64,
}

/// An edge that alone holds two parts together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = GraphBridge)]
pub struct Bridge {
    /// Who or what needs the other.
    pub from: Node,
    /// Who or what is needed.
    pub to: Node,
    /// Nodes on its smaller side.
    pub cuts_off: u64,
}

/// Nodes that most shortest ways lead through (betweenness, whatever the edges' direction).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bottlenecks {
    /// The nodes.
    pub nodes: Vec<Bottleneck>,
    /// From so many nodes the ways were followed.
    pub sources: u64,
    /// 95 of 100 shares are no farther from the exact one than this; 0: they are exact.
    pub error: f64,
}

/// A node that many shortest ways lead through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bottleneck {
    /// Which.
    pub node: Node,
    /// The share of all pairs of other nodes whose shortest ways lead through it, 0 to 1.
    pub share: f64,
}

/// A resource that agents wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contention {
    /// Which; as an agent asked for it, or rolled up.
    pub resource: ResourcePath,
    /// How long agents waited for it altogether.
    pub wait_us: u64,
    /// How often one had to wait.
    pub waits: u64,
    /// How often one was denied it.
    pub denied: u64,
    /// Agents that asked for it.
    pub agents: u64,
    /// Of them, agents that wanted it for themselves alone.
    pub exclusive_agents: u64,
    /// Requests that wait for it now.
    pub waiting: u64,
}

/// Two agents that met at the same resource: the second touched it within five minutes of the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AgentPair)]
pub struct Pair {
    /// The agent whose name comes first.
    pub one: AgentId,
    /// The other.
    pub other: AgentId,
    /// Where they met.
    pub resource: ResourcePath,
    /// How often.
    pub met: u64,
    /// Of that, in modes that exclude each other.
    pub clashed: u64,
    /// In the last hour, as in [`Traffic`].
    pub last_hour: u64,
    /// In the last day, likewise.
    pub last_day: u64,
    /// How often one had to wait for the other.
    pub waits: u64,
    /// How long those waits took together.
    pub wait_us: u64,
    /// When they last met.
    pub last: Time,
}

/// Who and what feels it when a node fails, stops or does wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blast {
    /// Which node.
    pub of: Node,
    /// As of this place in the journal.
    pub seq: Seq,
    /// How many agents are reached.
    pub agents: u64,
    /// How many actions.
    pub actions: u64,
    /// How many resources.
    pub resources: u64,
    /// Requests a day on the edges that lead there.
    pub traffic_last_day: u64,
    /// What permits hold on those edges now.
    pub holding: u64,
    /// Whom it reaches: nearest first, then by traffic; cut at the number asked for.
    pub reached: Vec<Reached>,
}

/// Somebody or something that is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BlastReached)]
pub struct Reached {
    /// Which.
    pub node: Node,
    /// Over how many edges.
    pub hops: u32,
    /// From where, one hop nearer.
    pub via: Node,
    /// What leads there.
    pub because: Because,
    /// Requests a day on all edges that lead to it from nearer nodes.
    pub traffic_last_day: u64,
    /// What permits hold on them now.
    pub holding: u64,
}

/// Why something is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = BlastBecause)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It needs `via`, as declared.
    Declared,
    /// It uses `via`, as traffic shows.
    Uses,
    /// `via` writes it, as traffic shows.
    WrittenBy,
    /// It lies below `via`, or above it.
    Within,
}

/// Which part of the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Edges between agents of this scope and whatever they need; absent: all.
    pub scope: Option<crate::path::ScopePath>,
    /// Edges that touch a node of this kind.
    pub kind: Option<Kind>,
    /// Only declared ones, or only those that traffic shows.
    pub source: Option<Source>,
    /// Declared edges, and those with traffic since this time.
    pub since: Option<Time>,
    /// Declared edges, and those that were asked for so often at least.
    pub asked_min: u64,
}

/// Where it is known from that an edge is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EdgeSource)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Somebody declared it.
    Declared,
    /// Traffic shows it.
    Discovered,
}
