//! Who works at the bank: kinds of agents, how many of each, what they may do, how long they think.
//!
//! One table: the fleet's declaration, the crew and the agents themselves all read it.
use fleet_types::budget::Cost;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A kind of agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Carries out customers' instructions.
    Payments,
    /// Fraud control: holds accounts and lets them go.
    Holds,
    /// Moves money between customers' accounts and the treasury, and to and from other banks.
    Treasury,
    /// Accrues and pays interest.
    Interest,
    /// Adds up a branch twice and compares.
    Reconciliation,
    /// Takes disputed payments back.
    Corrections,
    /// Charges fees.
    Fees,
    /// Reports accrued interest.
    Reporting,
    /// Freezes accounts for a moment.
    Compliance,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// Which kind.
    pub kind: AgentKind,
    /// Its agents are `name-1`, `name-2`, …
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// How many.
    pub count: u16,
    /// Where it stands in the fleet's tree.
    pub scope: &'static str,
    /// What it may do.
    pub actions: &'static [&'static str],
    /// What it may touch.
    pub resources: &'static [&'static str],
    /// 1 (least) to 10 (most urgent).
    pub priority: u8,
    /// How long it thinks between reading and writing, in microseconds, from and to: where races happen.
    pub think_us: (u64, u64),
    /// How long it rests after a step.
    pub rest: Duration,
    /// Most that one decision costs.
    pub cost: Cost,
}

const fn cost(money_micros: u64, tokens: u64) -> Cost {
    Cost {
        money_micros,
        tokens,
    }
}

/// The table. 24 agents.
pub const ROLES: [Role; 9] = [
    Role {
        kind: AgentKind::Payments,
        name: "payments",
        description: "Carries out customers' transfers",
        count: 10,
        scope: "bank/payments",
        actions: &["payment.send"],
        resources: &["ledger/**", "instruction/*"],
        priority: 5,
        think_us: (500, 5_000),
        rest: Duration::ZERO,
        cost: cost(30, 400),
    },
    Role {
        kind: AgentKind::Holds,
        name: "holds",
        description: "Holds accounts that look like fraud, and lets them go",
        count: 2,
        scope: "bank/risk/holds",
        actions: &["account.hold", "account.release"],
        resources: &["ledger/**"],
        priority: 9,
        think_us: (500, 2_000),
        rest: Duration::from_millis(10),
        cost: cost(50, 700),
    },
    Role {
        kind: AgentKind::Treasury,
        name: "treasury",
        description: "Moves money between accounts, the treasury and other banks",
        count: 3,
        scope: "bank/treasury",
        actions: &["treasury.sweep", "treasury.settle"],
        resources: &["ledger/**"],
        priority: 6,
        think_us: (1_000, 5_000),
        rest: Duration::from_millis(20),
        cost: cost(60, 900),
    },
    Role {
        kind: AgentKind::Interest,
        name: "interest",
        description: "Accrues interest and pays it",
        count: 2,
        scope: "bank/back-office/interest",
        actions: &["interest.accrue", "interest.pay"],
        resources: &["ledger/**", "accrual/*"],
        priority: 4,
        think_us: (500, 2_000),
        rest: Duration::from_millis(5),
        cost: cost(10, 100),
    },
    Role {
        kind: AgentKind::Reconciliation,
        name: "reconciliation",
        description: "Adds up a branch twice and compares",
        count: 2,
        scope: "bank/control/reconciliation",
        actions: &["branch.reconcile"],
        resources: &["ledger/*"],
        priority: 7,
        think_us: (1_000, 3_000),
        rest: Duration::from_millis(200),
        cost: cost(20, 200),
    },
    Role {
        kind: AgentKind::Corrections,
        name: "corrections",
        description: "Takes disputed payments back",
        count: 2,
        scope: "bank/back-office/corrections",
        actions: &["payment.reverse"],
        resources: &["ledger/**", "instruction/*"],
        priority: 6,
        think_us: (1_000, 5_000),
        rest: Duration::from_millis(10),
        cost: cost(80, 1_200),
    },
    Role {
        kind: AgentKind::Fees,
        name: "fees",
        description: "Charges fees",
        count: 1,
        scope: "bank/back-office/fees",
        actions: &["fee.charge"],
        resources: &["ledger/**"],
        priority: 3,
        think_us: (500, 2_000),
        rest: Duration::from_millis(5),
        cost: cost(10, 100),
    },
    Role {
        kind: AgentKind::Reporting,
        name: "reporting",
        description: "Reports accrued interest",
        count: 1,
        scope: "bank/control/reporting",
        actions: &["report.compile"],
        resources: &["accrual/*"],
        priority: 2,
        think_us: (1_000, 5_000),
        rest: Duration::from_millis(50),
        cost: cost(40, 600),
    },
    Role {
        kind: AgentKind::Compliance,
        name: "compliance",
        description: "Freezes accounts for a moment",
        count: 1,
        scope: "bank/risk/compliance",
        actions: &["account.freeze"],
        resources: &["ledger/**"],
        priority: 9,
        think_us: (500, 2_000),
        rest: Duration::from_millis(100),
        cost: cost(50, 700),
    },
];

impl AgentKind {
    /// The row of this kind.
    #[must_use]
    pub const fn role(self) -> &'static Role {
        // In the order of the enum; a test holds it.
        &ROLES[self as usize]
    }
}

/// An agent's place: its kind, and which of that kind it is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seat {
    /// Kind.
    pub kind: AgentKind,
    /// Which of its kind.
    pub number: u16,
}

impl Seat {
    /// The agent's id: `payments-7`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}-{}", self.kind.role().name, self.number)
    }
}

/// Every seat, in the order of the table.
pub fn seats() -> impl Iterator<Item = Seat> {
    ROLES.iter().flat_map(|role| {
        (1..=role.count).map(|number| Seat {
            kind: role.kind,
            number,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_has_24_seats() {
        for role in &ROLES {
            assert_eq!(role.kind.role().name, role.name);
        }
        assert_eq!(seats().count(), 24);
        assert_eq!(seats().next().unwrap().name(), "payments-1");
    }
}
