//! Permit events as they will be, about 350 bytes: the same keys, mostly other values.

use std::fmt::Write;

/// A JSON array of `count` events.
pub fn events(first: u64, count: u64) -> Vec<u8> {
    let mut text = String::from("[");
    for index in first..first + count {
        let x = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let y = x.rotate_left(31).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let (agent, account, token) = (index % 40, y % 5000, 1_000_000 + index);
        let (micros, expires_at) = (y % 90_000_000, 1_760_000_000_000_000 + index * 137);
        let event = format_args!(
            concat!(
                r#"{{"kind":"permit_granted","permit":"pmt_{:016x}","agent":"agent-{:04}","action":"payment.send","#,
                r#""scope":"emea/treasury/payments","resources":[{{"path":"ledger/eu/account-{}","mode":"exclusive","#,
                r#""token":{}}}],"request":"req_{:016x}","cost":{{"micros":{}}},"expires_at":{},"#,
                r#""policy":{{"verdict":"allow","rules":[3,17]}}}},"#,
            ),
            x, agent, account, token, y, micros, expires_at
        );
        text.write_fmt(event).expect("a string takes everything");
    }
    text.pop();
    text.push(']');
    text.into_bytes()
}
