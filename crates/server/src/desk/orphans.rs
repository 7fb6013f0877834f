//! Prepared transactions that belong to nobody: an agent prepared one after its transaction had been aborted and was over.
//! Presumed abort: they are rolled back, after a while.
//!
//! Only those with a connector's mark are looked at, so nobody else's is touched, another fleet's neither. The databases are
//! asked first and the state after that: whatever was prepared by then, its transaction is known if it is not over.
use super::branch::Place;
use fleet_core::State;
use fleet_types::connector::{Connector, To};
use fleet_types::txn::of_gid;
use std::collections::BTreeMap;
use std::time::Duration;

/// Looks again and again, as long as the fleet is open.
pub async fn look(place: Place) {
    let outside = place.tools.outside.clone();
    loop {
        let connectors = place.look(connectors).await;
        for connector in connectors {
            if let Err(why) = one(&place, &connector, outside.orphans_after()).await {
                tracing::warn!(fleet = %place.fleet, connector = %connector.id, %why, "failed to look for forgotten prepared transactions");
            }
        }
        tokio::time::sleep(outside.orphans_every()).await;
    }
}

fn connectors(state: &State) -> Vec<Connector> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = fleet_core::read::connectors(state, after.as_deref(), 1_000);
        let postgres = |it: &Connector| matches!(it.to, To::Postgres { .. });
        found.extend(page.items.into_iter().filter(postgres));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

async fn one(place: &Place, connector: &Connector, safe: Duration) -> Result<(), String> {
    let executors = &place.tools.executors;
    let prepared = executors.prepared(&place.tenant, connector).await?;
    let old = prepared.into_iter().filter(|it| it.age >= safe);
    let named: BTreeMap<_, _> = old
        .filter_map(|it| Some((of_gid(connector.mark.as_str(), &it.gid)?, it.gid)))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let orphans = place
        .look(move |state| {
            let nobodys = named
                .iter()
                .filter(|((txn, branch), _)| !fleet_core::read::owns(state, *txn, branch));
            nobodys.map(|(_, gid)| gid.clone()).collect::<Vec<_>>()
        })
        .await;
    for gid in orphans {
        executors.roll_back(&place.tenant, connector, &gid).await?;
        tracing::warn!(fleet = %place.fleet, connector = %connector.id, %gid, "rolled back a prepared transaction that belongs to nobody");
    }
    Ok(())
}
