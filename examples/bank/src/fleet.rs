//! The bank's fleet, declared: scopes, agents with their allow-lists, limits, budgets.
//!
//! `fleet.yaml` beside this crate says the same for `fleet apply -f`; a test keeps both in step.
use crate::ledger::LARGE;
use crate::roles::{AgentKind, ROLES, Role, Seat, seats};
use fleet_types::action::Action;
use fleet_types::agent::{Definition, Priority, Word};
use fleet_types::budget::{Account, Budget, Period, Unit};
use fleet_types::group::Group;
use fleet_types::limit::{Concurrency, Each, Limit, Measure, Rate, Reserved};
use fleet_types::rule::Rule;
use fleet_types::scope::Scope;
use fleet_types::selector::Selector;
use fleet_types::settings::{DefaultDecision, Settings};
use fleet_types::time::Millis;
use fleet_types::{AgentId, BudgetId, GroupId, LimitId, Pattern, ScopePath, Text};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The name of the bank's fleet.
pub const FLEET: &str = "bank";

/// Moves money between two banks' databases.
pub const CLEARING: &str = "clearing";
/// Pays abroad.
pub const ABROAD: &str = "abroad";
/// Does the steps of payments abroad.
pub const CORRESPONDENT: &str = "correspondent";

/// The same as this module says, for `fleet apply -f`.
pub const FLEET_YAML: &str = include_str!("../fleet.yaml");

/// All that is declared of a fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    /// The fleet's own settings.
    pub settings: Settings,
    /// Nodes of the tree.
    pub scopes: Vec<Scope>,
    /// The catalogue of actions.
    pub actions: Vec<Action>,
    /// Limits.
    pub limits: Vec<Limit>,
    /// What must not happen together, not so soon again, and not without somebody's approval.
    pub rules: Vec<Rule>,
    /// Budgets.
    pub budgets: Vec<Budget>,
    /// Agents.
    pub agents: Vec<Definition>,
    /// Groups across scopes.
    pub groups: Vec<Group>,
}

/// The bank's declaration.
#[must_use]
pub fn declaration() -> Declaration {
    Declaration {
        settings: Settings {
            default_decision: DefaultDecision::Deny,
            // A killed agent is missed after three seconds; its leases are shorter still.
            heartbeat_ms: Millis(1_000),
            heartbeats_missed_max: 3,
            ttl_ms_default: Millis(2_000),
            wait_ms_max: Millis(60_000),
            ..Settings::default()
        },
        scopes: SCOPES.iter().map(scope).collect(),
        actions: ACTIONS.iter().map(action).collect(),
        limits: limits(),
        rules: rules(),
        budgets: budgets(),
        agents: seats().map(agent).chain(desks()).collect(),
        groups: vec![money_movers()],
    }
}

const SCOPES: [(&str, &str); 15] = [
    ("bank", "The whole bank"),
    ("bank/payments", "Customers' transfers"),
    ("bank/risk", "What keeps the bank safe"),
    ("bank/risk/holds", "Fraud control"),
    ("bank/risk/compliance", "What the law asks for"),
    ("bank/clearing", "Transfers between two banks' databases"),
    ("bank/abroad", "Payments abroad"),
    ("bank/treasury", "The bank's own money"),
    ("bank/back-office", "What customers do not see"),
    ("bank/back-office/interest", "Interest"),
    ("bank/back-office/corrections", "Disputed payments"),
    ("bank/back-office/fees", "Fees"),
    ("bank/control", "What only reads"),
    ("bank/control/reconciliation", "Sums that must agree"),
    ("bank/control/reporting", "Reports"),
];

/// Pattern, description, whether it reduces risk.
const ACTIONS: [(&str, &str, bool); 12] = [
    ("payment.send", "Carries out a transfer", false),
    ("payment.reverse", "Takes a disputed payment back", false),
    ("account.hold", "Stops payments from an account", true),
    ("account.release", "Lets an account go", false),
    (
        "account.freeze",
        "Stops payments from an account for a moment",
        true,
    ),
    (
        "clearing.transfer",
        "Moves money between two banks' databases",
        false,
    ),
    ("abroad.pay", "Pays abroad, in four steps", false),
    ("treasury.*", "Moves the bank's own money", false),
    (
        "interest.*",
        "Accrues interest on a counter, or pays it",
        false,
    ),
    ("fee.charge", "Takes a fee", false),
    ("branch.reconcile", "Adds up a branch twice", true),
    ("report.compile", "Reads accrued interest", true),
];

