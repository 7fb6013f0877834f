//! Transactions: begin, enlist, commit, abort, and what participants and people say of their branches.
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Path, Query, Unread};
use crate::http::permits::{speaker, unexpected};
use crate::http::wait::{WAIT_MS_MAX, span};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fleet_types::txn::{
    self, Begin, Branch, Command as Txn, Kind, Outcome, Phase, Report, Standing, Step, Verdict,
    View,
};
use fleet_types::view::Page;
use fleet_types::{
    AgentId, BranchId, Code, Command, FleetId, Labels, Millis, PermitId, Reply, RequestId, Text,
    TxnId,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which transactions.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransactionsQuery {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows, 1–1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    pub count: Option<usize>,
    /// Those that are over too, as far as they are remembered.
    #[serde(default)]
    pub all: bool,
}

/// Transactions, the oldest first, without their logs.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/transactions",
    tag = "transactions",
    params(("fleet" = FleetId, Path, description = "The fleet."), TransactionsQuery),
    responses((status = 200, body = Page<View>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<TransactionsQuery>,
) -> Result<axum::Json<Page<View>>> {
    door.caller.may_within(Operation::ReadTxns, None)?;
    let after = cursor::read(query.after.as_deref())?;
    let after = after.map(|after| after.parse::<TxnId>()).transpose();
    let after = after.map_err(|why| Problem::new(Code::Invalid, why.to_string()).field("after"))?;
    let count = cursor::count(query.count)?;
    let page = door
        .read(move |state| reads::txns(state, query.all, after, count))
        .await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A transaction as it comes through the door: what the door knows may be left out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginBody {
    /// The asker's own id: a repeat gets the transaction that it began. The header `Idempotency-Key` says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Whose it is; absent: the agent that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Which kind.
    #[serde(default)]
    pub kind: Kind,
    /// How long it may stay undecided; absent: one minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Millis>,
    /// Other agents that may enlist their permits and participants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<AgentId>,
    /// The steps of a saga.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Arc<Step>>,
    /// For people.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// For people and programs.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// Begins a transaction.
///
/// A two-phase commit waits for its participants to be enlisted; a saga runs from now on by itself.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/transactions",
    tag = "transactions",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("Idempotency-Key" = Option<RequestId>, Header, description = "The request's id, where the body has none."),
    ),
    request_body = BeginBody,
    responses((status = 201, body = Standing, description = "It has begun."))
)]
pub async fn begin(door: Door, headers: HeaderMap, body: Unread) -> Result<Response> {
    let body: BeginBody = body.read(&door.caller, Operation::Transact)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Transact, &agent).await?;
    let header = headers.get("idempotency-key");
    let header = header.and_then(|key| key.to_str().ok());
    let request_id = match (body.request_id, header) {
        (Some(id), _) => id,
        (None, Some(key)) => RequestId::parse(key.trim_matches('"'))
            .map_err(|why| Problem::new(Code::Invalid, why.to_string()).field("Idempotency-Key"))?,
        (None, None) => RequestId::parse(&uuid::Uuid::now_v7().to_string())
            .map_err(|why| Problem::new(Code::Internal, why.to_string()))?,
    };
    let begin = Begin {
        request_id,
        agent,
        kind: body.kind,
        timeout_ms: body.timeout_ms,
        members: body.members,
        steps: body.steps,
        description: body.description,
        labels: body.labels,
    };
    let standing = ask(&door, Txn::Begin(Arc::new(begin))).await?;
    Ok((StatusCode::CREATED, axum::Json(standing)).into_response())
}

/// A transaction with its branches and its log.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/transactions/{txn}",
    tag = "transactions",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("txn" = TxnId, Path, description = "The transaction."),
        WaitForEndQuery,
    ),
    responses((status = 200, body = View, description = "The transaction."))
)]
pub async fn get(
    door: Door,
    Path((_fleet, txn)): Path<(FleetId, TxnId)>,
    Query(query): Query<WaitForEndQuery>,
) -> Result<axum::Json<View>> {
    let view = seen(&door, txn, Operation::ReadTxns).await?;
    if view.state.is_over() {
        return Ok(axum::Json(view));
    }
    Ok(axum::Json(
        wait_for_end(&door, txn, query.wait_ms.unwrap_or_default()).await?,
    ))
}

/// How long to wait for its end.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitForEndQuery {
    /// Wait here so long until it is over; at most 25,000.
    pub wait_ms: Option<Millis>,
}

/// A participant, and who enlists it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnlistBody {
    /// Who asks; absent: the agent that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The participant's part.
    #[schema(value_type = Branch)]
    pub branch: Arc<Branch>,
}

