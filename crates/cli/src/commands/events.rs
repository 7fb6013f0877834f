//! `fleet events`: everything that happens.
use crate::context::Global;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::show;
use clap::Args;
use fleet_client::Fleet;
use fleet_types::budget::Unit;
use fleet_types::{BudgetId, Event, Record, Seq, Text};
use std::collections::BTreeMap;

/// Events shown when nothing is said of where to begin.
const LATEST: u64 = 50;

/// Everything that happens
///
/// Each line has the event's place in the journal: give the last one as --after to go on without a gap. While it follows,
/// it comes back by itself after a cut and misses nothing.
#[derive(Args)]
#[command(after_help = "Examples:
  fleet events --follow
  fleet events --types 'halt.*,permit.denied' --follow
  fleet events --after 1200 -o json | jq -c .event")]
pub struct Arguments {
    /// Go on as things happen; ends with Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Those after this place in the journal; 0: from the beginning; absent: the last 50, or from now on with --follow
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Only these, with commas between: permit.granted,halt.*
    #[arg(long, value_name = "NAMES")]
    types: Option<String>,
}

pub async fn run(global: &Global, arguments: Arguments) -> Outcome {
    let fleet = global.fleet()?;
    let types = arguments.types.as_deref();
    if arguments.follow {
        return follow(global, &fleet, arguments.after.map(Seq), types).await;
    }
    let head = fleet.status().await?.seq;
    let after = Seq(arguments.after.unwrap_or(head.0.saturating_sub(LATEST)));
    if after >= head {
        eprintln!("nothing has happened after event {after}; --follow waits for it");
        return Ok(());
    }
    // Names are checked by the server; what passes is chosen here, as the end must be seen.
    if types.is_some() {
        drop(fleet.events(Some(head), types).await?);
    }
    let wanted = |name: &str| {
        types.is_none_or(|types| {
            types
                .split(',')
                .map(str::trim)
                .any(|wanted| match wanted.strip_suffix(".*") {
                    Some(noun) => name.split_once('.').is_some_and(|(of, _)| of == noun),
                    None => name == wanted,
                })
        })
    };
    let mut units = Units::of(&fleet).await;
    let mut events = fleet.events(Some(after), None).await?;
    loop {
        let record = events.next().await?;
        if wanted(record.event.name()) {
            show(global, &record, &mut units)?;
        }
        if record.seq >= head {
            return Ok(());
        }
    }
}

/// Shows what happens from now on, or after this place in the journal.
pub async fn follow(
    global: &Global,
    fleet: &Fleet,
    after: Option<Seq>,
    types: Option<&str>,
) -> Outcome {
    let mut events = fleet.events(after, types).await?;
    if global.is_for_people() {
        eprintln!(
            "following fleet {} after event {}; Ctrl-C ends it",
            fleet.id(),
            events.after()
        );
    }
    let mut units = Units::of(fleet).await;
    loop {
        show(global, &events.next().await?, &mut units)?;
    }
}

fn show(global: &Global, record: &Record, units: &mut Units) -> Outcome {
    units.hear(&record.event);
    match global.output {
        Format::Json => output::write(&format!("{}\n", serde_json::to_string(record)?)),
        Format::Yaml => output::write("---\n").and_then(|()| output::raw(Format::Yaml, record)),
        Format::Name => output::write(&format!("{}\n", record.seq)),
        Format::Table => output::write(&format!(
            "{:>8}  {}  {:22}  {}\n",
            record.seq.0,
            show::absolute(record.at),
            record.event.name(),
            words(record, units),
        )),
    }
}

/// In what budgets count: their events do not say.
#[derive(Default)]
struct Units(BTreeMap<BudgetId, Unit>);

impl Units {
    /// As the fleet's budgets are now.
    async fn of(fleet: &Fleet) -> Units {
        // Whoever may not see budgets is told the bare numbers.
        let budgets = fleet.budgets().await.unwrap_or_default().into_iter();
        Units(budgets.map(|it| (it.budget.id, it.budget.unit)).collect())
    }

    /// Hears of an event before it is shown.
    fn hear(&mut self, event: &Event) {
        if let Event::BudgetSet(budget) = event {
            self.0.insert(budget.id.clone(), budget.unit);
        }
    }