/// Our own words: a test reads every one of them.
const OURS: &str = "the declaration's own words are well formed";

fn scope((path, description): &(&str, &str)) -> Scope {
    Scope {
        path: ScopePath::parse(path).expect(OURS),
        description: Text::clip(description),
        labels: fleet_types::Labels::default(),
    }
}

fn action((pattern, description, risk_reducing): &(&str, &str, bool)) -> Action {
    Action {
        pattern: Pattern::parse(pattern).expect(OURS),
        description: Text::clip(description),
        risk_reducing: *risk_reducing,
    }
}

fn word(text: &str) -> Word {
    serde_json::from_value(text.into()).expect(OURS)
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    let parse = |text: &&str| Pattern::parse(text).expect(OURS);
    texts.iter().map(parse).collect()
}

fn agent(seat: Seat) -> Definition {
    let role: &Role = seat.kind.role();
    let mut agent = Definition::new(AgentId::parse(&seat.name()).expect(OURS));
    agent.description = Text::clip(role.description);
    agent.scope = Some(ScopePath::parse(role.scope).expect(OURS));
    agent.capabilities.domain = Some(word("banking"));
    agent.allow.actions = patterns(role.actions);
    agent.allow.resources = patterns(role.resources);
    // One at a time; a second for the moment in which a permit of a former life ends.
    agent.config.concurrency_max = Some(2);
    agent.priority = Priority::new(role.priority).expect(OURS);
    agent.pool = Some(word(role.name));
    agent
}

fn of_action(pattern: &str) -> Selector {
    Selector {
        action: Some(Pattern::parse(pattern).expect(OURS)),
        ..Selector::default()
    }
}

fn of_scope(path: &str) -> Selector {
    Selector {
        scope: Some(ScopePath::parse(path).expect(OURS)),
        ..Selector::default()
    }
}

fn limit(id: &str, description: &str, selector: Selector, measure: Measure) -> Limit {
    Limit {
        id: LimitId::parse(id).expect(OURS),
        description: Text::clip(description),
        selector,
        each: Each::All,
        measure,
        reserved: Reserved::default(),
        dynamic: None,
    }
}

fn limits() -> Vec<Limit> {
    let at_once = |max| Measure::Concurrency(Concurrency { max });
    let mut whole = limit(
        "bank-at-once",
        "All steps at once; two places are kept for fraud control",
        of_scope("bank"),
        at_once(20),
    );
    whole.reserved.critical = 2;
    vec![
        limit(
            "payments-per-second",
            "What the clearing house takes",
            of_action("payment.send"),
            Measure::Rate(Rate {
                permits: 5_000,
                per_ms: Millis(1_000),
                burst: Some(500),
            }),
        ),
        limit(
            "payments-at-once",
            "Fewer than there are payment agents, so that some wait",
            of_action("payment.send"),
            at_once(8),
        ),
        limit(
            "treasury-at-once",
            "Sweeps claim many accounts",
            of_scope("bank/treasury"),
            at_once(2),
        ),
        whole,
    ]
}

fn rules() -> Vec<Rule> {
    let rule = |rule: serde_json::Value| serde_json::from_value(rule).expect(OURS);
    vec![
        rule(json!({
            "id": "freeze-or-pay",
            "description": "Nobody pays from a frozen account",
            "when": { "action": "account.freeze" },
            "form": { "contradiction": {
                "with": { "action": "payment.send" },
                // A freeze lasts 300 ms in the ledger; this counts from the end of its permit.
                "within_ms": 400,
                "per": ["parameter:/account"],
            } },
        })),
        rule(json!({
            "id": "large-payments",
            "description": "A person approves payments over 6,000",
            "when": { "action": "payment.send", "parameters": { "/amount": { "above": LARGE } } },
            "form": { "approval": {
                "question": "Is this payment right?",
                "assignees": [{ "role": "operator" }],
                "deadline_ms": 1_000,
            } },
        })),
        rule(json!({
            "id": "fees-slowly",
            "description": "No account is charged twice in half a second",
            "when": { "action": "fee.charge" },
            "form": { "cooling_off": { "for_ms": 550, "per": ["parameter:/account"] } },
        })),
    ]
}

