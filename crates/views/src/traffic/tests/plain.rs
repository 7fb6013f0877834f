//! What each permit's own history says of the edges, told plainly: one permit after the other, each over all records.
use fleet_types::lock::Claim;
use fleet_types::permit::Blocker;
use fleet_types::{Event, PermitId, Record, ResourcePath, Time};
use std::collections::BTreeMap;

/// What one edge should show, said plainly.
#[derive(Default, PartialEq, Debug)]
pub struct Plain {
    pub asked: u64,
    pub granted: u64,
    pub denied: u64,
    pub failed: u64,
    pub waits: u64,
    pub wait_us: u64,
    pub holding: u64,
    pub waiting: u64,
}

/// Which claim cannot be had, since when.
type Behind = Option<(ResourcePath, Time)>;

fn overlaps(one: &ResourcePath, other: &ResourcePath) -> bool {
    one.covers(other) || other.covers(one)
}

/// Which of these claims a blocker is about.
fn contended<'c>(claims: &'c [Claim], blocker: Option<&Blocker>) -> Option<&'c ResourcePath> {
    let (Blocker::Lock { path, .. } | Blocker::Turn { path, .. }) = blocker? else {
        return None;
    };
    let claims = claims.iter().map(|claim| &claim.path);
    claims.into_iter().find(|own| overlaps(own, path))
}

