//! Which tenants, fleets and keys there are now: a picture of the directory fleet, kept up with its journal.
//!
//! A revoked key is out of use as soon as the record of its revocation is applied here, and whoever revoked it hears so
//! only after that ([`Keyring::reached`]).
use crate::auth::caller::Caller;
use crate::auth::secret::Presented;
use crate::problem::{Problem, Result};
use fleet_types::directory::Key;
use fleet_types::{Code, Event, FleetId, KeyId, Record, Seq, TenantId, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// What is known of the directory.
pub struct Keyring {
    known: RwLock<Known>,
    seq: watch::Sender<Seq>,
}

#[derive(Default)]
struct Known {
    fleets: BTreeMap<TenantId, BTreeSet<FleetId>>,
    keys: BTreeMap<KeyId, Arc<Key>>,
}

impl Default for Keyring {
    fn default() -> Self {
        Keyring {
            known: RwLock::default(),
            seq: watch::Sender::new(Seq(0)),
        }
    }
}

impl Keyring {
    /// Takes in what happened.
    pub fn apply(&self, records: &[Record]) {
        let Some(last) = records.last() else { return };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            known.apply(&record.event);
        }
        drop(known);
        self.seq.send_replace(last.seq);
    }

    /// Takes in the whole directory as of `seq`, in place of what was known.
    pub fn load(&self, seq: Seq, tenants: Vec<(TenantId, Vec<FleetId>, Vec<Key>)>) {
        let mut fresh = Known::default();
        for (tenant, fleets, keys) in tenants {
            fresh.fleets.insert(tenant, fleets.into_iter().collect());
            fresh
                .keys
                .extend(keys.into_iter().map(|key| (key.id.clone(), Arc::new(key))));
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.seq.send_replace(seq);
    }

    /// How far it has come.
    #[must_use]
    pub fn seq(&self) -> Seq {
        *self.seq.borrow()
    }

    /// Waits until what happened up to `seq` is taken in.
    ///
    /// # Errors
    /// When the directory's journal does not come along in time.
    pub async fn reached(&self, seq: Seq) -> Result<()> {
        let mut at = self.seq.subscribe();
        match tokio::time::timeout(Duration::from_secs(10), at.wait_for(|at| *at >= seq)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Problem::new(
                Code::Unavailable,
                "the change is durable, but is not in force here yet; look again shortly",
            )
            .retry_after(1_000)),
        }
    }

    /// Who holds this credential.
    ///
    /// # Errors
    /// When nobody does (any more). The answer does not tell which of it was wrong.
    pub fn authenticate(&self, token: &str, now: Time) -> Result<Caller> {
        let refused = || {
            Problem::new(
                Code::Unauthenticated,
                "this key is not known, revoked or expired; send `Authorization: Bearer fk_…` with a valid one",
            )
        };
        let presented = Presented::parse(token).ok_or_else(refused)?;
        let key = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.keys.get(&presented.id).cloned()
        };
        match key {
            Some(key)
                if presented.opens(&key.hash) && key.expires_at.is_none_or(|end| now < end) =>
            {
                Ok(Caller::of(&key))
            }
            Some(_) | None => Err(refused()),
        }
    }

    /// Until when the key that a caller brought opens, unless it is revoked; `None`: no more. Asked again by what lasts.
    #[must_use]
    pub fn opens_until(&self, caller: &Caller, now: Time) -> Option<Time> {
        let Some(id) = &caller.key else {
            return Some(Time::MAX);
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let until = known.keys.get(id)?.expires_at.unwrap_or(Time::MAX);
        (now < until).then_some(until)
    }

    /// Told whenever the directory changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Seq> {
        self.seq.subscribe()
    }

    /// The keys of a tenant, by id.
    #[must_use]
    pub fn keys(&self, tenant: &TenantId) -> Vec<Arc<Key>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .keys
            .values()
            .filter(|key| key.tenant == *tenant)
            .cloned()
            .collect()
    }

    /// The fleets of a tenant.
    #[must_use]
    pub fn fleets(&self, tenant: &TenantId) -> Vec<FleetId> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .fleets
            .get(tenant)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Whether a tenant is known.
    #[must_use]
    pub fn has_tenant(&self, tenant: &TenantId) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.fleets.contains_key(tenant)
    }

    /// Whether any key is known at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.keys.is_empty()
    }
}

impl Known {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::TenantCreated(created) => {
                self.fleets.entry(created.tenant.clone()).or_default();
            }
            Event::FleetCreated(created) => {
                self.fleets
                    .entry(created.tenant.clone())
                    .or_default()
                    .insert(created.fleet.clone());
            }
            Event::KeyIssued(key) => {
                self.keys.insert(key.id.clone(), Arc::clone(key));
            }
            Event::KeyRevoked(revoked) => {
                self.keys.remove(&revoked.key);
            }
            // The directory fleet holds nothing else that opens anything.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::secret;
    use fleet_types::{Actor, Role, Text, event};

    fn record(seq: u64, event: Event) -> Record {
        Record {
            seq: Seq(seq),
            at: Time(seq),
            by: Actor::System,
            event,
        }
    }

    #[tokio::test]
    async fn a_revoked_or_expired_key_opens_nothing() {
        let ring = Keyring::default();
        let fresh = secret::generate().unwrap();
        let tenant = TenantId::parse("acme").unwrap();
        let key = Key {
            id: fresh.id.clone(),
            tenant: tenant.clone(),
            fleet: None,
            scope: None,
            agent: None,
            role: Role::Operator,
            hash: fresh.hash.clone(),
            description: Text::default(),
            expires_at: Some(Time(100)),
        };
        assert!(ring.authenticate(&fresh.token, Time(1)).is_err());
        ring.apply(&[record(1, Event::KeyIssued(Arc::new(key)))]);
        let caller = ring.authenticate(&fresh.token, Time(99)).unwrap();
        assert_eq!(caller.tenant, tenant);
        assert_eq!(ring.opens_until(&caller, Time(99)), Some(Time(100)));
        assert_eq!(ring.opens_until(&caller, Time(100)), None);
        assert!(ring.authenticate(&fresh.token, Time(100)).is_err());
        assert!(
            ring.authenticate(&secret::generate().unwrap().token, Time(1))
                .is_err()
        );
        let revoked = event::KeyRevoked {
            tenant,
            key: fresh.id,
        };
        ring.apply(&[record(2, Event::KeyRevoked(revoked))]);
        ring.reached(Seq(2)).await.unwrap();
        assert!(ring.authenticate(&fresh.token, Time(99)).is_err());
        assert_eq!(ring.opens_until(&caller, Time(99)), None);
    }
}
