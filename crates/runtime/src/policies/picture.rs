//! The fleet as its policies see it: made on the pool's threads from what the writer hands out now and then.
use crate::policies::desk::Began;
use crate::policies::pool::{Modules, Running};
use crate::policies::tools::Tools;
use fleet_core::matching::{Who, belongs};
use fleet_core::read;
use fleet_policy::{Asked, Bounds, Document, Module, input, judge};
use fleet_types::permit::Request;
use fleet_types::policy::Verdict;
use fleet_types::{AgentId, GroupId, Pattern, PolicyId, Time};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// A policy and its module, or why there is none.
pub struct Compiled {
    asked: read::Asked,
    pub module: Result<Arc<Module>, Arc<str>>,
}

/// What changes seldom, in the form that policies see.
struct Definitions {
    changes: u64,
    agents: HashMap<AgentId, (read::AgentSeen, Document)>,
    /// The groups of agents that are not registered yet.
    groups: Vec<fleet_types::group::Group>,
    tools: Tools,
    documents: [(&'static str, Document); 3],
}

/// The fleet as policies see it.
pub struct Sight {
    /// When it was asked for: it is not older.
    pub taken_at: Instant,
    policies: Vec<Compiled>,
    data_at: fleet_types::Seq,
    definitions: Arc<Definitions>,
    /// How often tools had changed.
    pub tool_changes: u64,
    /// Actions that must be tools.
    required: Vec<Pattern>,
    document: Document,
}

/// A request that policies have judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// As they want it.
    pub request: Arc<Request>,
    /// What they said.
    pub verdict: Verdict,
}

impl Sight {
    /// How often its definitions had changed.
    pub fn changes(&self) -> u64 {
        self.definitions.changes
    }

    /// Makes one; the definitions are those of `before` where the writer did not hand them out again.
    pub fn build(
        taken: read::Picture,
        taken_at: Instant,
        before: Option<&Sight>,
        modules: &Modules,
    ) -> Option<Sight> {
        let definitions = match taken.definitions {
            Some(definitions) => Arc::new(define(
                definitions,
                taken.changes,
                before.map(|before| &*before.definitions),
            )),
            None => before
                .filter(|before| before.definitions.changes == taken.changes)?
                .definitions
                .clone(),
        };
        let compile = |asked: read::Asked| Compiled {
            module: modules.get(&asked.hash, asked.policy.module.as_str()),
            asked,
        };
        let halts = taken
            .halts
            .iter()
            .map(|(id, order, at)| Document::new(json!({"halt": id, "order": order, "at": at})));
        let budgets = taken.budgets.iter();
        let budgets = budgets.map(|budget| (budget.budget.id.as_str(), Document::of(budget)));
        let data = taken.data.as_ref();
        let data = data.map_or_else(|| Document::new(json!({})), Document::of);
        let parts = [
            ("budgets", Document::object(budgets)),
            ("data", data),
            ("halts", Document::list(halts)),
            ("settings", Document::of(&taken.settings)),
        ];
        let parts = parts
            .into_iter()
            .chain(definitions.documents.iter().cloned());
        let document = Document::object([("fleet", Document::object(parts))]);
        Some(Sight {
            taken_at,
            policies: taken.policies.into_iter().map(compile).collect(),
            data_at: taken.data_at,
            definitions,
            tool_changes: taken.tool_changes,
            required: taken.settings.tools_required,
            document,
        })
    }

    /// What its tool and all policies that a request meets say of it. `began` hears of all that runs, beforehand.
    pub fn judge(
        &self,
        request: &Arc<Request>,
        now: Time,
        extends: bool,
        began: Began<'_>,
    ) -> Judged {
        // More for a permit that holds is no new use of its tool.
        if extends {
            return self.by_policies(request, now, true, began);
        }
        let tools = &self.definitions.tools;
        let policies = |request: &Arc<Request>, began: Began<'_>| {
            let Judged { request, verdict } = self.by_policies(request, now, false, began);
            (request, verdict)
        };
        let (request, verdict) = tools.judge(request, &self.required, began, policies);
        Judged { request, verdict }
    }