/// Agents that are no processes of their own: the orchestrator speaks for them.
fn desks() -> impl Iterator<Item = Definition> {
    let desks = [
        (
            CLEARING,
            "Moves money between two banks' databases",
            "bank/clearing",
            &["clearing.transfer"][..],
        ),
        (ABROAD, "Pays abroad", "bank/abroad", &["abroad.pay"][..]),
        (
            CORRESPONDENT,
            "The bank abroad, which does the steps",
            "bank/abroad",
            &[][..],
        ),
    ];
    desks.into_iter().map(|(id, description, scope, actions)| {
        let mut agent = Definition::new(AgentId::parse(id).expect(OURS));
        agent.description = Text::clip(description);
        agent.scope = Some(ScopePath::parse(scope).expect(OURS));
        agent.allow.actions = patterns(actions);
        agent.allow.resources = patterns(&["clearing/**", "abroad/*"]);
        agent.priority = Priority::new(5).expect(OURS);
        agent
    })
}

fn budgets() -> Vec<Budget> {
    let budget = |id: &str, description: &str, unit, period, hard: u64| Budget {
        id: BudgetId::parse(id).expect(OURS),
        description: Text::clip(description),
        selector: of_scope("bank"),
        each: Account::All,
        unit,
        period,
        hard,
        soft: Some(hard / 10 * 8),
    };
    let mut corrections = budget(
        "corrections-day",
        "What each corrections agent may spend in a day",
        Unit::Money,
        Period::Day,
        200_000_000,
    );
    corrections.selector = of_scope("bank/back-office/corrections");
    corrections.each = Account::Agent;
    vec![
        budget(
            "model-money-day",
            "What the agents' models may cost in a day: 5,000",
            Unit::Money,
            Period::Day,
            5_000_000_000,
        ),
        budget(
            "model-tokens-hour",
            "What the agents' models may read and write in an hour",
            Unit::Tokens,
            Period::Hour,
            4_000_000_000,
        ),
        corrections,
    ]
}

/// Whoever moves money, across scopes: one halt reaches them all.
fn money_movers() -> Group {
    let moves_money = |role: &&Role| {
        !matches!(
            role.kind,
            AgentKind::Holds
                | AgentKind::Reconciliation
                | AgentKind::Reporting
                | AgentKind::Compliance
        )
    };
    let kinds: Vec<AgentKind> = ROLES.iter().filter(moves_money).map(|r| r.kind).collect();
    Group {
        id: GroupId::parse("money-movers").expect(OURS),
        description: Text::clip("Whoever moves money"),
        members: seats()
            .filter(|seat| kinds.contains(&seat.kind))
            .map(|seat| AgentId::parse(&seat.name()).expect(OURS))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_the_same() {
        let file: Declaration = serde_saphyr::from_str(FLEET_YAML).unwrap();
        let ours = declaration();
        // Part by part, so that a difference is found without reading 24 agents.
        assert_eq!(file.settings, ours.settings);
        assert_eq!(file.scopes, ours.scopes);
        assert_eq!(file.actions, ours.actions);
        assert_eq!(file.limits, ours.limits);
        assert_eq!(file.rules, ours.rules);
        assert_eq!(file.budgets, ours.budgets);
        for (file, ours) in file.agents.iter().zip(&ours.agents) {
            assert_eq!(file, ours);
        }
        assert_eq!(file, ours);
    }

    #[test]
    fn every_action_of_a_role_is_in_the_catalogue_and_every_scope_is_declared() {
        let fleet = declaration();
        for role in &ROLES {
            for action in role.actions {
                let known = fleet.actions.iter().any(|a| a.pattern.matches(action));
                assert!(known, "{action}");
            }
            assert!(fleet.scopes.iter().any(|s| s.path.as_str() == role.scope));
        }
        // 24 processes, and three that the orchestrator speaks for.
        assert_eq!(fleet.agents.len(), 27);
    }

    #[test]
    fn the_places_kept_for_fraud_control_are_of_its_class() {
        use fleet_types::limit::Class;
        let priority = Priority::new(AgentKind::Holds.role().priority).unwrap();
        assert_eq!(Class::of(priority), Class::Critical);
    }
}
