//! What a caller hears: only after what it tells of is durable (I3).
use crate::approval;
use crate::code::Code;
use crate::event;
use crate::id::{Epoch, HaltId, Seq};
use crate::permit::{Decision, Grant, Queued};
use crate::text::Text;
use crate::time::Time;
use crate::txn;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// A reply, or why nothing was changed.
pub type Answer = Result<Reply, Rejection>;

/// What a command brought about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A permit was decided.
    Decision(Decision),
    /// A permit ended.
    Finished(event::Finished),
    /// A permit was renewed, or extended.
    Granted(Grant),
    /// A permit waits for more.
    Extending(Queued),
    /// An instance is connected.
    Connected {
        /// Its epoch.
        epoch: Epoch,
        /// Whether it must report ready.
        recovering: bool,
    },
    /// A halt is in force.
    Halted {
        /// Which.
        halt: HaltId,
        /// Live instances in its reach.
        reach: u64,
        /// Permits taken back or denied.
        revoked: u64,
        /// When.
        at: Time,
    },
    /// A first person has asked; a second one must.
    ReleaseRequested {
        /// Which.
        halt: HaltId,
    },
    /// A voice was counted.
    Counted(approval::Counted),
    /// A transaction stands so now.
    Transaction(txn::Standing),
    /// Done, as of this place in the journal.
    Done {
        /// Where.
        seq: Seq,
    },
    /// Nothing to do: things are as asked already.
    Unchanged,
}

/// Why a well-formed command changed nothing. Data in an answer, not an error of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejection {
    /// A stable code with a page in the documentation.
    pub code: Code,
    /// In words: what is wrong and what to do.
    pub message: Text,
    /// Which field, where one is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<SmolStr>,
    /// When trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Rejection {
    /// A rejection with a message; overlong messages are cut.
    #[must_use]
    pub fn new(code: Code, message: impl AsRef<str>) -> Self {
        Rejection {
            code,
            message: Text::clip(message.as_ref()),
            field: None,
            retry_after_ms: None,
        }
    }

    /// Names the field to blame.
    #[must_use]
    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(SmolStr::new(field));
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }
}
