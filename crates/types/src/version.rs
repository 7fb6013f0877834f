//! Versions of resources: what was last written, and by whom.
use crate::id::{AgentId, PermitId, Seq, Token};
use crate::lock::ResourceVersion;
use crate::path::ResourcePath;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What can be asked about versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Keeps the versions of these resources from now on.
    Watch {
        /// Which; at most as many as a request may name.
        resources: Vec<ResourcePath>,
    },
}

/// The version of a resource: the place in the journal at which the last permit that may have written it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = VersionView)]
pub struct View {
    /// Which resource.
    pub path: ResourcePath,
    /// Its version: say it as `if_version`, or in `reads`.
    pub version: Seq,
    /// Since which place in the journal its versions are kept; what was written before is not known.
    pub kept_since: Seq,
    /// Who wrote it last, if anybody has since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// Resources below it whose versions are kept too, with those. The first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<ResourceVersion>,
}

/// A permit that may have written a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// What it held: the resource, one above it, or one below.
    pub path: ResourcePath,
    /// Which permit.
    pub permit: PermitId,
    /// Of which agent.
    pub agent: AgentId,
    /// Its fencing token.
    pub token: Token,
    /// When it ended.
    pub at: Time,
}
