//! Several permits asked for at once.
use crate::auth::Operation;
use crate::door::Door;
use crate::extract::Unread;
use crate::http::permits::{ask, complete};
use crate::problem::{Problem, Result};
use crate::status;
use fleet_types::permit::Decision;
use fleet_types::session::{self, PermitRequest};
use fleet_types::{Code, FleetId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most requests of one batch.
pub const BATCH_MAX: usize = 100;

/// One answer of a batch: either a decision or a problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// The status that this request alone would have had.
    pub status: u16,
    /// The decision; a denial too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Why there is no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<session::Problem>,
}

/// Several requests at once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most 100; each is decided by itself.
    #[schema(max_items = 100)]
    pub requests: Vec<PermitRequest>,
}

/// The answers, in the order of the requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswers {
    /// One for each request.
    pub answers: Vec<BatchAnswer>,
}

/// Asks for several permits at once.
///
/// Each is decided by itself, in order. None is waited for here: a queued one is polled.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/permits:batch",
    tag = "permits",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = Batch,
    responses((status = 200, body = BatchAnswers, description = "An answer for each."))
)]
pub async fn batch(door: Door, body: Unread) -> Result<axum::Json<BatchAnswers>> {
    let batch: Batch = body.read(&door.caller, Operation::Ask)?;
    if batch.requests.len() > BATCH_MAX {
        return Err(Problem::new(
            Code::Invalid,
            format!(
                "{} requests are more than {BATCH_MAX}; send several batches",
                batch.requests.len()
            ),
        )
        .field("requests"));
    }
    let mut requests = Vec::with_capacity(batch.requests.len());
    for body in batch.requests {
        let request = complete(&door, None, body);
        requests.push(match request {
            Ok(request) => door
                .may_for_agent(Operation::Ask, &request.agent)
                .await
                .map(|()| request),
            Err(problem) => Err(problem),
        });
    }
    // All go to the writer before the first answer is awaited, so they share one sync.
    let answers = requests.into_iter().map(async |request| match request {
        Ok(request) => ask(&door, request).await,
        Err(problem) => Err(problem),
    });
    let answers = futures_util::future::join_all(answers).await;
    let answers = answers.into_iter().map(|answer| match answer {
        Ok(decision) => BatchAnswer {
            status: match &decision {
                Decision::Granted(_) => 200,
                Decision::Queued(_) => 202,
                Decision::Denied(denial) => status::of(denial.code).as_u16(),
            },
            decision: Some(decision),
            problem: None,
        },
        Err(problem) => BatchAnswer {
            status: problem.body().status,
            decision: None,
            problem: Some(problem.into_body()),
        },
    });
    Ok(axum::Json(BatchAnswers {
        answers: answers.collect(),
    }))
}
