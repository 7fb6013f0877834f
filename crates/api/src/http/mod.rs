//! Plain HTTP with JSON: one file for each noun.
//!
//! Every handler has the same steps: read what came, check what the caller may, ask the fleet, answer.

pub mod actions;
pub mod agents;
pub mod approvals;
pub mod batch;
pub mod budgets;
pub mod conflicts;
pub mod connectors;
pub mod fleets;
pub mod graph;
pub mod groups;
pub mod halts;
pub mod health;
pub mod holding;
pub mod instances;
pub mod keys;
pub mod limits;
pub mod locks;
pub mod permits;
pub mod plans;
pub mod policies;
pub mod rules;
pub mod scopes;
pub mod settings;
pub mod status;
pub mod tools;
pub mod transactions;
pub mod versions;
pub mod wait;

use crate::door::Door;
use crate::etag;
use crate::problem::Result;
use axum::http::HeaderMap;
use fleet_core::State;
use fleet_types::{Command, Reply, Seq};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Where a list begins and how long it is.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    pub count: Option<usize>,
}

/// A change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// False when things were as asked already.
    pub changed: bool,
    /// As of this place in the journal, where something changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

impl Changed {
    /// Of a reply.
    #[must_use]
    pub fn of(reply: &Reply) -> Changed {
        match reply {
            Reply::Done { seq } => Changed {
                changed: true,
                seq: Some(*seq),
            },
            Reply::Unchanged => Changed {
                changed: false,
                seq: None,
            },
            Reply::Decision(_)
            | Reply::Finished(_)
            | Reply::Granted(_)
            | Reply::Extending(_)
            | Reply::Counted(_)
            | Reply::Connected { .. }
            | Reply::Halted { .. }
            | Reply::ReleaseRequested { .. }
            | Reply::Transaction(_) => Changed {
                changed: true,
                seq: None,
            },
        }
    }
}

/// Changes a definition if it is still the one the caller saw.
///
/// # Errors
/// When it was changed since, or the change is refused.
pub(crate) async fn change<T: Serialize + Send + 'static>(
    door: &Door,
    headers: &HeaderMap,
    now: impl FnOnce(&State) -> Option<T> + Send + 'static,
    command: Command,
) -> Result<Changed> {
    let edit = door.app.edit(&door.caller.tenant, &door.fleet);
    let _editing = edit.lock().await;
    if etag::is_conditional(headers) {
        let now = door.read(now).await?;
        etag::check(headers, now.as_ref().map(etag::of).as_deref())?;
    }
    Ok(Changed::of(&door.call(command).await?))
}