    fn amount(&self, budget: &BudgetId, value: u64) -> String {
        match self.0.get(budget) {
            Some(unit @ Unit::Money) => show::amount(value, *unit),
            Some(unit @ Unit::Tokens) => format!("{} tokens", show::amount(value, *unit)),
            None => format!("{value} (millionths of money, or tokens)"),
        }
    }
}

/// What happened, in one line.
fn words(record: &Record, units: &Units) -> String {
    let by = show::actor(&record.by);
    match &record.event {
        Event::PermitGranted(e) => format!("{} {} {}", e.permit, e.request.agent, e.request.action),
        Event::PermitQueued(e) => format!(
            "{} {} {}: waits for {}",
            e.permit,
            e.request.agent,
            e.request.action,
            show::blocker_then(&e.waits_for)
        ),
        Event::PermitRequeued(e) => {
            format!(
                "{} waits for {}",
                e.permit,
                show::blocker_then(&e.waits_for)
            )
        }
        Event::PermitDenied(e) => format!(
            "{} {}: {}: {}",
            e.request.agent, e.request.action, e.denial.code, e.denial.reason
        ),
        Event::PermitFinished(e) => format!(
            "{} {} {}",
            e.finish.permit,
            e.finish.agent,
            show::word(&e.finish.ending)
        ),
        Event::PermitRenewed(e) => format!("{} until {}", e.permit, show::absolute(e.expires_at)),
        Event::PermitExtended(e) => format!("{} holds {} more", e.permit, e.resources.len()),
        Event::PermitExtensionQueued(e) => format!(
            "{} waits for {}",
            e.extend.permit,
            show::blocker_then(&e.waits_for)
        ),
        Event::PermitExtensionDenied(e) => format!("{}: {}", e.denial.permit, e.denial.reason),
        Event::PermitExpired(e) => format!("{} {} {}", e.permit, e.request.agent, e.request.action),
        Event::InstanceConnected(e) => {
            format!("{} {} epoch {}", e.key.agent, e.key.instance, e.epoch)
        }
        Event::InstanceReady(e) => format!("{} {}", e.key.agent, e.key.instance),
        Event::InstanceDisconnected(e) | Event::InstanceFailed(e) => {
            format!("{} {} {}", e.key.agent, e.key.instance, e.reason)
        }
        Event::HaltOrdered(e) => format!(
            "{} by {by}: {}",
            show::target(&e.order.target),
            e.order.reason
        ),
        Event::HaltAcknowledged(e) => format!("{} by {} {}", e.halt, e.key.agent, e.key.instance),
        Event::HaltReleaseRequested(e) => format!("{} by {by}{}", e.halt, because(&e.reason)),
        Event::HaltReleased(e) => format!("{} by {by}{}", e.halt, because(&e.reason)),
        Event::AgentRegistered(e) => format!(
            "{} version {} by {by}",
            e.definition.id, e.definition.version
        ),
        Event::AgentStatusSet(e) => format!("{} {} by {by}", e.agent, show::word(&e.status)),
        Event::AgentRemoved(e) => format!("{} by {by}", e.agent),
        Event::ScopeSet(e) => format!("{} by {by}", e.path),
        Event::ScopeRemoved(e) => format!("{} by {by}", e.path),
        Event::GroupSet(e) => format!("{} of {} by {by}", e.id, e.members.len()),
        Event::GroupRemoved(e) => format!("{} by {by}", e.group),
        Event::ActionSet(e) => format!("{} by {by}", e.pattern),
        Event::ActionRemoved(e) => format!("{} by {by}", e.pattern),
        Event::LimitSet(e) => format!("{}: {} by {by}", e.id, super::limits::measure(e)),
        Event::LimitRemoved(e) => format!("{} by {by}", e.limit),
        Event::RuleSet(e) => format!(
            "{} version {} {} by {by}{}",
            e.rule.id,
            e.version,
            show::word(&e.rule.stage),
            because(&e.reason)
        ),
        Event::RuleRemoved(e) => format!("{} by {by}{}", e.rule, because(&e.reason)),
        Event::RuleTripped(e) => format!("{} {}", e.rule, show::thing(&e.key)),
        Event::RuleReset(e) => format!("{} by {by}{}", e.rule, because(&e.reason)),
        Event::PolicySet(e) => format!(
            "{} version {} {} by {by}{}",
            e.policy.id,
            e.version,
            show::word(&e.policy.stage),
            because(&e.reason)
        ),
        Event::PolicyRemoved(e) => format!("{} by {by}{}", e.policy, because(&e.reason)),
        Event::ToolSet(e) => format!(
            "{} version {} {} by {by}{}",
            e.tool.id,
            e.version,
            show::word(&e.tool.guard),
            because(&e.reason)
        ),
        Event::ToolRemoved(e) => format!("{} by {by}{}", e.tool, because(&e.reason)),
        Event::PolicyDataSet(e) => format!("by {by}{}", because(&e.reason)),
        Event::PermitRejudged(e) => format!("{} {}", e.permit, e.request.agent),
        Event::ConflictOpened(_)
        | Event::ConflictRaised(_)
        | Event::ConflictAnswered(_)
        | Event::ConflictVoted(_)
        | Event::ConflictEscalated(_)
        | Event::ConflictResolved(_)
        | Event::PlanDeclared(_)
        | Event::PlanWithdrawn(_)
        | Event::VersionsWatched(_) => of_conflicts(record),
        Event::BudgetSet(e) => format!("{}: {} by {by}", e.id, show::amount(e.hard, e.unit)),
        Event::BudgetRemoved(e) => format!("{} by {by}", e.budget),
        Event::BudgetToppedUp(e) => format!(
            "{} by {}{}",
            e.budget,
            units.amount(&e.budget, e.amount),
            because(&e.reason)
        ),
        Event::BudgetSoftReached(e) => format!(
            "{}: {} used, told from {} on",
            e.budget,
            units.amount(&e.budget, e.used),
            units.amount(&e.budget, e.soft)
        ),
        Event::GraphDeclared(e) => format!("{} needs {} by {by}", e.from, e.to),
        Event::GraphUndeclared(e) => format!("{} needs {} by {by}", e.from, e.to),
        Event::ApprovalAsked(e) => format!(
            "a{} {} for {}",
            record.seq,
            show::asked_of(&e.terms.assignees, e.terms.needed),
            e.asker.agent
        ),
        Event::ApprovalAnswered(e) => format!(
            "{} {} by {}{}",
            e.approval,
            e.voice.option,
            e.voice.person,
            because(&e.voice.comment)
        ),
        Event::ApprovalDecided(e) => format!(
            "{} {} by {}",
            e.approval,
            if e.approved { "approved" } else { "rejected" },
            show::word(&e.by)
        ),
        Event::ApprovalEscalated(e) => format!(
            "{} to {} by {by}{}",
            e.approval,
            show::asked_of(&e.assignees, e.needed),
            because(&e.reason)
        ),
        Event::ApprovalReassigned(e) => format!(
            "{} to {} by {by}{}",
            e.approval,
            show::asked_of(&e.assignees, e.needed),
            because(&e.reason)
        ),
        Event::ApprovalCommented(e) => format!(
            "{} by {}{}",
            e.approval,
            e.comment.person,
            because(&e.comment.comment)
        ),
        Event::ApprovalSlaBreached(e) => e.approval.to_string(),
        Event::ApprovalMoot(e) => e.approval.to_string(),
        Event::ApprovalDelegated(e) => format!(
            "{} to {} until {}{}",
            e.from,
            e.to,
            show::absolute(e.until),
            because(&e.reason)
        ),
        Event::ApprovalDelegationEnded(e) => format!("{} by {by}{}", e.from, because(&e.reason)),
        Event::TxnBegun(_)
        | Event::TxnEnlisted(_)
        | Event::TxnHeld(_)
        | Event::TxnPreparing(_)
        | Event::TxnReported(_)
        | Event::TxnDecided(_)
        | Event::TxnMoved(_)
        | Event::TxnResolved(_)
        | Event::TxnEnded(_) => transaction(record),
        Event::ConnectorSet(e) => format!("{} by {by}", e.id),
        Event::ConnectorRemoved(e) => format!("{} by {by}", e.connector),
        Event::FleetConfigured(_) => format!("settings by {by}"),
        Event::TenantCreated(e) => e.tenant.to_string(),
        Event::FleetCreated(e) => format!("{} {}", e.tenant, e.fleet),
        Event::KeyIssued(e) => format!("{} by {by}", e.id),
        Event::KeyRevoked(e) => format!("{} by {by}", e.key),
        Event::CommandRejected(e) => format!("{} by {by}: {}: {}", e.command, e.code, e.message),
    }
}

