//! The dependency graph: who needs whom and what, as declared and as traffic shows; what hangs on a node; what is weak.
//!
//! What traffic shows tells of every scope, so keys bound to a scope read none of it.
use crate::auth::Operation;
use crate::cursor;
use crate::door::Door;
use crate::extract::{Query, Unread};
use crate::http::Changed;
use crate::problem::{Problem, Result};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fleet_types::graph::view::{Analysis, Blast, Filter, GraphPage, Source};
use fleet_types::graph::{self, Edge, Ends, Kind, Node};
use fleet_types::{Code, Command, FleetId, ScopePath, Time};
use fleet_views::analysis::analyse;
use fleet_views::export::{Format, export as write};
use serde::Deserialize;
use utoipa::IntoParams;

/// Rows of each list of an analysis when the caller does not say.
const TOP_DEFAULT: usize = 20;
/// Hops followed when the caller does not say: all there are.
const HOPS_MAX: u32 = u32::MAX;

macro_rules! queries {
    ($($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $field_doc:literal])* $field:ident: $type:ty,)* })*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: Option<$type>,)*
            /// Edges of agents in this scope and below.
            pub scope: Option<ScopePath>,
            /// Edges with a node of this kind.
            #[param(inline)]
            pub kind: Option<Kind>,
            /// Only declared ones, or only those that traffic shows.
            #[param(inline)]
            pub source: Option<Source>,
            /// Declared ones, and those with traffic since this time.
            pub since: Option<Time>,
            /// Declared ones, and those that were asked for so often at least.
            pub asked_min: Option<u64>,
        }

        impl $name {
            fn filter(&self) -> Filter {
                Filter {
                    scope: self.scope.clone(),
                    kind: self.kind,
                    source: self.source,
                    since: self.since,
                    asked_min: self.asked_min.unwrap_or_default(),
                }
            }
        }
    )*};
}

queries! {
    /// Which edges.
    EdgesQuery {
        /// `next` of the page before.
        after: String,
        /// Most rows, 1–1000; 100 when absent.
        count: usize,
    }
    /// What to look at.
    AnalysisQuery {
        /// Most rows of each list, 1–1000; 20 when absent.
        count: usize,
    }
    /// What to write, and how.
    ExportQuery {
        /// `dot`, `graphml`, `cypher` or `json`.
        format: String,
    }
}

/// Edges with their traffic, by their ends; as of now.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/graph",
    tag = "graph",
    params(("fleet" = FleetId, Path, description = "The fleet."), EdgesQuery),
    responses((status = 200, body = GraphPage, description = "A page."))
)]
pub async fn edges(door: Door, Query(query): Query<EdgesQuery>) -> Result<axum::Json<GraphPage>> {
    door.caller.may(Operation::ReadGraph)?;
    let after = match cursor::read(query.after.as_deref())? {
        Some(key) => Some(ends_of(&key)?),
        None => None,
    };
    let count = cursor::count(query.count)?;
    let filter = query.filter();
    let graph = door.graph();
    let mut page = graph
        .read(&door, |traffic| {
            traffic.page(&filter, after.as_ref(), count)
        })
        .await?;
    page.next = page.next.map(|key| cursor::seal_key(&key));
    Ok(axum::Json(page))
}

fn ends_of(key: &str) -> Result<Ends> {
    let ends = key.split_once(' ').and_then(|(from, to)| {
        Some(Ends {
            from: from.parse().ok()?,
            to: to.parse().ok()?,
        })
    });
    ends.ok_or_else(|| {
        Problem::new(
            Code::Invalid,
            "this is no cursor of this list; take `next` of the page before as it is",
        )
        .field("after")
    })
}

/// What the graph shows: circles, single points of failure, bottlenecks, contention.
///
/// It takes up to a second of a core; of one fleet one is made at a time.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/graph/analysis",
    tag = "graph",
    params(("fleet" = FleetId, Path, description = "The fleet."), AnalysisQuery),
    responses((status = 200, body = Analysis, description = "As of now."))
)]
pub async fn analysis(
    door: Door,
    Query(query): Query<AnalysisQuery>,
) -> Result<axum::Json<Analysis>> {
    door.caller.may(Operation::ReadGraph)?;
    let top = match query.count {
        None => TOP_DEFAULT,
        given => cursor::count(given)?,
    };
    let filter = query.filter();
    let since = query.since;
    let graph = door.graph();
    let _turn = graph.heavy.lock().await;
    let (part, pairs) = graph
        .read(&door, |traffic| {
            (traffic.graph(&filter), traffic.pairs(since))
        })
        .await?;
    let shown = part.agents_among(pairs, filter.scope.is_some());
    aside(move || analyse(&part, shown, top))
        .await
        .map(axum::Json)
}

