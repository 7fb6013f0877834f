//! Has every limit that applies room for a request?
use super::rate::{Pace, nanos, shared_part};
use super::{Count, Entry, LimitKey};
use crate::permit::gates::Ask;
use crate::permit::grant::Found;
use fleet_types::Time;
use fleet_types::limit::{Class, Each, Limit, Measure, Rate};
use fleet_types::permit::{LimitCharge, Request};
use smallvec::SmallVec;
use smol_str::SmolStr;

/// Why a limit stops a request.
pub struct Full {
    pub limit: LimitKey,
    /// When a rate has room again.
    pub free_at: Option<Time>,
    /// In flight, or used of the burst.
    pub used: u64,
    pub max: u64,
}

/// The keys of the counts of one limit that a request is charged to.
pub fn count_keys(limit: &Limit, request: &Request, mut each: impl FnMut(SmolStr)) {
    match limit.each {
        Each::All => each(SmolStr::default()),
        Each::Agent => each(request.agent.text().clone()),
        Each::Action => each(request.action.text().clone()),
        Each::Resource => {
            for claim in &request.resources {
                let pattern = limit.selector.resource.as_ref();
                if pattern.is_none_or(|pattern| pattern.matches(claim.path.as_str())) {
                    each(claim.path.text().clone());
                }
            }
        }
    }
}

/// The same as a list.
pub fn counts_of(limit: &Limit, request: &Request) -> SmallVec<[SmolStr; 1]> {
    let mut counts = SmallVec::new();
    count_keys(limit, request, |count| counts.push(count));
    counts
}

/// Everything a grant would be charged, or the first limit without room.
/// `seen` hears of every count looked at: limit, used, most.
pub fn check(
    ask: &Ask<'_>,
    mut seen: impl FnMut(&Limit, u64, u64),
) -> Result<Found<LimitCharge>, Full> {
    let limits = &ask.state.limits;
    let mut found = Found::default();
    let mut full = None;
    for key in limits.index.candidates(ask.agent, ask.request) {
        let Some(entry) = limits.get(key) else {
            continue;
        };
        let compiled = entry.compiled.as_ref().expect("compiled when set");
        if !compiled.matches(ask.agent, ask.request) {
            continue;
        }
        let waits_here = ask.waits_for_limit == Some(key);
        count_keys(&entry.limit, ask.request, |count_key| {
            let count = entry.count(&count_key);
            let room = room(entry, count, ask.class, ask.now);
            let passed_over = !waits_here && passes(entry, ask, &count_key);
            seen(&entry.limit, room.used, room.max);
            if (!room.fits || passed_over) && full.is_none() {
                full = Some(Full {
                    limit: key,
                    free_at: room.free_at,
                    used: room.used,
                    max: room.max,
                });
            }
            let charge = LimitCharge {
                limit: entry.limit.id.clone(),
                key: (!count_key.is_empty()).then_some(count_key),
            };
            found.push(key, charge);
        });
        if full.is_some() && !ask.explain {
            break;
        }
    }
    match full {
        Some(full) => Err(full),
        None => Ok(found),
    }
}

/// Whether somebody who waits for a count would be passed over.
fn passes(entry: &Entry, ask: &Ask<'_>, count: &str) -> bool {
    if entry.limit.each != Each::Resource {
        return entry.queue.has(count, ask.class); // Whoever waits, waits for this count alone.
    }
    // Who waits here may stand in other lines for want of another count: only its turn counts then.
    let (place, shares) = (ask.asker.place, &entry.fair);
    let queue = &entry.queue;
    queue.has(count, ask.class) && queue.precedes(count, ask.class, ask.agent_key, place, shares)
}

pub struct Room {
    pub fits: bool,
    pub used: u64,
    pub max: u64,
    pub free_at: Option<Time>,
}

/// What one count has left for a class.
pub fn room(entry: &Entry, count: Option<&Count>, class: Class, now: Time) -> Room {
    let max = entry.max();
    match &entry.limit.measure {
        Measure::Concurrency(_) => {
            let Some(count) = count else {
                return Room {
                    fits: max > 0,
                    used: 0,
                    max,
                    free_at: None,
                };
            };
            let own = count.in_flight[class as usize] < entry.limit.reserved.of(class);
            let shared = count.in_shared(&entry.limit) < shared_part(&entry.limit, max);
            Room {
                fits: own || shared,
                used: count.in_flight.iter().sum(),
                max,
                free_at: None,
            }
        }
        Measure::Rate(rate) => rate_room(entry, rate, count, class, now),
    }
}

fn rate_room(entry: &Entry, rate: &Rate, count: Option<&Count>, class: Class, now: Time) -> Room {
    let max = entry.max();
    let fresh = Count::default();
    let count = count.unwrap_or(&fresh);
    let (own, shared) = paces(entry, rate, class);
    let buckets = [
        own.map(|pace| (count.reserved[class as usize], pace)),
        shared.map(|pace| (count.shared, pace)),
    ];
    let free_at = buckets
        .iter()
        .flatten()
        .map(|(bucket, pace)| bucket.free_at(*pace))
        .min()
        .unwrap_or(u64::MAX);
    Room {
        fits: free_at <= nanos(now),
        used: shared.map_or(0, |pace| count.shared.used(pace, nanos(now))),
        max,
        // Rounded up to the fleet's microseconds, so that it fits then.
        free_at: (free_at > nanos(now)).then(|| Time(free_at.div_ceil(1_000))),
    }
}

/// The paces of a class's own bucket and of the shared one.
pub fn paces(entry: &Entry, rate: &Rate, class: Class) -> (Option<Pace>, Option<Pace>) {
    let max = entry.max();
    let own = entry.limit.reserved.of(class).min(max);
    (
        Pace::of(rate, own, max),
        Pace::of(rate, shared_part(&entry.limit, max), max),
    )
}
