//! Where agents have been: how often each has taken each resource, lately. From this follows who will likely be there.
//!
//! A habit is a rate that fades: a visit counts full at once and half after the half-life. With visits that come evenly
//! the sum of what they still count for stands for the rate, and that nobody comes within a span has the probability
//! e^(−rate × span). Integers throughout, so that every build comes to the same.
use fleet_types::lock::{Claim, Mode};
use fleet_types::{AgentId, Time};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Most resources whose visitors are remembered.
const PATHS_MAX: usize = if cfg!(test) { 64 } else { 16_384 };
/// Most visitors of one.
const VISITORS_MAX: usize = 8;
/// A visit counts half after this: ten minutes.
const HALF_LIFE_US: u64 = 600_000_000;
/// What a visit counts for at once.
const ONE: u64 = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
pub struct Habits {
    since: Time,
    by_path: BTreeMap<SmolStr, Vec<Visitor>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Visitor {
    agent: AgentId,
    /// What its visits count for, as of `at`.
    weight: u64,
    at: Time,
    /// The strongest mode in which it came.
    mode: Mode,
}

impl Visitor {
    fn weight_at(&self, now: Time) -> u64 {
        fade(self.weight, now.micros_since(self.at))
    }
}

/// Halved for each half-life; between two of them along the chord, at most 6 % above the curve.
fn fade(weight: u64, span: u64) -> u64 {
    let halvings = span / HALF_LIFE_US;
    if halvings >= 40 {
        return 0;
    }
    let (rest, weight) = (span % HALF_LIFE_US, weight >> halvings);
    let lost = u128::from(weight) * u128::from(rest) / u128::from(2 * HALF_LIFE_US);
    weight - lost as u64
}

impl Habits {
    pub fn since(now: Time) -> Habits {
        Habits {
            since: now,
            by_path: BTreeMap::new(),
        }
    }

    /// An agent takes resources.
    pub fn visit(&mut self, agent: &AgentId, claims: &[Claim], now: Time) {
        for claim in claims {
            let path = claim.path.text();
            if self.by_path.len() >= PATHS_MAX && !self.by_path.contains_key(path) {
                self.forget(now);
            }
            let visitors = self.by_path.entry(path.clone()).or_default();
            match visitors.iter_mut().find(|it| it.agent == *agent) {
                Some(visitor) => {
                    visitor.weight = visitor.weight_at(now).saturating_add(ONE);
                    visitor.at = now;
                    visitor.mode = visitor.mode.max(claim.mode);
                }
                None => {
                    if visitors.len() >= VISITORS_MAX {
                        let rarest =
                            (0..visitors.len()).min_by_key(|at| visitors[*at].weight_at(now));
                        visitors.remove(rarest.unwrap_or(0));
                    }
                    visitors.push(Visitor {
                        agent: agent.clone(),
                        weight: ONE,
                        at: now,
                        mode: claim.mode,
                    });
                }
            }
        }
    }

    /// Drops the half of all resources that were visited least, lately.
    fn forget(&mut self, now: Time) {
        let weight =
            |visitors: &Vec<Visitor>| visitors.iter().map(|it| it.weight_at(now)).sum::<u64>();
        let mut weights: Vec<u64> = self.by_path.values().map(weight).collect();
        let half = weights.len() / 2;
        let (_, median, _) = weights.select_nth_unstable(half);
        let median = *median;
        let mut left = half; // Of equals not all go.
        self.by_path.retain(|_, visitors| {
            let goes = left > 0 && weight(visitors) <= median;
            left -= usize::from(goes);
            !goes
        });
    }

    /// Who comes to a resource, in a mode that conflicts, within a span from now on: with which probability, in thousandths.
    pub fn expected(&self, claim: &Claim, now: Time, span: u64) -> Vec<(&AgentId, u32)> {
        let visitors = self.by_path.get(claim.path.as_str());
        let visitors = visitors.into_iter().flatten();
        let conflicting = visitors.filter(|it| !it.mode.compatible(claim.mode));
        conflicting
            .map(|visitor| {
                (
                    &visitor.agent,
                    self.permille(visitor.weight_at(now), now, span),
                )
            })
            .collect()
    }

    /// The weight of even visits is their rate times half-life / ln 2, once it has run for some half-lives; before, as
    /// much of that as has run.
    fn permille(&self, weight: u64, now: Time, span: u64) -> u32 {
        let full = u128::from(HALF_LIFE_US) * 1_443 / 1_000; // 1 / ln 2
        let run = u128::from(now.micros_since(self.since).max(1));
        let remembered = full.min(run);
        // Expected visits within the span, in thousandths.
        let expected = u128::from(weight) * u128::from(span) * 1_000 / remembered / u128::from(ONE);
        1_000 - none_of(u64::try_from(expected).unwrap_or(u64::MAX))
    }
}

/// e^(−x) of x thousandths, in thousandths.
fn none_of(expected: u64) -> u32 {
    const OF_EACH: [u64; 11] = [1_000, 905, 819, 741, 670, 607, 549, 497, 449, 407, 368];
    if expected >= 7_000 {
        return 0;
    }
    let (whole, rest) = (expected / 1_000, expected % 1_000);
    let (tenth, part) = ((rest / 100) as usize, rest % 100);
    let between = OF_EACH[tenth] - (OF_EACH[tenth] - OF_EACH[tenth + 1]) * part / 100;
    let mut left = between;
    for _ in 0..whole {
        left = left * 368 / 1_000;
    }
    left as u32
}
