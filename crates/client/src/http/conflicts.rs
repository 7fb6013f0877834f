//! Conflicts, and plans that foresee them.
use super::bodies::Changed;
use super::fleet::Fleet;
use crate::error::Result;
use fleet_types::conflict::{Answer, Kind, State, View};
use fleet_types::plan::{Plan, View as PlanView};
use fleet_types::{AgentId, ConflictId, PermitId, PlanId, ResourcePath, Text};
use serde::Serialize;

/// Which conflicts.
#[derive(Clone, Debug, Default)]
pub struct ConflictFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// In this state.
    pub state: Option<State>,
    /// That this agent ran into.
    pub agent: Option<AgentId>,
    /// Over this resource, or one below it.
    pub prefix: Option<ResourcePath>,
}

/// What a person decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resolve {
    /// Who goes first; absent: things stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winner: Option<PermitId>,
    /// Whether those that hold what the winner waits for lose it at once.
    pub revoke: bool,
    /// Why.
    #[serde(skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

#[derive(Serialize)]
struct Offer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentId>,
    permit: PermitId,
    answer: &'a Answer,
}

#[derive(Serialize)]
struct Ballot<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a AgentId>,
    winner: PermitId,
}

/// A word as the API writes it.
fn word(value: &impl Serialize) -> Option<String> {
    let value = serde_json::to_value(value).ok()?;
    value.as_str().map(str::to_owned)
}

impl Fleet {
    /// Conflicts that last and the last that are over, the newest first.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn conflicts(&self, filter: &ConflictFilter) -> Result<Vec<View>> {
        let parameters = [
            ("kind", filter.kind.as_ref().and_then(word)),
            ("state", filter.state.as_ref().and_then(word)),
            ("agent", filter.agent.as_ref().map(ToString::to_string)),
            ("prefix", filter.prefix.as_ref().map(ToString::to_string)),
        ];
        self.all(&self.at("conflicts"), &parameters).await
    }

    /// One conflict.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn conflict(&self, conflict: ConflictId) -> Result<View> {
        self.http
            .get(&self.at(&format!("conflicts/{conflict}")))
            .await
    }

    /// Decides a conflict, as a person.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn resolve_conflict(&self, conflict: ConflictId, by: &Resolve) -> Result<Changed> {
        let path = self.at(&format!("conflicts/{conflict}/resolve"));
        self.http.post(&path, by).await
    }

    /// Offers something to settle a conflict.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn offer(
        &self,
        conflict: ConflictId,
        permit: PermitId,
        agent: Option<&AgentId>,
        answer: &Answer,
    ) -> Result<Changed> {
        let path = self.at(&format!("conflicts/{conflict}/answer"));
        let offer = Offer {
            agent,
            permit,
            answer,
        };
        self.http.post(&path, &offer).await
    }

    /// Votes for who goes first.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn vote(
        &self,
        conflict: ConflictId,
        agent: Option<&AgentId>,
        winner: PermitId,
    ) -> Result<Changed> {
        let path = self.at(&format!("conflicts/{conflict}/vote"));
        self.http.post(&path, &Ballot { agent, winner }).await
    }

    /// Says what an agent intends; what it would run into.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn declare_plan(&self, plan: &Plan) -> Result<PlanView> {
        self.http.post(&self.at("plans"), plan).await
    }

    /// Plans that stand.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn plans(&self, agent: Option<&AgentId>) -> Result<Vec<PlanView>> {
        let agent = agent.map(ToString::to_string);
        self.all(&self.at("plans"), &[("agent", agent)]).await
    }

    /// One plan, and what it runs into now.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn plan(&self, plan: PlanId) -> Result<PlanView> {
        self.http.get(&self.at(&format!("plans/{plan}"))).await
    }

    /// Withdraws a plan.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn withdraw_plan(&self, plan: PlanId) -> Result<Changed> {
        self.http.delete(&self.at(&format!("plans/{plan}"))).await
    }
}