/// Enlists a participant in a two-phase commit.
///
/// For PostgreSQL the answer says under which name the agent must prepare its transaction: `gid`.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/transactions/{txn}/branches",
    tag = "transactions",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("txn" = TxnId, Path, description = "The transaction.")),
    request_body = EnlistBody,
    responses((status = 200, body = Standing, description = "It takes part."))
)]
pub async fn enlist(
    door: Door,
    Path((_fleet, txn)): Path<(FleetId, TxnId)>,
    body: Unread,
) -> Result<axum::Json<Standing>> {
    let body: EnlistBody = body.read(&door.caller, Operation::Transact)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Transact, &agent).await?;
    let branch = body.branch;
    let command = Txn::Enlist { txn, agent, branch };
    Ok(axum::Json(ask(&door, command).await?))
}

/// A permit, and who holds it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// Who holds the permit; absent: the agent that the key is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Which.
    pub permit: PermitId,
}

/// Lets a transaction hold a permit to its end.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/transactions/{txn}/permits",
    tag = "transactions",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("txn" = TxnId, Path, description = "The transaction.")),
    request_body = HoldBody,
    responses((status = 200, body = Standing, description = "It is held."))
)]
pub async fn hold(
    door: Door,
    Path((_fleet, txn)): Path<(FleetId, TxnId)>,
    body: Unread,
) -> Result<axum::Json<Standing>> {
    let body: HoldBody = body.read(&door.caller, Operation::Transact)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Transact, &agent).await?;
    let permit = body.permit;
    let command = Txn::Hold { txn, agent, permit };
    Ok(axum::Json(ask(&door, command).await?))
}

/// Who ends a transaction, and how long to wait for it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndBody {
    /// Whose it is; absent: the agent that the key is bound to, or for an abort a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// Wait here so long until it is over; absent: 10 seconds; at most 25,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<Millis>,
    /// Why it is aborted.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// How long the end is waited for when nothing is said.
const WAIT_DEFAULT: Millis = Millis(10_000);

/// Asks every participant whether it can commit, and commits if all can.
///
/// Over: 200, with `state` saying how. Not over when the wait ends: 202; it goes on by itself.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/transactions/{txn}/commit",
    tag = "transactions",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("txn" = TxnId, Path, description = "The transaction.")),
    request_body = EndBody,
    responses(
        (status = 200, body = View, description = "It is over."),
        (status = 202, body = View, description = "It goes on."),
    )
)]
pub async fn commit(
    door: Door,
    Path((_fleet, txn)): Path<(FleetId, TxnId)>,
    body: Unread,
) -> Result<Response> {
    let body: EndBody = body.read(&door.caller, Operation::Transact)?;
    let agent = speaker(&door, body.agent)?;
    door.may_for_agent(Operation::Transact, &agent).await?;
    end(&door, txn, Txn::Commit { txn, agent }, body.wait_ms).await
}

/// Ends a transaction without effect; a saga turns back.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/transactions/{txn}/abort",
    tag = "transactions",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("txn" = TxnId, Path, description = "The transaction.")),
    request_body = EndBody,
    responses(
        (status = 200, body = View, description = "It is over."),
        (status = 202, body = View, description = "It goes on."),
    )
)]
pub async fn abort(
    door: Door,
    Path((_fleet, txn)): Path<(FleetId, TxnId)>,
    body: Unread,
) -> Result<Response> {
    let body: EndBody = body.read(&door.caller, Operation::Transact)?;
    let agent = body.agent.or_else(|| door.caller.agent.clone());
    match &agent {
        Some(agent) => door.may_for_agent(Operation::Transact, agent).await?,
        None => {
            seen(&door, txn, Operation::ResolveTxn).await?;
        }
    }
    let reason = body.reason;
    end(&door, txn, Txn::Abort { txn, agent, reason }, body.wait_ms).await
}

