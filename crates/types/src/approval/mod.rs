//! Approvals: a question to people, or to agents, that something waits for.
//!
//! An approval knows what it is about as its [`Subject`], and nothing of how that waits.
mod body;
pub mod event;
mod terms;
mod view;

pub use body::{
    AnswerBody, CommentBody, DelegateBody, EndDelegationBody, EscalateBody, ReassignBody,
};
pub use terms::{
    About, DeadlineEffect, Field, FieldKind, Level, ResponseOption, Terms, Urgency, defaults,
};
pub use view::{Answered, Comment, Counted, Delegation, Phase, Sla, SlaState, View};

use crate::actor::{Actor, Role};
use crate::id::{AgentId, ApprovalId, FieldId, GroupId, KeyId, OptionId, PermitId, RuleId};
use crate::path::ScopePath;
use crate::permit::Request;
use crate::text::{Invalid, Text};
use crate::time::Millis;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::ToSchema;

/// Most assignees of one list.
pub const ASSIGNEES_MAX: usize = 32;
/// Most values of an answer.
pub const FIELDS_MAX: usize = 16;

/// Who may answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assignee {
    /// Whoever holds this key.
    User(KeyId),
    /// Whoever holds a key with this role or a higher one, that reaches the asking agent's scope: `operator` or `admin`.
    Role(Role),
    /// Each agent of this group.
    Group(GroupId),
    /// This agent.
    Agent(AgentId),
}

impl fmt::Display for Assignee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Assignee::User(key) => write!(f, "user:{key}"),
            Assignee::Role(role) => write!(f, "role:{}", role.as_str()),
            Assignee::Group(group) => write!(f, "group:{group}"),
            Assignee::Agent(agent) => write!(f, "agent:{agent}"),
        }
    }
}

impl FromStr for Assignee {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.split_once(':') {
            Some(("user", key)) => Ok(Assignee::User(key.parse()?)),
            Some(("group", group)) => Ok(Assignee::Group(group.parse()?)),
            Some(("agent", agent)) => Ok(Assignee::Agent(agent.parse()?)),
            Some(("role", "operator")) => Ok(Assignee::Role(Role::Operator)),
            Some(("role", "admin")) => Ok(Assignee::Role(Role::Admin)),
            _ => Err(Invalid::new(format!(
                "assignee {:?} is not user:KEY, role:operator, role:admin, group:GROUP or agent:AGENT",
                text.chars().take(140).collect::<String>()
            ))),
        }
    }
}

/// Somebody who answers: counted once, however many ways lead to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// Whoever holds this key.
    User(KeyId),
    /// An agent.
    Agent(AgentId),
    /// Whoever sits at this machine, on a server without keys, and has not said who that is.
    Local,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Person::User(key) => write!(f, "user:{key}"),
            Person::Agent(agent) => write!(f, "agent:{agent}"),
            Person::Local => f.write_str("local"),
        }
    }
}

impl FromStr for Person {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text.split_once(':') {
            Some(("user", key)) => Ok(Person::User(key.parse()?)),
            Some(("agent", agent)) => Ok(Person::Agent(agent.parse()?)),
            _ => Err(Invalid::new(format!(
                "person {:?} is not user:KEY or agent:AGENT",
                text.chars().take(140).collect::<String>()
            ))),
        }
    }
}

/// What an approval is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = ApprovalSubject)]
pub enum Subject {
    /// A permit that waits for it; the approval counts for that one only, as it was asked.
    Permit {
        /// Which.
        permit: PermitId,
        /// What was asked.
        #[schema(value_type = Request)]
        request: Arc<Request>,
    },
}

/// What wants an approval.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalSource)]
pub enum Source {
    /// A coordination rule.
    Rule(RuleId),
    /// A policy's verdict.
    #[schema(value_type = String)]
    Policy(SmolStr),
    /// A tool's guard.
    #[schema(value_type = String)]
    Tool(SmolStr),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Rule(rule) => write!(f, "rule {rule}"),
            Source::Policy(policy) => write!(f, "policy {policy}"),
            Source::Tool(tool) => write!(f, "tool {tool}"),
        }
    }
}

