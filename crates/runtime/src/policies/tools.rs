//! The fleet's tools as they are asked in front of the queue: each with its schema compiled, the first time it is needed.
use super::desk::Began;
use super::pool::Running;
use fleet_core::{SeenTool, judge_tool, read};
use fleet_schema::Compiled;
use fleet_types::permit::Request;
use fleet_types::policy::Verdict;
use fleet_types::tool::{Fault, NEAREST_MAX, Schema};
use fleet_types::{ActionName, Pattern};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// A tool and its schema.
pub struct Tool {
    seen: read::ToolSeen,
    /// Compiled when it is first needed.
    schema: OnceLock<Result<Compiled, Fault>>,
    /// Whether a question once took so long that it is not asked again.
    abandoned: AtomicBool,
}

/// All of them, by the action they are registered under.
#[derive(Default)]
pub struct Tools {
    by_id: HashMap<ActionName, Arc<Tool>>,
}

impl Tools {
    /// Those that the writer has handed out; those that stand as before keep their schemas.
    pub fn new(seen: Vec<read::ToolSeen>, before: Option<&Tools>) -> Tools {
        let known = |seen: read::ToolSeen| {
            let id = seen.tool.id.clone();
            let before = before.and_then(|before| before.by_id.get(&id));
            let same = before.filter(|before| before.seen.set_at == seen.set_at);
            let known = same.cloned().unwrap_or_else(|| {
                Arc::new(Tool {
                    seen,
                    schema: OnceLock::new(),
                    abandoned: AtomicBool::new(false),
                })
            });
            (id, known)
        };
        Tools {
            by_id: seen.into_iter().map(known).collect(),
        }
    }

    /// The request with what follows from its arguments, and what its tool and `policies` say of it.
    pub fn judge(
        &self,
        asked: &Arc<Request>,
        required: &[Pattern],
        began: Began<'_>,
        policies: impl FnOnce(&Arc<Request>, Began<'_>) -> (Arc<Request>, Verdict),
    ) -> (Arc<Request>, Verdict) {
        let known = self.by_id.get(&asked.action);
        let seen = known.map(|known| SeenTool {
            tool: &known.seen.tool,
            version: known.seen.version,
            set_at: known.seen.set_at,
        });
        // One after the other: neither is asked within the other.
        let began = RefCell::new(began);
        let schema = |arguments: &Map<String, Value>| {
            let Some(known) = known else {
                return Vec::new();
            };
            began.borrow_mut()(Running::Tool(known.clone()));
            known.check(arguments)
        };
        let policies = |request: &Arc<Request>| policies(request, &mut **began.borrow_mut());
        let (request, mut verdict) = judge_tool(seen, asked, schema, policies);
        let name = asked.action.as_str();
        if known.is_none() && required.iter().any(|pattern| pattern.matches(name)) {
            verdict.nearest = self.nearest(name);
        }
        (request, verdict)
    }

    /// Those whose names are most like this one, if any is like it.
    fn nearest(&self, name: &str) -> Vec<ActionName> {
        let far = (name.len() / 3).max(2);
        let near = self.by_id.keys().filter_map(|id| {
            // A distance is never less than the difference of the lengths.
            let is_near = id.as_str().len().abs_diff(name.len()) <= far;
            let distance = is_near.then(|| strsim::osa_distance(id.as_str(), name))?;
            (distance <= far).then_some((distance, id))
        });
        let mut near: Vec<(usize, &ActionName)> = near.collect();
        near.sort_unstable();
        near.into_iter()
            .take(NEAREST_MAX)
            .map(|(_, id)| id.clone())
            .collect()
    }
}

impl Tool {
    pub fn id(&self) -> &ActionName {
        &self.seen.tool.id
    }

    /// Its schema is not asked again until it is set anew: nothing fits it.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    fn check(&self, arguments: &Map<String, Value>) -> Vec<Fault> {
        let Some(schema) = &self.seen.tool.arguments else {
            return Vec::new();
        };
        if self.abandoned.load(Ordering::Relaxed) {
            let wanted = "another schema of its tool: a question of this one took so long that it was abandoned";
            return vec![Fault {
                argument: "".into(),
                wanted: fleet_types::Text::clip(wanted),
            }];
        }
        match self
            .schema
            .get_or_init(|| compile(&self.seen.tool.id, schema))
        {
            Ok(compiled) => compiled.check(arguments),
            Err(why) => vec![why.clone()],
        }
    }
}

/// The door has compiled it, maybe that of an earlier build: then nothing passes until it is set anew.
fn compile(tool: &ActionName, schema: &Schema) -> Result<Compiled, Fault> {
    fleet_schema::compile(schema).map_err(|fault| {
        let why = format!("a schema that this server takes: {} at {:?}", fault.wanted, fault.argument);
        tracing::error!(%tool, %why, "the schema of a tool does not compile in this build; the tool takes no arguments");
        Fault {
            argument: "".into(),
            wanted: fleet_types::Text::clip(&why),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_fits_an_abandoned_schema_until_it_is_set_anew() {
        let tool = serde_json::json!({"id": "pay", "arguments": {"type": "object"}});
        let seen = |at: u64| read::ToolSeen {
            tool: Arc::new(serde_json::from_value(tool.clone()).unwrap()),
            version: 1,
            set_at: fleet_types::Seq(at),
        };
        let faults = |tools: &Tools| {
            let tool = tools.by_id.values().next().unwrap().clone();
            (tool.check(&Map::new()).len(), tool)
        };
        let tools = Tools::new(vec![seen(1)], None);
        let (none, tool) = faults(&tools);
        tool.abandon();
        assert_eq!((none, faults(&tools).0), (0, 1));
        assert_eq!(faults(&Tools::new(vec![seen(1)], Some(&tools))).0, 1);
        assert_eq!(faults(&Tools::new(vec![seen(2)], Some(&tools))).0, 0);
    }

    #[test]
    fn near_names_are_told_nearest_first() {
        let seen = |id: &str| {
            let tool = serde_json::from_value(serde_json::json!({ "id": id })).unwrap();
            read::ToolSeen {
                tool: Arc::new(tool),
                version: 1,
                set_at: fleet_types::Seq(1),
            }
        };
        let names = [
            "ledger.pay",
            "ledger.play",
            "ledger.close",
            "mail.send",
            "l",
        ];
        let tools = Tools::new(names.map(seen).into(), None);
        let near = |name: &str| -> Vec<String> {
            let near = tools.nearest(name);
            near.iter().map(ToString::to_string).collect()
        };
        assert_eq!(near("ledger.pya"), ["ledger.pay", "ledger.play"]);
        assert_eq!(near("mail.sent"), ["mail.send"]);
        assert_eq!(near("nothing.like.it"), [""; 0]);
    }
}
