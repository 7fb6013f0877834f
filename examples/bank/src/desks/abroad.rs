//! Payments abroad: reserve the money, fix a rate, send, tell the customer.
//!
//! The bank abroad refuses some. Then what was done must be undone: a saga does that. Without one whoever meets the
//! refusal goes on with the next payment, and what was reserved stays reserved.
use super::{AGAIN, SharedLedger, Stopped, lost};
use crate::coordinate::Lost;
use crate::fleet::{ABROAD, CORRESPONDENT};
use crate::ledger::abroad::STEPS;
use crate::options::Server;
use fleet_client::http::NewTxn;
use fleet_client::{Fleet, Session, Signal};
use fleet_types::txn::{Order, Outcome, Phase, Report, Step};
use fleet_types::{AgentId, FleetId, InstanceId, Millis, Text, TxnId};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Payments that are under way at once.
const AT_ONCE: u64 = 3;
/// How long one step takes at least.
const STEP: Duration = Duration::from_millis(5);
/// How long the last payments may take once the bank closes.
const END_WITHIN: Duration = Duration::from_secs(60);
/// One of so many is refused by the bank abroad, and of another one of so many the rate is not there at first.
const REFUSED_ONE_OF: u64 = 5;
const LATE_ONE_OF: u64 = 7;

pub(super) struct Abroad {
    /// None: without coordination.
    pub fleet: Option<Fleet>,
    pub server: Option<Server>,
    pub ledger: SharedLedger,
    pub stopped: Stopped,
}

impl Abroad {
    pub async fn work(self) {
        let numbers = AtomicU64::new(1);
        let next = || numbers.fetch_add(1, Ordering::Relaxed);
        match (&self.fleet, &self.server) {
            (Some(fleet), Some(server)) => {
                let correspondent = tokio::spawn(correspond(server.clone(), self.ledger.clone()));
                let clerk = || self.clerk(fleet, &next);
                tokio::join!(clerk(), clerk(), clerk()); // AT_ONCE of them.
                correspondent.abort();
            }
            _ => self.alone(&next).await,
        }
    }

    /// Has payments made, one after the other.
    async fn clerk(&self, fleet: &Fleet, next: &impl Fn() -> u64) {
        let mut stopped = self.stopped.clone();
        while !stopped.is() {
            let number = next();
            match begin(fleet, number).await {
                Ok(txn) => until_over(fleet, txn).await,
                Err(_) => stopped.pause(AGAIN).await,
            }
        }
    }

    /// The same steps without anybody who would undo them.
    async fn alone(&self, next: &impl Fn() -> u64) {
        let mut stopped = self.stopped.clone();
        while !stopped.is() {
            let number = next();
            for step in STEPS {
                stopped.pause(STEP / AT_ONCE as u32).await;
                if refuses(number, step) {
                    break;
                }
                let payment = number.to_string();
                let written = self
                    .ledger
                    .with(move |ledger| ledger.set_abroad(&payment, step, true));
                if written.await.is_err() {
                    break;
                }
            }
        }
    }
}

/// Whether the bank abroad does not take it.
fn refuses(number: u64, step: &str) -> bool {
    step == "send" && number % REFUSED_ONE_OF == 3
}

