//! Approvals: list, answer, hand on.
use super::bodies::Changed;
use super::fleet::Fleet;
use crate::error::Result;
use fleet_types::approval::{
    AnswerBody, Assignee, CommentBody, Counted, DelegateBody, Delegation, EndDelegationBody,
    EscalateBody, Person, Phase, ReassignBody, View,
};
use fleet_types::{ApprovalId, PermitId};

/// Which approvals.
#[derive(Clone, Debug, Default)]
pub struct ApprovalFilter {
    /// In this state.
    pub state: Option<Phase>,
    /// Asked of this one now.
    pub assignee: Option<Assignee>,
    /// That permit's.
    pub permit: Option<PermitId>,
    /// Only those that one may answer now.
    pub mine: bool,
    /// With `mine`: whose; absent: the key's own.
    pub speaks_as: Option<Person>,
}

impl Fleet {
    /// Approvals, the newest first: those that something waits for, and the last that were.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<View>> {
        let parameters = [
            ("state", filter.state.map(|state| state.as_str().to_owned())),
            (
                "assignee",
                filter.assignee.as_ref().map(ToString::to_string),
            ),
            ("permit", filter.permit.map(|permit| permit.to_string())),
            ("mine", filter.mine.then(|| "true".to_owned())),
            (
                "speaks_as",
                filter.speaks_as.as_ref().map(ToString::to_string),
            ),
        ];
        self.all(&self.at("approvals"), &parameters).await
    }

    /// One approval.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn approval(&self, approval: ApprovalId) -> Result<View> {
        self.http
            .get(&self.at(&format!("approvals/{approval}")))
            .await
    }

    /// Answers one.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn answer(&self, approval: ApprovalId, body: &AnswerBody) -> Result<Counted> {
        let path = self.at(&format!("approvals/{approval}/answer"));
        self.http.post(&path, body).await
    }

    /// Asks the next ones now.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn escalate(&self, approval: ApprovalId, body: &EscalateBody) -> Result<Changed> {
        let path = self.at(&format!("approvals/{approval}/escalate"));
        self.http.post(&path, body).await
    }

    /// Asks others instead.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn reassign(&self, approval: ApprovalId, body: &ReassignBody) -> Result<Changed> {
        let path = self.at(&format!("approvals/{approval}/reassign"));
        self.http.post(&path, body).await
    }

    /// Says something without deciding.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn comment(&self, approval: ApprovalId, body: &CommentBody) -> Result<Changed> {
        let path = self.at(&format!("approvals/{approval}/comment"));
        self.http.post(&path, body).await
    }

    /// Who answers in whose place now.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn delegations(&self) -> Result<Vec<Delegation>> {
        self.all(&self.at("delegations"), &[]).await
    }

    /// Lets another answer in one's place for a while.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn delegate(&self, body: &DelegateBody) -> Result<Changed> {
        self.http.post(&self.at("delegations"), body).await
    }

    /// Ends a delegation before its time.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn end_delegation(&self, body: &EndDelegationBody) -> Result<Changed> {
        self.http.post(&self.at("delegations:end"), body).await
    }
}
