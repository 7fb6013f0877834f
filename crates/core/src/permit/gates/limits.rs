//! Do all limits that apply have room?
use super::{Ask, Report, Stop};
use crate::limit::check;
use crate::permit::grant::Found;
use fleet_types::explain::Gate;
use fleet_types::limit::Measure;
use fleet_types::permit::{Blocker, LimitCharge};
use fleet_types::{Code, Millis};

pub fn pass(ask: &Ask<'_>, report: &mut Report) -> Result<Found<LimitCharge>, Box<Stop>> {
    let checked = check::check(ask, |limit, used, max| {
        report.saw(|| format!("{}.used", limit.id), used);
        report.saw(|| format!("{}.max", limit.id), max);
    });
    let full = match checked {
        Ok(charges) => return Ok(charges),
        Err(full) => full,
    };
    let entry = ask
        .state
        .limits
        .get(full.limit)
        .expect("it was just looked at");
    let id = entry.limit.id.clone();
    let (code, words) = match &entry.limit.measure {
        Measure::Rate(rate) => (
            Code::RateLimited,
            format!(
                "limit {id} of {} per {} ms is used up",
                full.max, rate.per_ms.0
            ),
        ),
        Measure::Concurrency(_) => (
            Code::ConcurrencyLimited,
            format!("limit {id} has {} in flight of {}", full.used, full.max),
        ),
    };
    let blocker = Blocker::Limit {
        limit: id,
        free_at: full.free_at,
    };
    let mut stop = Stop::wait(Gate::Limits, code, words, blocker);
    stop.retry_after = full.free_at.map(|at| Millis(ask.now.millis_until(at)));
    Err(stop)
}
