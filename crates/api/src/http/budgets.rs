//! Budgets: how much money or how many tokens.
use crate::app::wall_clock;
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::etag;
use crate::extract::{Path, Query, Unread};
use crate::http::{Changed, PageQuery, change};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_types::budget::{self, Budget};
use fleet_types::view::{self, Page};
use fleet_types::{BudgetId, Code, Command, FleetId, Labels, Text};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// Budgets and their use, by id.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/budgets",
    tag = "budgets",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<view::Budget>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<view::Budget>>> {
    door.caller
        .may_within(Operation::ReadBudgets, door.caller.scope.as_ref())?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let mut page = door
        .read(move |state| reads::budgets(state, wall_clock(), after.as_deref(), count))
        .await?;
    // A key bound to a scope sees its own; a page may then hold fewer rows than asked for.
    page.items
        .retain(|row| door.caller.sees(row.budget.selector.scope.as_ref()));
    Ok(axum::Json(cursor::seal(page)))
}

/// A budget and its use.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/budgets/{budget}",
    tag = "budgets",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("budget" = BudgetId, Path, description = "The budget.")),
    responses((status = 200, body = view::Budget, description = "The budget."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, budget)): Path<(FleetId, BudgetId)>,
) -> Result<Response> {
    door.caller
        .may_within(Operation::ReadBudgets, door.caller.scope.as_ref())?;
    let id = budget.clone();
    let found = door
        .read(move |state| reads::budget(state, wall_clock(), &id))
        .await?
        .filter(|row| door.caller.sees(row.budget.selector.scope.as_ref()))
        .ok_or_else(|| Problem::not_found("budget", budget))?;
    Ok(etag::answer(&headers, &etag::of(&found.budget), &found))
}

/// Sets a budget; what it has counted stands.
///
/// `id` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/budgets/{budget}",
    tag = "budgets",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("budget" = BudgetId, Path, description = "The budget."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
    ),
    request_body = Budget,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, budget)): Path<(FleetId, BudgetId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    may_replace(&door, &budget).await?;
    let definition: Budget =
        body.read_named(&door.caller, Operation::SetBudget, ("id", budget.as_str()))?;
    door.caller
        .may_within(Operation::SetBudget, definition.selector.scope.as_ref())?;
    let command = Command::Budget(budget::Command::Set(Box::new(definition)));
    edit(&door, &headers, budget, command).await
}

/// Removes a budget.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/budgets/{budget}",
    tag = "budgets",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("budget" = BudgetId, Path, description = "The budget.")),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, budget)): Path<(FleetId, BudgetId)>,
) -> Result<axum::Json<Changed>> {
    may_replace(&door, &budget).await?;
    let command = Command::Budget(budget::Command::Remove {
        budget: budget.clone(),
    });
    edit(&door, &headers, budget, command).await
}

/// By how much.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopUpBody {
    /// Which account; absent for a budget that all share.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub account: Option<SmolStr>,
    /// By how much, in the budget's unit.
    pub amount: u64,
    /// Why.
    #[serde(default)]
    pub reason: Text,
}

/// Raises a budget's hard threshold for the current period.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/budgets/{budget}/top-up",
    tag = "budgets",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("budget" = BudgetId, Path, description = "The budget.")),
    request_body = TopUpBody,
    responses((status = 200, body = Changed, description = "It bears more."))
)]
pub async fn top_up(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, budget)): Path<(FleetId, BudgetId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    may_replace(&door, &budget).await?;
    let body: TopUpBody = body.read(&door.caller, Operation::SetBudget)?;
    // The value of a label, or the name of an agent, which is shorter.
    let bytes_max = Labels::VALUE_BYTES_MAX;
    if body
        .account
        .as_ref()
        .is_some_and(|account| account.len() > bytes_max)
    {
        let detail = format!("account is longer than {bytes_max} bytes, so it is nobody's");
        return Err(Problem::new(Code::Invalid, detail).field("account"));
    }
    let command = Command::Budget(budget::Command::TopUp {
        budget: budget.clone(),
        account: body.account,
        amount: body.amount,
        reason: body.reason,
    });
    edit(&door, &headers, budget, command).await
}

/// Whether the caller may change what stands under this name now, if anything does.
async fn may_replace(door: &Door, budget: &BudgetId) -> Result<()> {
    if door.caller.scope.is_none() {
        return door.caller.may_within(Operation::SetBudget, None);
    }
    let id = budget.clone();
    match door
        .read(move |state| reads::budget(state, wall_clock(), &id))
        .await?
    {
        Some(found) => door
            .caller
            .may_within(Operation::SetBudget, found.budget.selector.scope.as_ref()),
        // Nothing stands there: only the role counts.
        None => door
            .caller
            .may_within(Operation::SetBudget, door.caller.scope.as_ref()),
    }
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    budget: BudgetId,
    command: Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| {
        reads::budget(state, wall_clock(), &budget).map(|found| found.budget)
    };
    Ok(axum::Json(change(door, headers, now, command).await?))
}
