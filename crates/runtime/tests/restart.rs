//! A fleet over a real SQLite journal: what was answered is there after a restart, and a repeat gets its first answer.
mod common;

use common::{ask, request, set_up, start};
use fleet_runtime::Options;
use fleet_types::Code;
use fleet_types::permit::Decision;

#[tokio::test(flavor = "multi_thread")]
async fn answers_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let fleets = start(dir.path(), Options::default());
    let fleet = set_up(&fleets).await;
    let first = ask(&fleet, request("r1", "a", "ledger/1")).await;
    let Decision::Granted(grant) = &first else {
        panic!("not granted: {first:?}")
    };
    let second = ask(&fleet, request("r2", "b", "ledger/1")).await;
    assert!(
        matches!(&second, Decision::Denied(denial) if denial.code == Code::LockHeld),
        "{second:?}"
    );
    let records = fleet.records_after(fleet_types::Seq(0), 100).await.unwrap();
    assert_eq!(records.len() as u64, fleet.durable().0);
    fleets.stop().await;
    drop((fleet, fleets));

    let fleets = start(dir.path(), Options::default());
    let fleet = set_up(&fleets).await;
    assert_eq!(ask(&fleet, request("r1", "a", "ledger/1")).await, first);
    assert_eq!(ask(&fleet, request("r2", "b", "ledger/1")).await, second);
    let other_body = fleet.call(request("r1", "a", "ledger/2")).await.unwrap();
    assert_eq!(other_body.unwrap_err().code, Code::RequestIdReused);
    let status = fleet
        .read(|state| fleet_core::read::status(state, state.now()))
        .await
        .unwrap();
    assert_eq!(
        (
            status.permits_granted,
            status.locks_held,
            status.totals.granted
        ),
        (1, 1, 1)
    );
    let token = grant.resources[0].token;
    let held = fleet
        .read(move |state| fleet_core::read::validate(state, &"ledger/1".parse().unwrap(), token))
        .await
        .unwrap();
    assert!(held, "the token of a live grant is valid after a restart");
    fleets.stop().await;
}
