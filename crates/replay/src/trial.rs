//! Tests of rules: what is asked of a fleet that lives in this process only, at times that the test says.
use fleet_core::{State, next_deadline, step};
use fleet_types::lock::{Claim, Mode};
use fleet_types::permit::{
    Blocker, Command as Permit, Decision, Denial, Ending, Finish, Queued, Request,
};
use fleet_types::trial::{Ask, Expect, Given, Test, Verdict};
use fleet_types::{
    Actor, Answer, Command, Envelope, Millis, PermitId, Rejection, Reply, RequestId, ResourcePath,
    Time,
};
use serde::Serialize;
use std::sync::Arc;

/// A fleet that tests begin with.
pub struct Fleet {
    snapshot: Vec<u8>,
}

impl Fleet {
    /// As these commands make it.
    ///
    /// # Errors
    /// When it would not take one of them: its number, and why.
    pub fn new(commands: &[Command]) -> Result<Fleet, (usize, Rejection)> {
        let mut world = World::default();
        for (number, command) in commands.iter().enumerate() {
            // Long before any test begins.
            let at = Time(number as u64 + 1);
            let answer = world.run(command.clone(), at);
            answer.map_err(|rejection| (number, rejection))?;
        }
        Ok(Fleet {
            snapshot: world.state.to_snapshot(),
        })
    }

    /// Carries a test out.
    ///
    /// # Panics
    /// Never: a state can be read from its own snapshot.
    #[must_use]
    pub fn run(&self, test: &Test) -> Outcome {
        let state = State::from_snapshot(&self.snapshot).expect("it was just written");
        let mut world = World {
            state,
            ..World::default()
        };
        let told = match world.live(test) {
            Ok(told) => told,
            Err(why) => {
                return Outcome {
                    part: Part::Given,
                    why: Some(why),
                    got: None,
                };
            }
        };
        Outcome {
            part: Part::Expect,
            why: told.unlike(&test.expect),
            got: Some(told),
        }
    }
}

/// What a test came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Which part of the test is not right, if one is not.
    #[serde(skip)]
    pub part: Part,
    /// Why it failed; absent: it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<Told>,
}

/// A part of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is done before.
    Given,
    /// What should be answered.
    Expect,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// In the words of an expectation.
    #[serde(flatten)]
    pub answer: Expect,
    /// Why, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl Told {
    fn of(answer: Answer) -> Told {
        match answer {
            Ok(Reply::Decision(Decision::Denied(denial))) => Told::denied(denial),
            Ok(Reply::Decision(Decision::Queued(queued))) => Told::queued(&queued),
            Ok(_) => Told {
                answer: expect(Verdict::Granted),
                reason: String::new(),
            },
            Err(rejection) => Told {
                answer: Expect {
                    code: Some(rejection.code),
                    ..expect(Verdict::Denied)
                },
                reason: rejection.message.to_string(),
            },
        }
    }

    fn denied(denial: Denial) -> Told {
        Told {
            answer: Expect {
                decision: Verdict::Denied,
                code: Some(denial.code),
                gate: Some(denial.gate),
                rule: denial.blocker.as_ref().and_then(Blocker::rule).cloned(),
            },
            reason: denial.reason.to_string(),
        }
    }

    fn queued(queued: &Queued) -> Told {
        Told {
            answer: Expect {
                rule: queued.waits_for.rule().cloned(),
                ..expect(Verdict::Queued)
            },
            reason: String::new(),
        }
    }

    /// In what it is not as expected.
    fn unlike(&self, wanted: &Expect) -> Option<String> {
        let got = &self.answer;
        let is_so = wanted.decision == got.decision
            && (wanted.code.is_none() || wanted.code == got.code)
            && (wanted.gate.is_none() || wanted.gate == got.gate)
            && (wanted.rule.is_none() || wanted.rule == got.rule);
        (!is_so).then(|| {
            let mut words = format!("expected {}, got {}", told(wanted), told(got));
            if !self.reason.is_empty() {
                words.push_str(": ");
                words.push_str(&self.reason);
            }
            words
        })
    }
}

fn expect(decision: Verdict) -> Expect {
    Expect {
        decision,
        code: None,
        gate: None,
        rule: None,
    }
}

/// `denied by rule freeze-pay (rule_violated)`.
fn told(answer: &Expect) -> String {
    let mut text = word(&answer.decision);
    if let Some(gate) = &answer.gate
        && answer.rule.is_none()
    {
        text.push_str(&format!(" by the {} gate", word(gate)));
    }
    if let Some(rule) = &answer.rule {
        text.push_str(&format!(" by rule {rule}"));
    }
    if let Some(code) = &answer.code {
        text.push_str(&format!(" ({})", word(code)));
    }
    text
}

