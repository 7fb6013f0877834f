//! What concurrent clients asked and heard, and whether a fleet that does one thing after the other could have said so.
//!
//! The search is `stateright`'s `LinearizabilityTester`; what one thing after the other means is [`Table`]. Histories
//! are short and whole: an answer that was lost is asked for again under the same request id until it is heard, so none
//! is unknown.
mod table;
mod workload;

pub use table::{Claim, Hold, Op, Ret, Table};
pub use workload::{Door, Shape, record};

use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

/// Longer than any short history takes: past it there is no verdict, which is not a pass.
const CHECK_WITHIN: Duration = Duration::from_secs(60);

/// A client's number.
pub type Client = usize;

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A client asks.
    Invoked(Client, Op),
    /// A client hears the answer to what it asked last.
    Returned(Client, Ret),
}

/// What was asked and heard, in the order in which it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Line by line.
    pub lines: Vec<Line>,
}

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none.
    Broken,
    /// The search did not end in time.
    Undecided,
}

impl History {
    /// Adds what a client asked and heard with nobody in between.
    #[must_use]
    pub fn then(mut self, client: Client, op: Op, ret: Ret) -> History {
        self.lines.push(Line::Invoked(client, op));
        self.lines.push(Line::Returned(client, ret));
        self
    }

    /// Searches for an order.
    ///
    /// # Panics
    /// When a client asks before it has heard, or hears what it did not ask.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let mut tester = LinearizabilityTester::new(Table::default());
        for line in self.lines.clone() {
            let added = match line {
                Line::Invoked(client, op) => tester.on_invoke(client, op),
                Line::Returned(client, ret) => tester.on_return(client, ret),
            };
            added.unwrap_or_else(|why| panic!("no history: {why}"));
        }
        let (sender, found) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            // Nobody listens any more when it took too long.
            let _ = sender.send(tester.is_consistent());
        });
        match found.recv_timeout(CHECK_WITHIN) {
            Ok(true) => Verdict::Linearizable,
            Ok(false) => Verdict::Broken,
            Err(mpsc::RecvTimeoutError::Timeout) => Verdict::Undecided,
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("the search panicked"),
        }
    }

    /// Checks that there is an order.
    ///
    /// # Panics
    /// When there is none, or none was found in time; shows the history.
    pub fn assert_linearizable(&self) {
        let verdict = self.verdict();
        assert!(verdict == Verdict::Linearizable, "{verdict:?}:\n{self}");
    }

    /// How many answers are like this.
    pub fn count(&self, like: impl Fn(&Ret) -> bool) -> usize {
        let answers = self.lines.iter().filter_map(|line| match line {
            Line::Returned(_, ret) => Some(ret),
            Line::Invoked(..) => None,
        });
        answers.filter(|ret| like(ret)).count()
    }

    /// How many operations began while another client's was under way.
    #[must_use]
    pub fn overlaps(&self) -> usize {
        let mut under_way = 0;
        let mut overlaps = 0;
        for line in &self.lines {
            match line {
                Line::Invoked(..) => {
                    overlaps += usize::from(under_way > 0);
                    under_way += 1;
                }
                Line::Returned(..) => under_way -= 1,
            }
        }
        overlaps
    }

    /// The same history in which a later grant of a resource shows the token of an earlier one; `None` where no resource
    /// was granted twice.
    #[must_use]
    pub fn with_stale_token(&self) -> Option<History> {
        let mut history = self.clone();
        let mut first: Option<Hold> = None;
        for line in &mut history.lines {
            let Line::Returned(_, Ret::Granted { holds, .. }) = line else {
                continue;
            };
            let Some(hold) = holds.first_mut() else {
                continue;
            };
            match &first {
                None => first = Some(hold.clone()),
                Some(first) if first.path == hold.path => {
                    hold.token = first.token;
                    return Some(history);
                }
                Some(_) => {}
            }
        }
        None
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            match line {
                Line::Invoked(client, op) => writeln!(f, "  {client} asks  {op:?}")?,
                Line::Returned(client, ret) => writeln!(f, "  {client} hears {ret:?}")?,
            }
        }
        Ok(())
    }
}