/// What happened to a transaction.
fn transaction(record: &Record) -> String {
    match &record.event {
        Event::TxnBegun(e) => format!("t{} {}", record.seq, e.begin.agent),
        Event::TxnEnlisted(e) => format!("{} {}", e.txn, e.branch.id),
        Event::TxnHeld(e) => format!("{} {}", e.txn, e.permit),
        Event::TxnPreparing(e) => e.txn.to_string(),
        Event::TxnReported(e) => format!(
            "{} {} {} {}{}",
            e.txn,
            e.branch,
            e.phase.as_str(),
            show::word(&e.outcome),
            because(&e.reason)
        ),
        Event::TxnDecided(e) => {
            format!(
                "{} {}{}",
                e.txn,
                show::word(&e.decision),
                because(&e.reason)
            )
        }
        Event::TxnMoved(e) => {
            format!(
                "{} {} {}{}",
                e.txn,
                e.branch,
                show::word(&e.became),
                because(&e.reason)
            )
        }
        Event::TxnResolved(e) => format!(
            "{} {} {} by {}{}",
            e.txn,
            e.branch,
            show::word(&e.verdict),
            show::actor(&record.by),
            because(&e.reason)
        ),
        Event::TxnEnded(e) => format!("{} {}", e.txn, show::word(&e.state)),
        other => other.name().to_owned(),
    }
}

