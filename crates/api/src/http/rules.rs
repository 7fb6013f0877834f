//! Coordination rules: what must not happen together, what must come first, how often, by whom.
use crate::auth::{Caller, Operation};
use crate::cursor;
use crate::door::Door;
use crate::etag;
use crate::extract::{Path, Query, Unread};
use crate::http::{Changed, PageQuery, change};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_types::finding::Finding;
use fleet_types::rule::{self, Rule};
use fleet_types::view::{self, Page};
use fleet_types::{Command, FleetId, RuleId, Seq, Text};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Rules and what they do, by id; without their earlier versions.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/rules",
    tag = "rules",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<view::Rule>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<view::Rule>>> {
    door.caller
        .may_within(Operation::ReadRules, door.caller.scope.as_ref())?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let mut page = door
        .read(move |state| reads::rules(state, after.as_deref(), count))
        .await?;
    // A key bound to a scope sees its own; a page may then hold fewer rows than asked for.
    page.items.retain(|row| sees(&door.caller, &row.rule));
    page.items
        .iter_mut()
        .for_each(|row| hide(&door.caller, row));
    Ok(axum::Json(cursor::seal(page)))
}

/// A rule, what it does, and its earlier versions.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/rules/{rule}",
    tag = "rules",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("rule" = RuleId, Path, description = "The rule.")),
    responses((status = 200, body = view::Rule, description = "The rule."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, rule)): Path<(FleetId, RuleId)>,
) -> Result<Response> {
    door.caller
        .may_within(Operation::ReadRules, door.caller.scope.as_ref())?;
    let id = rule.clone();
    let mut found = door
        .read(move |state| reads::rule(state, &id))
        .await?
        .filter(|row| sees(&door.caller, &row.rule))
        .ok_or_else(|| Problem::not_found("rule", rule))?;
    hide(&door.caller, &mut found);
    // What stood elsewhere before is not for a key bound to a scope.
    found
        .versions
        .retain(|former| sees(&door.caller, &former.rule));
    Ok(etag::answer(&headers, &etag::of(&found.rule), &found))
}

/// Why it is changed.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReasonQuery {
    /// Why; people will read it.
    pub reason: Option<Text>,
}

/// Sets a rule, or its next version; what its permits did goes on counting where the cases and the form are the same.
///
/// `id` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/rules/{rule}",
    tag = "rules",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("rule" = RuleId, Path, description = "The rule."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
        ReasonQuery,
    ),
    request_body = Rule,
    responses((status = 200, body = RuleChanged, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, rule)): Path<(FleetId, RuleId)>,
    Query(query): Query<ReasonQuery>,
    body: Unread,
) -> Result<axum::Json<RuleChanged>> {
    may_replace(&door, &rule).await?;
    let definition: Rule =
        body.read_named(&door.caller, Operation::SetRule, ("id", rule.as_str()))?;
    may_set(&door.caller, &definition)?;
    let command = rule::Command::Set {
        rule: Box::new(definition),
        reason: query.reason.unwrap_or_default(),
    };
    set(&door, &headers, rule, command).await
}

/// Removes a rule with all its versions.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/rules/{rule}",
    tag = "rules",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("rule" = RuleId, Path, description = "The rule."),
        ReasonQuery,
    ),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, rule)): Path<(FleetId, RuleId)>,
    Query(query): Query<ReasonQuery>,
) -> Result<axum::Json<Changed>> {
    may_replace(&door, &rule).await?;
    let command = rule::Command::Remove {
        rule: rule.clone(),
        reason: query.reason.unwrap_or_default(),
    };
    edit(&door, &headers, rule, command).await
}

/// To which version, and why.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollBackBody {
    /// To which version; absent: the one before.
    pub version: Option<u32>,
    /// Why; people will read it.
    pub reason: Text,
}

