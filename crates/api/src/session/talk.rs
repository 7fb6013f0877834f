//! What is said in a session: frames become commands, answers become frames.
//!
//! The phases of a session: `Waiting` for the hello, `Connecting` until its answer is durable (nothing more is read
//! meanwhile, as what follows needs the epoch), `Open`, `Leaving` after a good-bye, `Closed`.
use crate::door::{Interruption, KEY_GONE};
use crate::problem::Problem;
use crate::session::outbox::{Item, Nobody, Pile};
use crate::session::port::{Port, envelope};
use crate::session::reader::{Identity, Ids, Step};
use crate::session::wire::Broken;
use crate::session::{answer, reader, wire};
use fleet_runtime::{Failure, Outbox, Signal};
use fleet_types::instance::{self, InstanceKey};
use fleet_types::session::{Hello, IN_FLIGHT_MAX, MALFORMED_MAX, PROTOCOL, ServerFrame, Welcome};
use fleet_types::{Actor, Answer, Code, Command, Envelope, Epoch, Reply};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All of a session but the bytes that come in.
pub struct Talk<P> {
    pub port: Arc<P>,
    actor: Actor,
    phase: Phase,
    pub pile: Arc<Pile>,
    outbox: Arc<dyn Outbox>,
    nobody: Arc<dyn Outbox>,
    /// What goes to the socket next.
    pub out: Vec<u8>,
    /// What was heard and goes to the inbox next.
    batch: Vec<(Envelope, u64)>,
    /// Room lent to the pile.
    items: Vec<Item>,
    in_flight: usize,
    malformed: u32,
    heard_at: Instant,
    beat: Duration,
}

enum Phase {
    Waiting,
    Connecting { id: u64, key: InstanceKey },
    Open(Identity),
    Leaving { id: u64, who: Identity },
    Closed(Option<Identity>),
}

/// Why a session ends, the client aside.
pub enum End {
    /// The socket is broken.
    Broken,
    /// Nobody said hello in time.
    NoHello,
    /// The server stops, or the key is gone.
    Interrupted(Interruption),
}

impl<P: Port> Talk<P> {
    pub fn new(port: P) -> Self {
        let pile = Arc::new(Pile::default());
        Talk {
            actor: port.actor(),
            port: Arc::new(port),
            phase: Phase::Waiting,
            outbox: Arc::clone(&pile) as Arc<dyn Outbox>,
            nobody: Arc::new(Nobody),
            pile,
            out: Vec::new(),
            batch: Vec::new(),
            items: Vec::new(),
            in_flight: 0,
            malformed: 0,
            heard_at: Instant::now(),
            beat: Duration::ZERO,
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    pub fn awaits_hello(&self) -> bool {
        matches!(self.phase, Phase::Waiting)
    }

    /// Whether more may be read now.
    pub fn reads(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Open(_))
    }

    /// Where its answers and signals go.
    pub fn outbox(&self) -> &Arc<dyn Outbox> {
        &self.outbox
    }

    pub fn who(&self) -> Option<&Identity> {
        match &self.phase {
            Phase::Open(who) | Phase::Leaving { who, .. } | Phase::Closed(Some(who)) => Some(who),
            Phase::Waiting | Phase::Connecting { .. } | Phase::Closed(None) => None,
        }
    }

    pub async fn frame(&mut self, bytes: &[u8]) {
        let frame = match reader::read(bytes) {
            Ok(frame) => frame,
            Err((id, problem)) => return self.malformed(id, problem),
        };
        let step = match &mut self.phase {
            Phase::Open(who) => reader::step(frame, who),
            Phase::Waiting => {
                return match reader::hello(frame) {
                    Ok(hello) => self.hello(hello).await,
                    Err((id, problem)) => self.malformed(id, problem),
                };
            }
            Phase::Connecting { .. } | Phase::Leaving { .. } | Phase::Closed(_) => return,
        };
        match step {
            Step::Submit(id, command) => {
                self.submit(id, command);
            }
            Step::SubmitQuietly(command) => {
                // In the order in which it was said.
                self.submit_batch();
                let envelope = envelope(&self.actor, command);
                if let Err(failure) = self.port.submit(envelope, &self.nobody, 0) {
                    self.problem(None, failure.into());
                }
            }
            Step::Leave(id, command) => {
                if self.submit(id, command)
                    && let Phase::Open(who) =
                        std::mem::replace(&mut self.phase, Phase::Closed(None))
                {
                    self.phase = Phase::Leaving { id, who };
                }
            }
            Step::Refuse(id, problem) => self.problem(Some(id), problem),
            Step::Nothing => {}
        }
    }

    async fn hello(&mut self, hello: Hello) {
        let key = InstanceKey {
            agent: hello.agent,
            instance: hello.instance,
        };
        if let Err(problem) = self.port.admit(&key.agent).await {
            return self.problem(Some(hello.id), problem);
        }
        let connect = Command::Instance(instance::Command::Connect {
            key: key.clone(),
            resume: hello.resume,
            labels: hello.labels,
        });
        if self.submit(hello.id, connect) {
            self.phase = Phase::Connecting { id: hello.id, key };
        }
    }

    /// Whether it is on its way; if not, the client has been told.
    fn submit(&mut self, id: u64, command: Command) -> bool {
        if self.in_flight >= IN_FLIGHT_MAX {
            let problem = Problem::new(
                Code::Overloaded,
                format!("{IN_FLIGHT_MAX} frames wait for their answer; wait for some"),
            )
            .retry_after(10);
            self.problem(Some(id), problem);
            return false;
        }
        self.in_flight += 1;
        self.batch.push((envelope(&self.actor, command), id));
        true
    }

    /// Hands over what was heard since the last time.
    pub fn submit_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let mut commands = batch.drain(..);
        while let Err((id, failure)) = self.port.submit_all(&mut commands, &self.outbox) {
            self.in_flight -= 1;
            self.refused(id);
            self.problem(Some(id), failure.into());
        }
        drop(commands);
        self.batch = batch;
    }

