//! Approvals: who is asked, what they answer, who answers in whose place.
//!
//! The core decides whom it has asked. This door tells it what it has proved of the key: its role and its scope.
use crate::app::wall_clock;
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Path, Query, Unread};
use crate::http::{Changed, PageQuery};
use crate::problem::{Problem, Result};
use crate::reads::{self, ApprovalFilter, Mine};
use fleet_types::approval::{
    self, Answer, AnswerBody, Assignee, CommentBody, Counted, Delegate, DelegateBody, Delegation,
    EndDelegationBody, EscalateBody, Person, Phase, Proof, Reassign, ReassignBody, Verb, View,
};
use fleet_types::view::Page;
use fleet_types::{Actor, ApprovalId, Code, Command, FleetId, PermitId, Reply};
use serde::Deserialize;
use std::str::FromStr;
use utoipa::IntoParams;

/// Which approvals.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApprovalsQuery {
    /// In this state.
    pub state: Option<Phase>,
    /// Asked of this one now: `user:KEY`, `role:operator`, `role:admin`, `group:GROUP` or `agent:AGENT`.
    pub assignee: Option<String>,
    /// That permit's.
    pub permit: Option<PermitId>,
    /// Only those that the caller may answer now.
    #[serde(default)]
    #[param(default = false)]
    pub mine: bool,
    /// With `mine`: whose, where the key may speak for several; `agent:AGENT`. Absent: the key's own.
    pub speaks_as: Option<String>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    pub count: Option<usize>,
}

/// Approvals, the newest first: those that something waits for, and the last that were.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/approvals",
    tag = "approvals",
    params(("fleet" = FleetId, Path, description = "The fleet."), ApprovalsQuery),
    responses((status = 200, body = Page<View>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<ApprovalsQuery>,
) -> Result<axum::Json<Page<View>>> {
    door.caller.may_somewhere(Operation::ReadApprovals)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let assignee = query.assignee.as_deref();
    let assignee = assignee.map(|text| parse::<Assignee>("assignee", text));
    let speaks_as = query.speaks_as.as_deref();
    let speaks_as = speaks_as.map(|text| parse::<Person>("speaks_as", text));
    let speaks_as = may_speak_as(&door, speaks_as.transpose()?).await?;
    let filter = ApprovalFilter {
        state: query.state,
        assignee: assignee.transpose()?,
        permit: query.permit,
        mine: query.mine.then(|| mine(&door, speaks_as)),
        seen_by: seen_by(&door),
    };
    let page = door
        .read(move |state| reads::approvals(state, &filter, wall_clock(), after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// An approval: the question, who was asked, and what they answered.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/approvals/{approval}",
    tag = "approvals",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("approval" = ApprovalId, Path, description = "The approval."),
    ),
    responses((status = 200, body = View, description = "The approval."))
)]
pub async fn get(
    door: Door,
    Path((_fleet, approval)): Path<(FleetId, ApprovalId)>,
) -> Result<axum::Json<View>> {
    door.caller.may_somewhere(Operation::ReadApprovals)?;
    let filter = ApprovalFilter {
        seen_by: seen_by(&door),
        ..ApprovalFilter::default()
    };
    let found = door
        .read(move |state| reads::approval(state, &filter, wall_clock(), approval))
        .await?;
    let view = found.ok_or_else(|| Problem::not_found("approval", approval))?;
    Ok(axum::Json(view))
}

/// Answers: for those who were asked.
///
/// The last voice that is needed decides, and what waits for it is decided again, from the first gate.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/approvals/{approval}/answer",
    tag = "approvals",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("approval" = ApprovalId, Path, description = "The approval."),
    ),
    request_body = AnswerBody,
    responses((status = 200, body = Counted, description = "It is counted."))
)]
pub async fn answer(
    door: Door,
    Path((_fleet, approval)): Path<(FleetId, ApprovalId)>,
    body: Unread,
) -> Result<axum::Json<Counted>> {
    let body: AnswerBody = body.read(&door.caller, Operation::AnswerApproval)?;
    let verb = Verb::Answer(Answer {
        approval,
        option: body.option,
        fields: body.fields,
        comment: body.comment,
    });
    match call(&door, body.speaks_as, verb).await? {
        Reply::Counted(counted) => Ok(axum::Json(counted)),
        other => super::permits::unexpected(&other),
    }
}

