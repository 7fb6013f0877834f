//! One fleet of a server: its state at a glance, agents, instances, locks, halts, events.
use super::bodies::{
    Changed, Halted, InstanceRow, NewStatus, Release, ReleaseReason, TokenOf, Validity,
};
use super::{Http, escape, query};
use crate::error::Result;
use crate::events::Events;
use fleet_types::agent::{Definition, Status as AgentStatus};
use fleet_types::halt::Order;
use fleet_types::settings::Settings;
use fleet_types::view::{Agent, Halt, Lock, Page, Status};
use fleet_types::{AgentId, FleetId, HaltId, ResourcePath, ScopePath, Seq, Text, Token};
use serde::de::DeserializeOwned;

/// Which part of a list.
#[derive(Clone, Debug, Default)]
pub struct PageOf {
    /// `next` of the page before.
    pub after: Option<String>,
    /// Most rows; absent: as the server likes.
    pub count: Option<usize>,
}

impl PageOf {
    pub(super) fn parameters(&self) -> [(&'static str, Option<String>); 2] {
        [
            ("after", self.after.clone()),
            ("count", self.count.map(|count| count.to_string())),
        ]
    }
}

/// Which agents.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    /// In this scope and below.
    pub scope: Option<ScopePath>,
    /// With this status.
    pub status: Option<AgentStatus>,
    /// With this skill.
    pub skill: Option<String>,
    /// In this pool.
    pub pool: Option<String>,
    /// Whose id, name or description holds this text.
    pub text: Option<String>,
}

/// One fleet. Cheap to clone.
#[derive(Clone)]
pub struct Fleet {
    pub(super) http: Http,
    fleet: FleetId,
}

impl Fleet {
    pub(super) fn new(http: Http, fleet: FleetId) -> Self {
        Fleet { http, fleet }
    }

    /// Which fleet.
    #[must_use]
    pub fn id(&self) -> &FleetId {
        &self.fleet
    }

    /// The server.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// An address of this fleet.
    pub(super) fn at(&self, rest: &str) -> String {
        format!("/v1/fleets/{}/{rest}", self.fleet)
    }

    /// All pages of a list, one after the other.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        path: &str,
        filter: &[(&str, Option<String>)],
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        let mut at = PageOf {
            after: None,
            count: Some(1_000),
        };
        loop {
            let parameters: Vec<_> = filter.iter().cloned().chain(at.parameters()).collect();
            let page: Page<T> = self.http.get(&query(path, &parameters)).await?;
            rows.extend(page.items);
            match page.next {
                Some(next) => at.after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    /// The fleet at a glance.
    ///
    /// # Errors
    /// When refused or unreachable, as every call.
    pub async fn status(&self) -> Result<Status> {
        self.http.get(&self.at("status")).await
    }

    /// The settings.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn settings(&self) -> Result<Settings> {
        self.http.get(&self.at("settings")).await
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn put_settings(&self, settings: &Settings) -> Result<Changed> {
        self.http.put(&self.at("settings"), settings).await
    }

    /// Agents that match, by id.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn agents(&self, filter: &AgentFilter) -> Result<Vec<Agent>> {
        let status = filter.status.map(|status| match status {
            AgentStatus::Beta => "beta",
            AgentStatus::Active => "active",
            AgentStatus::Deprecated => "deprecated",
            AgentStatus::Offline => "offline",
        });
        let parameters = [
            ("scope", filter.scope.as_ref().map(ToString::to_string)),
            ("status", status.map(str::to_owned)),
            ("skill", filter.skill.clone()),
            ("pool", filter.pool.clone()),
            ("text", filter.text.clone()),
        ];
        self.all(&self.at("agents"), &parameters).await
    }

    /// One agent.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn agent(&self, agent: &AgentId) -> Result<Agent> {
        self.http.get(&self.at(&format!("agents/{agent}"))).await
    }

    /// Registers a version of an agent, or replaces it.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn put_agent(&self, definition: &Definition) -> Result<Changed> {
        let path = self.at(&format!("agents/{}", definition.id));
        self.http.put(&path, definition).await
    }

    /// Moves a version of an agent in its life.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn set_agent_status(&self, agent: &AgentId, status: &NewStatus) -> Result<Changed> {
        let path = self.at(&format!("agents/{agent}/status"));
        self.http.post(&path, status).await
    }

    /// Removes an agent that holds nothing.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn remove_agent(&self, agent: &AgentId) -> Result<Changed> {
        self.http.delete(&self.at(&format!("agents/{agent}"))).await
    }

    /// Connections; those that are gone too, if `all`.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn instances(&self, all: bool) -> Result<Vec<InstanceRow>> {
        self.all(&self.at("instances"), &[("all", Some(all.to_string()))])
            .await
    }

    /// Resources that are held or waited for, this one and below.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn locks(&self, prefix: Option<&ResourcePath>) -> Result<Vec<Lock>> {
        self.all(
            &self.at("locks"),
            &[("prefix", prefix.map(ToString::to_string))],
        )
        .await
    }

    /// Whether a fencing token still stands.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn validate(&self, resource: ResourcePath, token: Token) -> Result<Validity> {
        self.http
            .post(&self.at("locks:validate"), &TokenOf { resource, token })
            .await
    }

    /// The version of a resource; its versions are kept from the first reading on.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn version(&self, resource: &ResourcePath) -> Result<fleet_types::version::View> {
        self.http
            .get(&self.at(&format!("versions/{}", last(resource.as_str()))))
            .await
    }

    /// Orders a halt; in force when this returns.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn halt(&self, order: &Order) -> Result<Halted> {
        self.http.post(&self.at("halts"), order).await
    }

    /// Halts, the newest first; only those in force, if so asked.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn halts(&self, in_force: bool) -> Result<Vec<Halt>> {
        self.all(
            &self.at("halts"),
            &[("in_force", Some(in_force.to_string()))],
        )
        .await
    }

    /// One halt.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn halt_of(&self, halt: HaltId) -> Result<Halt> {
        self.http.get(&self.at(&format!("halts/{halt}"))).await
    }

    /// Releases a halt, or asks for it where two persons must.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn release(&self, halt: HaltId, reason: Text) -> Result<Release> {
        let path = self.at(&format!("halts/{halt}/release"));
        self.http.post(&path, &ReleaseReason { reason }).await
    }

    /// Everything that happens after a place in the journal, or from now on; comes back by itself after a cut.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn events(&self, after: Option<Seq>, types: Option<&str>) -> Result<Events> {
        let path = query(&self.at("events"), &[("types", types.map(str::to_owned))]);
        let after = match after {
            Some(after) => after,
            // Named, so that nothing is missed when the connection is cut before the first event.
            None => self.status().await?.seq,
        };
        Events::open(self.http.clone(), path, after).await
    }
}

/// A name or a path as the last part of an address.
pub(super) fn last(text: &str) -> String {
    escape(text, true)
}