/// What happened to conflicts, and to what foresees them.
fn of_conflicts(record: &Record) -> String {
    let by = show::actor(&record.by);
    match &record.event {
        Event::ConflictOpened(e) => format!("{} by rule {}", e.conflict, e.dispute.rule),
        Event::ConflictRaised(e) => format!("{}: {} go earlier", e.conflict, e.seats.len()),
        Event::ConflictAnswered(e) => format!("{} by {}", e.conflict, e.offer.permit),
        Event::ConflictVoted(e) => {
            format!("{} {} for {}", e.conflict, e.vote.agent, e.vote.winner)
        }
        Event::ConflictEscalated(e) => match &e.before.scope {
            Some(scope) => format!("{} to {scope}", e.conflict),
            None => format!("{} to the fleet", e.conflict),
        },
        Event::ConflictResolved(e) => {
            let how = super::conflicts::settled(e.how, e.winner);
            format!("{}: {how} (by {by}){}", e.conflict, because(&e.reason))
        }
        Event::PlanDeclared(e) => format!("{} of {} steps", e.plan.agent, e.plan.steps.len()),
        Event::PlanWithdrawn(e) => format!("{} by {by}", e.plan),
        Event::VersionsWatched(e) => format!("{} by {by}", show::list(&e.resources)),
        _ => String::new(), // Told by the others.
    }
}

/// `: reason`; nothing where none was given.
fn because(reason: &Text) -> String {
    if reason.as_str().is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_follows_a_colon() {
        let words = |record| {
            let units = Units([(BudgetId::parse("day").unwrap(), Unit::Money)].into());
            words(&serde_json::from_str(record).unwrap(), &units)
        };
        assert_eq!(
            words(
                r#"{"seq":15,"at":1,"by":"local","event":{"budget.topped_up":{"budget":"day","amount":12500000,"reason":"more"}}}"#
            ),
            "day by 12.50: more"
        );
        assert_eq!(
            words(
                r#"{"seq":16,"at":1,"by":"system","event":{"budget.soft_reached":{"budget":"gone","used":7,"soft":5}}}"#
            ),
            "gone: 7 (millionths of money, or tokens) used, told from 5 (millionths of money, or tokens) on"
        );
        assert_eq!(
            words(
                r#"{"seq":17,"at":1,"by":"local","event":{"conflict.resolved":{"conflict":"c6","how":"override","winner":"p7","reason":"quarter end"}}}"#
            ),
            "c6: a person has decided, p7 goes first (by this machine): quarter end"
        );
        assert_eq!(
            words(
                r#"{"seq":15,"at":1,"by":"local","event":{"halt.released":{"halt":"h12","reason":"done"}}}"#
            ),
            "h12 by this machine: done"
        );
        assert_eq!(
            words(r#"{"seq":15,"at":1,"by":"local","event":{"halt.released":{"halt":"h12"}}}"#),
            "h12 by this machine"
        );
        assert_eq!(
            words(
                r#"{"seq":22,"at":1,"by":{"agent":"a-1"},"event":{"command.rejected":{"command":"permit.request","code":"request_id_reused","message":"choose a new one"}}}"#
            ),
            "permit.request by agent a-1: request_id_reused: choose a new one"
        );
    }
}