/// Makes an earlier version of a rule the next one.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/rules/{rule}/rollback",
    tag = "rules",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("rule" = RuleId, Path, description = "The rule.")),
    request_body = RollBackBody,
    responses((status = 200, body = RuleChanged, description = "It is in force."))
)]
pub async fn roll_back(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, rule)): Path<(FleetId, RuleId)>,
    body: Unread,
) -> Result<axum::Json<RuleChanged>> {
    let found = may_replace(&door, &rule).await?;
    let RollBackBody {
        mut version,
        reason,
    } = body.read(&door.caller, Operation::SetRule)?;
    if let Some(found) = found {
        let former = match version {
            None => found.versions.last(),
            Some(number) => found.versions.iter().find(|it| it.version == number),
        };
        if let Some(former) = former {
            may_set(&door.caller, &former.rule)?;
            version = Some(former.version); // That one, and none that came in between.
        }
    }
    let command = rule::Command::RollBack {
        rule: rule.clone(),
        version,
        reason,
    };
    set(&door, &headers, rule, command).await
}

/// Why it is reset.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResetBody {
    /// Why; people will read it.
    pub reason: Text,
}

/// Lets through again what a throttle has stopped.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/rules/{rule}/reset",
    tag = "rules",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("rule" = RuleId, Path, description = "The rule.")),
    request_body = ResetBody,
    responses((status = 200, body = Changed, description = "It goes on."))
)]
pub async fn reset(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, rule)): Path<(FleetId, RuleId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    may_replace(&door, &rule).await?;
    let body: ResetBody = body.read(&door.caller, Operation::SetRule)?;
    let command = rule::Command::Reset {
        rule: rule.clone(),
        reason: body.reason,
    };
    edit(&door, &headers, rule, command).await
}

/// Whether the caller sees a rule: all its cases stand within its key's scope.
fn sees(caller: &Caller, rule: &Rule) -> bool {
    rule.cases().all(|case| caller.sees(case.scope.as_ref()))
}

/// Whether the caller may make a rule be so: all its cases stand within its key's scope.
fn may_set(caller: &Caller, rule: &Rule) -> Result<()> {
    let mut cases = rule.cases();
    cases.try_for_each(|case| caller.may_within(Operation::SetRule, case.scope.as_ref()))
}

/// Whether the caller may change what stands under this name now; gives that to a key bound to a scope.
async fn may_replace(door: &Door, rule: &RuleId) -> Result<Option<view::Rule>> {
    if door.caller.scope.is_none() {
        door.caller.may_within(Operation::SetRule, None)?;
        return Ok(None);
    }
    // Also where nothing stands there.
    door.caller.may_somewhere(Operation::SetRule)?;
    let id = rule.clone();
    let found = door.read(move |state| reads::rule(state, &id)).await?;
    if let Some(found) = &found {
        may_set(&door.caller, &found.rule)?;
    }
    Ok(found)
}

/// A rule was set, and what was noticed about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RuleChanged {
    /// False when things were as asked already.
    pub changed: bool,
    /// As of this place in the journal, where something changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// What was noticed about it as it stands; it is in force all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
}

/// Sets a version, and tells what was noticed about it, where the caller sees the rule that it is about.
async fn set(
    door: &Door,
    headers: &HeaderMap,
    rule: RuleId,
    command: rule::Command,
) -> Result<axum::Json<RuleChanged>> {
    let id = rule.clone();
    let Changed { changed, seq } = edit(door, headers, rule, command).await?.0;
    let found = door.read(move |state| reads::rule(state, &id)).await?;
    Ok(axum::Json(RuleChanged {
        changed,
        seq,
        warnings: found.map_or_else(Vec::new, |mut found| {
            hide(&door.caller, &mut found);
            found.warnings
        }),
    }))
}

/// A key bound to a scope hears nothing of rules elsewhere.
fn hide(caller: &Caller, row: &mut view::Rule) {
    if caller.scope.is_some() {
        row.warnings.retain(|finding| finding.other.is_none());
    }
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    rule: RuleId,
    command: rule::Command,
) -> Result<axum::Json<Changed>> {
    let now = move |state: &fleet_core::State| reads::rule(state, &rule).map(|found| found.rule);
    let command = Command::Rule(command);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
