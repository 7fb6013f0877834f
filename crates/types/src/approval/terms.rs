//! The terms of an approval: what is asked, of whom, and what happens when nobody answers.
use super::{ASSIGNEES_MAX, Assignee, FIELDS_MAX, list};
use crate::id::{FieldId, OptionId};
use crate::text::Text;
use crate::time::Millis;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Most options of one question.
const OPTIONS_MAX: usize = 16;
/// Most risks that are named.
const RISKS_MAX: usize = 16;
/// Most lists that a question is escalated to.
const LEVELS_MAX: usize = 8;
/// Most values of one choice.
const CHOICES_MAX: usize = 64;

/// What is asked, of whom, and what happens when nobody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalTerms)]
pub struct Terms {
    /// The question, for people; empty: whether the agent may do what it asks for.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub question: Text,
    /// Who may answer. Whoever asked never does.
    #[serde(deserialize_with = "list::<_, _, ASSIGNEES_MAX>")]
    #[schema(min_items = 1, max_items = 32)]
    pub assignees: Vec<Assignee>,
    /// How many different ones must approve. One who rejects is enough to reject.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schema(minimum = 1, maximum = 32)]
    pub needed: u32,
    /// What can be answered; absent: `approve` and `reject`.
    #[serde(
        default = "defaults",
        skip_serializing_if = "are_defaults",
        deserialize_with = "list::<_, _, OPTIONS_MAX>"
    )]
    #[schema(max_items = 16)]
    pub options: Vec<ResponseOption>,
    /// Which of the options is recommended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<OptionId>,
    /// What one should know.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub context: Text,
    /// What may go wrong.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<_, _, RISKS_MAX>"
    )]
    #[schema(max_items = 16)]
    pub risks: Vec<Text>,
    /// What follows from it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub impact: Text,
    /// What an answer must or may tell besides.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<_, _, FIELDS_MAX>"
    )]
    #[schema(max_items = 16)]
    pub fields: Vec<Field>,
    /// How long those who are asked first have; absent: as long as the request waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<Millis>,
    /// What happens then; absent: it is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_deadline: Option<DeadlineEffect>,
    /// Who is asked next, one list after the other. When the last has not answered in time, it is rejected.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<_, _, LEVELS_MAX>"
    )]
    #[schema(max_items = 8)]
    pub escalate_to: Vec<Level>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Urgency::is_normal")]
    pub urgency: Urgency,
    /// Within which time it should be decided; watched, and told when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla_ms: Option<Millis>,
}

/// One of the answers that can be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalOption)]
pub struct ResponseOption {
    /// Its name in an answer.
    pub id: OptionId,
    /// For people; empty: its name.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub label: Text,
    /// Whether it approves, or rejects.
    pub approves: bool,
}

/// Something that an answer tells besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalField)]
pub struct Field {
    /// Its name in an answer.
    pub id: FieldId,
    /// For people; empty: its name.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub label: Text,
    /// What it takes.
    #[serde(default)]
    pub kind: FieldKind,
    /// Whether every answer must tell it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

/// What a field takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalFieldKind)]
pub enum FieldKind {
    /// Text of at most 1,024 bytes.
    #[default]
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of these.
    Choice(#[serde(deserialize_with = "choices")] Vec<Text>),
}

fn choices<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    list::<Text, D, CHOICES_MAX>(deserializer)
}

/// What happens when those who are asked have not answered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalDeadlineEffect)]
pub enum DeadlineEffect {
    /// It counts as approved.
    Approve,
    /// It counts as rejected.
    Reject,
    /// The next list is asked.
    Escalate,
}

/// Who is asked next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalLevel)]
pub struct Level {
    /// Who may answer from then on; those before may not any more, and what they said does not count.
    #[serde(deserialize_with = "list::<_, _, ASSIGNEES_MAX>")]
    #[schema(min_items = 1, max_items = 32)]
    pub assignees: Vec<Assignee>,
    /// How many different ones must approve.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schema(minimum = 1, maximum = 32)]
    pub needed: u32,
    /// How long they have; absent: as long as the request waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<Millis>,
}

/// How urgent a question is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalUrgency)]
pub enum Urgency {
    /// When there is time.
    Low,
    /// As any other.
    #[default]
    Normal,
    /// Before others.
    High,
    /// At once.
    Critical,
}

impl Urgency {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_normal(&self) -> bool {
        *self == Urgency::Normal
    }
}

/// What the asker says to whoever may be asked to approve its request. Shown as the asker's words, beside the terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ApprovalAbout)]
pub struct About {
    /// What one should know.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub context: Text,
    /// What may go wrong.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "list::<_, _, RISKS_MAX>"
    )]
    #[schema(max_items = 16)]
    pub risks: Vec<Text>,
    /// What follows from it.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub impact: Text,
    /// What the asker would answer, and why.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub recommendation: Text,
    /// How urgent it is to the asker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
}

/// `approve` and `reject`.
///
/// # Panics
/// Never: both are names.
#[must_use]
pub fn defaults() -> Vec<ResponseOption> {
    [("approve", true), ("reject", false)]
        .map(|(id, approves)| ResponseOption {
            id: OptionId::parse(id).expect("it is a name"),
            label: Text::default(),
            approves,
        })
        .into()
}

fn are_defaults(options: &[ResponseOption]) -> bool {
    options == defaults()
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

impl Terms {
    /// An option by its name.
    #[must_use]
    pub fn option(&self, id: &OptionId) -> Option<&ResponseOption> {
        self.options.iter().find(|option| option.id == *id)
    }

    /// Who is asked, how many must approve and how long they have: in the first round, or after so many escalations.
    #[must_use]
    pub fn level(&self, at: usize) -> Option<(&[Assignee], u32, Option<Millis>)> {
        match at.checked_sub(1) {
            None => Some((&self.assignees, self.needed, self.deadline_ms)),
            Some(at) => {
                let level = self.escalate_to.get(at)?;
                Some((&level.assignees, level.needed, level.deadline_ms))
            }
        }
    }
}