/// What a participant says, as it comes through the door.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportBody {
    /// What it was asked to do.
    pub phase: Phase,
    /// What it says.
    pub outcome: Outcome,
    /// Which attempt it answers; absent: whichever is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// Says how a branch went, for participants that have no session open: a vote, a confirmation, the end of a step.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/transactions/{txn}/branches/{branch}/report",
    tag = "transactions",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("txn" = TxnId, Path, description = "The transaction."),
        ("branch" = BranchId, Path, description = "The branch or step."),
    ),
    request_body = ReportBody,
    responses((status = 200, body = super::Changed, description = "It is recorded."))
)]
pub async fn report(
    door: Door,
    Path((_fleet, txn, branch)): Path<(FleetId, TxnId, BranchId)>,
    body: Unread,
) -> Result<axum::Json<super::Changed>> {
    let body: ReportBody = body.read(&door.caller, Operation::Transact)?;
    let view = door.read(move |state| reads::txn(state, txn)).await?;
    let its = view.iter().flat_map(|view| &view.branches);
    let its = its.clone().find(|it| it.branch == branch);
    match (its.map(|it| &it.participant), &view) {
        (Some(txn::Participant::Session { agent, .. }), _) => {
            door.may_for_agent(Operation::Transact, agent).await?;
        }
        // Whether there is such a transaction is told to those only who may see it.
        (None, Some(view)) => door.may_for_agent(Operation::Transact, &view.agent).await?,
        (Some(_), _) | (None, None) => door.caller.may_somewhere(Operation::Transact)?,
    }
    let report = Report {
        txn,
        branch,
        phase: body.phase,
        outcome: body.outcome,
        attempt: body.attempt,
        evidence: Text::default(),
        reason: body.reason,
    };
    let reply = door
        .call(Command::Txn(Txn::Report(Box::new(report))))
        .await?;
    Ok(axum::Json(super::Changed::of(&reply)))
}

/// How a person settles a branch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// How.
    #[serde(rename = "as")]
    pub verdict: Verdict,
    /// How you know; people will read it.
    pub reason: Text,
}

/// Settles a branch that does not settle itself. Who did, and why, is recorded.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/transactions/{txn}/branches/{branch}/resolve",
    tag = "transactions",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("txn" = TxnId, Path, description = "The transaction."),
        ("branch" = BranchId, Path, description = "The branch or step."),
    ),
    request_body = ResolveBody,
    responses((status = 200, body = View, description = "It is settled."))
)]
pub async fn resolve(
    door: Door,
    Path((_fleet, txn, branch)): Path<(FleetId, TxnId, BranchId)>,
    body: Unread,
) -> Result<axum::Json<View>> {
    let body: ResolveBody = body.read(&door.caller, Operation::ResolveTxn)?;
    seen(&door, txn, Operation::ResolveTxn).await?;
    let command = Txn::Resolve {
        txn,
        branch,
        verdict: body.verdict,
        reason: body.reason,
    };
    door.call(Command::Txn(command)).await?;
    Ok(axum::Json(seen(&door, txn, Operation::ResolveTxn).await?))
}

/// A transaction that the caller may look at, or act on.
async fn seen(door: &Door, txn: TxnId, operation: Operation) -> Result<View> {
    // Whether it exists is not told to who may not see it.
    door.caller.may_somewhere(operation)?;
    let view = door.read(move |state| reads::txn(state, txn)).await?;
    let Some(view) = view else {
        let words = format!(
            "transaction {txn} is not known: it never was, or it was over long ago; what is not known was not committed"
        );
        return Err(Problem::new(Code::TransactionUnknown, words));
    };
    door.may_for_agent(operation, &view.agent).await?;
    Ok(view)
}

async fn ask(door: &Door, command: Txn) -> Result<Standing> {
    match door.call(Command::Txn(command)).await? {
        Reply::Transaction(standing) => Ok(standing),
        other => unexpected(&other),
    }
}

async fn end(door: &Door, txn: TxnId, command: Txn, wait_ms: Option<Millis>) -> Result<Response> {
    ask(door, command).await?;
    let view = wait_for_end(door, txn, wait_ms.unwrap_or(WAIT_DEFAULT)).await?;
    let status = match view.state.is_over() {
        true => StatusCode::OK,
        false => StatusCode::ACCEPTED,
    };
    Ok((status, axum::Json(view)).into_response())
}

/// How it stands when it is over, or when the wait ends.
async fn wait_for_end(door: &Door, txn: TxnId, wait_ms: Millis) -> Result<View> {
    let waits = door.app.waits();
    let told = waits.on_end(&door.caller.tenant, &door.fleet, &door.handle, txn);
    let look = async || {
        let view = door.read(move |state| reads::txn(state, txn)).await?;
        view.ok_or_else(|| Problem::not_found("transaction", txn))
    };
    let view = look().await?;
    if view.state.is_over() || wait_ms.0 == 0 {
        return Ok(view);
    }
    tokio::select! {
        // Whether it was told or the time is over: how it stands is looked up.
        _ = tokio::time::timeout(span(Millis(wait_ms.0.min(WAIT_MS_MAX))), told) => {}
        _ = door.interrupted() => {}
    }
    look().await
}