/// The story of one permit, walked from its first record to its last.
fn tell(id: PermitId, records: &[Record], plain: &mut BTreeMap<(String, String), Plain>) {
    let asked = |record: &Record| match &record.event {
        Event::PermitGranted(e) if e.permit == id => Some(e.request.clone()),
        Event::PermitQueued(e) if e.permit == id => Some(e.request.clone()),
        Event::PermitDenied(e) if e.denial.permit == id => Some(e.request.clone()),
        _ => None,
    };
    let request = records.iter().find_map(asked).unwrap();
    // What it holds, and what is waited for, each with the claims in question.
    let mut held: Vec<Claim> = Vec::new();
    let mut waits: Option<(Time, Vec<Claim>, Behind)> = None;
    let mut extends: Option<(Vec<Claim>, Behind)> = None;
    let mut is_held = false;
    for record in records {
        let at = record.at;
        let mut edge = |to: String, change: &dyn Fn(&mut Plain)| {
            let agent = format!("agent:{}", request.agent);
            change(plain.entry((agent, to)).or_default());
        };
        let resource = |claim: &Claim| format!("resource:{}", claim.path);
        macro_rules! stood {
            ($behind:expr) => {
                if let Some((path, since)) = &$behind {
                    let us = at.micros_since(*since);
                    edge(format!("resource:{path}"), &|plain| {
                        plain.waits += 1;
                        plain.wait_us += us;
                    });
                }
            };
        }
        let gone = |list: &[PermitId]| list.contains(&id);
        let mut over = None;
        match &record.event {
            Event::PermitGranted(e) if e.permit == id => {
                let action = format!("action:{}", e.request.action);
                let is_new = waits.is_none();
                if let Some((since, _, behind)) = waits.take() {
                    stood!(behind);
                    let us = at.micros_since(since);
                    edge(action.clone(), &|p| {
                        p.waits += 1;
                        p.wait_us += us;
                        p.waiting -= 1;
                    });
                    for claim in &e.request.resources {
                        edge(resource(claim), &|p| p.waiting -= 1);
                    }
                }
                let grant = |p: &mut Plain| {
                    p.asked += u64::from(is_new);
                    p.granted += 1;
                    p.holding += 1;
                };
                edge(action, &grant);
                for claim in &e.request.resources {
                    edge(resource(claim), &grant);
                }
                held.clone_from(&e.request.resources);
                is_held = true;
            }
            Event::PermitQueued(e) if e.permit == id => {
                let wait = |p: &mut Plain| {
                    p.asked += 1;
                    p.waiting += 1;
                };
                edge(format!("action:{}", e.request.action), &wait);
                for claim in &e.request.resources {
                    edge(resource(claim), &wait);
                }
                let behind = contended(&e.request.resources, Some(&e.waits_for));
                waits = Some((
                    at,
                    e.request.resources.clone(),
                    behind.map(|p| (p.clone(), at)),
                ));
            }
            Event::PermitRequeued(e) if e.permit == id => {
                if let Some((claims, behind)) = &mut extends {
                    stood!(behind);
                    *behind = contended(claims, Some(&e.waits_for)).map(|p| (p.clone(), at));
                } else if let Some((_, claims, behind)) = &mut waits {
                    stood!(behind);
                    *behind = contended(claims, Some(&e.waits_for)).map(|p| (p.clone(), at));
                }
            }
            Event::PermitDenied(e) if e.denial.permit == id => {
                let refused = !["cancelled", "holder_gone"].contains(&e.denial.code.as_str());
                let action = format!("action:{}", e.request.action);
                let is_new = waits.is_none();
                let mut blamed =
                    contended(&e.request.resources, e.denial.blocker.as_ref()).cloned();
                if let Some((since, _, behind)) = waits.take() {
                    stood!(behind);
                    let us = at.micros_since(since);
                    edge(action.clone(), &|p| {
                        p.waits += 1;
                        p.wait_us += us;
                        p.waiting -= 1;
                    });
                    for claim in &e.request.resources {
                        edge(resource(claim), &|p| p.waiting -= 1);
                    }
                    blamed = behind.map(|(path, _)| path);
                }
                edge(action, &|p| {
                    p.asked += u64::from(is_new);
                    p.denied += u64::from(refused);
                });
                for claim in &e.request.resources {
                    let by_this = Some(&claim.path) == blamed.as_ref();
                    edge(resource(claim), &|p| {
                        p.asked += u64::from(is_new);
                        p.denied += u64::from(refused && by_this);
                    });
                }
            }
            Event::PermitExtended(e) if e.permit == id => {
                let waited = extends.take();
                if let Some((claims, behind)) = &waited {
                    stood!(behind);
                    for claim in claims {
                        edge(resource(claim), &|p| p.waiting -= 1);
                    }
                }
                for claim in &e.resources {
                    let is_new = held.iter().all(|own| own.path != claim.path);
                    edge(resource(claim), &|p| {
                        p.asked += u64::from(waited.is_none());
                        p.granted += 1;
                        p.holding += u64::from(is_new);
                    });
                    if is_new {
                        held.push(claim.clone());
                    }
                }
            }
            Event::PermitExtensionQueued(e) if e.extend.permit == id => {
                for claim in &e.extend.resources {
                    edge(resource(claim), &|p| {
                        p.asked += 1;
                        p.waiting += 1;
                    });
                }
                let behind = contended(&e.extend.resources, Some(&e.waits_for));
                extends = Some((e.extend.resources.clone(), behind.map(|p| (p.clone(), at))));
            }
            Event::PermitExtensionDenied(e) if e.denial.permit == id => {
                if let Some((claims, behind)) = extends.take() {
                    stood!(behind);
                    for claim in &claims {
                        let by_this = behind.as_ref().is_some_and(|(path, _)| *path == claim.path);
                        edge(resource(claim), &|p| {
                            p.waiting -= 1;
                            p.denied += u64::from(by_this);
                        });
                    }
                }
            }
            Event::PermitFinished(e) if e.finish.permit == id => {
                over = Some(e.finish.ending == fleet_types::permit::Ending::Failed);
            }
            Event::PermitExpired(e) if e.permit == id => over = Some(true),
            Event::HaltOrdered(e) if gone(&e.revoked) => over = Some(true),
            _ => {}
        }
        let Some(badly) = over else { continue };
        if let Some((claims, behind)) = extends.take() {
            stood!(behind);
            for claim in &claims {
                edge(resource(claim), &|p| p.waiting -= 1);
            }
        }
        let action = format!("action:{}", request.action);
        if let Some((since, claims, behind)) = waits.take() {
            stood!(behind);
            let us = at.micros_since(since);
            edge(action, &|p| {
                p.waits += 1;
                p.wait_us += us;
                p.waiting -= 1;
            });
            for claim in &claims {
                edge(resource(claim), &|p| p.waiting -= 1);
            }
        } else if is_held {
            let end = |p: &mut Plain| {
                p.holding -= 1;
                p.failed += u64::from(badly);
            };
            edge(action, &end);
            for claim in &held {
                edge(resource(claim), &end);
            }
        }
    }
}

pub fn expected(records: &[Record]) -> BTreeMap<(String, String), Plain> {
    let ids = records.iter().filter_map(|record| match &record.event {
        Event::PermitGranted(e) => Some(e.permit),
        Event::PermitQueued(e) => Some(e.permit),
        Event::PermitDenied(e) => Some(e.denial.permit),
        _ => None,
    });
    let ids: std::collections::BTreeSet<PermitId> = ids.collect();
    let mut plain = BTreeMap::new();
    for id in ids {
        tell(id, records, &mut plain);
    }
    plain
}
