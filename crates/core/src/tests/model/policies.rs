//! Policies, as plainly as they can be said: what was granted was let by, by each policy it met, as that stood then.
use crate::matching::{Who, belongs};
use crate::{State, expand};
use fleet_types::permit::Request;
use fleet_types::policy::{Opinion, Policy, Verdict};
use fleet_types::rule::Stage;
use fleet_types::settings::Settings;
use fleet_types::tool::Tool;
use fleet_types::{ActionName, Event, PolicyId, Record, Seq};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Default)]
pub struct Policies {
    set: BTreeMap<PolicyId, (Arc<Policy>, Seq)>,
    data_at: Seq,
    most: Stage,
    tools: BTreeMap<ActionName, Arc<Tool>>,
}

impl Policies {
    /// Every record must be one that may happen; `state` is as it is after all of them.
    pub fn follow(&mut self, records: &[Record], state: &State) {
        // Where an agent stands may have changed between two records: then only what the request says is looked at.
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
                Event::PolicySet(event) => {
                    let id = event.policy.id.clone();
                    self.set.insert(id, (event.policy.clone(), record.seq));
                }
                Event::ToolSet(event) => {
                    self.tools.insert(event.tool.id.clone(), event.tool.clone());
                }
                Event::ToolRemoved(event) => drop(self.tools.remove(&event.tool)),
                Event::PolicyRemoved(event) => drop(self.set.remove(&event.policy)),
                Event::PolicyDataSet(_) => self.data_at = record.seq,
                Event::FleetConfigured(settings) => self.configured(settings),
                Event::PermitGranted(event) if !moves => {
                    self.granted(&event.request, event.policies.as_deref(), record, state);
                }
                Event::PermitExtended(event) if !moves => {
                    if let Some(permit) = state.permits.find(event.permit) {
                        let request = Request {
                            resources: event.resources.clone(),
                            ..(*permit.request).clone()
                        };
                        self.granted(&request, event.policies.as_deref(), record, state);
                    }
                }
                _ => {}
            }
        }
    }

    fn configured(&mut self, settings: &Settings) {
        self.most = settings.policy_stage;
    }

    fn granted(
        &self,
        request: &Request,
        verdict: Option<&Verdict>,
        record: &Record,
        state: &State,
    ) {
        let original = verdict.and_then(|verdict| verdict.original.as_deref());
        let asked = Arc::new(original.unwrap_or(request).clone());
        // Of a permit that asks for more the tool is not asked again.
        let is_new = matches!(record.event, Event::PermitGranted(_));
        let tool = verdict.and_then(|verdict| verdict.tool.as_ref());
        let tool = tool.filter(|_| is_new);
        let tool = tool.map(|said| &self.tools[&said.tool]);
        let asked = tool.map_or(asked.clone(), |tool| expand(tool, &asked).unwrap());
        let asked = &*asked;
        let Some(agent) = state.agents.get(&asked.agent) else {
            return;
        };
        let groups: BTreeSet<_> = agent.groups.clone();
        let who = Who {
            agent: &asked.agent,
            scope: agent.speaks.scope.as_ref(),
            groups: &groups,
        };
        let met: Vec<(&PolicyId, Seq, bool)> = self
            .set
            .values()
            .map(|(policy, at)| (policy, *at, policy.stage.min(self.most)))
            .filter(|(policy, _, stage)| {
                *stage != Stage::Draft && belongs(&policy.when, who, asked, record.at)
            })
            .map(|(policy, at, stage)| (&policy.id, at, stage == Stage::Observe))
            .collect();
        let judged = verdict.map_or(&[][..], |verdict| &verdict.judged);
        let said: Vec<(&PolicyId, Seq, bool)> = judged
            .iter()
            .map(|judged| (&judged.policy, judged.set_at, judged.observed))
            .collect();
        assert_eq!(met, said, "let by others than those it meets: {record:?}");
        for judged in judged.iter().filter(|judged| !judged.observed) {
            assert!(
                matches!(judged.opinion, Opinion::Allow | Opinion::Transform),
                "granted against a policy: {record:?}"
            );
        }
        if !met.is_empty() {
            let data_at = verdict.map(|verdict| verdict.data_at);
            assert_eq!(data_at, Some(self.data_at), "judged on other data");
        }
    }
}
