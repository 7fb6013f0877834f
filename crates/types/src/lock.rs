//! How a permit holds a resource.
use crate::id::{Seq, Token};
use crate::path::ResourcePath;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What else may hold the resource at the same time.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[schema(as = LockMode)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Others may hold it shared: reading.
    Shared,
    /// Others may hold it commuting: work whose order does not matter, such as adding to a counter.
    Commuting,
    /// Nobody else may hold it: writing.
    Exclusive,
}

impl Mode {
    /// Every mode, in a fixed order.
    pub const ALL: [Mode; 3] = [Mode::Shared, Mode::Commuting, Mode::Exclusive];

    /// Whether two permits may hold the same resource in these modes.
    #[must_use]
    pub const fn compatible(self, other: Mode) -> bool {
        matches!(
            (self, other),
            (Mode::Shared, Mode::Shared) | (Mode::Commuting, Mode::Commuting)
        )
    }
}

/// A resource and the mode it is wanted in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Which resource.
    pub path: ResourcePath,
    /// How.
    pub mode: Mode,
    /// Only if it is still of this version; else the request is denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<Seq>,
}

impl Claim {
    /// A claim on a resource, whatever its version.
    #[must_use]
    pub const fn new(path: ResourcePath, mode: Mode) -> Self {
        Claim {
            path,
            mode,
            if_version: None,
        }
    }
}

/// A resource in the state that somebody saw.
///
/// Versions are places in the journal: a resource is of the version at which the last permit that may have written it
/// ended. Any later place up to now names the same state, and so does the fencing token of that permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceVersion {
    /// Which resource.
    pub path: ResourcePath,
    /// Its version.
    pub version: Seq,
}

/// A claim that is held, with the number that the resource's own store can check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Held {
    /// Which resource.
    pub path: ResourcePath,
    /// How.
    pub mode: Mode,
    /// The fencing token: a store that has seen a larger one for this resource refuses the write.
    pub token: Token,
}
