//! Conflicts: who is in whose way, over what, for how long, and how it was settled.
use crate::actor::Actor;
use crate::id::{ActionName, AgentId, ConflictId, PermitId, RuleId};
use crate::path::{ResourcePath, ScopePath};
use crate::permit::Blocker;
use crate::rule::Strategy;
use crate::text::Text;
use crate::time::{Millis, Time};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// What kind of conflict it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConflictKind)]
pub enum Kind {
    /// Several want one resource.
    Resource,
    /// A rule about time: what must come first, not again so soon, not so often.
    Temporal,
    /// A resource is not what its asker has seen.
    Data,
    /// A rule about what does not go together.
    Business,
}

/// Where a conflict is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConflictState)]
pub enum State {
    /// It lasts: somebody waits, or collided a moment ago.
    Open,
    /// A rule's strategy is at work on it.
    Resolving,
    /// It is before a person.
    Escalated,
    /// It is over, or was decided and nobody has collided since.
    Resolved,
}

/// A request that ran into a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Collision {
    /// The request.
    pub permit: PermitId,
    /// Whose.
    pub agent: AgentId,
    /// What it wanted to do.
    pub action: ActionName,
    /// What stood in its way.
    pub blocker: Blocker,
    /// When.
    pub at: Time,
}

/// How a conflict was settled.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConflictWay)]
pub enum Way {
    /// Everybody had their turn, or gave up.
    Turn,
    /// By the order of priorities.
    Priority,
    /// Who asked first goes first.
    FirstCome,
    /// The parties took turns.
    FairShare,
    /// A party gave way.
    Yield,
    /// Two exchanged their turns.
    Swap,
    /// A holder let go of a part.
    Split,
    /// A party goes later.
    Defer,
    /// Most votes.
    Vote,
    /// A person decided.
    Override,
}

/// How a conflict was settled, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictResolution)]
pub struct Resolution {
    /// How.
    pub how: Way,
    /// Who goes first, where that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<PermitId>,
    /// By whom.
    pub by: Actor,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// When.
    pub at: Time,
}

/// A party of a dispute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// By which permit.
    pub permit: PermitId,
    /// Of which agent.
    pub agent: AgentId,
    /// Whether it holds what the others wait for.
    pub holds: bool,
}

/// What a party offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ConflictAnswer)]
pub enum Answer {
    /// Gives way: who waits goes last; who holds ends before the deadline, or loses it then.
    Yield {},
    /// Exchanges turns with another that waits, when that says the same.
    Swap {
        /// With whom.
        with: PermitId,
    },
    /// Lets go of a part of what it holds.
    Split {
        /// Which part.
        resources: Vec<ResourcePath>,
    },
    /// Goes as if it had asked so much later.
    Defer {
        /// How much later.
        #[serde(rename = "ms")]
        by: Millis,
    },
    /// Gives nothing: when all say so, the rule's fallback decides at once.
    Insist {},
}

/// What a party has offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Which party.
    pub permit: PermitId,
    /// Of which agent.
    pub agent: AgentId,
    /// What.
    pub answer: Answer,
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Vote {
    /// Whose.
    pub agent: AgentId,
    /// Who shall go first.
    pub winner: PermitId,
}

/// A conflict that a rule's strategy, or a person, is at work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dispute {
    /// By which rule.
    pub rule: RuleId,
    /// How.
    pub strategy: Strategy,
    /// Since when.
    pub opened_at: Time,
    /// When the next step is taken, if nothing comes before.
    pub deadline: Time,
    /// Who was told when it began; those that come later wait too.
    pub parties: Vec<Party>,
    /// What was offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<Offer>,
    /// Votes so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
    /// Whether those that wait were moved ahead, as the deadline is near.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raised: bool,
    /// Before whom it is, once it is escalated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Level>,
}

/// Before whom a conflict is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EscalationLevel)]
pub struct Level {
    /// Operators of this scope; absent: of the whole fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopePath>,
}

