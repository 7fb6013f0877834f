//! What each frame from the server means for what waits.
use super::super::signal::{Signal, Turn};
use super::{Desk, EARLY_MAX, Heard, Purpose, Reply, Step, Waits, What, text};
use crate::error::{Error, Kind};
use fleet_types::halt::Mode;
use fleet_types::permit::{Decision, Denial, Ending, Grant, Queued};
use fleet_types::session::{
    AcknowledgeHalt, ClientFrame, Denied, Finish, Granted, Halt, ServerFrame, Waiting,
};
use fleet_types::{Code, HaltId, PermitId};
use std::collections::BTreeSet;

impl Desk {
    /// What a frame means.
    pub fn hear(&mut self, frame: ServerFrame) -> Step {
        match frame {
            ServerFrame::Granted(granted) => self.granted(granted),
            ServerFrame::Queued(waiting) => self.queued(waiting),
            ServerFrame::Extending(waiting) => self.extending(waiting),
            ServerFrame::Denied(denied) => {
                // Whatever else was lost on the way: this life is not the current one any more.
                let is_over = denied.code == Code::InstanceStale;
                self.denied(denied);
                if is_over {
                    return Step::Ended;
                }
            }
            ServerFrame::Extended(granted) => {
                self.extended(granted.permit, Decision::Granted(grant(granted)));
            }
            ServerFrame::ExtensionDenied(denied) => {
                self.extended(denied.permit, Decision::Denied(denial(denied)));
            }
            ServerFrame::Finished(finished) => {
                self.held.remove(&finished.permit);
                if let Some(Purpose::Order {
                    reply: Some(reply), ..
                }) = self.answered(finished.id)
                {
                    let _ = reply.send(Ok(Heard::Finished(finished)));
                }
            }
            ServerFrame::Approval(asked) => self.signals.push(Signal::Approval(asked.approval)),
            ServerFrame::Counted(frame) => {
                if let Some(Purpose::Order {
                    reply: Some(reply), ..
                }) = self.answered(frame.id)
                {
                    let _ = reply.send(Ok(Heard::Counted(frame.counted)));
                }
            }
            ServerFrame::Done(done) => return self.done(done.id),
            ServerFrame::Revoked(revoked) => self.revoked(revoked.permit, revoked.code),
            ServerFrame::Halt(halt) => self.halted(&halt),
            ServerFrame::Released(released) => self.released(released.halt),
            ServerFrame::Transaction(order) => self.signals.push(Signal::Transaction(order)),
            ServerFrame::Dispute(dispute) => self.signals.push(Signal::Disputed(dispute)),
            ServerFrame::Settled(settled) => self.signals.push(Signal::Settled(settled)),
            ServerFrame::Ended(_) => return Step::Ended,
            ServerFrame::Problem(frame) => {
                let error = Error::refused(frame.problem);
                match frame.id {
                    Some(id) => self.problem(id, error),
                    None => return Step::Told(error),
                }
            }
            // Only a hello hears it.
            ServerFrame::Welcome(_) => {}
        }
        Step::Go
    }

    fn answered(&mut self, id: u64) -> Option<Purpose> {
        self.pending.remove(&id).map(|pending| pending.purpose)
    }

    fn granted(&mut self, granted: Granted) {
        let Some(id) = granted.id else {
            return self.decided(granted.permit, Decision::Granted(grant(granted)));
        };
        let Some(pending) = self.pending.remove(&id) else {
            return;
        };
        let grant = grant(granted);
        match pending.purpose {
            Purpose::Order {
                what: What::Request { .. },
                reply,
                queued,
            } => {
                if pending.repeated {
                    let permit = grant.permit;
                    self.renew(
                        permit,
                        Purpose::Confirm {
                            permit,
                            reply,
                            queued,
                        },
                    );
                } else {
                    self.settle(reply, grant, queued);
                }
            }
            Purpose::Order {
                what: What::Extend(_),
                reply: Some(reply),
                queued,
            } => {
                let _ = reply.send(Ok(turn(Decision::Granted(grant), queued)));
            }
            Purpose::Order {
                reply: Some(reply), ..
            } => {
                let _ = reply.send(Ok(Heard::Grant(grant)));
            }
            Purpose::Confirm { reply, queued, .. } => self.settle(reply, grant, queued),
            Purpose::Check(_) | Purpose::Nothing | Purpose::Order { reply: None, .. } => {}
        }
    }