/// What serde calls a word.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    }
}

/// What happens in a test, and when.
enum Event<'t> {
    Ask(usize, &'t Given),
    End(usize, &'t Given, Ending),
}

#[derive(Default)]
struct World {
    state: State,
    asked: u64,
}

impl World {
    fn live(&mut self, test: &Test) -> Result<Told, String> {
        let mut events: Vec<(Millis, Event<'_>)> = Vec::new();
        for (number, given) in test.given.iter().enumerate() {
            if given.at_ms > test.ask.at_ms {
                return Err(format!(
                    "given[{number}] comes at {} ms, after what is asked at {} ms",
                    given.at_ms.0, test.ask.at_ms.0
                ));
            }
            events.push((given.at_ms, Event::Ask(number, given)));
            let ends = given.ends_at_ms.unwrap_or(given.at_ms);
            match given.ending {
                Some(_) if ends < given.at_ms => {
                    return Err(format!("given[{number}] ends before it is asked for"));
                }
                // What ends later is in flight.
                Some(ending) if ends <= test.ask.at_ms => {
                    events.push((ends, Event::End(number, given, ending)));
                }
                Some(_) | None => {}
            }
        }
        events.sort_by_key(|(at, _)| *at); // Stable: what ends at once ends behind its own beginning.
        let begins = test.begins.0;
        let mut permits: Vec<Option<PermitId>> = vec![None; test.given.len()];
        for (at, event) in events {
            let at = begins.after(at);
            match event {
                Event::Ask(number, given) => {
                    let answer = self.ask(&ask_of(given), at);
                    let Ok(Reply::Decision(Decision::Granted(grant))) = answer else {
                        let got = Told::of(answer);
                        return Err(format!(
                            "given[{number}] was {}: {}",
                            told(&got.answer),
                            got.reason
                        ));
                    };
                    permits[number] = Some(grant.permit);
                }
                Event::End(number, given, ending) => {
                    let Some(permit) = permits[number] else {
                        continue;
                    };
                    let finish = Finish {
                        permit,
                        agent: given.agent.clone(),
                        ending,
                        cost: None,
                        latency_ms: None,
                    };
                    let done = self.run(Command::Permit(Permit::Finish(finish)), at);
                    done.map_err(|rejection| {
                        format!("given[{number}] could not end: {}", rejection.message)
                    })?;
                }
            }
        }
        Ok(Told::of(self.ask(&test.ask, begins.after(test.ask.at_ms))))
    }

    fn ask(&mut self, ask: &Ask, at: Time) -> Answer {
        self.asked += 1;
        let shared = |path: &ResourcePath| Claim::new(path.clone(), Mode::Shared);
        let request = Request {
            request_id: RequestId::parse(&format!("test-{}", self.asked)).expect("a name"),
            agent: ask.agent.clone(),
            instance: None,
            action: ask.action.clone(),
            resources: ask.resources.iter().map(shared).collect(),
            reads: Vec::new(),
            parameters: ask.parameters.clone(),
            cost: Default::default(),
            priority: None,
            wait_ms: ask.wait_ms,
            // As long as may be, so that what is in flight stays so.
            ttl_ms: Some(self.state.settings().ttl_ms_max),
            labels: ask.labels.clone(),
            approval: None,
            parent: None,
            explain: false,
        };
        self.run(Command::Permit(Permit::Request(Arc::new(request))), at)
    }

    /// Carries a command out, and before it what is due until then.
    fn run(&mut self, command: Command, at: Time) -> Answer {
        while let Some(deadline) = next_deadline(&self.state).filter(|deadline| *deadline < at) {
            self.step(Actor::System, Command::Tick, deadline)?;
        }
        self.step(Actor::Local, command, at)
    }

    fn step(&mut self, by: Actor, command: Command, at: Time) -> Answer {
        let now = at.max(self.state.now());
        let envelope = Envelope { by, command };
        let answer = step(&mut self.state, &envelope, now, &mut Vec::new());
        self.state.drain_evicted().for_each(drop);
        answer
    }
}

fn ask_of(given: &Given) -> Ask {
    Ask {
        at_ms: given.at_ms,
        agent: given.agent.clone(),
        action: given.action.clone(),
        resources: given.resources.clone(),
        parameters: given.parameters.clone(),
        labels: given.labels.clone(),
        wait_ms: Millis(0),
    }
}
