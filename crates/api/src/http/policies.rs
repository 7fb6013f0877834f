//! Policies in Rego: what the forms of rules cannot say. They see the whole fleet, so keys bound to a scope have no part in
//! them.
use crate::app::wall_clock;
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::etag;
use crate::extract::{Path, Query, Unread};
use crate::http::permits::complete;
use crate::http::rules::{ReasonQuery, RollBackBody};
use crate::http::{Changed, PageQuery, change};
use crate::problem::{Problem, Result};
use crate::reads;
use axum::http::HeaderMap;
use axum::response::Response;
use fleet_policy::Module;
use fleet_types::permit::Request;
use fleet_types::policy::{self, Data, Opinion, Policy};
use fleet_types::session::PermitRequest;
use fleet_types::view::{self, Page};
use fleet_types::{Code, Command, FleetId, PolicyId, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

/// Policies and what they do, by id; without their earlier versions.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/policies",
    tag = "policies",
    params(("fleet" = FleetId, Path, description = "The fleet."), PageQuery),
    responses((status = 200, body = Page<view::Policy>, description = "A page."))
)]
pub async fn list(
    door: Door,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<view::Policy>>> {
    door.caller.may(Operation::ReadPolicies)?;
    let (after, count) = (
        cursor::read(query.after.as_deref())?,
        cursor::count(query.count)?,
    );
    let mut page = door
        .read(move |state| reads::policies(state, after.as_deref(), count))
        .await?;
    mark_broken(&door, &mut page.items).await?;
    Ok(axum::Json(cursor::seal(page)))
}

/// A policy, what it does, and its earlier versions.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/policies/{policy}",
    tag = "policies",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("policy" = PolicyId, Path, description = "The policy.")),
    responses((status = 200, body = view::Policy, description = "The policy."))
)]
pub async fn get(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, policy)): Path<(FleetId, PolicyId)>,
) -> Result<Response> {
    door.caller.may(Operation::ReadPolicies)?;
    let mut found = [find(&door, &policy).await?];
    mark_broken(&door, &mut found).await?;
    let [found] = found;
    Ok(etag::answer(&headers, &etag::of(&found.policy), &found))
}

/// Sets a policy, or its next version, once it compiles.
///
/// `id` may be left out of the body: the path names it.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/policies/{policy}",
    tag = "policies",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("policy" = PolicyId, Path, description = "The policy."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
        ReasonQuery,
    ),
    request_body = Policy,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn put(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, policy)): Path<(FleetId, PolicyId)>,
    Query(query): Query<ReasonQuery>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetPolicy)?;
    let definition: Policy =
        body.read_named(&door.caller, Operation::SetPolicy, ("id", policy.as_str()))?;
    compile(&definition.module).await?;
    let command = policy::Command::Set {
        hash: fleet_policy::hash(definition.module.as_str()),
        policy: Box::new(definition),
        reason: query.reason.unwrap_or_default(),
    };
    edit(&door, &headers, policy, command).await
}

/// Removes a policy with all its versions.
#[utoipa::path(
    delete,
    path = "/v1/fleets/{fleet}/policies/{policy}",
    tag = "policies",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("policy" = PolicyId, Path, description = "The policy."),
        ReasonQuery,
    ),
    responses((status = 200, body = Changed, description = "It is removed."))
)]
pub async fn delete(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, policy)): Path<(FleetId, PolicyId)>,
    Query(query): Query<ReasonQuery>,
) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::SetPolicy)?;
    let command = policy::Command::Remove {
        policy: policy.clone(),
        reason: query.reason.unwrap_or_default(),
    };
    edit(&door, &headers, policy, command).await
}

/// Makes an earlier version of a policy the next one.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/policies/{policy}/rollback",
    tag = "policies",
    params(("fleet" = FleetId, Path, description = "The fleet."), ("policy" = PolicyId, Path, description = "The policy.")),
    request_body = RollBackBody,
    responses((status = 200, body = Changed, description = "It is in force."))
)]
pub async fn roll_back(
    door: Door,
    headers: HeaderMap,
    Path((_fleet, policy)): Path<(FleetId, PolicyId)>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let RollBackBody { version, reason } = body.read(&door.caller, Operation::SetPolicy)?;
    let command = policy::Command::RollBack {
        policy: policy.clone(),
        version,
        reason,
    };
    edit(&door, &headers, policy, command).await
}

/// What to try.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyTest)]
pub struct TestBody {
    /// The request that they are asked about.
    pub request: PermitRequest,
    /// Only this policy, also as a draft and whatever its case.
    #[serde(default)]
    pub policy: Option<PolicyId>,
    /// Only this module, which need not be set.
    #[serde(default)]
    pub module: Option<policy::Module>,
}

/// What one of them said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PolicyTested)]
pub struct Tested {
    /// Which; absent for a module that is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// What it said.
    pub opinion: Opinion,
    /// Whether it is only observed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// Why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Text>,
    /// How it would change the request; told of one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub transform: Option<Map<String, Value>>,
}

/// What came of a test. Nothing is changed, and nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PolicyTestAnswer)]
pub struct TestAnswer {
    /// What each that was asked said.
    pub judged: Vec<Tested>,
    /// The request as those in force would change it, if they would.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Request>)]
    pub changed: Option<Arc<Request>>,
}