    /// Hands a grant over; whoever gave up waiting gives it back.
    fn settle(&mut self, reply: Option<Reply>, grant: Grant, queued: bool) {
        let permit = grant.permit;
        let Some(reply) = reply else {
            self.held.insert(permit);
            self.signals.push(Signal::Granted(grant));
            return;
        };
        if reply
            .send(Ok(turn(Decision::Granted(grant), queued)))
            .is_ok()
        {
            self.held.insert(permit);
            return;
        }
        self.send(Purpose::Nothing, |id| {
            ClientFrame::Finish(Finish {
                id,
                permit,
                ending: Ending::Cancelled,
                cost: None,
                latency_ms: None,
            })
        });
    }

    fn queued(&mut self, waiting: Waiting) {
        let Some(pending) = self.pending.remove(&waiting.id) else {
            return;
        };
        let Purpose::Order { what, reply, .. } = pending.purpose else {
            return;
        };
        let permit = waiting.permit;
        let reply = match (what, reply) {
            (What::Request { last_word: false }, Some(reply)) => {
                let queued = Queued {
                    permit,
                    position: waiting.position,
                    waits_for: waiting.waits_for,
                    until: waiting.until,
                    explain: waiting.explain,
                };
                let _ = reply.send(Ok(turn(Decision::Queued(queued), true)));
                None
            }
            (_, reply) => reply,
        };
        let waits = Waits {
            id: waiting.id,
            frame: pending.frame,
            what,
            reply,
        };
        self.waiting.insert(permit, waits);
        if let Some(decision) = self.early.remove(&permit) {
            self.decided(permit, decision);
        }
    }

    /// The decision about a request that waited.
    fn decided(&mut self, permit: PermitId, decision: Decision) {
        let Some(waits) = self.waiting.remove(&permit) else {
            // It came before the answer to the request.
            if !self.pending.is_empty() && self.early.len() < EARLY_MAX {
                self.early.insert(permit, decision);
            }
            return;
        };
        match (decision, waits.reply) {
            (Decision::Granted(grant), reply) => self.settle(reply, grant, true),
            (decision, Some(reply)) => {
                let _ = reply.send(Ok(turn(decision, true)));
            }
            (Decision::Denied(denial), None) => self.signals.push(Signal::Denied(denial)),
            (Decision::Queued(_), None) => {}
        }
    }

    fn extending(&mut self, waiting: Waiting) {
        let Some(pending) = self.pending.remove(&waiting.id) else {
            return;
        };
        if let Purpose::Order { what, reply, .. } = pending.purpose {
            let waits = Waits {
                id: waiting.id,
                frame: pending.frame,
                what,
                reply,
            };
            self.extending.insert(waiting.permit, waits);
        }
    }

    /// The decision about an extension that waited.
    fn extended(&mut self, permit: PermitId, decision: Decision) {
        if let Some(Waits {
            reply: Some(reply), ..
        }) = self.extending.remove(&permit)
        {
            let _ = reply.send(Ok(turn(decision, true)));
        }
    }

    fn denied(&mut self, denied: Denied) {
        let Some(id) = denied.id else {
            return self.decided(denied.permit, Decision::Denied(denial(denied)));
        };
        let denial = denial(denied);
        match self.answered(id) {
            Some(Purpose::Order {
                reply: Some(reply),
                queued,
                ..
            }) => {
                let _ = reply.send(Ok(turn(Decision::Denied(denial), queued)));
            }
            Some(Purpose::Order {
                what: What::Request { .. },
                reply: None,
                ..
            }) => {
                self.signals.push(Signal::Denied(denial));
            }
            _ => {}
        }
    }

    fn done(&mut self, id: u64) -> Step {
        match self.answered(id) {
            // It holds already what it asked for: the lease tells what that is.
            Some(Purpose::Order {
                what: What::Extend(permit),
                reply,
                queued,
            }) => {
                self.renew(
                    permit,
                    Purpose::Confirm {
                        permit,
                        reply,
                        queued,
                    },
                );
            }
            Some(Purpose::Order {
                what,
                reply: Some(reply),
                ..
            }) => {
                let _ = reply.send(Ok(Heard::Done));
                if what == What::Bye {
                    return Step::Left;
                }
            }
            _ => {}
        }
        Step::Go
    }

