//! Recorded requests, decided anew by the real core: what would other rules have done?
//!
//! ```text
//! journal → source: records, in portions → up to the fork: applied as they are
//!                                        → from the fork on: each lane decides → compare → report
//! ```
//!
//! Two lanes begin at the fork with the same state: the *baseline* with the rules as they were, and the *candidate* with
//! other ones. Both get the same requests at the same times, and each answers by itself. What they answer differently is
//! the rules' doing and nothing else's. That the baseline answers as the record does is counted, not taken for granted.
//!
//! Assumptions
//! - Agents do what they did: a request comes when it came, also where its agent would have heard another answer before.
//! - What a permit's holder did, it does as long after the grant as it did. A lane that grants later ends later.
//! - What the record never granted is completed after the time that its action typically took so far, or where no such
//!   time is known yet, is in flight until its lease ends.
//!
//! The journal is only read; whoever runs this needs no server and disturbs none. [`trial`] decides invented requests
//! the same way. It leaves files' formats and words for people to the command line.
mod candidate;
mod compare;
mod error;
mod lane;
mod log;
mod report;
mod run;
mod source;
pub mod trial;

pub use candidate::Candidate;
pub use error::Error;
pub use report::{Answer, Change, Counts, End, Kind, Report, ResultOf};
pub use run::{Options, Progress, replay};
pub use source::{Journal, Source};
