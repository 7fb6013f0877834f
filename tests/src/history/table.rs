//! Locks as plainly as they can be said, one operation after the other: what a linearizable fleet must look like.
//!
//! - A permit takes all its claims or nothing; a parent covers its children.
//! - Tokens are places in the journal, and denials have theirs: both only grow, of all resources together (I6). That
//!   also leaves the search few orders to try.
//! - What is denied at once was not free; what waits is never denied.
use fleet_types::lock::Mode;
use stateright::semantics::SequentialSpec;
use std::collections::BTreeSet;

/// A resource and the mode it is wanted or held in.
pub type Claim = (String, Mode);

/// A claim that is held, and its token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    /// By which permit.
    pub permit: u64,
    /// Which resource.
    pub path: String,
    /// How.
    pub mode: Mode,
    /// The fencing token.
    pub token: u64,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// For all of these, now or once they are free.
    Take {
        /// What.
        claims: Vec<Claim>,
        /// Whether it waits for its turn.
        waits: bool,
    },
    /// To end a permit.
    Give {
        /// Which.
        permit: u64,
    },
    /// Who holds this resource and those below it?
    Look {
        /// The resource.
        under: String,
    },
    /// Does this token still stand?
    Validate {
        /// Of this resource.
        path: String,
        /// Which.
        token: u64,
    },
}

/// What a client hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ret {
    /// A permit holds.
    Granted {
        /// Which.
        permit: u64,
        /// What, in the order it was asked for.
        holds: Vec<Hold>,
    },
    /// Something is in the way.
    Denied {
        /// The denial's place in the journal.
        at: u64,
    },
    /// The permit has ended.
    Given,
    /// Who holds.
    Holders(BTreeSet<Hold>),
    /// Whether the token stands.
    Valid(bool),
}

/// Who holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    held: BTreeSet<Hold>,
    /// The place of the newest decision.
    newest: u64,
}

impl Table {
    fn is_free(&self, claims: &[Claim]) -> bool {
        claims.iter().all(|(path, mode)| {
            let in_the_way = |hold: &Hold| {
                (covers(&hold.path, path) || covers(path, &hold.path))
                    && !mode.compatible(hold.mode)
            };
            !self.held.iter().any(in_the_way)
        })
    }

    fn grant(&mut self, claims: &[Claim], permit: u64, holds: &[Hold]) -> bool {
        let as_asked = holds
            .iter()
            .map(|hold| (&hold.path, hold.mode))
            .eq(claims.iter().map(|(path, mode)| (path, *mode)));
        if !as_asked || !self.is_free(claims) {
            return false;
        }
        let tokens = holds.iter().map(|hold| hold.token);
        let Some(token) = tokens.max() else {
            return true; // A permit on nothing.
        };
        let is_new = |hold: &Hold| hold.permit == permit && hold.token > self.newest;
        let are_new = holds.iter().all(is_new);
        self.newest = token;
        self.held.extend(holds.iter().cloned());
        are_new
    }
}

/// Whether a lock on the first reaches the second.
fn covers(parent: &str, path: &str) -> bool {
    let rest = path.strip_prefix(parent);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl SequentialSpec for Table {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        unreachable!("{op:?} has no answer: only whole histories are checked")
    }

    fn is_valid_step(&mut self, op: &Op, ret: &Ret) -> bool {
        match (op, ret) {
            (Op::Take { claims, .. }, Ret::Granted { permit, holds }) => {
                self.grant(claims, *permit, holds)
            }
            (Op::Take { claims, waits }, Ret::Denied { at }) => {
                let is_new = *at > self.newest;
                self.newest = *at;
                is_new && !waits && !self.is_free(claims)
            }
            (Op::Give { permit }, Ret::Given) => {
                let before = self.held.len();
                self.held.retain(|hold| hold.permit != *permit);
                self.held.len() < before
            }
            (Op::Look { under }, Ret::Holders(seen)) => self
                .held
                .iter()
                .filter(|hold| covers(under, &hold.path))
                .eq(seen),
            (Op::Validate { path, token }, Ret::Valid(valid)) => {
                let stands = |hold: &Hold| hold.path == *path && hold.token == *token;
                self.held.iter().any(stands) == *valid
            }
            (
                Op::Take { .. } | Op::Give { .. } | Op::Look { .. } | Op::Validate { .. },
                Ret::Granted { .. }
                | Ret::Denied { .. }
                | Ret::Given
                | Ret::Holders(_)
                | Ret::Valid(_),
            ) => false,
        }
    }
}
