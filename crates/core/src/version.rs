//! Versions of resources: whether what an asker saw is still so.
//!
//! A resource is of the version at which the last permit that may have written it ended: one that held it, or one above
//! or below it, exclusively or commuting, and was not cancelled. An asker's version `v` still stands when nothing that
//! may have written has ended after `v`; so every later place in the journal names the same state. The fencing token of
//! the last writer stands too, if that held all of the resource alone: what it wrote is what the resource is.
//!
//! Invariants
//! - Only resources that somebody asked about are kept, from then on; of others nothing is remembered and nothing costs.
//! - What is not known is stale: a version from before a resource was kept, or from before it was forgotten, is refused.
//! - Versions are places where permits ended, tokens are places of grants: one is never taken for the other.
use crate::decide::{Decided, invalid};
use crate::lock::check::{Asker, Obstacle, obstacles};
use crate::permit::HeldLock;
use crate::state::State;
use fleet_types::event::VersionsWatched;
use fleet_types::lock::{Claim, Mode, ResourceVersion};
use fleet_types::permit::{Blocker, CLAIMS_MAX, Denial, Request};
use fleet_types::version::{Command, Written};
use fleet_types::{AgentId, Event, PermitId, ResourcePath, Seq, Token};
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Most resources whose versions are kept; past it the one that was asked about longest ago is forgotten.
pub const WATCHED_MAX: usize = if cfg!(test) { 3 } else { 65_536 };

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Versions {
    watched: BTreeMap<SmolStr, Watched>,
    /// The last writes over resources that have watched ones below them.
    above: BTreeMap<SmolStr, Write>,
    /// Watched ones by when they were asked about last. Derived.
    #[serde(skip)]
    by_use: BTreeSet<(Seq, SmolStr)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Watched {
    /// What ended before is not known.
    since: Seq,
    /// When it was asked about last.
    used: Seq,
    /// The last write over it, or over one below it.
    last: Option<Write>,
}

/// The end of a permit that may have written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Write {
    pub ended: Seq,
    pub by: Written,
    /// Whether it held all of the resource, alone.
    pub whole: bool,
}

/// Why a version does not stand.
pub struct Stale {
    /// The version it is of, if any is kept.
    pub current: Option<Seq>,
    /// Who wrote it since.
    pub by: Option<Written>,
}

fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rsplit_once('/'), |(path, _)| path.rsplit_once('/'))
        .map(|(path, _)| path)
}

impl Versions {
    /// Whether no version is kept at all.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    pub fn is_watched(&self, path: &str) -> bool {
        self.watched.contains_key(path)
    }

    /// The version of a resource, since when it is kept, and its last write.
    pub fn of(&self, path: &str) -> Option<(Seq, Seq, Option<&Write>)> {
        let watched = self.watched.get(path)?;
        let over = above(path).filter_map(|path| self.above.get(path));
        let last = watched
            .last
            .iter()
            .chain(over)
            .max_by_key(|write| write.ended)
            .filter(|write| write.ended > watched.since);
        let version = last.map_or(watched.since, |write| write.ended);
        Some((version, watched.since, last))
    }

    /// Watched resources that lie below one, by path.
    pub fn below<'s>(&'s self, path: &str) -> impl Iterator<Item = &'s SmolStr> + use<'s> {
        let (from, to) = (format_smolstr!("{path}/"), format_smolstr!("{path}0"));
        let range = (Bound::Included(from), Bound::Excluded(to)); // '0' comes right behind '/'.
        self.watched.range(range).map(|(path, _)| path)
    }

    fn check(&self, path: &str, asked: Seq) -> Result<(), Stale> {
        let Some((version, since, last)) = self.of(path) else {
            return Err(Stale {
                current: None,
                by: None,
            });
        };
        let wrote_it = |write: &Write| write.whole && write.by.token == Token(asked.0);
        if asked >= version || last.is_some_and(wrote_it) {
            return Ok(());
        }
        // Older than what is kept: whoever wrote last, somebody else may have before.
        Err(Stale {
            current: Some(version),
            by: last
                .filter(|_| asked >= since)
                .map(|write| write.by.clone()),
        })
    }

    /// A permit that may have written ended.
    fn wrote(&mut self, path: &ResourcePath, write: Write) {
        if let Some(watched) = self.watched.get_mut(path.as_str()) {
            watched.last = Some(write.clone());
        }
        for over in above(path.as_str()) {
            if let Some(watched) = self.watched.get_mut(over) {
                watched.last = Some(Write {
                    whole: false,
                    ..write.clone()
                });
            }
        }
        if self.below(path.as_str()).next().is_some() {
            self.above.insert(path.text().clone(), write);
        }
    }

    /// Keeps a resource's versions from now on, or goes on keeping them.
    fn watch(&mut self, path: &ResourcePath, now: Seq) {
        let path = path.text();
        let watched = self.watched.entry(path.clone()).or_insert(Watched {
            since: now,
            used: now,
            last: None,
        });
        self.by_use.remove(&(watched.used, path.clone()));
        watched.used = now;
        self.by_use.insert((now, path.clone()));
        while self.watched.len() > WATCHED_MAX
            && let Some((_, path)) = self.by_use.pop_first()
        {
            self.forget(&path);
        }
    }

    fn forget(&mut self, path: &str) {
        self.watched.remove(path);
        for over in above(path) {
            if self.above.contains_key(over) && self.below(over).next().is_none() {
                self.above.remove(over);
            }
        }
    }

    /// Builds what is derived again after a snapshot was read.
    pub fn rebuild(&mut self) {
        let watched = self.watched.iter();
        self.by_use = watched
            .map(|(path, watched)| (watched.used, path.clone()))
            .collect();
    }
}