async fn begin(fleet: &Fleet, number: u64) -> Result<TxnId, Lost> {
    let step = |id: &str, after: &[&str], undo: Value| {
        let mut step = json!({
            "id": id,
            "participant": { "session": { "agent": CORRESPONDENT, "instance": "desk" } },
            "do": { "payment": number },
            "after": after,
            "pivot": id == "send",
        });
        if !undo.is_null() {
            step["undo"] = undo;
        }
        if id == "reserve" {
            let resource =
                json!({ "path": format!("abroad/{}", number % 50), "mode": "exclusive" });
            step["permit"] = json!({
                "agent": ABROAD,
                "action": "abroad.pay",
                "resources": [resource],
                "wait_ms": 10_000,
            });
        }
        serde_json::from_value::<Step>(step).map(Into::into)
    };
    let undo = json!({ "payment": number });
    let steps = [
        step("reserve", &[], undo.clone()),
        step("quote", &["reserve"], undo),
        step("send", &["quote"], Value::Null),
        step("notify", &["send"], Value::Null),
    ];
    let new = NewTxn {
        agent: Some(AgentId::parse(ABROAD).map_err(lost)?),
        kind: fleet_types::txn::Kind::Saga,
        timeout_ms: Some(Millis(30_000)),
        steps: steps.into_iter().collect::<Result<_, _>>().map_err(lost)?,
        description: Text::clip("a payment abroad"),
        ..NewTxn::default()
    };
    let begun = fleet.begin_txn(&new).await.map_err(lost)?;
    Ok(begun.txn)
}

/// Waits for its end, over outages of the server. One that never ends is found by the auditor.
async fn until_over(fleet: &Fleet, txn: TxnId) {
    let since = std::time::Instant::now();
    while since.elapsed() < END_WITHIN {
        match fleet.txn(txn, Some(Millis(5_000))).await {
            Ok(view) if view.state.is_over() => return,
            Ok(_) => {}
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// The bank abroad: does and undoes the steps that it is told over its session.
async fn correspond(server: Server, ledger: SharedLedger) -> Result<Infallible, Lost> {
    let options = fleet_client::Options::new(
        server.base_url.clone(),
        FleetId::parse(&server.fleet).map_err(lost)?,
        AgentId::parse(CORRESPONDENT).map_err(lost)?,
        InstanceId::parse("desk").map_err(lost)?,
    )
    .key(server.key.clone());
    loop {
        if let Ok(session) = Session::connect(options.clone()).await {
            listen(&session, &ledger).await;
        }
        // The server was away for too long: a new session takes the place of the old one.
        tokio::time::sleep(AGAIN).await;
    }
}

/// Does what it is told until the session is over.
async fn listen(session: &Session, ledger: &SharedLedger) {
    let mut signals = session.signals();
    loop {
        let order = match signals.recv().await {
            Ok(Signal::Transaction(order)) => order,
            Ok(Signal::Over(_)) | Err(RecvError::Closed) => return,
            // What was missed is told again.
            Ok(_) | Err(RecvError::Lagged(_)) => continue,
        };
        let (session, ledger) = (session.clone(), ledger.clone());
        tokio::spawn(async move {
            let (outcome, reason) = carry_out(&order, &ledger).await;
            let report = Report {
                txn: order.txn,
                branch: order.branch.clone(),
                phase: order.phase,
                outcome,
                attempt: None,
                evidence: Text::default(),
                reason: Text::clip(reason),
            };
            // Not heard, it is told again; what is done twice is done once.
            let _ = session.report(report).await;
        });
    }
}

async fn carry_out(order: &Order, ledger: &SharedLedger) -> (Outcome, &'static str) {
    let number = order.payload.as_ref().and_then(|payload| {
        let payment = payload.get("payment")?;
        payment.as_u64()
    });
    let step = STEPS
        .into_iter()
        .find(|step| *step == order.branch.as_str());
    let (Some(number), Some(step)) = (number, step) else {
        return (Outcome::Refused, "no such step");
    };
    tokio::time::sleep(STEP).await;
    let done = order.phase == Phase::Do;
    if done && refuses(number, step) {
        return (Outcome::Refused, "the account abroad is closed");
    }
    if done && step == "quote" && number % LATE_ONE_OF == 2 && order.attempt == 1 {
        return (Outcome::Failed, "no rate just now");
    }
    let payment = number.to_string();
    let written = ledger.with(move |ledger| ledger.set_abroad(&payment, step, done));
    match written.await {
        Ok(()) => (Outcome::Done, ""),
        Err(_) => (Outcome::Failed, "the ledger is busy"),
    }
}