    fn problem(&mut self, id: u64, error: Error) {
        let Some(pending) = self.pending.remove(&id) else {
            return;
        };
        match pending.purpose {
            Purpose::Check(permit) => {
                if error.code() == Some(Code::PermitUnknown) {
                    self.revoked(permit, Code::PermitUnknown);
                }
            }
            Purpose::Confirm {
                permit,
                reply: None,
                ..
            } => {
                self.signals.push(Signal::Revoked {
                    permit,
                    code: Code::PermitUnknown,
                });
            }
            Purpose::Confirm {
                reply: Some(reply), ..
            } => {
                let _ = reply.send(Err(Error::new(
                    Kind::Lost,
                    format!("it was granted while the connection was cut, and is not held any more ({error}); ask again under a new request id"),
                )));
            }
            Purpose::Order {
                what: What::Extend(permit),
                reply,
                ..
            } if pending.repeated && error.code() == Some(Code::PermitExtending) => {
                let waits = Waits {
                    id,
                    frame: pending.frame,
                    what: What::Extend(permit),
                    reply,
                };
                self.extending.insert(permit, waits);
            }
            Purpose::Order {
                what: What::Finish(permit),
                reply,
                ..
            } => {
                let unknown = error.code() == Some(Code::PermitUnknown);
                if unknown {
                    self.held.remove(&permit);
                }
                let error = if unknown && pending.repeated {
                    Error::new(
                        Kind::Lost,
                        format!(
                            "the connection was cut before the answer, and permit {permit} has ended since: by this or before it"
                        ),
                    )
                } else {
                    error
                };
                if let Some(reply) = reply {
                    let _ = reply.send(Err(error));
                }
            }
            Purpose::Order {
                what,
                reply: Some(reply),
                ..
            } => {
                if let (What::Renew(permit), Some(Code::PermitUnknown)) = (what, error.code()) {
                    self.held.remove(&permit);
                }
                let _ = reply.send(Err(error));
            }
            Purpose::Order { reply: None, .. } | Purpose::Nothing => {}
        }
    }

    fn revoked(&mut self, permit: PermitId, code: Code) {
        self.held.remove(&permit);
        if let Some(Waits {
            reply: Some(reply), ..
        }) = self.extending.remove(&permit)
        {
            let _ = reply.send(Err(Error::new(
                Kind::Refused,
                format!("permit {permit} was taken back: {code}"),
            )));
        }
        self.signals.push(Signal::Revoked { permit, code });
    }

    /// Takes note of a halt; whether it is new.
    pub(super) fn note(&mut self, halt: &Halt) -> bool {
        if self.halts.iter().any(|known| known.halt == halt.halt) {
            return false;
        }
        self.halted(halt);
        true
    }

    fn halted(&mut self, halt: &Halt) {
        if self.halts.iter().any(|known| known.halt == halt.halt) {
            // Told twice: at hello and as it was ordered.
            return self.acknowledge(halt);
        }
        self.halts.push(halt.clone());
        self.signals.push(Signal::Halted(halt.clone()));
        if halt.order.mode == Mode::Immediate {
            for permit in std::mem::take(&mut self.held) {
                self.signals.push(Signal::Revoked {
                    permit,
                    code: Code::Halted,
                });
            }
            self.say_again(true);
        } else if halt.order.mode != Mode::Pause {
            self.say_again(false);
        }
        self.acknowledge(halt);
    }

    /// Asks what became of what waited.
    fn say_again(&mut self, extensions: bool) {
        let before: BTreeSet<u64> = self.pending.keys().copied().collect();
        self.repeat_waiting();
        if extensions {
            self.repeat_extending();
        }
        self.send_again(|id| !before.contains(&id));
    }

    pub(super) fn acknowledge(&mut self, halt: &Halt) {
        if self.acknowledges {
            let in_flight = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
            let seen = AcknowledgeHalt {
                id: None,
                halt: halt.halt,
                in_flight,
            };
            self.out
                .push_back(text(&ClientFrame::AcknowledgeHalt(seen)));
        }
    }

    pub(super) fn released(&mut self, halt: HaltId) {
        let before = self.halts.len();
        self.halts.retain(|known| known.halt != halt);
        if self.halts.len() < before {
            self.signals.push(Signal::Released(halt));
        }
    }
}

fn turn(decision: Decision, queued: bool) -> Heard {
    Heard::Turn(Turn { decision, queued })
}

fn grant(granted: Granted) -> Grant {
    Grant {
        permit: granted.permit,
        resources: granted.resources,
        versions: granted.versions,
        expires_at: granted.expires_at,
        explain: granted.explain,
        changed: granted.changed,
    }
}

fn denial(denied: Denied) -> Denial {
    Denial {
        permit: denied.permit,
        code: denied.code,
        gate: denied.gate,
        reason: denied.reason,
        blocker: denied.blocker,
        retry_after_ms: denied.retry_after_ms,
        explain: denied.explain,
    }
}
