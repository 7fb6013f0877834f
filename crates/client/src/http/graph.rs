//! The dependency graph of a fleet.
use super::bodies::Changed;
use super::fleet::Fleet;
use super::query;
use crate::error::Result;
use fleet_types::graph::view::{Analysis, Blast, Edge as Seen, Filter, Source};
use fleet_types::graph::{Edge, Ends, Node};

fn parameters(filter: &Filter) -> [(&'static str, Option<String>); 5] {
    let source = filter.source.map(|source| match source {
        Source::Declared => "declared".to_owned(),
        Source::Discovered => "discovered".to_owned(),
    });
    let asked_min = (filter.asked_min > 0).then(|| filter.asked_min.to_string());
    [
        ("scope", filter.scope.as_ref().map(ToString::to_string)),
        ("kind", filter.kind.map(|kind| kind.as_str().to_owned())),
        ("source", source),
        ("since", filter.since.map(|since| since.0.to_string())),
        ("asked_min", asked_min),
    ]
}

impl Fleet {
    /// Edges of the dependency graph, by their ends.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn graph(&self, filter: &Filter) -> Result<Vec<Seen>> {
        self.all(&self.at("graph"), &parameters(filter)).await
    }

    /// What the graph shows; so many rows of each list.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn graph_analysis(&self, filter: &Filter, count: Option<usize>) -> Result<Analysis> {
        let count = ("count", count.map(|count| count.to_string()));
        let parameters: Vec<_> = parameters(filter).into_iter().chain([count]).collect();
        self.http
            .get(&query(&self.at("graph/analysis"), &parameters))
            .await
    }

    /// Who and what feels it when a node fails.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn blast(&self, of: &Node, hops: Option<u32>, count: Option<usize>) -> Result<Blast> {
        let parameters = [
            ("of", Some(of.to_string())),
            ("hops", hops.map(|hops| hops.to_string())),
            ("count", count.map(|count| count.to_string())),
        ];
        self.http
            .get(&query(&self.at("graph/blast"), &parameters))
            .await
    }

    /// The graph as `dot`, `graphml`, `cypher` or `json`.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn graph_export(&self, format: &str, filter: &Filter) -> Result<String> {
        let format = ("format", Some(format.to_owned()));
        let parameters: Vec<_> = parameters(filter).into_iter().chain([format]).collect();
        self.http
            .get_text(&query(&self.at("graph/export"), &parameters))
            .await
    }

    /// Declares that one needs another.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn declare_edge(&self, edge: &Edge) -> Result<Changed> {
        self.http.post(&self.at("graph:declare"), edge).await
    }

    /// Takes a declared edge back.
    ///
    /// # Errors
    /// When refused or unreachable.
    pub async fn undeclare_edge(&self, ends: &Ends) -> Result<Changed> {
        self.http.post(&self.at("graph:undeclare"), ends).await
    }
}
