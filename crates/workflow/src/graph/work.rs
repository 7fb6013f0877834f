//! What a node does, with its templates read.
use super::NodeIndex;
use crate::definition::kind::{Aggregate, Choice, Field, Level, OnFailure, OnRejected};
use crate::definition::{Retry, Timeouts};
use crate::expression::Expression;
use crate::name::Name;
use crate::span::Span;
use crate::template::Template;
use fleet_types::approval::{Assignee, DeadlineEffect, Urgency};
use fleet_types::budget::Cost;
use fleet_types::lock::Mode;
use fleet_types::{ActionName, AgentId, OptionId};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// What a node does. Bodies are meant by their place in the node's `bodies`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// One task for an agent.
    Agent(Agent),
    /// One call of a tool.
    Tool(Task),
    /// Body 0 where the condition is true, else body 1, which may be absent.
    Conditional(Expression),
    /// One of several bodies, by a value.
    Switch {
        /// The value, compared as text.
        value: Expression,
        /// Which body for which value.
        cases: BTreeMap<String, u32>,
        /// Which body for any other; absent: none.
        default: Option<u32>,
    },
    /// All bodies at the same time.
    Parallel {
        /// How many must succeed.
        needed: u32,
        /// What the failure of one does.
        on_failure: OnFailure,
        /// What its outputs are.
        aggregate: Aggregate,
        /// Most at once.
        max_concurrent: Option<u32>,
    },
    /// Body 0 for each item of a list.
    Map {
        /// The list.
        over: Template,
        /// What each item gives; absent: the outputs of its nodes, by name.
        result: Option<Template>,
        /// What the failure of an item does.
        on_failure: OnFailure,
        /// Most at once.
        max_concurrent: Option<u32>,
    },
    /// Body 0 again and again.
    Loop {
        /// Asked after each round, with its nodes in sight; true ends it.
        until: Expression,
        /// Most rounds.
        max: u32,
        /// Time between rounds.
        pause: Option<Span>,
    },
    /// A question.
    Approval(Box<Approval>),
    /// Body 0, and what is done when it fails and in the end.
    Try {
        /// The body that is run when it fails.
        catch: Option<u32>,
        /// Types of errors that are caught; empty: all.
        catch_on: Vec<SmolStr>,
        /// The body that is run in the end.
        finally: Option<u32>,
    },
    /// An execution of another workflow.
    Workflow {
        /// Which.
        workflow: SmolStr,
        /// Which version; absent: the one in force when this execution started.
        version: Option<u32>,
        /// What it is started with.
        inputs: BTreeMap<Name, Template>,
    },
    /// A value worked out of others.
    Transform(Expression),
    /// A pause.
    Wait(Pause),
    /// Lets others know.
    Emit {
        /// The event's name.
        event: Template,
        /// As a message to a topic, too.
        topic: Option<Template>,
        /// What comes with it.
        payload: Template,
    },
    /// Agents argue, and one decides.
    Debate {
        /// What about.
        question: Template,
        /// The sides.
        positions: BTreeMap<Name, Position>,
        /// How often each speaks.
        rounds: u32,
        /// Who decides.
        arbitrator: AgentId,
        /// What all get.
        inputs: BTreeMap<Name, Template>,
    },
    /// An agent plans tasks for others.
    Delegate {
        /// Who plans.
        manager: AgentId,
        /// What for.
        goal: Template,
        /// Who may be given tasks.
        agents: Vec<AgentId>,
        /// What the manager gets.
        inputs: BTreeMap<Name, Template>,
        /// How deep tasks may be delegated further.
        max_depth: u32,
        /// Most tasks in all.
        max_tasks: u32,
        /// Most at once.
        max_concurrent: Option<u32>,
    },
    /// Undoes nodes that have succeeded, the last first. Empty: all beside it that ended before it began.
    Compensate(Vec<NodeIndex>),
}

/// One task for an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Who does it; absent: any worker that is fit.
    pub agent: Option<AgentId>,
    /// Who does it when that one is not available, the first first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<AgentId>,
    /// What to do, in words.
    pub instructions: Template,
    /// What it gets.
    pub inputs: BTreeMap<Name, Template>,
    /// What a worker must be to get it.
    #[serde(default)]
    pub workers: Workers,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Which.
    pub tool: ActionName,
    /// Its arguments.
    pub inputs: BTreeMap<Name, Template>,
    /// What a worker must be to get it.
    #[serde(default)]
    pub workers: Workers,
}