/// Of which node.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BlastQuery {
    /// `agent:NAME`, `action:NAME` or `resource:PATH`.
    pub of: Node,
    /// How far to look; all the way when absent.
    #[param(minimum = 1)]
    pub hops: Option<u32>,
    /// Most nodes named, 1–1000; 100 when absent. All are counted.
    #[param(minimum = 1, maximum = 1000)]
    pub count: Option<usize>,
}

/// Who and what feels it when a node fails, stops or does wrong.
///
/// Whoever needs the node feels it, and what an agent writes; and so on from there. A resource is felt by those that it
/// is part of and by those that are part of it.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/graph/blast",
    tag = "graph",
    params(("fleet" = FleetId, Path, description = "The fleet."), BlastQuery),
    responses((status = 200, body = Blast, description = "As of now."))
)]
pub async fn blast(door: Door, Query(query): Query<BlastQuery>) -> Result<axum::Json<Blast>> {
    door.caller.may(Operation::ReadGraph)?;
    let count = cursor::count(query.count)?;
    let hops = match query.hops {
        Some(0) => {
            let words = "0 hops lead nowhere; leave it out to look all the way";
            return Err(Problem::new(Code::Invalid, words).field("hops"));
        }
        hops => hops.unwrap_or(HOPS_MAX),
    };
    let found = door
        .graph()
        .read(&door, |traffic| traffic.blast(&query.of, hops, count))
        .await?;
    found.map(axum::Json).ok_or_else(|| {
        let words = format!(
            "{} is in no edge: it was not declared, and no traffic was seen",
            query.of
        );
        Problem::new(Code::NotFound, words).field("of")
    })
}

/// The graph in the words of another tool.
#[utoipa::path(
    get,
    path = "/v1/fleets/{fleet}/graph/export",
    tag = "graph",
    params(("fleet" = FleetId, Path, description = "The fleet."), ExportQuery),
    responses((status = 200, body = String, content_type = "text/plain", description = "The graph; the content type is the form's."))
)]
pub async fn export(door: Door, Query(query): Query<ExportQuery>) -> Result<Response> {
    door.caller.may(Operation::ReadGraph)?;
    let format: Format = query
        .format
        .as_deref()
        .unwrap_or("json")
        .parse()
        .map_err(|why: String| Problem::new(Code::Invalid, why).field("format"))?;
    let filter = query.filter();
    let graph = door.graph();
    let _turn = graph.heavy.lock().await;
    let part = graph.read(&door, |traffic| traffic.graph(&filter)).await?;
    let text = aside(move || write(&part, format)).await?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// Works something out on a thread that may be kept busy.
async fn aside<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Problem::new(
            Code::Internal,
            "the analysis broke off; see the server's log",
        )
    })
}

/// Declares that `from` needs `to`, or says otherwise what for.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/graph:declare",
    tag = "graph",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = Edge,
    responses((status = 200, body = Changed, description = "It is declared."))
)]
pub async fn declare(door: Door, body: Unread) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::DeclareEdge)?;
    let edge: Edge = body.read(&door.caller, Operation::DeclareEdge)?;
    let reply = door
        .call(Command::Graph(graph::Command::Declare(edge)))
        .await?;
    Ok(axum::Json(Changed::of(&reply)))
}

/// Removes a declared edge. What traffic shows stays.
#[utoipa::path(
    post,
    path = "/v1/fleets/{fleet}/graph:undeclare",
    tag = "graph",
    params(("fleet" = FleetId, Path, description = "The fleet.")),
    request_body = Ends,
    responses((status = 200, body = Changed, description = "It is declared no longer."))
)]
pub async fn undeclare(door: Door, body: Unread) -> Result<axum::Json<Changed>> {
    door.caller.may(Operation::DeclareEdge)?;
    let ends: Ends = body.read(&door.caller, Operation::DeclareEdge)?;
    let reply = door
        .call(Command::Graph(graph::Command::Undeclare(ends)))
        .await?;
    Ok(axum::Json(Changed::of(&reply)))
}
