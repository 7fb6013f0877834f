//! The shorter lists: scopes, groups, actions, limits, budgets, halts, the directory.
use super::{page, sorted};
use crate::halt::Halt as Entry;
use crate::limit::check::room;
use crate::state::State;
use fleet_types::action::Action;
use fleet_types::directory::Key;
use fleet_types::group::Group;
use fleet_types::limit::Class;
use fleet_types::settings::Settings;
use fleet_types::view::{Budget, BudgetAccount, Halt, Limit, LimitCount, Page, Propagation, Scope};
use fleet_types::{BudgetId, FleetId, HaltId, LimitId, TenantId, Time};

/// Counts or accounts shown of one limit or budget.
const PARTS_MAX: usize = 100;
/// Instances named that have not acknowledged a halt.
const NAMES_MAX: usize = 1_000;

/// The fleet's settings.
#[must_use]
pub fn settings(state: &State) -> Settings {
    state.settings.clone()
}

/// Scopes by path.
#[must_use]
pub fn scopes(state: &State, after: Option<&str>, count: usize) -> Page<Scope> {
    let rows = sorted(state.scopes.nodes.iter(), after, |_| true);
    let rows = rows.into_iter().filter_map(|(path, node)| {
        let declared = node.declared.as_ref();
        let path_of = fleet_types::ScopePath::parse(&path).ok()?;
        let limits = state.limits.entries.iter().flatten();
        let rules = state.rules.by_id.values();
        let rules = rules.filter_map(|key| state.rules.get(*key));
        let budgets = state.budgets.entries.iter().flatten();
        let scope = Scope {
            description: declared.map(|d| d.description.clone()).unwrap_or_default(),
            labels: declared.map(|d| d.labels.clone()).unwrap_or_default(),
            agents: node.agents,
            limits: limits
                .filter(|entry| entry.limit.selector.scope.as_ref() == Some(&path_of))
                .map(|entry| entry.limit.id.clone())
                .collect(),
            rules: rules
                .filter(|entry| {
                    entry
                        .rule
                        .cases()
                        .any(|case| case.scope.as_ref() == Some(&path_of))
                })
                .map(|entry| entry.rule.id.clone())
                .collect(),
            budgets: budgets
                .filter(|entry| entry.budget.selector.scope.as_ref() == Some(&path_of))
                .map(|entry| entry.budget.id.clone())
                .collect(),
            path: path_of,
        };
        Some((path, scope))
    });
    page(state, rows, after, count)
}

/// Groups by id.
#[must_use]
pub fn groups(state: &State, after: Option<&str>, count: usize) -> Page<Group> {
    let rows = sorted(state.groups.by_id.iter(), after, |_| true);
    page(
        state,
        rows.into_iter().map(|(id, group)| (id, group.clone())),
        after,
        count,
    )
}

/// The catalogue by pattern.
#[must_use]
pub fn actions(state: &State, after: Option<&str>, count: usize) -> Page<Action> {
    let rows = sorted(state.actions.by_pattern.iter(), after, |_| true);
    page(
        state,
        rows.into_iter().map(|(id, action)| (id, action.clone())),
        after,
        count,
    )
}

/// Limits by id, or the one with this id.
#[must_use]
pub fn limits(
    state: &State,
    only: Option<&LimitId>,
    after: Option<&str>,
    count: usize,
) -> Page<Limit> {
    let rows = sorted(state.limits.by_id.iter(), after, |_| true);
    let rows = rows.into_iter().filter_map(|(id, key)| {
        let entry = state.limits.get(*key)?;
        if only.is_some_and(|only| *only != entry.limit.id) {
            return None;
        }
        let counts = entry.all_counts().take(PARTS_MAX);
        let counts = counts.map(|(key, count)| {
            let room = room(entry, Some(count), Class::Normal, state.now);
            LimitCount {
                key: (!key.is_empty()).then(|| key.into()),
                used: room.used,
                max: room.max,
                granted: count.granted,
                stopped: count.stopped,
            }
        });
        let limit = Limit {
            limit: (*entry.limit).clone(),
            current: entry.limit.dynamic.map(|_| entry.max()),
            counts: counts.collect(),
            waiting: entry.queue.len() as u64,
        };
        Some((id, limit))
    });
    page(state, rows, after, count)
}

