//! Frames as commands: what an instance says, completed with who it is.
use crate::extract;
use crate::problem::Problem;
use crate::strict;
use fleet_types::approval;
use fleet_types::conflict;
use fleet_types::instance::{self, InstanceKey};
use fleet_types::permit::{self, Holder};
use fleet_types::session::{Answer, Ask, ClientFrame, Hello, PROTOCOL};
use fleet_types::{Code, Command, Epoch, RequestId, Role, txn};
use serde::Deserialize;
use std::fmt::Write;
use std::sync::Arc;

/// Who a session speaks for, once it stands.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The agent and its instance.
    pub key: InstanceKey,
    /// In which life.
    pub epoch: Epoch,
    /// Makes request ids for requests that bring none: unique for ever, and short enough to need no allocation.
    pub ids: Ids,
}

/// Request ids of one session: a random beginning and a count.
#[derive(Clone, Debug)]
pub struct Ids {
    prefix: u64,
    count: u64,
}

impl Ids {
    /// Ids that no other session makes.
    #[must_use]
    pub fn new() -> Ids {
        Ids {
            // Without randomness, the clock and the counter inside a version 7 UUID tell sessions apart.
            prefix: getrandom::u64().unwrap_or_else(|_| uuid::Uuid::now_v7().as_u64_pair().1),
            count: 0,
        }
    }

    fn next(&mut self) -> RequestId {
        self.count += 1;
        let mut text = smol_str::SmolStrBuilder::new();
        // Writing into memory does not fail.
        let _ = write!(text, "{:016x}-{}", self.prefix, self.count);
        RequestId::parse(&text.finish()).expect("hexadecimal digits and a dash make a name")
    }
}

impl Default for Ids {
    fn default() -> Self {
        Ids::new()
    }
}

/// What to do about a frame.
#[derive(Debug)]
pub enum Step {
    /// Submit, and answer with this id.
    Submit(u64, Command),
    /// Submit; no answer is wanted.
    SubmitQuietly(Command),
    /// It only said that it is there.
    Nothing,
    /// Submit, answer with this id, then close.
    Leave(u64, Command),
    /// Refuse.
    Refuse(u64, Problem),
}

/// Reads a frame.
///
/// # Errors
/// With the frame's id, where that could be read, and the field to blame.
pub fn read(bytes: &[u8]) -> Result<ClientFrame, (Option<u64>, Problem)> {
    // The quick way first; the way that finds the field to blame only when something is wrong.
    strict::from_slice(bytes).map_err(|_| {
        let problem = match extract::parse::<ClientFrame>(bytes) {
            Err(problem) => problem,
            Ok(_) => Problem::new(Code::Malformed, "the frame could not be read"),
        };
        (id_of(bytes), problem)
    })
}

/// The id of a frame that is otherwise wrong.
fn id_of(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        id: u64,
    }
    let frame: std::collections::BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(bytes).ok()?;
    let (_, content) = frame.into_iter().next()?;
    serde_json::from_value::<Numbered>(content)
        .ok()
        .map(|numbered| numbered.id)
}

/// The first frame: who is there.
///
/// # Errors
/// When it is not a hello, or speaks another version.
pub fn hello(frame: ClientFrame) -> Result<Hello, (Option<u64>, Problem)> {
    match frame {
        ClientFrame::Hello(hello) if hello.protocol == PROTOCOL => Ok(hello),
        ClientFrame::Hello(hello) => Err((
            Some(hello.id),
            Problem::new(
                Code::Invalid,
                format!(
                    "protocol {} is not spoken here; speak {PROTOCOL}",
                    hello.protocol
                ),
            )
            .field("hello.protocol"),
        )),
        _ => Err((
            None,
            Problem::new(
                Code::Malformed,
                "the first frame must be a hello: {\"hello\":{…}}",
            ),
        )),
    }
}