    fn by_policies(
        &self,
        request: &Arc<Request>,
        now: Time,
        extends: bool,
        began: Began<'_>,
    ) -> Judged {
        let known = self.definitions.agents.get(&request.agent);
        let groups;
        let who = Who {
            agent: &request.agent,
            scope: known.and_then(|(seen, _)| seen.definition.scope.as_ref()),
            groups: match known {
                Some((seen, _)) => &seen.groups,
                None => {
                    groups = self.groups_of(&request.agent);
                    &groups
                }
            },
        };
        let mut met = self.policies.iter();
        let met: Vec<&Compiled> = met
            .by_ref()
            .filter(|policy| belongs(&policy.asked.policy.when, who, request, now))
            .collect();
        if met.is_empty() {
            let verdict = Verdict::default();
            let request = request.clone();
            return Judged { request, verdict };
        }
        let agent = known.map(|(_, document)| document.clone());
        let agent = agent.unwrap_or_else(|| Document::new(json!({"id": request.agent})));
        let input = input(request, agent, now, extends);
        let asked = met.iter().map(|policy| Asked {
            policy: &policy.asked.policy.id,
            version: policy.asked.version,
            set_at: policy.asked.set_at,
            hash: &policy.asked.hash,
            observed: policy.asked.observed,
            module: match &policy.module {
                Ok(module) => Ok(&**module),
                Err(why) => Err(&**why),
            },
        });
        let of = |id: &PolicyId| met.iter().find(|policy| policy.asked.policy.id == *id);
        let bounds = Bounds::default();
        let (request, mut verdict) =
            judge(request, asked, &input, &self.document, bounds, |asked| {
                if let Some(Ok(module)) = of(asked.policy).map(|policy| &policy.module) {
                    began(Running::Policy(module.clone()));
                }
            });
        verdict.data_at = self.data_at;
        Judged { request, verdict }
    }

    /// What a module that is not set would say of a request.
    pub fn try_module(
        &self,
        module: &Arc<Module>,
        request: &Arc<Request>,
        now: Time,
        began: Began<'_>,
    ) -> fleet_policy::Said {
        began(Running::Policy(module.clone()));
        let known = self.definitions.agents.get(&request.agent);
        let agent = known.map(|(_, document)| document.clone());
        let agent = agent.unwrap_or_else(|| Document::new(json!({"id": request.agent})));
        let input = input(request, agent, now, false);
        module.evaluate(&input, &self.document, Bounds::default())
    }

    /// The policies that do not compile, or were abandoned, and why.
    pub fn broken(&self) -> Vec<(PolicyId, String)> {
        let why = |policy: &Compiled| match &policy.module {
            Err(why) => Some(why.to_string()),
            Ok(module) if module.is_abandoned() => {
                Some("it took so long that it was abandoned".into())
            }
            Ok(_) => None,
        };
        let broken = self.policies.iter();
        broken
            .filter_map(|policy| Some((policy.asked.policy.id.clone(), why(policy)?)))
            .collect()
    }

    fn groups_of(&self, agent: &AgentId) -> BTreeSet<GroupId> {
        let groups = self.definitions.groups.iter();
        let of = groups.filter(|group| group.members.contains(agent));
        of.map(|group| group.id.clone()).collect()
    }
}

fn define(
    definitions: read::Definitions,
    changes: u64,
    before: Option<&Definitions>,
) -> Definitions {
    let agents: HashMap<AgentId, (read::AgentSeen, Document)> = definitions
        .agents
        .into_iter()
        .map(|seen| {
            let id = seen.definition.id.clone();
            let known = before.and_then(|before| before.agents.get(&id));
            let same = |(known, _): &&(read::AgentSeen, Document)| {
                Arc::ptr_eq(&known.definition, &seen.definition) && known.groups == seen.groups
            };
            let document = match known.filter(same) {
                Some((_, document)) => document.clone(),
                None => agent(&seen),
            };
            (id, (seen, document))
        })
        .collect();
    let documents = agents
        .iter()
        .map(|(id, (_, document))| (id.as_str(), document.clone()));
    let groups = definitions.groups.iter();
    let groups_seen = groups.map(|group| (group.id.as_str(), Document::of(group)));
    let scopes = definitions.scopes.iter();
    let scopes = scopes.map(|scope| (scope.path.as_str(), Document::of(scope)));
    let documents = [
        ("agents", Document::object(documents)),
        ("groups", Document::object(groups_seen)),
        ("scopes", Document::object(scopes)),
    ];
    let known = before.map(|before| &before.tools);
    Definitions {
        changes,
        tools: Tools::new(definitions.tools, known),
        agents,
        groups: definitions.groups,
        documents,
    }
}

/// An agent as policies see it: its definition, with the groups it belongs to.
fn agent(seen: &read::AgentSeen) -> Document {
    let mut body = json!(&*seen.definition);
    body["groups"] = json!(seen.groups);
    if let Some(body) = body.as_object_mut() {
        for (name, empty) in [
            ("scope", json!("")),
            ("labels", json!({})),
            ("owner", json!("")),
        ] {
            body.entry(name).or_insert(empty);
        }
    }
    Document::new(body)
}
