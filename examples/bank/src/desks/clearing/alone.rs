//! Transfers without a coordinator: an update here, then an update there.
use super::bank::{Banks, update};
use super::{AGAIN, Stopped, Transfer, Transfers};
use crate::random::Random;
use std::time::Duration;

/// What lies between the two updates: a call of a service, a look at a list.
const BETWEEN: Duration = Duration::from_millis(25);

pub(super) async fn clerk(mut banks: Banks, mut random: Random, mut stopped: Stopped) -> Transfers {
    let mut sum = Transfers::default();
    while !stopped.is() {
        let transfer = Transfer::draw(&mut random);
        let [(from, payer, less), (to, payee, more)] = transfer.changes();
        if banks.run(from, &update(payer, less)).await.is_err() {
            sum.undone += 1;
            stopped.pause(AGAIN).await;
            continue;
        }
        let _coming = banks.to_come(to);
        tokio::time::sleep(BETWEEN).await;
        match banks.run(to, &update(payee, more)).await {
            Ok(()) => sum.done += 1,
            // The money has left and has not arrived. Nobody knows, so nobody brings it back.
            Err(_) => {
                sum.broken += 1;
                stopped.pause(AGAIN).await;
            }
        }
    }
    sum
}