/// What to do about a frame of a session that stands.
#[must_use]
pub fn step(frame: ClientFrame, who: &mut Identity) -> Step {
    let agent = &who.key.agent;
    match frame {
        ClientFrame::Request(ask) => request(ask, who),
        ClientFrame::Finish(finish) => Step::Submit(
            finish.id,
            Command::Permit(permit::Command::Finish(permit::Finish {
                permit: finish.permit,
                agent: agent.clone(),
                ending: finish.ending,
                cost: finish.cost,
                latency_ms: finish.latency_ms,
            })),
        ),
        ClientFrame::Renew(renew) => Step::Submit(
            renew.id,
            Command::Permit(permit::Command::Renew {
                permit: renew.permit,
                agent: agent.clone(),
                ttl_ms: renew.ttl_ms,
            }),
        ),
        ClientFrame::Extend(extend) => Step::Submit(
            extend.id,
            Command::Permit(permit::Command::Extend(Arc::new(permit::Extend {
                permit: extend.permit,
                agent: agent.clone(),
                resources: extend.resources,
                wait_ms: extend.wait_ms,
            }))),
        ),
        ClientFrame::Answer(answer) => Step::Submit(answer.id, self::answer(answer, who)),
        ClientFrame::Offer(said) => Step::Submit(
            said.id,
            Command::Conflict(conflict::Command::Answer {
                conflict: said.conflict,
                permit: said.permit,
                agent: agent.clone(),
                answer: said.answer,
            }),
        ),
        ClientFrame::Vote(vote) => Step::Submit(
            vote.id,
            Command::Conflict(conflict::Command::Vote {
                conflict: vote.conflict,
                agent: agent.clone(),
                winner: vote.winner,
            }),
        ),
        ClientFrame::AcknowledgeHalt(seen) => {
            let command = Command::Instance(instance::Command::AcknowledgeHalt {
                key: who.key.clone(),
                epoch: who.epoch,
                halt: seen.halt,
                in_flight: seen.in_flight,
            });
            match seen.id {
                Some(id) => Step::Submit(id, command),
                None => Step::SubmitQuietly(command),
            }
        }
        ClientFrame::Report(said) => {
            let command = Command::Txn(txn::Command::Report(Box::new(said.report)));
            match said.id {
                Some(id) => Step::Submit(id, command),
                None => Step::SubmitQuietly(command),
            }
        }
        ClientFrame::Ready(ready) => Step::Submit(
            ready.id,
            Command::Instance(instance::Command::Ready {
                key: who.key.clone(),
                epoch: who.epoch,
            }),
        ),
        ClientFrame::Bye(bye) => Step::Leave(
            bye.id,
            Command::Instance(instance::Command::Disconnect {
                key: who.key.clone(),
                epoch: who.epoch,
                reason: bye.reason,
            }),
        ),
        ClientFrame::Heartbeat {} => Step::Nothing,
        ClientFrame::Hello(hello) => Step::Refuse(
            hello.id,
            Problem::new(
                Code::Conflict,
                "this session has said hello already; open another one for another instance",
            ),
        ),
    }
}

/// A session speaks for its agent, whatever its key could do besides: so the least role is all that it proves.
fn answer(answer: Answer, who: &Identity) -> Command {
    Command::Approval(Box::new(approval::Command {
        proof: approval::Proof {
            role: Role::Agent,
            scope: None,
        },
        speaks_as: Some(approval::Person::Agent(who.key.agent.clone())),
        verb: approval::Verb::Answer(approval::Answer {
            approval: answer.approval,
            option: answer.option,
            fields: answer.fields,
            comment: answer.comment,
        }),
    }))
}

fn request(ask: Ask, who: &mut Identity) -> Step {
    let Ask { id, mut permit } = ask;
    if let Some(other) = permit.agent.take().filter(|agent| *agent != who.key.agent) {
        return Step::Refuse(
            id,
            Problem::new(
                Code::IdentityMismatch,
                format!(
                    "this session speaks for {}, not for {other}; leave it out",
                    who.key.agent
                ),
            )
            .field("request.permit.agent"),
        );
    }
    let holder = Holder {
        id: who.key.instance.clone(),
        epoch: who.epoch,
    };
    if permit.instance.take().is_some_and(|other| other != holder) {
        return Step::Refuse(
            id,
            Problem::new(
                Code::IdentityMismatch,
                "this session speaks for its own instance and epoch; leave it out",
            )
            .field("request.permit.instance"),
        );
    }
    let request_id = permit.request_id.take().unwrap_or_else(|| who.ids.next());
    let request = permit.complete(request_id, who.key.agent.clone(), Some(holder));
    Step::Submit(
        id,
        Command::Permit(permit::Command::Request(Arc::new(request))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_frame_names_its_id_and_the_field() {
        let (id, problem) = read(br#"{"request":{"id":7,"permit":{"action":"a","resources":[{"path":"x//y","mode":"shared"}]}}}"#).unwrap_err();
        assert_eq!(id, Some(7));
        assert_eq!(problem.code(), Code::Invalid);
        assert_eq!(
            problem.body().field.as_deref(),
            Some("request.permit.resources[0].path")
        );
        let (id, problem) = read(b"{\"request\"").unwrap_err();
        assert_eq!((id, problem.code()), (None, Code::Malformed));
        let (_, problem) = read(b"{\"bye\":{\"id\":1,\"reason\":\"\xff\"}}").unwrap_err();
        assert_eq!(problem.code(), Code::Malformed);
    }

    #[test]
    fn made_ids_differ_and_stay_inline() {
        let mut ids = Ids::new();
        let (one, two) = (ids.next(), ids.next());
        assert_ne!(one, two);
        assert!(!one.text().is_heap_allocated());
    }
}