/// An approval that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What wants it.
    pub source: Source,
    /// On which terms.
    pub terms: Arc<Terms>,
}

/// Who asked: it never decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalAsker)]
pub struct Asker {
    /// The agent whose request waits.
    pub agent: AgentId,
    /// Whose credential brought the request; absent in what was asked before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
}

/// How an approval was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalMeans)]
pub enum Means {
    /// By those who were asked.
    Answers,
    /// By its deadline.
    Deadline,
}

/// What can be asked about approvals.
///
/// `proof` is stamped by the door from the credential that it has checked. No body that comes from outside has such a
/// field, and what lies in the journal are events: so the core may rely on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What the credential was proved to be.
    pub proof: Proof,
    /// Who speaks, where one credential may speak for several; absent: the credential itself.
    #[serde(default)]
    pub speaks_as: Option<Person>,
    /// What is asked.
    pub verb: Verb,
}

/// What a door has proved of a credential, besides who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Its role.
    pub role: Role,
    /// The scope it is bound to; absent: none.
    #[serde(default)]
    pub scope: Option<ScopePath>,
}

/// What is asked about approvals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Gives a voice.
    Answer(Answer),
    /// Asks the next ones now.
    Escalate {
        /// Which.
        approval: ApprovalId,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
    /// Asks others instead. For admins.
    Reassign(Reassign),
    /// Says something without deciding.
    Comment {
        /// Which.
        approval: ApprovalId,
        /// What.
        comment: Text,
    },
    /// Lets another answer in one's place, for a while. One's own, or by an admin.
    Delegate(Delegate),
    /// Ends a delegation before its time. One's own, or by an admin.
    EndDelegation {
        /// Whose; absent: the speaker's.
        #[serde(default)]
        from: Option<Person>,
        /// Why, for people.
        #[serde(default)]
        reason: Text,
    },
}

/// A voice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// To which approval.
    pub approval: ApprovalId,
    /// Which of its options.
    pub option: OptionId,
    /// What it asks for, by field.
    #[serde(default, deserialize_with = "values")]
    pub fields: BTreeMap<FieldId, Value>,
    /// Why, for people.
    #[serde(default)]
    pub comment: Text,
}

/// Others are asked instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reassign {
    /// Which.
    pub approval: ApprovalId,
    /// Who is asked from now on.
    #[serde(deserialize_with = "assignees")]
    pub assignees: Vec<Assignee>,
    /// How many of them must agree; absent: as before.
    #[serde(default)]
    pub needed: Option<u32>,
    /// Why, for people.
    #[serde(default)]
    pub reason: Text,
}

/// Another answers in one's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegate {
    /// In whose place; absent: the speaker's.
    #[serde(default)]
    pub from: Option<Person>,
    /// Who answers.
    pub to: Person,
    /// For how long from now.
    pub for_ms: Millis,
    /// Why, for people.
    #[serde(default)]
    pub reason: Text,
}

/// Reads a list of at most `MAX`, and stops reading where it is longer.
pub(crate) fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Visitor<T, const MAX: usize>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> serde::de::Visitor<'de> for Visitor<T, MAX> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                if items.len() == MAX {
                    return Err(serde::de::Error::custom(format!("more than {MAX}")));
                }
                items.push(item);
            }
            Ok(items)
        }
    }
    deserializer.deserialize_seq(Visitor::<T, MAX>(std::marker::PhantomData))
}

/// Who is asked: at most [`ASSIGNEES_MAX`].
///
/// # Errors
/// When there are more.
pub fn assignees<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Assignee>, D::Error> {
    list::<Assignee, D, ASSIGNEES_MAX>(deserializer)
}

/// What an answer says, by field: at most [`FIELDS_MAX`] values.
///
/// # Errors
/// When there are more.
pub fn values<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<FieldId, Value>, D::Error> {
    let values = BTreeMap::<FieldId, Value>::deserialize(deserializer)?;
    if values.len() > FIELDS_MAX {
        let words = format!("more than {FIELDS_MAX} fields");
        return Err(serde::de::Error::custom(words));
    }
    Ok(values)
}
