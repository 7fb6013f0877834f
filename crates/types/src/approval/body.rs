//! What comes in through the doors about approvals: which one stands in the path, and what a credential was proved to be
//! is never said by whoever holds it.
use super::{Assignee, Person, assignees, values};
use crate::id::{FieldId, OptionId};
use crate::text::Text;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A voice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// Which of the options.
    pub option: OptionId,
    /// What is asked for besides, by field.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "values"
    )]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub fields: BTreeMap<FieldId, Value>,
    /// Why; people will read it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub comment: Text,
    /// Who speaks, where the key may speak for several: an agent, for a key that is bound to none. Absent: the key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks_as: Option<Person>,
}

/// The next ones are to be asked now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EscalateBody {
    /// Why; people will read it.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// Who speaks; absent: the key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaks_as: Option<Person>,
}

/// Others are to be asked instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReassignBody {
    /// Who is asked from now on.
    #[serde(deserialize_with = "assignees")]
    #[schema(min_items = 1, max_items = 32)]
    pub assignees: Vec<Assignee>,
    /// How many of them must approve; absent: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<u32>,
    /// Why; people will read it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// Something to be said without deciding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentBody {
    /// What.
    pub comment: Text,
    /// Who speaks; absent: the key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks_as: Option<Person>,
}

/// Another is to answer in one's place, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegateBody {
    /// In whose place; absent: the speaker's. Another's only for an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Person>,
    /// Who answers.
    pub to: Person,
    /// For how long from now; at most a year.
    pub for_ms: Millis,
    /// Why; people will read it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// Who speaks; absent: the key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks_as: Option<Person>,
}

/// A delegation is to end before its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndDelegationBody {
    /// Whose; absent: the speaker's. Another's only for an admin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Person>,
    /// Why; people will read it.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// Who speaks; absent: the key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speaks_as: Option<Person>,
}