/// Asks the next ones now: for those who were asked, and for operators.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/approvals/{approval}/escalate",
    tag = "approvals",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("approval" = ApprovalId, Path, description = "The approval."),
    ),
    request_body = EscalateBody,
    responses((status = 200, body = Changed, description = "They are asked."))
)]
pub async fn escalate(
    door: Door,
    Path((_fleet, approval)): Path<(FleetId, ApprovalId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let body: EscalateBody = body.read(&door.caller, Operation::AnswerApproval)?;
    let reason = body.reason;
    let verb = Verb::Escalate { approval, reason };
    changed(&door, body.speaks_as, verb).await
}

/// Asks others instead: for admins.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/approvals/{approval}/reassign",
    tag = "approvals",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("approval" = ApprovalId, Path, description = "The approval."),
    ),
    request_body = ReassignBody,
    responses((status = 200, body = Changed, description = "They are asked."))
)]
pub async fn reassign(
    door: Door,
    Path((_fleet, approval)): Path<(FleetId, ApprovalId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let body: ReassignBody = body.read(&door.caller, Operation::ReassignApproval)?;
    let verb = Verb::Reassign(Reassign {
        approval,
        assignees: body.assignees,
        needed: body.needed,
        reason: body.reason,
    });
    changed(&door, None, verb).await
}

/// Says something without deciding: for those who were asked, whoever asked, and operators.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/approvals/{approval}/comment",
    tag = "approvals",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("approval" = ApprovalId, Path, description = "The approval."),
    ),
    request_body = CommentBody,
    responses((status = 200, body = Changed, description = "It is said."))
)]
pub async fn comment(
    door: Door,
    Path((_fleet, approval)): Path<(FleetId, ApprovalId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let body: CommentBody = body.read(&door.caller, Operation::AnswerApproval)?;
    let comment = body.comment;
    let verb = Verb::Comment { approval, comment };
    changed(&door, body.speaks_as, verb).await
}

/// Who answers in whose place now.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/delegations",
    tag = "approvals",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<Delegation>, description = "A page."))
)]
pub async fn delegations(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Delegation>>> {
    door.caller.may(Operation::ReadDelegations)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let page = door
        .read(move |state| reads::delegations(state, wall_clock(), after.as_deref(), count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// Lets another answer in one's place for a while, or in another's place, for admins. Takes the place of the one before.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/delegations",
    tag = "approvals",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = DelegateBody,
    responses((status = 200, body = Changed, description = "It holds."))
)]
pub async fn delegate(door: Door, body: Unread) -> Result<axum::Json<Changed>> {
    let body: DelegateBody = body.read(&door.caller, Operation::Delegate)?;
    let verb = Verb::Delegate(Delegate {
        from: body.from,
        to: body.to,
        for_ms: body.for_ms,
        reason: body.reason,
    });
    changed(&door, body.speaks_as, verb).await
}

/// Ends a delegation before its time: one's own, or another's, for admins.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/delegations:end",
    tag = "approvals",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = EndDelegationBody,
    responses((status = 200, body = Changed, description = "It is over."))
)]
pub async fn end_delegation(door: Door, body: Unread) -> Result<axum::Json<Changed>> {
    let body: EndDelegationBody = body.read(&door.caller, Operation::Delegate)?;
    let verb = Verb::EndDelegation {
        from: body.from,
        reason: body.reason,
    };
    changed(&door, body.speaks_as, verb).await
}

fn parse<T: FromStr<Err = fleet_types::Invalid>>(field: &str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|why: T::Err| Problem::new(Code::Invalid, why.to_string()).field(field))
}

/// What this door has proved of the caller's key.
fn proof(door: &Door) -> Proof {
    Proof {
        role: door.caller.role,
        scope: door.caller.scope.clone(),
    }
}

/// Who the caller is, when it is asked for its own.
fn mine(door: &Door, speaks_as: Option<Person>) -> Mine {
    let own = match &door.caller.actor {
        Actor::Agent(agent) => Person::Agent(agent.clone()),
        Actor::Key(key) => Person::User(key.clone()),
        Actor::Local | Actor::System => Person::Local,
    };
    Mine {
        by: door.caller.actor.clone(),
        person: speaks_as.unwrap_or(own),
        proof: proof(door),
    }
}

/// A key bound to a scope sees what agents in it ask, and what it is asked itself.
fn seen_by(door: &Door) -> Option<(fleet_types::ScopePath, Mine)> {
    let scope = door.caller.scope.clone()?;
    Some((scope, mine(door, None)))
}

/// Speaking for an agent takes what asking for it takes.
async fn may_speak_as(door: &Door, person: Option<Person>) -> Result<Option<Person>> {
    if let Some(Person::Agent(agent)) = &person {
        door.may_for_agent(Operation::Ask, agent).await?;
    }
    Ok(person)
}

async fn call(door: &Door, speaks_as: Option<Person>, verb: Verb) -> Result<Reply> {
    let command = approval::Command {
        proof: proof(door),
        speaks_as: may_speak_as(door, speaks_as).await?,
        verb,
    };
    door.call(Command::Approval(Box::new(command))).await
}

async fn changed(
    door: &Door,
    speaks_as: Option<Person>,
    verb: Verb,
) -> Result<axum::Json<Changed>> {
    let reply = call(door, speaks_as, verb).await?;
    Ok(axum::Json(Changed::of(&reply)))
}