    /// The inbox did not take what a phase waits for: back to the phase before.
    fn refused(&mut self, refused: u64) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed(None));
        self.phase = match phase {
            Phase::Connecting { id, .. } if id == refused => Phase::Waiting,
            Phase::Leaving { id, who } if id == refused => Phase::Open(who),
            phase => phase,
        };
    }

    /// Writes what the runtime has left.
    pub async fn tell(&mut self) {
        let mut items = std::mem::take(&mut self.items);
        self.pile.take(&mut items);
        for item in items.drain(..) {
            match item {
                Item::Answer(id, answered) => {
                    self.in_flight = self.in_flight.saturating_sub(1);
                    self.answered(id, answered).await;
                }
                Item::Signal(signal) => self.signalled(signal),
            }
        }
        self.items = items;
    }

    async fn answered(&mut self, id: u64, answered: Result<Answer, Failure>) {
        match &self.phase {
            Phase::Connecting { id: hello, key } if *hello == id => {
                let key = key.clone();
                match answered {
                    Ok(Ok(Reply::Connected { epoch, recovering })) => {
                        self.welcome(id, key, epoch, recovering).await;
                    }
                    other => {
                        self.phase = Phase::Waiting;
                        answer::write(&mut self.out, &answer::frame(id, other));
                    }
                }
            }
            Phase::Leaving { id: bye, .. } if *bye == id => {
                answer::write(&mut self.out, &answer::frame(id, answered));
                self.close(Some((1000, "good-bye")));
            }
            Phase::Waiting
            | Phase::Connecting { .. }
            | Phase::Open(_)
            | Phase::Leaving { .. }
            | Phase::Closed(_) => answer::write(&mut self.out, &answer::frame(id, answered)),
        }
    }

    async fn welcome(&mut self, id: u64, key: InstanceKey, epoch: Epoch, recovering: bool) {
        // Signals first: a halt ordered after the reading below must not be missed. One may be told twice.
        self.port.attach(&key, epoch, &self.outbox);
        let greeting = self.port.greet(&key.agent).await;
        let who = Identity {
            key,
            epoch,
            ids: Ids::new(),
        };
        match greeting {
            Ok(greeting) => {
                self.beat = Duration::from_millis(greeting.heartbeat_ms.0);
                let welcome = Welcome {
                    id,
                    protocol: PROTOCOL,
                    epoch,
                    recovering,
                    heartbeat_ms: greeting.heartbeat_ms,
                    halts: greeting.halts,
                };
                answer::write(&mut self.out, &ServerFrame::Welcome(welcome));
                for view in greeting.approvals {
                    let signal = Signal::Approval(Arc::new(view));
                    answer::write(&mut self.out, &answer::signal(signal));
                }
                self.phase = Phase::Open(who);
            }
            Err(problem) => {
                self.problem(Some(id), problem);
                self.phase = Phase::Closed(Some(who));
                wire::close(
                    &mut self.out,
                    1013,
                    "the fleet is not serving now; come back",
                );
            }
        }
    }

    fn signalled(&mut self, signal: Signal) {
        let over = match (&signal, self.who()) {
            (Signal::Ended { epoch }, Some(who)) => *epoch >= who.epoch,
            _ => false,
        };
        answer::write(&mut self.out, &answer::signal(signal));
        if over {
            self.close(Some((1000, "this epoch is over")));
        }
    }

    pub fn heartbeat(&mut self) {
        let Phase::Open(who) = &self.phase else {
            return;
        };
        // Often enough, and not at every frame.
        let now = Instant::now();
        if now.duration_since(self.heard_at) >= self.beat / 4 {
            self.heard_at = now;
            self.port.heartbeat(&who.key, who.epoch);
        }
    }

    fn problem(&mut self, id: Option<u64>, problem: Problem) {
        answer::write(&mut self.out, &answer::problem(id, problem));
    }

    pub fn malformed(&mut self, id: Option<u64>, problem: Problem) {
        self.problem(id, problem);
        self.malformed += 1;
        if self.malformed >= MALFORMED_MAX {
            self.close(Some((1008, "too many malformed frames")));
        }
    }

    pub fn broken(&mut self, broken: Broken) {
        let problem = Problem::new(
            Code::Malformed,
            format!("{}; the session is closed", broken.why),
        );
        self.problem(None, problem);
        self.close(Some((broken.code, broken.why)));
    }

    pub fn end(&mut self, end: &End) {
        match end {
            End::Broken => self.close(None),
            End::NoHello => {
                self.problem(None, Problem::new(Code::Timeout, "no hello came in time"));
                self.close(Some((1008, "no hello came in time")));
            }
            End::Interrupted(Interruption::Stopping) => {
                self.close(Some((1001, "the server is stopping; come back and resume")));
            }
            End::Interrupted(Interruption::KeyGone) => {
                self.problem(None, Problem::new(Code::Unauthenticated, KEY_GONE));
                self.close(Some((1008, KEY_GONE)));
            }
        }
    }

    /// Ends the session, with a close frame unless the socket is gone.
    pub fn close(&mut self, why: Option<(u16, &str)>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed(None));
        self.phase = match phase {
            Phase::Closed(who) => Phase::Closed(who),
            Phase::Open(who) | Phase::Leaving { who, .. } => Phase::Closed(Some(who)),
            Phase::Waiting | Phase::Connecting { .. } => Phase::Closed(None),
        };
        if let Some((code, why)) = why {
            wire::close(&mut self.out, code, why);
        }
    }
}
