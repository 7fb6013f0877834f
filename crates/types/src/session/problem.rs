//! What every door answers with when it refuses: problem details (RFC 9457).
use crate::code::Code;
use crate::permit::Denial;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is wrong and what to do, as RFC 9457 has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The code's page in the documentation.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's one sentence.
    pub title: String,
    /// The HTTP status, over a session too.
    pub status: u16,
    /// A stable code.
    pub code: Code,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// Which field, where one is to blame: `resources[2].path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Every field that is to blame, where more than one could be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// When trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// This occurrence: the id of the HTTP request, as in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The answer to a permit request, where that is what was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Box<Denial>>,
}

/// One field that is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Its path in the body: `resources[2].path`.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub detail: String,
}
