//! What a node does: one type for each kind.
use super::parts::{Workers, expression, is_default, names};
use super::{Nodes, Templates};
use crate::name::Name;
use crate::span::Span;
use fleet_types::approval::{Assignee, DeadlineEffect, Urgency};
use fleet_types::{ActionName, AgentId, OptionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// What a node does.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $name($name)),*
        }

        impl Kind {
            /// From the fields that are this kind's own.
            pub(super) fn read(kind: &str, fields: serde_json::Map<String, Value>) -> serde_json::Result<Kind> {
                match kind {
                    $($word => $name::deserialize(Value::Object(fields)).map(Kind::$name),)*
                    other => Err(serde::de::Error::custom(format!("there is no kind {other:?}"))),
                }
            }

            /// Its name.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Kind::$name(_) => $word),*
                }
            }
        }
    };
}

kinds! {
    /// One task for an agent.
    Agent = "agent";
    /// One call of a tool.
    Tool = "tool";
    /// One of two ways.
    Conditional = "conditional";
    /// One of several ways.
    Switch = "switch";
    /// Several ways at the same time.
    Parallel = "parallel";
    /// The same for each item of a list.
    Map = "map";
    /// The same again, until a condition holds.
    Loop = "loop";
    /// A question.
    Approval = "approval";
    /// Nodes whose failure is caught.
    Try = "try";
    /// An execution of another workflow.
    Workflow = "workflow";
    /// A value worked out of others.
    Transform = "transform";
    /// A pause.
    Wait = "wait";
    /// Lets others know.
    Emit = "emit";
    /// Agents argue, and one decides.
    Debate = "debate";
    /// An agent plans tasks for others.
    Delegate = "delegate";
    /// Undoes what has succeeded.
    Compensate = "compensate";
}

/// One task for an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Who does it; absent: any worker that `workers` allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Who does it when that one is not available.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<AgentId>,
    /// What to do, in words; a text template.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instructions: String,
    /// What it gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: Templates,
    /// What a worker must be to get it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub workers: Workers,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Which.
    pub tool: ActionName,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: Templates,
    /// What a worker must be to get it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub workers: Workers,
}

/// One of two ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditional {
    /// The condition.
    #[serde(rename = "if", deserialize_with = "expression")]
    pub condition: String,
    /// What is done where it is true.
    pub then: Nodes,
    /// What is done where it is not.
    #[serde(default, rename = "else", skip_serializing_if = "BTreeMap::is_empty")]
    pub otherwise: Nodes,
}

/// One of several ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switch {
    /// The value, compared as text.
    #[serde(deserialize_with = "expression")]
    pub value: String,
    /// What is done for each value.
    pub cases: BTreeMap<String, Nodes>,
    /// What is done for any other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub default: Nodes,
}

/// How many branches must succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WaitForForm", into = "WaitForForm")]
pub enum WaitFor {
    /// Every branch.
    #[default]
    All,
    /// The first that succeeds.
    First,
    /// So many.
    Count(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WaitForForm {
    Word(WaitForWord),
    Count(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WaitForWord {
    All,
    First,
}

impl From<WaitForForm> for WaitFor {
    fn from(form: WaitForForm) -> WaitFor {
        match form {
            WaitForForm::Word(WaitForWord::All) => WaitFor::All,
            WaitForForm::Word(WaitForWord::First) => WaitFor::First,
            WaitForForm::Count(count) => WaitFor::Count(count),
        }
    }
}

impl From<WaitFor> for WaitForForm {
    fn from(wait_for: WaitFor) -> WaitForForm {
        match wait_for {
            WaitFor::All => WaitForForm::Word(WaitForWord::All),
            WaitFor::First => WaitForForm::Word(WaitForWord::First),
            WaitFor::Count(count) => WaitForForm::Count(count),
        }
    }
}

/// What the failure of a branch, or of an item, does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The others are cancelled, and the whole fails.
    #[default]
    FailFast,
    /// The others go on.
    Collect,
}

/// What the outputs of parallel branches are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// By branch, node and output.
    #[default]
    ByBranch,
    /// A list in the order of the branches' names.
    List,
    /// Nothing.
    None,
}

/// Several ways at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parallel {
    /// What is done on each way.
    pub branches: BTreeMap<Name, Nodes>,
    /// How many must succeed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wait_for: WaitFor,
    /// What the failure of one does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
    /// What its outputs are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub aggregate: Aggregate,
    /// Most branches at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
}

/// The same for each item of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// The list: a template.
    pub over: Value,
    /// What is done for each.
    pub nodes: Nodes,
    /// What each item gives: a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Most items at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// What the failure of an item does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
}

/// The same again, until a condition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loop {
    /// What is done in each round.
    pub nodes: Nodes,
    /// Asked after each round; true ends the loop.
    #[serde(deserialize_with = "expression")]
    pub until: String,
    /// Most rounds.
    pub max: u32,
    /// Time between rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Span>,
}

/// One of the answers that can be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its name in an answer.
    pub id: OptionId,
    /// For people.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub label: SmolStr,
    /// Whether it approves, or rejects.
    pub approves: bool,
}