/// A conflict as seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictView)]
pub struct View {
    /// Which.
    pub conflict: ConflictId,
    /// Of which kind.
    pub kind: Kind,
    /// Where it is.
    pub state: State,
    /// Over which resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourcePath>,
    /// Under which rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// About which thing of the rule.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    #[schema(value_type = String)]
    pub key: SmolStr,
    /// Since when.
    pub since: Time,
    /// When somebody collided last.
    pub last_at: Time,
    /// How many requests collided.
    pub requests: u64,
    /// Whose; the first 16.
    pub agents: Vec<AgentId>,
    /// How many wait now.
    pub waiting: u64,
    /// Which, in the order of their turns; the first 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permits: Vec<PermitId>,
    /// What waiting has cost so far: milliseconds of all that wait or waited, summed.
    pub waited_ms: u64,
    /// The first collision.
    pub first: Collision,
    /// The last one.
    pub last: Collision,
    /// What is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<Dispute>,
    /// How it was settled, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
}

/// What can be asked about conflicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// A party offers something.
    Answer {
        /// Over which conflict.
        conflict: ConflictId,
        /// Which party.
        permit: PermitId,
        /// Of which agent.
        agent: AgentId,
        /// What.
        answer: Answer,
    },
    /// An agent votes.
    Vote {
        /// Over which conflict.
        conflict: ConflictId,
        /// Who votes.
        agent: AgentId,
        /// Who shall go first.
        winner: PermitId,
    },
    /// A person decides. An agent cannot.
    Resolve {
        /// Which conflict.
        conflict: ConflictId,
        /// Who goes first; absent: things stay as they are.
        #[serde(default)]
        winner: Option<PermitId>,
        /// Whether those that hold what the winner waits for lose it at once.
        #[serde(default)]
        revoke: bool,
        /// Why.
        #[serde(default)]
        reason: Text,
    },
}

/// What rules of order make of a request's turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Turn {
    /// How much earlier it goes than by its priority, in microseconds of waiting; below zero: later.
    #[serde(skip_serializing_if = "is_zero")]
    pub head_start_us: i64,
    /// The share that it takes of a line in which parties take turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// The rule that says how its conflicts are settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<RuleId>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A party's share of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// By which rule.
    pub rule: RuleId,
    /// Whose.
    #[schema(value_type = String)]
    pub party: SmolStr,
    /// Its next request is ranked as if it were asked then, unless it comes later.
    pub until: Time,
}

/// A new place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seat {
    /// Whose.
    pub permit: PermitId,
    /// Earlier goes first: microseconds of the fleet's clock, less what head starts are worth.
    pub rank: i64,
}

/// A conflict that a rule concerns has lasted: its strategy begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictOpened)]
pub struct Opened {
    /// Which.
    pub conflict: ConflictId,
    /// What begins.
    pub dispute: Dispute,
}

/// Those that wait go earlier, as the deadline is near.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictRaised)]
pub struct Raised {
    /// Which.
    pub conflict: ConflictId,
    /// Their places from now on.
    pub seats: Vec<Seat>,
}

/// A party offered something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictAnswered)]
pub struct Answered {
    /// Which.
    pub conflict: ConflictId,
    /// By whom, and what.
    pub offer: Offer,
}

/// An agent voted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictVoted)]
pub struct Voted {
    /// Which.
    pub conflict: ConflictId,
    /// For whom.
    pub vote: Vote,
}

/// A conflict goes to a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictEscalated)]
pub struct Escalated {
    /// Which.
    pub conflict: ConflictId,
    /// Before whom.
    pub before: Level,
    /// When it goes further up.
    pub deadline: Time,
}

/// A conflict was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictResolved)]
pub struct Resolved {
    /// Which.
    pub conflict: ConflictId,
    /// How.
    pub how: Way,
    /// Who goes first, where that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<PermitId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
    /// New places in the line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seats: Vec<Seat>,
    /// Holders that give way, and until when they hold on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<Ends>,
    /// A holder that lets go of a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

/// A holder that ends earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictEnds)]
pub struct Ends {
    /// Which.
    pub permit: PermitId,
    /// It is taken back at this time.
    pub expires_at: Time,
}

/// A holder that lets go of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConflictSplit)]
pub struct Split {
    /// Which.
    pub permit: PermitId,
    /// Of what.
    pub resources: Vec<ResourcePath>,
}