/// What policies say of a request, without effect: those in force, one of them, or a module that is not set.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/policies:test",
    tag = "policies",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = TestBody,
    responses((status = 200, body = TestAnswer, description = "What they said."))
)]
pub async fn test(door: Door, body: Unread) -> Result<axum::Json<TestAnswer>> {
    let TestBody {
        request,
        policy,
        module,
    } = body.read(&door.caller, Operation::SetPolicy)?;
    let request = Arc::new(complete(&door, None, request)?);
    let module = match (&policy, module) {
        (Some(_), Some(_)) => {
            let words = "policy and module name two things to test; give one of them";
            return Err(Problem::new(Code::Invalid, words).field("module"));
        }
        (_, Some(module)) => Some(module),
        (Some(policy), None) => Some(find(&door, policy).await?.policy.module),
        (None, None) => None,
    };
    let Some(module) = module else {
        let judged = door.handle.judge(request.clone()).await?;
        let tested = judged.verdict.judged.into_iter().map(|judgement| Tested {
            policy: Some(judgement.policy),
            opinion: judgement.opinion,
            observed: judgement.observed,
            reasons: judgement.reasons,
            transform: None,
        });
        return Ok(axum::Json(TestAnswer {
            judged: tested.collect(),
            changed: judged.verdict.original.map(|_| judged.request),
        }));
    };
    let module = Arc::new(compile(&module).await?);
    let said = door
        .handle
        .look_at_policies(move |sight, began| {
            sight.try_module(&module, &request, wall_clock(), began)
        })
        .await?;
    let tested = Tested {
        policy,
        opinion: said.opinion,
        observed: false,
        reasons: said.reasons,
        transform: said.patch,
    };
    Ok(axum::Json(TestAnswer {
        judged: vec![tested],
        changed: None,
    }))
}

/// The data that policies see as `data.fleet.data`.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/policy-data",
    tag = "policies",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    responses((status = 200, body = view::PolicyData, description = "All of it."))
)]
pub async fn get_data(door: Door, headers: HeaderMap) -> Result<Response> {
    door.caller.may(Operation::ReadPolicies)?;
    let found = door.read(reads::policy_data).await?;
    Ok(etag::answer(&headers, &etag::of(&found.data), &found))
}

/// Replaces the data that policies see.
#[utoipa::path(
    put,
    path = "/v1/fleets/{fleet}/policy-data",
    tag = "policies",
    params(
        ("fleet" = FleetId, Path, description = "The fleet."),
        ("If-Match" = Option<String>, Header, description = "Only if it is still this version."),
        ReasonQuery,
    ),
    request_body = Data,
    responses((status = 200, body = Changed, description = "They see it."))
)]
pub async fn put_data(
    door: Door,
    headers: HeaderMap,
    Query(query): Query<ReasonQuery>,
    body: Unread,
) -> Result<axum::Json<Changed>> {
    let data: Data = body.read(&door.caller, Operation::SetPolicy)?;
    let command = Command::Policy(policy::Command::SetData {
        data,
        reason: query.reason.unwrap_or_default(),
    });
    let now = |state: &fleet_core::State| Some(reads::policy_data(state).data);
    Ok(axum::Json(change(&door, &headers, now, command).await?))
}

/// Modules compiled at once: what else the server does goes on.
const COMPILED_AT_ONCE: usize = 2;
/// A module that takes longer to compile is refused: a fleet's first request after a start waits for all of its modules.
const COMPILE_MAX: Duration = Duration::from_secs(2);

static COMPILING: Semaphore = Semaphore::const_new(COMPILED_AT_ONCE);

/// Compiles away from the threads that serve.
async fn compile(module: &policy::Module) -> Result<Module> {
    let module = module.clone();
    let turn = COMPILING.acquire().await;
    let compiled = tokio::task::spawn_blocking(move || {
        let _turn = turn; // Until it is compiled, also where nobody waits for it any more.
        let begun = Instant::now();
        let compiled = fleet_policy::compile(module.as_str());
        (compiled, begun.elapsed())
    });
    match compiled.await {
        Ok((Ok(_), took)) if took > COMPILE_MAX => {
            let words = format!(
                "it took {} ms to compile, more than {}; make it smaller or plainer",
                took.as_millis(),
                COMPILE_MAX.as_millis()
            );
            Err(Problem::new(Code::Invalid, words).field("module"))
        }
        Ok((Ok(module), _)) => Ok(module),
        Ok((Err(fault), _)) => {
            let words = format!("it does not compile: {fault}");
            Err(Problem::new(Code::Invalid, words).field("module"))
        }
        Err(error) => Err(Problem::new(Code::Internal, error.to_string())),
    }
}

async fn find(door: &Door, policy: &PolicyId) -> Result<view::Policy> {
    let id = policy.clone();
    let found = door.read(move |state| reads::policy(state, &id)).await?;
    found.ok_or_else(|| Problem::not_found("policy", policy))
}

/// Says of each that does not compile in this build why.
async fn mark_broken(door: &Door, policies: &mut [view::Policy]) -> Result<()> {
    if policies.is_empty() {
        return Ok(());
    }
    let broken = door
        .handle
        .look_at_policies(|sight, _| sight.broken())
        .await?;
    for (id, why) in broken {
        let found = policies.iter_mut().find(|policy| policy.policy.id == id);
        if let Some(policy) = found {
            policy.broken = Some(Text::clip(&why));
        }
    }
    Ok(())
}

async fn edit(
    door: &Door,
    headers: &HeaderMap,
    policy: PolicyId,
    command: policy::Command,
) -> Result<axum::Json<Changed>> {
    let now =
        move |state: &fleet_core::State| reads::policy(state, &policy).map(|found| found.policy);
    let command = Command::Policy(command);
    Ok(axum::Json(change(door, headers, now, command).await?))
}
