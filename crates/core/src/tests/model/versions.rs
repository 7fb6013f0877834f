//! Lost updates, told from the whole history of permits by looking at all of it each time.
use super::reference::overlap;
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::{Blocker, Denial, Ending, Request};
use fleet_types::{Event, PermitId, Record, ResourcePath};
use std::collections::BTreeMap;

/// What a permit holds or held, under one token.
#[derive(Clone)]
struct Hold {
    permit: PermitId,
    path: ResourcePath,
    mode: Mode,
    token: u64,
}

/// A hold that may have written, and where it ended.
struct Write {
    hold: Hold,
    ended: u64,
}

#[derive(Default)]
pub struct Versions {
    holds: BTreeMap<PermitId, Vec<Hold>>,
    writes: Vec<Write>,
}

impl Versions {
    /// No permit may be granted by a version after which somebody wrote.
    pub fn follow(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.one(record));
    }

    fn one(&mut self, record: &Record) {
        let seq = record.seq.0;
        match &record.event {
            Event::PermitGranted(event) => {
                self.fresh(event.permit, &event.request.resources, &event.request);
                for kept in &event.versions {
                    let since = self.since(&kept.path, kept.version.0);
                    assert!(
                        since.is_empty(),
                        "{} is told to be older than it is",
                        kept.path
                    );
                }
                self.take(event.permit, &event.request.resources, seq);
            }
            Event::PermitExtended(event) => {
                self.fresh_claims(&event.resources);
                self.take(event.permit, &event.resources, seq);
            }
            Event::PermitDenied(event) => self.justified(&event.denial),
            Event::PermitExtensionDenied(event) => self.justified(&event.denial),
            Event::PermitFinished(event) => {
                let begun = event.finish.ending != Ending::Cancelled;
                self.end(event.finish.permit, seq, begun);
            }
            Event::PermitExpired(event) => self.end(event.permit, seq, true),
            Event::InstanceConnected(event) => self.all_end(&event.released, seq),
            Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                self.all_end(&event.released, seq);
            }
            Event::HaltOrdered(event) => self.all_end(&event.revoked, seq),
            _ => {}
        }
    }

    fn take(&mut self, permit: PermitId, claims: &[Claim], token: u64) {
        let holds = self.holds.entry(permit).or_default();
        let is_taken = |hold: &Hold| claims.iter().any(|claim| claim.path == hold.path);
        let (upgraded, kept) = std::mem::take(holds).into_iter().partition(is_taken);
        *holds = kept;
        let upgraded: Vec<Hold> = upgraded;
        let written = upgraded
            .into_iter()
            .filter(|hold| hold.mode != Mode::Shared);
        self.writes
            .extend(written.map(|hold| Write { hold, ended: token }));
        holds.extend(claims.iter().map(|claim| Hold {
            permit,
            path: claim.path.clone(),
            mode: claim.mode,
            token,
        }));
    }

    fn all_end(&mut self, permits: &[PermitId], seq: u64) {
        permits
            .iter()
            .for_each(|permit| self.end(*permit, seq, true));
    }

    fn end(&mut self, permit: PermitId, seq: u64, begun: bool) {
        let holds = self.holds.remove(&permit).unwrap_or_default();
        let written = holds
            .into_iter()
            .filter(|hold| begun && hold.mode != Mode::Shared);
        self.writes
            .extend(written.map(|hold| Write { hold, ended: seq }));
    }

    /// Who wrote a resource, or what overlaps it, after a version.
    fn since(&self, path: &ResourcePath, version: u64) -> Vec<&Write> {
        let writes = self.writes.iter();
        writes
            .filter(|write| write.ended > version && overlap(&write.hold.path, path))
            .collect()
    }

    /// Nobody wrote since, but for one that held all of it and whose token it is, after which nobody did.
    fn stands(&self, path: &ResourcePath, version: u64) -> bool {
        let since = self.since(path, version);
        let Some(last) = since.iter().map(|write| write.ended).max() else {
            return true;
        };
        let mut own = since.iter().filter(|write| {
            let hold = &write.hold;
            hold.token == version && hold.mode == Mode::Exclusive && hold.path.covers(path)
        });
        own.any(|write| write.ended == last)
    }

    fn fresh_claims(&self, claims: &[Claim]) {
        for claim in claims {
            if let Some(version) = claim.if_version {
                assert!(
                    self.stands(&claim.path, version.0),
                    "a lost update of {}",
                    claim.path
                );
            }
        }
    }

    fn fresh(&self, permit: PermitId, claims: &[Claim], request: &Request) {
        self.fresh_claims(claims);
        for read in &request.reads {
            assert!(
                self.stands(&read.path, read.version.0),
                "a stale read of {}",
                read.path
            );
            let mut others = self.holds.iter().filter(|(other, _)| **other != permit);
            assert!(
                !others.any(|(_, holds)| holds
                    .iter()
                    .any(|hold| hold.mode != Mode::Shared && overlap(&hold.path, &read.path))),
                "{} was read while it was written",
                read.path
            );
        }
    }

    /// Whoever is told to have written it did so since, or does now.
    fn justified(&self, denial: &Denial) {
        let Some(Blocker::Version {
            path,
            asked,
            permit: Some(by),
            ..
        }) = &denial.blocker
        else {
            return;
        };
        let wrote = self.since(path, asked.0);
        let writes = self.holds.get(by).into_iter().flatten();
        assert!(
            wrote.iter().any(|write| write.hold.permit == *by)
                || writes
                    .into_iter()
                    .any(|hold| hold.mode != Mode::Shared && overlap(&hold.path, path)),
            "{by} has not written {path} since {asked}"
        );
    }
}