/// Something that an answer tells besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name in an answer.
    pub id: Name,
    /// For people.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub label: SmolStr,
    /// What it takes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: FieldKind,
    /// Whether every answer must tell it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
}

/// What a field takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Text.
    #[default]
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of these.
    Choice(Vec<SmolStr>),
}

/// Who is asked next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Who may answer from then on.
    pub assignees: Vec<Assignee>,
    /// How many different ones must approve.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub needed: u32,
    /// How long they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

/// What a rejection does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRejected {
    /// The node fails.
    #[default]
    Fail,
    /// It succeeds, and `outputs.approved` is false.
    Continue,
}

/// A question. Its words are those of `fleet_types::approval::Terms`, as templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// The question.
    pub question: String,
    /// Who may answer.
    pub assignees: Vec<Assignee>,
    /// How many different ones must approve.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub needed: u32,
    /// What can be answered; empty: `approve` and `reject`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
    /// Which of the options is recommended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<OptionId>,
    /// What one should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// What may go wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<String>,
    /// What follows from it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub impact: String,
    /// What an answer tells besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// How long those who are asked first have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
    /// What happens then; absent: it is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_deadline: Option<DeadlineEffect>,
    /// Who is asked next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalate_to: Vec<Level>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub urgency: Urgency,
    /// Within which time it should be decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Span>,
    /// What a rejection does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_rejected: OnRejected,
}

/// Nodes whose failure is caught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// What is tried.
    pub nodes: Nodes,
    /// What is done when it fails.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub catch: Nodes,
    /// Types of errors that are caught; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catch_on: Vec<SmolStr>,
    /// What is done in the end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub finally: Nodes,
}

/// An execution of another workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// Which.
    pub workflow: SmolStr,
    /// Which version; absent: the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What it is started with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: Templates,
}

/// A value worked out of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transform {
    /// The value.
    #[serde(deserialize_with = "expression")]
    pub value: String,
}

/// A pause. Exactly one of `for`, `until` and `event`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wait {
    /// How long.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// Until which time; a text template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// For which event; a text template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Only an event for which this is true.
    #[serde(
        rename = "where",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::parts::maybe_expression"
    )]
    pub filter: Option<String>,
}

/// Lets others know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emit {
    /// The event's name; a text template.
    pub event: String,
    /// As a message to a topic, too; a text template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What comes with it: a template.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
}

/// One side of a debate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Who argues.
    pub agent: AgentId,
    /// What for; a text template.
    pub stance: String,
}

/// Agents argue, and one decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Debate {
    /// What about; a text template.
    pub question: String,
    /// The sides.
    pub positions: BTreeMap<Name, Position>,
    /// How often each side speaks.
    pub rounds: u32,
    /// Who decides.
    pub arbitrator: AgentId,
    /// What all get.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: Templates,
}

/// An agent plans tasks for others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delegate {
    /// Who plans.
    pub manager: AgentId,
    /// What for; a text template.
    pub goal: String,
    /// Who may be given tasks.
    pub agents: Vec<AgentId>,
    /// What the manager gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: Templates,
    /// How deep tasks may be delegated further.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub max_depth: u32,
    /// Most tasks in all.
    #[serde(default = "hundred", skip_serializing_if = "is_hundred")]
    pub max_tasks: u32,
    /// Most tasks at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
}

fn hundred() -> u32 {
    100
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_hundred(count: &u32) -> bool {
    *count == 100
}

/// Undoes what has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compensate {
    /// Which nodes; empty: all beside it and before it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "names")]
    pub of: Vec<Name>,
}

impl Kind {
    /// The nodes that it contains, body by body, each with its label.
    pub(crate) fn labelled_bodies(&self) -> Vec<(String, &Nodes)> {
        let of = |label: &str, nodes| (label.to_owned(), nodes);
        let bodies = match self {
            Kind::Conditional(it) => vec![of("then", &it.then), of("else", &it.otherwise)],
            Kind::Switch(it) => {
                let cases = it.cases.iter().map(|(case, nodes)| of(case, nodes));
                cases.chain([of("default", &it.default)]).collect()
            }
            Kind::Parallel(it) => {
                let branches = it.branches.iter();
                branches
                    .map(|(name, nodes)| of(name.as_str(), nodes))
                    .collect()
            }
            Kind::Map(it) => vec![of("nodes", &it.nodes)],
            Kind::Loop(it) => vec![of("nodes", &it.nodes)],
            Kind::Try(it) => vec![
                of("nodes", &it.nodes),
                of("catch", &it.catch),
                of("finally", &it.finally),
            ],
            Kind::Agent(_)
            | Kind::Tool(_)
            | Kind::Approval(_)
            | Kind::Workflow(_)
            | Kind::Transform(_)
            | Kind::Wait(_)
            | Kind::Emit(_)
            | Kind::Debate(_)
            | Kind::Delegate(_)
            | Kind::Compensate(_) => Vec::new(),
        };
        bodies
            .into_iter()
            .filter(|(_, nodes)| !nodes.is_empty())
            .collect()
    }

    /// The nodes that it contains, body by body.
    pub(crate) fn bodies(&self) -> Vec<&Nodes> {
        self.labelled_bodies()
            .into_iter()
            .map(|(_, nodes)| nodes)
            .collect()
    }
}
