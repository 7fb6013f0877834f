//! The officer: a person's part, played with a key of the role `operator`.
//!
//! What it is about to answer it writes into the ledger first, so that the auditor can tell whether a large payment was
//! approved without believing anybody else.
use super::{AGAIN, SharedLedger, Stopped};
use crate::random::Random;
use fleet_client::Fleet;
use fleet_client::http::ApprovalFilter;
use fleet_types::approval::{AnswerBody, Means, Person, Phase, Subject, View};
use fleet_types::{ApprovalId, OptionId, Text};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How often it looks at its desk.
const LOOKS_EVERY: Duration = Duration::from_millis(50);
/// How long it thinks, in milliseconds, from and to.
const THINKS_MS: (u64, u64) = (20, 200);
/// Of 100 payments so many are rejected, and so many are left until their time is over.
const REJECTS_PERCENT: u64 = 15;
const IGNORES_PERCENT: u64 = 10;
/// Settled approvals whose ids are kept: more than the server lists.
const KEPT_MAX: usize = 4_000;

/// How the questions ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Approvals {
    /// Questions asked.
    pub asked: u64,
    /// Approved.
    pub approved: u64,
    /// Rejected.
    pub rejected: u64,
    /// Nobody answered in time, so they were rejected.
    pub timed_out: u64,
    /// Whoever asked was gone before the answer.
    pub moot: u64,
}

pub(super) struct Officer {
    pub fleet: Fleet,
    /// Without a key the officer says who it is, as anybody can on a server without keys.
    pub has_key: bool,
    pub seed: u64,
    pub ledger: SharedLedger,
    pub stopped: Stopped,
}

/// What it will answer, and when; None: nothing.
struct Intention {
    due: Instant,
    approve: Option<bool>,
}

impl Officer {
    pub async fn work(mut self) -> Approvals {
        let mut random = Random::split(self.seed, 0x6F66_6669);
        let mut desk: BTreeMap<ApprovalId, Intention> = BTreeMap::new();
        let mut counted = Counted::default();
        while !self.stopped.is() {
            let open = ApprovalFilter {
                state: Some(Phase::Open),
                ..ApprovalFilter::default()
            };
            let Ok(open) = self.fleet.approvals(&open).await else {
                self.stopped.pause(AGAIN).await;
                continue;
            };
            desk.retain(|id, _| open.iter().any(|view| view.approval == *id));
            for view in open {
                let intention = desk
                    .entry(view.approval)
                    .or_insert_with(|| intend(&mut random));
                if intention.due > Instant::now() {
                    continue;
                }
                if let Some(approve) = intention.approve
                    && self.answer(&view, approve).await
                {
                    intention.approve = None;
                }
            }
            counted.look(&self.fleet).await;
            self.stopped.pause(LOOKS_EVERY).await;
        }
        // The agents are gone: what they asked is settled, or is so soon.
        for _ in 0..20 {
            counted.look(&self.fleet).await;
            if counted.open == 0 {
                break;
            }
            tokio::time::sleep(AGAIN).await;
        }
        counted.sum
    }

    /// Whether it was said; what could not be is said again.
    async fn answer(&self, view: &View, approve: bool) -> bool {
        let Subject::Permit { request, .. } = &view.subject;
        let instruction = request.parameters.as_ref().and_then(|parameters| {
            let number = parameters.get("instruction")?;
            number.as_i64()
        });
        let Some(instruction) = instruction else {
            return true;
        };
        let written = self
            .ledger
            .with(move |ledger| ledger.record_consent(instruction, approve));
        if written.await.is_err() {
            return false;
        }
        let (option, comment) = match approve {
            true => ("approve", "seen and checked"),
            false => ("reject", "the customer did not confirm it"),
        };
        let (Ok(option), Ok(officer)) = (OptionId::parse(option), "user:officer".parse()) else {
            return true;
        };
        let officer: Person = officer;
        let body = AnswerBody {
            option,
            fields: BTreeMap::new(),
            comment: Text::clip(comment),
            speaks_as: (!self.has_key).then_some(officer),
        };
        self.fleet.answer(view.approval, &body).await.is_ok()
    }
}

fn intend(random: &mut Random) -> Intention {
    let (low, high) = THINKS_MS;
    let due = Instant::now() + Duration::from_millis(random.between(low, high));
    let approve = match random.below(100) {
        at if at < IGNORES_PERCENT => None,
        at => Some(at >= IGNORES_PERCENT + REJECTS_PERCENT),
    };
    Intention { due, approve }
}

/// What became of them, each counted once.
#[derive(Default)]
struct Counted {
    sum: Approvals,
    settled: BTreeSet<ApprovalId>,
    open: u64,
}

impl Counted {
    async fn look(&mut self, fleet: &Fleet) {
        let Ok(views) = fleet.approvals(&ApprovalFilter::default()).await else {
            return;
        };
        self.open = 0;
        for view in views {
            if view.state == Phase::Open {
                self.open += 1;
                continue;
            }
            if !self.settled.insert(view.approval) {
                continue;
            }
            let sum = &mut self.sum;
            sum.asked += 1;
            match (view.state, view.by) {
                (Phase::Approved, _) => sum.approved += 1,
                (Phase::Rejected, Some(Means::Deadline)) => sum.timed_out += 1,
                (Phase::Rejected, Some(Means::Answers) | None) => sum.rejected += 1,
                (Phase::Moot | Phase::Open, _) => sum.moot += 1,
            }
        }
        while self.settled.len() > KEPT_MAX {
            self.settled.pop_first();
        }
    }
}