pub fn decide(state: &State, command: &Command) -> Decided {
    let Command::Watch { resources } = command;
    if resources.len() > CLAIMS_MAX {
        return invalid(
            "resources",
            format!("more than {CLAIMS_MAX} resources; watch some of them at a time"),
        );
    }
    let is_new = |path: &&ResourcePath| !state.versions.is_watched(path.as_str());
    let resources: Vec<ResourcePath> = resources.iter().filter(is_new).cloned().collect();
    if resources.is_empty() {
        return Decided::unchanged();
    }
    Decided::event(Event::VersionsWatched(VersionsWatched { resources }))
}

pub fn watched(state: &mut State, event: &VersionsWatched) {
    for path in &event.resources {
        state.versions.watch(path, state.seq);
    }
}

/// The versions that a request goes by: of what it claims, and of what it has only read.
fn named(request: &Request) -> impl Iterator<Item = (&ResourcePath, Seq)> {
    let claims = request.resources.iter();
    let claims = claims.filter_map(|claim| Some((&claim.path, claim.if_version?)));
    claims.chain(request.reads.iter().map(|read| (&read.path, read.version)))
}

/// A request was granted by the versions it named: they are in use.
pub fn used(state: &mut State, request: &Request) {
    if !state.versions.is_empty() {
        for (path, _) in named(request) {
            state.versions.watch(path, state.seq);
        }
    }
}

/// A request was denied for what it named: from here on that is kept.
pub fn refused(state: &mut State, denial: &Denial, request: Option<&Request>) {
    if let Some(Blocker::Version { path, .. }) = &denial.blocker {
        state.versions.watch(path, state.seq);
        for (path, _) in request.into_iter().flat_map(named) {
            state.versions.watch(path, state.seq);
        }
    }
}

/// What a permit held is let go, and may have been written.
pub fn ended(state: &mut State, held: &HeldLock, permit: PermitId, agent: &AgentId) {
    if held.mode == Mode::Shared || state.versions.is_empty() {
        return;
    }
    let by = Written {
        path: held.path.clone(),
        permit,
        agent: agent.clone(),
        token: held.token,
        at: state.now,
    };
    let write = Write {
        ended: state.seq,
        by,
        whole: held.mode == Mode::Exclusive,
    };
    state.versions.wrote(&held.path, write);
}

/// The versions of what is claimed, of those that are kept.
pub fn versions(state: &State, claims: &[Claim]) -> Vec<ResourceVersion> {
    if state.versions.is_empty() {
        return Vec::new();
    }
    let version = |claim: &Claim| {
        let (version, _, _) = state.versions.of(claim.path.as_str())?;
        Some(ResourceVersion {
            path: claim.path.clone(),
            version,
        })
    };
    claims.iter().filter_map(version).collect()
}

/// The first claim that is not of the version it goes by.
pub fn stale_claim(state: &State, claims: &[Claim]) -> Option<(Blocker, String)> {
    let mut claims = claims.iter();
    claims.find_map(|claim| refusal(state, &claim.path, claim.if_version?))
}

/// The first of the resources a request has read that changed since, or that somebody writes now.
pub fn stale_read(state: &State, asker: Asker, request: &Request) -> Option<(Blocker, String)> {
    let mut reads = request.reads.iter();
    reads.find_map(|read| {
        refusal(state, &read.path, read.version).or_else(|| written_now(state, asker, read))
    })
}

fn refusal(state: &State, path: &ResourcePath, asked: Seq) -> Option<(Blocker, String)> {
    let stale = match asked > state.seq {
        true => Stale {
            current: state.versions.of(path.as_str()).map(|(now, ..)| now),
            by: None,
        },
        false => state.versions.check(path.as_str(), asked).err()?,
    };
    let words = match (&stale.current, &stale.by) {
        _ if asked > state.seq => {
            format!("there is no version {asked} of {path} yet; say one that was read")
        }
        (None, _) => format!("no version of {path} was kept until now; read it again"),
        (Some(current), None) => {
            format!(
                "{path} is of version {current}, and what changed since {asked} is not known; read it again"
            )
        }
        (Some(current), Some(by)) => format!(
            "{path} is of version {current}, not {asked}: permit {} of agent {} wrote it since; read it again",
            by.permit, by.agent
        ),
    };
    let (permit, agent) = stale.by.map(|by| (by.permit, by.agent)).unzip();
    let blocker = Blocker::Version {
        path: path.clone(),
        asked,
        current: stale.current,
        permit,
        agent,
    };
    Some((blocker, words))
}

/// What is read and not held may be written meanwhile: then nobody knows which of the two was first.
fn written_now(
    state: &State,
    mut asker: Asker,
    read: &ResourceVersion,
) -> Option<(Blocker, String)> {
    asker.place.first_ask = false; // Turns of others are not in the way of what is only read.
    let mut writer = None;
    let claim = Claim::new(read.path.clone(), Mode::Shared);
    obstacles(state, asker, &claim, |obstacle| {
        if let Obstacle::Held { by, .. } = obstacle {
            writer = Some(&state.permits[by]);
        }
        writer.is_none()
    });
    let writer = writer?;
    let (permit, agent) = (writer.id, writer.request.agent.clone());
    let path = &read.path;
    let words = format!("permit {permit} of agent {agent} writes {path} now; read it when it ends");
    let blocker = Blocker::Version {
        path: path.clone(),
        asked: read.version,
        current: state.versions.of(path.as_str()).map(|(now, _, _)| now),
        permit: Some(permit),
        agent: Some(agent),
    };
    Some((blocker, words))
}
