//! Transfers as two-phase commits: the server decides, and both databases end the same way.
use super::bank::{Banks, update};
use super::{AGAIN, BANKS, Stopped, Transfer, Transfers};
use crate::coordinate::Lost;
use crate::desks::lost;
use crate::fleet::CLEARING;
use crate::random::Random;
use fleet_client::http::{EndTxn, NewTxn};
use fleet_client::{Ask, Fleet};
use fleet_types::permit::{Decision, Ending};
use fleet_types::session::FinishBody;
use fleet_types::txn::{Branch, Participant, State};
use fleet_types::{AgentId, BranchId, ConnectorId, Millis, PermitId, TxnId};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;

/// How long a transfer may stay undecided.
const DECIDED_WITHIN: Millis = Millis(5_000);
/// How long the last transfers may take once the bank closes: databases and server may be away meanwhile.
const END_WITHIN: Duration = Duration::from_secs(60);

/// Tells the server how to reach both databases. The connection string is a file of its own data directory.
pub(super) async fn connect(fleet: &Fleet, dir: &Path, urls: &[String; 2]) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|error| error.to_string())?;
    for (bank, url) in BANKS.into_iter().zip(urls) {
        std::fs::write(dir.join(bank), url).map_err(|error| error.to_string())?;
        let connector = json!({
            "id": bank,
            "description": "one of the two banks between which the demonstration moves money",
            "to": { "postgres": { "url": { "file": bank } } },
            "timeout_ms": 2_000,
        });
        let connector = serde_json::from_value(connector).map_err(|error| error.to_string())?;
        let since = Instant::now();
        while let Err(error) = fleet.put_connector(&connector).await {
            if since.elapsed() > END_WITHIN {
                return Err(error.to_string());
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
    Ok(())
}

/// The server need not look for the databases any more.
pub(super) async fn disconnect(fleet: &Fleet) {
    for bank in BANKS {
        if let Ok(connector) = ConnectorId::parse(bank) {
            // A server that is away looks in vain until it ends, too.
            let _ = fleet.remove_connector(&connector).await;
        }
    }
}

pub(super) async fn clerk(
    fleet: Fleet,
    mut banks: Banks,
    mut random: Random,
    mut stopped: Stopped,
) -> Transfers {
    let mut sum = Transfers::default();
    let Ok(agent) = AgentId::parse(CLEARING) else {
        return sum;
    };
    while !stopped.is() {
        let transfer = Transfer::draw(&mut random);
        let mut under_way = UnderWay {
            fleet: &fleet,
            agent: &agent,
            permit: None,
            txn: None,
            prepared: Vec::new(),
        };
        if under_way.go(&transfer, &mut banks).await.is_err() {
            stopped.pause(AGAIN).await;
        }
        match under_way.end(&mut banks).await {
            Some(State::Committed) => sum.done += 1,
            Some(State::Aborted) | None => sum.undone += 1,
            // Mixed, or not over in time: what a two-phase commit must never be.
            Some(_) => sum.half_way += 1,
        }
    }
    sum
}

/// A transfer under way.
struct UnderWay<'a> {
    fleet: &'a Fleet,
    agent: &'a AgentId,
    permit: Option<PermitId>,
    txn: Option<TxnId>,
    /// Bank and name of what was prepared, or may have been.
    prepared: Vec<(usize, String)>,
}

impl UnderWay<'_> {
    /// Takes the permit, begins, prepares in both databases, and asks for the commit.
    async fn go(&mut self, transfer: &Transfer, banks: &mut Banks) -> Result<(), Lost> {
        let agent = Some(self.agent);
        let mut ask = Ask::new("clearing.transfer".parse().map_err(lost)?)
            .agent(self.agent.clone())
            .wait(Duration::from_secs(5));
        for (bank, account) in transfer.ends {
            let path = format!("clearing/{}/{account}", BANKS[bank]);
            ask = ask.exclusive(path.parse().map_err(lost)?);
        }
        let permit = match self.fleet.request(ask).await.map_err(lost)? {
            Decision::Granted(grant) => grant.permit,
            Decision::Queued(_) | Decision::Denied(_) => return Err(lost("no permit")),
        };
        self.permit = Some(permit);
        let new = NewTxn {
            agent: Some(self.agent.clone()),
            timeout_ms: Some(DECIDED_WITHIN),
            ..NewTxn::default()
        };
        let txn = self.fleet.begin_txn(&new).await.map_err(lost)?.txn;
        self.txn = Some(txn);
        self.fleet.hold(txn, agent, permit).await.map_err(lost)?;
        let mut coming = None;
        for (bank, account, cents) in transfer.changes() {
            let branch = Branch {
                id: BranchId::parse(BANKS[bank]).map_err(lost)?,
                participant: Participant::Postgres {
                    connector: ConnectorId::parse(BANKS[bank]).map_err(lost)?,
                },
                payload: None,
            };
            let standing = self.fleet.enlist(txn, agent, &branch).await.map_err(lost)?;
            let gid = standing
                .gid
                .ok_or_else(|| lost("no name to prepare under"))?;
            self.prepared.push((bank, gid.to_string()));
            let sql = format!(
                "BEGIN; {}; PREPARE TRANSACTION '{gid}'",
                update(account, cents)
            );
            banks.run(bank, &sql).await.map_err(lost)?;
            // Also while the second bank is to be told of the commit.
            coming.get_or_insert_with(|| banks.to_come(1 - bank));
        }
        let end = EndTxn {
            agent: Some(self.agent.clone()),
            ..EndTxn::default()
        };
        self.fleet
            .commit_txn(txn, &end)
            .await
            .map(drop)
            .map_err(lost)
    }

    /// Waits until it is over; None: it never began.
    async fn end(self, banks: &mut Banks) -> Option<State> {
        let Some(txn) = self.txn else {
            if let Some(permit) = self.permit {
                // Not begun: what is not heard, the lease ends.
                let body = FinishBody {
                    agent: Some(self.agent.clone()),
                    ..FinishBody::default()
                };
                let _ = self.fleet.finish(permit, Ending::Cancelled, &body).await;
            }
            return None;
        };
        let since = Instant::now();
        let mut state = State::Open;
        while !state.is_over() && since.elapsed() < END_WITHIN {
            match self.fleet.txn(txn, Some(Millis(2_000))).await {
                Ok(view) => state = view.state,
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
            if state == State::Open {
                let end = EndTxn {
                    agent: Some(self.agent.clone()),
                    ..EndTxn::default()
                };
                // Its preparing failed: it is given up.
                let _ = self.fleet.abort_txn(txn, &end).await;
            }
        }
        if state == State::Aborted {
            // Prepared only after it was aborted: nobody else would look for it for a minute.
            for (bank, gid) in self.prepared {
                roll_back(banks, bank, &gid).await;
            }
        }
        Some(state)
    }
}

/// Rolls back what lies prepared under this name, over an outage of the database.
async fn roll_back(banks: &mut Banks, bank: usize, gid: &str) {
    let sql = format!("ROLLBACK PREPARED '{gid}'");
    for _ in 0..25 {
        match banks.run(bank, &sql).await {
            Ok(()) => return,
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => return,
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}
