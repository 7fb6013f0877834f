//! What a line wants to see.
use super::Player;
use super::line::Line;
use crate::tests::show;
use fleet_types::AgentId;

impl Player {
    pub fn see(&self, line: &Line<'_>) -> Vec<String> {
        let (state, names) = (&self.world.state, &self.names);
        match line.word(1) {
            "locks" => {
                let locks = crate::read::locks(state, None, None, 1_000).items;
                let show = |lock: fleet_types::view::Lock| {
                    let held = lock.holders.iter().map(|holder| {
                        format!(
                            " {}:{}",
                            show::mode(holder.mode),
                            names.permit(holder.permit)
                        )
                    });
                    let waiting = lock.waiters.iter().map(|waiter| {
                        format!(
                            " {}:{}",
                            show::mode(waiter.mode),
                            names.permit(waiter.permit)
                        )
                    });
                    let (held, waiting): (String, String) = (held.collect(), waiting.collect());
                    let waiting = if waiting.is_empty() {
                        waiting
                    } else {
                        format!(" <-{waiting}")
                    };
                    format!("{}:{held}{waiting}", lock.path)
                };
                locks.into_iter().map(show).collect()
            }
            "approvals" => {
                let filter = crate::read::ApprovalFilter::default();
                let approvals =
                    crate::read::approvals(state, &filter, self.world.wall, None, 1_000).items;
                let show = |view: fleet_types::approval::View| {
                    let name = names.approval(view.approval);
                    let asked: Vec<String> =
                        view.assignees.iter().map(ToString::to_string).collect();
                    let until = view.deadline.map(|at| show::time(at, &self.world));
                    let until = until.map(|at| format!(" until {at}")).unwrap_or_default();
                    let sla = view.sla.map(|sla| format!(" sla {:?}", sla.state));
                    let voices = view.answers.iter().map(|voice| {
                        let place = voice.in_place_of.as_ref();
                        let place = place.map(|place| format!("for {place}"));
                        let place = place.unwrap_or_default();
                        format!(
                            "; {} {} {place} in {}",
                            voice.person, voice.option, voice.round
                        )
                    });
                    format!(
                        "{name} {} {} of {} of {}{until}{} round {}{}",
                        view.state.as_str(),
                        view.approvals,
                        view.needed,
                        asked.join(" "),
                        sla.unwrap_or_default(),
                        view.round,
                        voices.collect::<String>()
                    )
                };
                approvals.into_iter().map(show).collect()
            }
            "permits" => {
                let filter = crate::read::PermitFilter::default();
                let permits = crate::read::permits(state, &filter, None, 1_000).items;
                let show = |view: fleet_types::permit::View| {
                    let held = names.held(&view.resources);
                    let until = show::time(view.until, &self.world);
                    let waits = view
                        .waits_for
                        .as_ref()
                        .map(|blocker| names.blocker(blocker, &self.world));
                    let waits = waits
                        .map(|waits| format!(" waits for {waits}"))
                        .unwrap_or_default();
                    let chain = view.chain.iter().map(|id| format!(" by {id}"));
                    format!(
                        "{} {:?}{held}{waits} until {until}{}",
                        names.permit(view.permit),
                        view.state,
                        chain.collect::<String>()
                    )
                };
                permits.into_iter().map(show).collect()
            }
            "policy" => {
                let id = line.word(2).parse().unwrap();
                let policies = crate::read::policies(state, Some(&id), None, 10).items;
                let show = |policy: fleet_types::view::Policy| {
                    let versions: Vec<u32> = policy.versions.iter().map(|it| it.version).collect();
                    format!(
                        "version {}, denied {}, failed {}, before {versions:?}",
                        policy.version, policy.denied, policy.failed
                    )
                };
                policies.into_iter().map(show).collect()
            }
            "limit" => {
                let id = line.word(2).parse().unwrap();
                let limits = crate::read::limits(state, Some(&id), None, 10).items;
                let mut lines = Vec::new();
                for limit in limits {
                    let current = limit.current.map(|current| format!(" now {current}"));
                    lines.push(format!(
                        "waiting {}{}",
                        limit.waiting,
                        current.unwrap_or_default()
                    ));
                    lines.extend(limit.counts.iter().map(|count| {
                        let key = count.key.as_deref().unwrap_or("all");
                        format!(
                            "{key}: {} of {}, granted {}, stopped {}",
                            count.used, count.max, count.granted, count.stopped
                        )
                    }));
                }
                lines
            }
            "plans" => {
                let page = crate::read::plans(state, None, self.world.wall, None, 100);
                let shown = page.items.iter();
                shown.map(|it| names.plan(it.plan)).collect()
            }
            "plan" => {
                let id = names.plan_named(line.word(2));
                match crate::read::plan(state, id, self.world.wall) {
                    Some(view) => names.planned(&view, &self.world),
                    None => vec!["unknown".into()],
                }
            }
            "conflicts" => {
                let filter = crate::read::ConflictFilter::default();
                let page = crate::read::conflicts(state, &filter, self.world.wall, None, 1_000);
                let shown = page.items.iter();
                shown.map(|it| names.conflict(it, &self.world)).collect()
            }
            "version" => {
                let path = line.word(2).parse().unwrap();
                let Some(view) = crate::read::version(state, &path) else {
                    return vec!["unknown".into()];
                };
                let by = view
                    .written
                    .map(|by| format!(" by {}", names.permit(by.permit)));
                let below = view.below.iter().map(|it| format!(" {}", it.path));
                let (by, below) = (by.unwrap_or_default(), below.collect::<String>());
                vec![format!("{}{by}{below}", names.version(view.version.0))]
            }
            "budget" => {
                let id = line.word(2).parse().unwrap();
                let budgets =
                    crate::read::budgets(state, Some(&id), self.world.wall, None, 10).items;
                let accounts = budgets.into_iter().flat_map(|budget| budget.accounts);
                let show = |account: fleet_types::view::BudgetAccount| {
                    format!(
                        "{}: spent {}, reserved {}, of {}, overrun {}",
                        account.account.as_deref().unwrap_or("all"),
                        account.spent,
                        account.reserved,
                        account.hard,
                        account.overrun
                    )
                };
                accounts.map(show).collect()
            }
            "halt" => {
                let mut halts = names.halts.iter();
                let (id, _) = halts.find(|(_, name)| *name == line.word(2)).unwrap();
                let halt = crate::read::halt(state, *id).unwrap();
                let spread = &halt.propagation;
                let waiting: Vec<String> = spread
                    .unacknowledged
                    .iter()
                    .map(|key| key.instance.to_string())
                    .collect();
                vec![format!(
                    "{:?}{}: reach {}, acknowledged {}, in flight {}, p50 {:?} p99 {:?} max {:?} us, not yet: {}",
                    halt.mode,
                    if halt.released_at.is_some() {
                        " (released)"
                    } else {
                        ""
                    },
                    spread.reach,
                    spread.acknowledged,
                    spread.in_flight,
                    spread.p50_us,
                    spread.p99_us,
                    spread.max_us,
                    waiting.join(" ")
                )]
            }
            "agent" => {
                let id: AgentId = line.word(2).parse().unwrap();
                let Some(agent) = crate::read::agent(state, &id) else {
                    return vec!["unknown".into()];
                };
                let halts: Vec<String> = agent.halts.iter().map(|halt| names.halt(*halt)).collect();
                let versions: Vec<String> = agent
                    .versions
                    .iter()
                    .map(|(v, status)| format!("{v} {status:?}"))
                    .collect();
                let instances: Vec<String> = agent
                    .instances
                    .iter()
                    .map(|i| format!("{} {:?}", i.id, i.state))
                    .collect();
                vec![format!(
                    "speaks {}; versions {}; instances {}; groups {:?}; granted {} waiting {}; halts {}",
                    agent.definition.version,
                    versions.join(", "),
                    instances.join(", "),
                    agent.groups,
                    agent.permits_granted,
                    agent.permits_waiting,
                    halts.join(" ")
                )]
            }
            "graph" => crate::read::declared(state)
                .iter()
                .map(|edge| format!("{} -> {} {}", edge.from, edge.to, edge.description))
                .collect(),
            "status" => {
                let status = crate::read::status(state, self.world.wall);
                vec![
                    format!(
                        "agents {}, instances {:?}, granted {}, waiting {}, locks {}, halts {}, approvals {}, conflicts {} ({} escalated), transactions {} ({} stuck), remembered {}",
                        status.agents,
                        status.instances,
                        status.permits_granted,
                        status.permits_waiting,
                        status.locks_held,
                        status.halts,
                        status.approvals_open,
                        status.conflicts,
                        status.conflicts_escalated,
                        status.transactions,
                        status.transactions_stuck,
                        status.requests_remembered
                    ),
                    format!("{:?}", status.totals),
                ]
            }
            "txn" | "log" => {
                let id = self.txn(line.word(2)).parse().unwrap();
                let Some(txn) = crate::read::txn(state, id) else {
                    return vec!["unknown".into()];
                };
                if line.word(1) == "log" {
                    return txn
                        .log
                        .iter()
                        .map(|entry| names.renamed(entry.what.as_str()))
                        .collect();
                }
                let held: Vec<String> = txn
                    .permits
                    .iter()
                    .map(|permit| names.permit(*permit))
                    .collect();
                let mut lines = vec![format!(
                    "{:?}{} holds {}",
                    txn.state,
                    if txn.stuck { " (stuck)" } else { "" },
                    held.join(" ")
                )];
                lines.extend(
                    txn.branches
                        .iter()
                        .map(|it| format!("{} {:?}", it.branch, it.state)),
                );
                lines
            }
            "due" => {
                let dues = crate::due(state).into_iter();
                let show = |due: crate::Due| {
                    let at = show::time(due.at, &self.world);
                    let (order, txn) = (&due.order, names.txn(due.order.txn));
                    format!(
                        "{txn} {} {} {} at {at}",
                        order.branch,
                        order.phase.as_str(),
                        order.attempt
                    )
                };
                dues.map(show).collect()
            }
            other => panic!("nothing to see of {other}"),
        }
    }
}
