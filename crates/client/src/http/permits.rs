//! Permits over HTTP: for those without a session.
use super::bodies::{Batch, BatchAnswer, BatchAnswers};
use super::fleet::Fleet;
use super::query;
use crate::ask::Asking;
use crate::error::Result;
use fleet_types::event::Finished;
use fleet_types::explain::Explanation;
use fleet_types::permit::{Decision, Ending, Grant, View, ViewState};
use fleet_types::session::{ExtendBody, FinishBody, PermitRequest, RenewBody};
use fleet_types::{AgentId, Millis, PermitId};

/// Which permits.
#[derive(Clone, Debug, Default)]
pub struct PermitFilter {
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// In this state.
    pub state: Option<ViewState>,
}

/// How a permit ended.
pub type Ended = Finished;

impl Fleet {
    /// Asks for a permit, and waits here as long as the request says and the server lets (25 s). A denial is a decision,
    /// not an error.
    ///
    /// # Errors
    /// When it was not decided: refused before it, unreachable, or cut off.
    pub async fn request(&self, ask: impl Asking) -> Result<Decision> {
        let asked = self
            .http
            .post(&self.at("permits"), &ask.into_request())
            .await;
        denial_is_a_decision(asked)
    }

    /// Asks for several permits at once; each is decided by itself, and none is waited for.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn request_all(&self, requests: &[PermitRequest]) -> Result<Vec<BatchAnswer>> {
        let answers: BatchAnswers = self
            .http
            .post(&self.at("permits:batch"), &Batch { requests })
            .await?;
        Ok(answers.answers)
    }

    /// What every gate would say now; nothing is changed.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn explain(&self, ask: impl Asking) -> Result<Explanation> {
        self.http
            .post(&self.at("permits:explain"), &ask.into_request())
            .await
    }

    /// Permits that wait or hold.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn permits(&self, filter: &PermitFilter) -> Result<Vec<View>> {
        let state = filter.state.map(|state| match state {
            ViewState::Queued => "queued",
            ViewState::AwaitingApproval => "awaiting_approval",
            ViewState::Granted => "granted",
            ViewState::Extending => "extending",
        });
        let parameters = [
            ("agent", filter.agent.as_ref().map(ToString::to_string)),
            ("state", state.map(str::to_owned)),
        ];
        self.all(&self.at("permits"), &parameters).await
    }

    /// One permit; while it waits for its turn, waits here so long for the decision.
    ///
    /// # Errors
    /// When refused or unreachable, and when it was denied.
    pub async fn permit(&self, permit: PermitId, wait: Millis) -> Result<View> {
        let wait = (wait.0 > 0).then(|| wait.0.to_string());
        self.http
            .get(&query(
                &self.at(&format!("permits/{permit}")),
                &[("wait_ms", wait)],
            ))
            .await
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn finish(
        &self,
        permit: PermitId,
        ending: Ending,
        body: &FinishBody,
    ) -> Result<Ended> {
        let how = match ending {
            Ending::Completed => "complete",
            Ending::Failed => "fail",
            Ending::Cancelled => "cancel",
        };
        self.http
            .post(&self.at(&format!("permits/{permit}/{how}")), body)
            .await
    }

    /// Holds it longer.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn renew(&self, permit: PermitId, body: &RenewBody) -> Result<Grant> {
        self.http
            .post(&self.at(&format!("permits/{permit}/renew")), body)
            .await
    }

    /// Takes more resources into it.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn extend(&self, permit: PermitId, body: &ExtendBody) -> Result<Decision> {
        denial_is_a_decision(
            self.http
                .post(&self.at(&format!("permits/{permit}/extend")), body)
                .await,
        )
    }
}

fn denial_is_a_decision(asked: Result<Decision>) -> Result<Decision> {
    match asked {
        Err(error) => match error.denial() {
            Some(denial) => Ok(Decision::Denied(denial.clone())),
            None => Err(error),
        },
        Ok(decision) => Ok(decision),
    }
}
