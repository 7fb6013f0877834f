//! Tools and delegation, as plainly as they can be said: what was granted carries what follows from its arguments by the
//! tool as it stood then, its guard let it by, and its chain is that of a permit that was held then.
use crate::State;
use crate::matching::{Who, belongs};
use fleet_types::event::Granted;
use fleet_types::lock::Mode;
use fleet_types::permit::Request;
use fleet_types::tool::{Guard, Tool};
use fleet_types::{ActionName, AgentId, Event, Pattern, PermitId, Record, Seq};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub struct Tools {
    set: BTreeMap<ActionName, (Arc<Tool>, Seq)>,
    required: Vec<Pattern>,
    depth_max: usize,
    /// What is held, with the agents above each.
    held: BTreeMap<PermitId, (AgentId, Vec<AgentId>)>,
}

impl Default for Tools {
    fn default() -> Self {
        Tools {
            set: BTreeMap::new(),
            required: Vec::new(),
            depth_max: 8,
            held: BTreeMap::new(),
        }
    }
}

impl Tools {
    /// Every record must be one that may happen; `state` is as it is after all of them.
    pub fn follow(&mut self, records: &[Record], state: &State) {
        // Where an agent stands may have changed between two records: then guards are not looked at.
        let moves = records.iter().any(|record| {
            matches!(
                record.event,
                Event::AgentRegistered(_)
                    | Event::AgentStatusSet(_)
                    | Event::AgentRemoved(_)
                    | Event::GroupSet(_)
                    | Event::GroupRemoved(_)
            )
        });
        for record in records {
            match &record.event {
                Event::ToolSet(event) => {
                    let id = event.tool.id.clone();
                    self.set.insert(id, (event.tool.clone(), record.seq));
                }
                Event::ToolRemoved(event) => drop(self.set.remove(&event.tool)),
                Event::FleetConfigured(settings) => {
                    self.required.clone_from(&settings.tools_required);
                    self.depth_max = settings.delegation_depth_max as usize;
                }
                Event::PermitGranted(event) => {
                    self.granted(event, record, (!moves).then_some(state));
                    self.handed_on(event);
                }
                Event::PermitFinished(event) => self.gone(&[event.finish.permit]),
                Event::PermitExpired(event) => self.gone(&[event.permit]),
                Event::InstanceConnected(event) => self.gone(&event.released),
                Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => {
                    self.gone(&event.released);
                }
                Event::HaltOrdered(event) => self.gone(&event.revoked),
                _ => {}
            }
        }
    }

    fn gone(&mut self, permits: &[PermitId]) {
        for permit in permits {
            self.held.remove(permit);
        }
    }

    /// The chain is that of the permit that is named, which is held; nobody is in it twice, and it is not too long.
    fn handed_on(&mut self, event: &Granted) {
        let agent = event.request.agent.clone();
        let chain = match event.request.parent {
            None => Vec::new(),
            Some(parent) => {
                let (holder, above) = self.held.get(&parent).expect("its parent is held");
                above.iter().chain([holder]).cloned().collect()
            }
        };
        assert_eq!(event.chain, chain);
        assert!(
            chain.len() <= self.depth_max,
            "handed on too often: {chain:?}"
        );
        let all: BTreeSet<&AgentId> = chain.iter().chain([&agent]).collect();
        assert_eq!(all.len(), chain.len() + 1, "a cycle: {chain:?} → {agent}");
        self.held.insert(event.permit, (agent, chain));
    }

    fn granted(&self, event: &Granted, record: &Record, state: Option<&State>) {
        let request = &*event.request;
        let said = event.policies.as_ref().and_then(|said| said.tool.as_ref());
        let Some((tool, set_at)) = self.set.get(&request.action) else {
            assert!(said.is_none(), "judged by a tool that is none: {record:?}");
            let mut required = self.required.iter();
            let action = request.action.as_str();
            assert!(
                !required.any(|pattern| pattern.matches(action)),
                "{record:?}"
            );
            return;
        };
        let said = said.expect("granted without its tool's word");
        assert_eq!((said.set_at, &said.faults), (*set_at, &Vec::new()));
        self.carries(tool, request);
        let agent = state.and_then(|state| state.agents.get(&request.agent));
        let Some(agent) = agent else {
            return;
        };
        let who = Who {
            agent: &request.agent,
            scope: agent.speaks.scope.as_ref(),
            groups: &agent.groups,
        };
        let mut cases = tool.cases.iter();
        let case = cases.find(|case| belongs(&case.when, who, request, record.at));
        match case.map_or(tool.guard, |case| case.guard) {
            Guard::Automatic => {}
            Guard::Approval => assert!(!event.approvals.is_empty(), "nobody approved {record:?}"),
            Guard::Forbidden => panic!("granted though it is forbidden: {record:?}"),
        }
    }

    /// Templates name one argument, `n`, which is a number.
    fn carries(&self, tool: &Tool, request: &Request) {
        let n = request.parameters.as_ref().and_then(|it| it.get("n"));
        let needs = |text: &str| text.contains("{n}");
        for template in &tool.resources {
            let mut path = template.path.as_str().to_owned();
            if needs(&path) {
                path = path.replace("{n}", &n.expect("it was there").to_string());
            }
            let mut own = request.resources.iter();
            let claim = own.find(|claim| claim.path.as_str() == path);
            let mode = claim.expect("it is claimed").mode;
            assert!(mode == template.mode || mode == Mode::Exclusive);
        }
        let mut money = tool.cost.fixed.money_micros;
        for rate in &tool.cost.per {
            money += rate.unit.money_micros * n.and_then(Value::as_u64).unwrap();
        }
        assert!(request.cost.money_micros >= money, "{request:?}");
    }
}
