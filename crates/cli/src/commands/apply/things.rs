//! What a declared fleet consists of: how each kind of thing is called, listed, set and removed. A new kind is one line here,
//! one in `document.rs`, and its turn in `plan.rs`.
use fleet_client::http::AgentFilter;
use fleet_client::{Error, Fleet};
use fleet_types::action::Action;
use fleet_types::agent::Definition;
use fleet_types::budget::{self, Budget};
use fleet_types::connector::{self, Connector, Mark};
use fleet_types::graph::view::{Filter, Source};
use fleet_types::graph::{self, Edge};
use fleet_types::group::Group;
use fleet_types::limit::{self, Limit};
use fleet_types::policy::{self, Policy};
use fleet_types::rule::{self, Rule};
use fleet_types::scope::Scope;
use fleet_types::tool::{self, Tool};
use fleet_types::{Code, view};
use serde::Serialize;
use std::pin::Pin;

/// A kind of thing that is declared by name.
pub trait Thing: Serialize + PartialEq + Sized + 'static {
    /// In a word.
    const KIND: &'static str;
    /// So many of a fleet at most, where there is a bound.
    const COUNT_MAX: Option<usize>;
    /// What it is called.
    fn name(&self) -> String;
    /// All that the fleet has, as they would have to be declared.
    async fn there(fleet: &Fleet) -> Result<Vec<Self>, Error>;
    /// Makes the fleet have it so.
    async fn put(&self, fleet: &Fleet) -> Result<(), Error>;
    /// Takes it from the fleet.
    async fn remove(&self, fleet: &Fleet) -> Result<(), Error>;
}

/// One thing, whatever its kind.
pub trait AnyThing {
    /// As [`Thing::put`].
    fn put<'a>(&'a self, fleet: &'a Fleet) -> Done<'a>;
    /// As [`Thing::remove`].
    fn remove<'a>(&'a self, fleet: &'a Fleet) -> Done<'a>;
}

/// What is being done.
pub type Done<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

impl<T: Thing> AnyThing for T {
    fn put<'a>(&'a self, fleet: &'a Fleet) -> Done<'a> {
        Box::pin(Thing::put(self, fleet))
    }
    fn remove<'a>(&'a self, fleet: &'a Fleet) -> Done<'a> {
        Box::pin(Thing::remove(self, fleet))
    }
}

macro_rules! things {
    ($($type:ty: $kind:literal, $most:expr, $list:ident $(. $of:ident)?, $put:ident, $remove:ident by $id:ident;)*) => {$(
        impl Thing for $type {
            const KIND: &'static str = $kind;
            const COUNT_MAX: Option<usize> = $most;
            fn name(&self) -> String {
                self.$id.to_string()
            }
            async fn there(fleet: &Fleet) -> Result<Vec<Self>, Error> {
                let all = fleet.$list().await?.into_iter();
                Ok(all.map(|it| it$(.$of)?).collect())
            }
            async fn put(&self, fleet: &Fleet) -> Result<(), Error> {
                fleet.$put(self).await.map(drop)
            }
            async fn remove(&self, fleet: &Fleet) -> Result<(), Error> {
                fleet.$remove(&self.$id).await.map(drop)
            }
        }
    )*};
}

things! {
    Action: "action", None, actions, put_action, remove_action by pattern;
    Group: "group", None, groups, put_group, remove_group by id;
    Limit: "limit", Some(limit::COUNT_MAX), limits.limit, put_limit, remove_limit by id;
    Rule: "rule", Some(rule::COUNT_MAX), rules.rule, put_rule, remove_rule by id;
    Policy: "policy", Some(policy::COUNT_MAX), policies.policy, put_policy, remove_policy by id;
    Tool: "tool", Some(tool::COUNT_MAX), tools.tool, put_tool, remove_tool by id;
    Budget: "budget", Some(budget::COUNT_MAX), budgets.budget, put_budget, remove_budget by id;
}

impl Thing for Scope {
    const KIND: &'static str = "scope";
    const COUNT_MAX: Option<usize> = None;
    fn name(&self) -> String {
        self.path.to_string()
    }
    async fn there(fleet: &Fleet) -> Result<Vec<Self>, Error> {
        let of = |view: view::Scope| Scope {
            path: view.path,
            description: view.description,
            labels: view.labels,
        };
        Ok(fleet.scopes().await?.into_iter().map(of).collect())
    }
    async fn put(&self, fleet: &Fleet) -> Result<(), Error> {
        fleet.put_scope(self).await.map(drop)
    }
    async fn remove(&self, fleet: &Fleet) -> Result<(), Error> {
        match fleet.remove_scope(&self.path).await {
            // A node of the tree goes by itself when the last thing in it does.
            Err(error) if error.code() == Some(Code::NotFound) => Ok(()),
            done => done.map(drop),
        }
    }
}

impl Thing for Definition {
    const KIND: &'static str = "agent";
    const COUNT_MAX: Option<usize> = None;
    fn name(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }
    async fn there(fleet: &Fleet) -> Result<Vec<Self>, Error> {
        let agents = fleet.agents(&AgentFilter::default()).await?.into_iter();
        Ok(agents.map(|agent| agent.definition).collect())
    }
    async fn put(&self, fleet: &Fleet) -> Result<(), Error> {
        fleet.put_agent(self).await.map(drop)
    }
    async fn remove(&self, fleet: &Fleet) -> Result<(), Error> {
        fleet.remove_agent(&self.id).await.map(drop)
    }
}

impl Thing for Connector {
    const KIND: &'static str = "connector";
    const COUNT_MAX: Option<usize> = Some(connector::COUNT_MAX);
    fn name(&self) -> String {
        self.id.to_string()
    }
    async fn there(fleet: &Fleet) -> Result<Vec<Self>, Error> {
        let all = fleet.connectors().await?.into_iter();
        Ok(all.map(Connector::unmarked).collect())
    }
    async fn put(&self, fleet: &Fleet) -> Result<(), Error> {
        fleet.put_connector(self).await.map(drop)
    }
    async fn remove(&self, fleet: &Fleet) -> Result<(), Error> {
        fleet.remove_connector(&self.id).await.map(drop)
    }
}

/// Marks are the server's.
pub trait Unmarked {
    /// Without its mark.
    fn unmarked(self) -> Self;
}

impl Unmarked for Connector {
    fn unmarked(self) -> Self {
        Connector {
            mark: Mark::default(),
            ..self
        }
    }
}

impl Thing for Edge {
    const KIND: &'static str = "edge";
    const COUNT_MAX: Option<usize> = Some(graph::COUNT_MAX);
    fn name(&self) -> String {
        format!("{} → {}", self.from, self.to)
    }
    async fn there(fleet: &Fleet) -> Result<Vec<Self>, Error> {
        let declared = Filter {
            source: Some(Source::Declared),
            ..Filter::default()
        };
        let edges = fleet.graph(&declared).await?.into_iter();
        let edges = edges.map(|edge| Edge {
            from: edge.from,
            to: edge.to,
            description: edge.description,
        });
        Ok(edges.collect())
    }
    async fn put(&self, fleet: &Fleet) -> Result<(), Error> {
        fleet.declare_edge(self).await.map(drop)
    }
    async fn remove(&self, fleet: &Fleet) -> Result<(), Error> {
        fleet.undeclare_edge(&self.ends()).await.map(drop)
    }
}
