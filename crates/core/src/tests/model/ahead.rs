//! What is said of conflicts, rules of order, plans.
use super::command::{ACTIONS, AGENTS, Driver, TTLS, claims, command, pick};
use super::ops::{Op, PATHS};
use fleet_types::{Actor, Command, PermitId, Seq};
use serde_json::{Value, json};

impl Driver {
    /// What parties, voters and people say of a conflict, mostly one that is disputed.
    pub fn conflict(&self, op: &Op) -> Vec<(Actor, Command)> {
        let state = &self.world.state;
        let (Op::Answer(nth, ..) | Op::Vote(nth, _) | Op::Resolve(nth, ..)) = op else {
            return Vec::new();
        };
        let records: Vec<_> = state.conflicts.records.values().collect();
        let disputed: Vec<_> = records.iter().filter(|it| it.dispute.is_some()).collect();
        let Some(record) = (match disputed.is_empty() {
            true => records.get(usize::from(*nth) % records.len().max(1)),
            false => Some(disputed[usize::from(*nth) % disputed.len()]),
        }) else {
            return Vec::new();
        };
        let holders = crate::conflict::holders(state, record).into_iter();
        let line = crate::conflict::line(state, record).into_iter();
        let parties = holders.chain(line.map(|place| place.permit));
        let parties: Vec<PermitId> = parties.map(|key| state.permits[key].id).collect();
        let party = |at: u8| match parties.len() {
            0 => PermitId(Seq(u64::from(at))),
            count => parties[usize::from(at / 8) % count],
        };
        let owner = |id: PermitId| match state.permits.find(id) {
            Some(permit) => permit.request.agent.to_string(),
            None => "ann".to_owned(),
        };
        let body = match op {
            Op::Answer(_, who, what) => {
                let permit = party(*who);
                let answer = match what % 6 {
                    0 => json!({"yield": {}}),
                    1 => json!({"defer": {"ms": 1 << (what / 16)}}),
                    2 => json!({"split": {"resources": [pick(&PATHS, what / 8)]}}),
                    3 => json!({"insist": {}}),
                    _ => json!({"swap": {"with": party(*what)}}),
                };
                json!({"answer": {"conflict": record.id, "permit": permit, "agent": owner(permit), "answer": answer}})
            }
            Op::Vote(_, who) => {
                let agent = pick(&AGENTS, *who);
                json!({"vote": {"conflict": record.id, "agent": agent, "winner": party(*who)}})
            }
            Op::Resolve(_, who, how) => {
                let winner = (how % 4 > 0).then(|| party(*who));
                json!({"resolve": {"conflict": record.id, "winner": winner, "revoke": how % 3 == 0}})
            }
            _ => return Vec::new(),
        };
        Self::local(command("conflict", body))
    }

    /// Rules of order, and plans.
    pub fn ahead(&self, op: &Op) -> Command {
        match op {
            Op::Order {
                id,
                form,
                cases,
                span,
                stage,
            } => {
                let span = 1 << (span % 14);
                let form = match form % 10 {
                    0 => {
                        json!({"allocation": {"order": {"label": {"key": "l", "values": ["2", "1"]}}, "place_ms": span}})
                    }
                    1 => {
                        json!({"allocation": {"order": {"agents": ["cid", "a*"]}, "place_ms": span}})
                    }
                    2 => {
                        json!({"allocation": {"order": {"groups": ["g1", "g0"]}, "place_ms": span}})
                    }
                    3 => {
                        json!({"allocation": {"order": {"shares": {"groups": {"g0": 3}, "turn_ms": span}}}})
                    }
                    4 => {
                        json!({"resolution": {"strategy": {"first_come": {}}, "after_ms": 0, "deadline_ms": span}})
                    }
                    5 => {
                        json!({"resolution": {"strategy": {"fair_share": {"turn_ms": span}}, "deadline_ms": span}})
                    }
                    6 => {
                        json!({"resolution": {"strategy": {"vote": {}}, "after_ms": cases / 64, "deadline_ms": span, "fallback": "escalation"}})
                    }
                    7 => {
                        json!({"resolution": {"strategy": {"escalation": {}}, "after_ms": 1, "deadline_ms": span}})
                    }
                    8 => {
                        json!({"resolution": {"strategy": {"negotiation": {}}, "after_ms": cases / 64, "deadline_ms": span, "fallback": "first_come"}})
                    }
                    _ => {
                        json!({"resolution": {"strategy": {"negotiation": {}}, "after_ms": 0, "deadline_ms": 60_000, "fallback": "escalation"}})
                    }
                };
                let cases = [
                    r#"{}"#,
                    r#"{"action":"pay"}"#,
                    r#"{"resource":"a/**"}"#,
                    r#"{"scope":"north"}"#,
                ];
                let when: Value = pick(&cases, *stage / 8).parse().unwrap();
                let stage = pick(
                    &["enforce", "enforce", "enforce", "observe", "draft"],
                    *stage,
                );
                let rule = json!({"id": format!("u{}", id % 3), "stage": stage, "when": when, "form": form});
                command("rule", json!({"set": {"rule": rule}}))
            }
            Op::Plan(agent, list, times) => {
                let mut resources = claims(&self.world.state, list);
                for claim in resources.as_array_mut().unwrap() {
                    claim.as_object_mut().unwrap().remove("if_version");
                }
                let step = |times: u8| {
                    json!({
                        "action": pick(&ACTIONS, times), "resources": resources,
                        "not_before_ms": u64::from(times / 4) * 64, "duration_ms": 1 + u64::from(times) * 32,
                    })
                };
                let steps: Vec<Value> = (0..times % 3 + 1)
                    .map(|nth| step(times / 3 + nth))
                    .collect();
                let ttl = pick(&TTLS, *times).max(1) * 8;
                let plan = json!({"agent": pick(&AGENTS, *agent), "steps": steps, "ttl_ms": ttl});
                command("plan", json!({"declare": {"plan": plan}}))
            }
            Op::Unplan(nth) => {
                let plans: Vec<_> = self.world.state.plans.by_id.iter().collect();
                let body = match plans.get(usize::from(*nth) % plans.len().max(1)) {
                    Some((id, entry)) => json!({"plan": id, "agent": entry.plan.agent}),
                    None => json!({"plan": "n1", "agent": "ann"}),
                };
                command("plan", json!({"withdraw": body}))
            }
            _ => Command::Tick,
        }
    }
}
