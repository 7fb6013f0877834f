//! The view as it lies in a file: so that a start need not read the whole journal. Anything that does not fit exactly
//! is thrown away and built again.
use super::counts::Counts;
use super::fold::Open;
use super::meetings::{self, Meetings};
use super::{Bounds, Traffic};
use fleet_types::graph::Node;
use fleet_types::{AgentId, PermitId, ScopePath, Seq, Text, Time};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// Changes whenever what is stored, or what is folded of a record, changes.
const FORMAT: u32 = 1;
/// Larger bytes are no snapshot of ours.
const BYTES_MAX: usize = 1 << 30;

/// Why bytes are no snapshot of a view.
#[derive(Debug, thiserror::Error)]
#[error("not a snapshot of this view: {0}")]
pub struct Unreadable(String);

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    seq: Seq,
    now: Time,
    since: Option<Time>,
    seeded: Seq,
    forgotten: u64,
    edges: Vec<StoredEdge>,
    rolled: BTreeSet<SmolStr>,
    meetings: meetings::Stored,
    open: Vec<(PermitId, Open)>,
    agents: BTreeMap<AgentId, Option<ScopePath>>,
}

#[derive(Serialize, Deserialize)]
struct StoredEdge {
    from: Node,
    to: Node,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    declared: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
}

impl Traffic {
    fn store(&self) -> Stored {
        let edges = self.net.edges.iter().map(|(key, edge)| {
            let (from, to) = self.net.ends(key);
            StoredEdge {
                from: from.clone(),
                to: to.clone(),
                declared: edge.declared.clone(),
                counts: edge.counts,
            }
        });
        let mut edges: Vec<StoredEdge> = edges.collect();
        edges.sort_by(|one, other| (&one.from, &one.to).cmp(&(&other.from, &other.to)));
        let mut open: Vec<(PermitId, Open)> = self
            .open
            .iter()
            .map(|(permit, open)| (*permit, open.clone()))
            .collect();
        open.sort_by_key(|(permit, _)| *permit);
        Stored {
            format: FORMAT,
            seq: self.seq,
            now: self.now,
            since: self.since,
            seeded: self.seeded,
            forgotten: self.forgotten,
            edges,
            rolled: self.tree.rolled.clone(),
            meetings: self.meetings.store(),
            open,
            agents: self.agents.clone(),
        }
    }

    /// The whole view as JSON: two views that were given the same records have the same.
    ///
    /// # Panics
    /// Never: every part has a JSON form.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&self.store()).expect("every part of a view has a JSON form")
    }

    /// The whole view, compressed, for a file.
    ///
    /// # Errors
    /// When it cannot be compressed.
    pub fn to_snapshot(&self) -> std::io::Result<Vec<u8>> {
        zstd::bulk::compress(&self.to_json(), 1)
    }

    /// The view that a snapshot holds.
    ///
    /// # Errors
    /// When it is none of this build's.
    pub fn from_snapshot(bytes: &[u8], bounds: Bounds) -> Result<Traffic, Unreadable> {
        let told = |error: &dyn std::fmt::Display| Unreadable(error.to_string());
        let size = zstd::bulk::Decompressor::upper_bound(bytes).unwrap_or(BYTES_MAX);
        let json = zstd::bulk::decompress(bytes, size.min(BYTES_MAX));
        let json = json.map_err(|error| told(&error))?;
        let stored: Stored = serde_json::from_slice(&json).map_err(|error| told(&error))?;
        if stored.format != FORMAT {
            return Err(Unreadable(format!("it is of format {}", stored.format)));
        }
        let mut traffic = Traffic {
            bounds,
            seq: stored.seq,
            now: stored.now,
            since: stored.since,
            seeded: stored.seeded,
            forgotten: stored.forgotten,
            meetings: Meetings::restore(stored.meetings),
            open: stored.open.into_iter().collect(),
            agents: stored.agents,
            ..Traffic::default()
        };
        traffic.tree.rolled = stored.rolled;
        for edge in stored.edges {
            let StoredEdge { from, to, .. } = edge;
            if let Some(description) = edge.declared {
                traffic.net.declare(&from, &to, description);
            }
            if let Some(counts) = edge.counts {
                let key = traffic.net.ensure(&from, &to);
                traffic.net.see(key, counts.first);
                traffic.net.edges[key].counts = Some(counts);
                if let Node::Resource(path) = &to {
                    traffic.tree.add(path.text(), usize::MAX);
                }
            }
        }
        Ok(traffic)
    }
}