/// Budgets by id, or the one with this id, as they stand at `now`.
#[must_use]
pub fn budgets(
    state: &State,
    only: Option<&BudgetId>,
    now: Time,
    after: Option<&str>,
    count: usize,
) -> Page<Budget> {
    let now = now.max(state.now);
    let rows = sorted(state.budgets.by_id.iter(), after, |_| true);
    let rows = rows.into_iter().filter_map(|(id, key)| {
        let entry = state.budgets.get(*key)?;
        let budget = &entry.budget;
        if only.is_some_and(|only| *only != budget.id) {
            return None;
        }
        let names = entry.names().take(PARTS_MAX);
        let accounts = names.map(|name| {
            let purse = entry.purse(name, now);
            BudgetAccount {
                account: (!name.is_empty()).then(|| name.into()),
                unit: budget.unit,
                period: budget.period,
                period_start: purse.period_start,
                spent: purse.spent,
                reserved: purse.reserved,
                hard: purse.hard(budget),
                overrun: purse.overrun,
            }
        });
        let view = Budget {
            budget: (**budget).clone(),
            accounts: accounts.collect(),
        };
        Some((id, view))
    });
    page(state, rows, after, count)
}

/// Halts, those in force and the last released ones, the newest first; only those in force if `active`.
#[must_use]
pub fn halts(state: &State, active: bool, after: Option<&str>, count: usize) -> Page<Halt> {
    let after = after.and_then(|after| after.parse::<HaltId>().ok());
    let rows = state.halts.by_id.values().rev();
    let rows = rows
        .filter(|halt| !active || halt.released_at.is_none())
        .filter(|halt| after.is_none_or(|after| halt.id < after))
        .map(|halt| (halt.id.to_string(), halt_view(state, halt)));
    page(state, rows, None, count)
}

/// One halt.
#[must_use]
pub fn halt(state: &State, id: HaltId) -> Option<Halt> {
    state.halts.get(id).map(|halt| halt_view(state, halt))
}

fn halt_view(state: &State, halt: &Entry) -> Halt {
    let mut times = halt.acknowledged_us.clone();
    times.sort_unstable();
    // The nearest-rank quantile: the smallest time that so many of all are not above.
    let quantile = |per_mille: usize| {
        let rank = (times.len() * per_mille).div_ceil(1_000);
        times.get(rank.saturating_sub(1)).copied()
    };
    Halt {
        id: halt.id,
        order: (*halt.order).clone(),
        by: halt.by.clone(),
        at: halt.at,
        mode: halt.order.mode,
        release_by_two: halt.release_by_two,
        release_requested_by: halt.release_requested_by.clone(),
        released_at: halt.released_at,
        revoked: halt.revoked,
        propagation: Propagation {
            reach: (halt.awaited.len() + times.len()) as u64,
            acknowledged: times.len() as u64,
            in_flight: halt.in_flight,
            p50_us: quantile(500),
            p99_us: quantile(990),
            max_us: times.last().copied(),
            unacknowledged: state
                .halts
                .awaited(state, halt.id)
                .take(NAMES_MAX)
                .collect(),
        },
    }
}

/// Tenants with their fleets and keys (hashes only).
#[must_use]
pub fn directory(state: &State) -> Vec<(TenantId, Vec<FleetId>, Vec<Key>)> {
    let tenants = state.directory.tenants.iter();
    tenants
        .map(|(id, tenant)| {
            let keys = tenant.keys.values().map(|key| (**key).clone()).collect();
            (id.clone(), tenant.fleets.clone(), keys)
        })
        .collect()
}