/// What a worker must be to get a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workers {
    /// It has all of these.
    pub skills: Vec<SmolStr>,
    /// It belongs to this pool.
    pub pool: Option<SmolStr>,
    /// It runs there.
    pub region: Option<SmolStr>,
    /// The worker that did this node, while it is there.
    pub sticky: Option<NodeIndex>,
    /// It does nothing else meanwhile.
    pub exclusive: bool,
    /// It has all of these labels.
    pub labels: BTreeMap<SmolStr, SmolStr>,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The question.
    pub question: Template,
    /// What one should know.
    pub context: Template,
    /// What may go wrong.
    pub risks: Vec<Template>,
    /// What follows from it.
    pub impact: Template,
    /// Who may answer, and how many must approve.
    pub asked: Assigned,
    /// What can be answered; empty: `approve` and `reject`.
    pub options: Vec<Choice>,
    /// Which of the options is recommended.
    pub recommendation: Option<OptionId>,
    /// What an answer tells besides.
    pub fields: Vec<Field>,
    /// What happens at the deadline; absent: it is rejected.
    pub on_deadline: Option<DeadlineEffect>,
    /// Who is asked next.
    pub escalate_to: Vec<Level>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Within which time it should be decided.
    pub sla: Option<Span>,
    /// What a rejection does.
    pub on_rejected: OnRejected,
}

/// Who may answer, how many must approve, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Who may answer.
    pub assignees: Vec<Assignee>,
    /// How many different ones must approve.
    pub needed: u32,
    /// How long they have.
    pub deadline: Option<Span>,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// For a span.
    For(Span),
    /// Until a time, as RFC 3339 writes it.
    Until(Template),
    /// For an event.
    Event {
        /// Its name.
        event: Template,
        /// Only one for which this is true.
        filter: Option<Expression>,
    },
}

/// One side of a debate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Who argues.
    pub agent: AgentId,
    /// What for.
    pub stance: Template,
}

/// The permit that a task runs under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permit {
    /// What is done.
    pub action: ActionName,
    /// On what, and how: each a text when its holes are filled.
    pub resources: Vec<(Template, Mode)>,
    /// The action's arguments.
    pub parameters: BTreeMap<SmolStr, Template>,
    /// Most it will cost.
    #[serde(default)]
    pub cost: Cost,
    /// How long it waits for its turn.
    pub wait: Option<Span>,
    /// How long it holds unless renewed.
    pub ttl: Option<Span>,
    /// For selectors and budgets.
    pub labels: BTreeMap<SmolStr, Template>,
}

/// What undoes a node that has succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compensation {
    /// Who does it. Either this or `tool`.
    pub agent: Option<AgentId>,
    /// What does it.
    pub tool: Option<ActionName>,
    /// What it gets.
    pub inputs: BTreeMap<Name, Template>,
    /// How often it is tried again.
    pub retry: Option<Retry>,
    /// How long it may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The permit it runs under.
    pub permit: Option<Permit>,
}

impl Work {
    /// The kind's name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Work::Agent(_) => "agent",
            Work::Tool(_) => "tool",
            Work::Conditional(_) => "conditional",
            Work::Switch { .. } => "switch",
            Work::Parallel { .. } => "parallel",
            Work::Map { .. } => "map",
            Work::Loop { .. } => "loop",
            Work::Approval(_) => "approval",
            Work::Try { .. } => "try",
            Work::Workflow { .. } => "workflow",
            Work::Transform(_) => "transform",
            Work::Wait(_) => "wait",
            Work::Emit { .. } => "emit",
            Work::Debate { .. } => "debate",
            Work::Delegate { .. } => "delegate",
            Work::Compensate(_) => "compensate",
        }
    }

    /// Whether its bodies exclude each other: one at most is run.
    #[must_use]
    pub const fn is_choice(&self) -> bool {
        matches!(self, Work::Conditional(_) | Work::Switch { .. })
    }
}
