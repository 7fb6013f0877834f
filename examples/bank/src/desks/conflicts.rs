//! What collided, by kind: read from the fleet's own records while the bank is open.
use super::Stopped;
use fleet_client::Fleet;
use fleet_client::http::conflicts::ConflictFilter;
use fleet_types::ConflictId;
use fleet_types::conflict::Kind;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the records are read. One lasts ten seconds after its last collision at least.
const EVERY: Duration = Duration::from_secs(2);
/// Records that are remembered; the oldest are then over for long.
const KEPT_MAX: usize = 30_000;

/// Requests that collided, by kind.
pub(super) async fn count(fleet: Fleet, mut stopped: Stopped) -> BTreeMap<Kind, u64> {
    // What stood in records of an earlier run is not this one's.
    let mut before: BTreeMap<ConflictId, u64> = BTreeMap::new();
    if let Ok(views) = fleet.conflicts(&ConflictFilter::default()).await {
        before.extend(views.iter().map(|view| (view.conflict, view.requests)));
    }
    let mut records: BTreeMap<ConflictId, (Kind, u64)> = BTreeMap::new();
    let mut sum: BTreeMap<Kind, u64> = BTreeMap::new();
    loop {
        let last = stopped.is();
        if let Ok(views) = fleet.conflicts(&ConflictFilter::default()).await {
            for view in views {
                let earlier = before.get(&view.conflict).copied().unwrap_or(0);
                let requests = view.requests.saturating_sub(earlier);
                records.insert(view.conflict, (view.kind, requests));
            }
        }
        while records.len() > KEPT_MAX
            && let Some((_, (kind, requests))) = records.pop_first()
        {
            *sum.entry(kind).or_default() += requests;
        }
        if last {
            break;
        }
        stopped.pause(EVERY).await;
    }
    for (kind, requests) in records.into_values() {
        *sum.entry(kind).or_default() += requests;
    }
    sum
}
