//! Where a fleet's requests wait for its policies, and where its picture is kept.
use crate::handle::{Failure, Outbox, Shared};
use crate::inbox::Lane;
use crate::policies::picture::Sight;
use crate::policies::pool::{Pool, Running};
use crate::turn::Then;
use crate::writer::Work;
use fleet_core::State;
use fleet_core::read;
use fleet_core::signal::Signal;
use fleet_types::permit::{self, Request};
use fleet_types::policy::{Judged, JudgedExtend, Rejudged};
use fleet_types::{Actor, Answer, Command, Envelope, PermitId, Reply};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A picture that is older is made anew, while the one that stands is used on.
const AGE_SOFT: Duration = Duration::from_millis(100);
/// A picture that is older is not used: whoever comes waits for the next.
const AGE_MAX: Duration = Duration::from_secs(1);
/// Waiting permits judged anew in one round.
const ROUND_MAX: usize = 256;
/// How long a round rests that brought nothing.
pub const REST: Duration = Duration::from_millis(50);

/// One fleet's desk.
pub struct Desk {
    /// Whether the fleet asks policies or has tools, as the writer last said.
    is_on: AtomicBool,
    /// How often the fleet's tools had changed, as the writer last said: an older picture is not used.
    tool_changes: AtomicU64,
    /// Whether a round of waiting permits is under way.
    in_round: AtomicBool,
    pub pool: Arc<Pool>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    /// Those that wait for a newer picture.
    parked: Vec<Job>,
    /// What the next picture is made of.
    taken: Option<(read::Picture, Instant)>,
    is_taking: bool,
    /// Whether the pool knows that there is work.
    in_ring: bool,
    sight: Option<Arc<Sight>>,
}

/// What is to be done with policies.
pub struct Job {
    pub what: What,
    /// The picture must not be older than this.
    not_before: Option<Instant>,
}

pub enum What {
    /// A command that asks for something.
    Command(Asking),
    /// A waiting permit whose verdict is out of date.
    Waiting {
        permit: PermitId,
        asked: Arc<Request>,
        round: Arc<Round>,
    },
    /// Somebody wants to use the picture.
    Look(Look),
}

/// A look at the picture; it tells of all that it runs beforehand.
pub type Look = Box<dyn FnOnce(Result<(&Arc<Sight>, Began<'_>), Failure>) + Send>;
/// Hears of what runs next, so that it can be watched.
pub type Began<'a> = &'a mut dyn FnMut(Running);

/// A command that asks for something, and whom it answers.
pub struct Asking {
    pub envelope: Envelope,
    pub outbox: Arc<dyn Outbox>,
    pub tag: u64,
    /// For more: what the permit would then be about.
    pub extension: Option<Arc<Request>>,
}

impl Asking {
    pub fn refuse(self, failure: Failure) {
        self.outbox.answer(self.tag, Err(failure));
        self.outbox.flush();
    }
}

impl What {
    /// It is not done.
    pub fn fail(self, failure: Failure) {
        match self {
            What::Command(asking) => asking.refuse(failure),
            What::Waiting { round, .. } => round.one_done(false),
            What::Look(look) => look(Err(failure)),
        }
    }
}

/// What a desk has for a thread of the pool.
pub enum Task {
    /// A picture to make.
    Build(read::Picture, Instant, Option<Arc<Sight>>),
    /// A job, with a picture that is new enough.
    Do(What, Arc<Sight>),
}

impl Desk {
    pub fn new(pool: Arc<Pool>) -> Desk {
        Desk {
            is_on: AtomicBool::new(false),
            tool_changes: AtomicU64::new(0),
            in_round: AtomicBool::new(false),
            pool,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the fleet asks policies.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Whether a command has to go through here.
    pub fn concerns(&self, command: &Command) -> bool {
        self.is_on.load(Ordering::Relaxed)
            && matches!(
                command,
                Command::Permit(permit::Command::Request(_) | permit::Command::Extend(_))
            )
    }

    /// A thread of the pool has come: the next may be called.
    pub fn visited(&self) {
        self.lock().in_ring = false;
    }

    /// The next thing to do; where there is more, another thread is called.
    pub fn take(&self, shared: &Arc<Shared>) -> Option<Task> {
        let task = self.next(shared);
        if !self.lock().jobs.is_empty() {
            self.ring(shared);
        }
        task
    }

    fn next(&self, shared: &Arc<Shared>) -> Option<Task> {
        let mut inner = self.lock();
        if let Some((picture, at)) = inner.taken.take() {
            return Some(Task::Build(picture, at, inner.sight.clone()));
        }
        while let Some(job) = inner.jobs.pop_front() {
            let is_new = |sight: &&Arc<Sight>| {
                sight.taken_at.elapsed() < AGE_MAX
                    && sight.tool_changes >= self.tool_changes.load(Ordering::Relaxed)
                    && job
                        .not_before
                        .is_none_or(|not_before| sight.taken_at >= not_before)
            };
            let sight = inner.sight.as_ref().filter(is_new).cloned();
            let is_fresh = sight
                .as_ref()
                .is_some_and(|sight| sight.taken_at.elapsed() < AGE_SOFT);
            let wants = !is_fresh && !std::mem::replace(&mut inner.is_taking, true);
            let known = inner.sight.as_ref().map(|sight| sight.changes());
            match sight {
                Some(sight) => {
                    if wants {
                        drop(inner);
                        self.picture(shared, known);
                    }
                    return Some(Task::Do(job.what, sight));
                }
                None => inner.parked.push(job),
            }
            if wants {
                drop(inner);
                self.picture(shared, known);
                inner = self.lock();
                if let Some((picture, at)) = inner.taken.take() {
                    return Some(Task::Build(picture, at, inner.sight.clone()));
                }
            }
        }
        None
    }

    /// Asks the writer for a picture; it comes when all it tells of is durable (I3).
    fn picture(&self, shared: &Arc<Shared>, known: Option<u64>) {
        let at = Instant::now();
        let desk = shared.clone();
        let read = move |state: &State| -> Then {
            let picture = read::picture(state, known);
            Box::new(move |outcome| match outcome {
                Ok(()) => {
                    desk.desk.lock().taken = Some((picture, at));
                    desk.desk.ring(&desk);
                }
                Err(failure) => desk.desk.no_picture(&failure),
            })
        };
        let asked = shared.inbox.push(Lane::Return, Work::Read(Box::new(read)));
        if let Err(failure) = asked {
            self.no_picture(&failure);
        }
    }

    fn no_picture(&self, failure: &Failure) {
        let parked = {
            let mut inner = self.lock();
            inner.is_taking = false;
            std::mem::take(&mut inner.parked)
        };
        for job in parked {
            job.what.fail(failure.clone());
        }
    }

    /// A picture was made; without one, what it was to be made from is no longer there.
    pub fn built(&self, shared: &Arc<Shared>, sight: Option<Sight>) {
        let mut inner = self.lock();
        inner.is_taking = false;
        inner.sight = sight.map(Arc::new);
        let parked = std::mem::take(&mut inner.parked);
        inner.jobs.extend(parked);
        drop(inner);
        self.ring(shared);
    }

    /// Puts a job back to the end, to be done with the picture that stands.
    pub fn put_back(&self, shared: &Arc<Shared>, what: What) {
        let not_before = None;
        self.lock().jobs.push_back(Job { what, not_before });
        self.ring(shared);
    }

    fn ring(&self, shared: &Arc<Shared>) {
        let is_known = std::mem::replace(&mut self.lock().in_ring, true);
        if !is_known {
            self.pool.push(shared.clone());
        }
    }

    #[allow(
        clippy::result_large_err,
        reason = "what finds no room goes back to whoever must answer it"
    )]
    fn put(
        &self,
        shared: &Arc<Shared>,
        what: What,
        not_before: Option<Instant>,
        room: usize,
    ) -> Result<(), (What, Failure)> {
        if self.pool.is_closed() {
            return Err((what, Failure::Unavailable));
        }
        {
            let mut inner = self.lock();
            if inner.jobs.len() + inner.parked.len() >= room {
                return Err((what, Lane::full()));
            }
            inner.jobs.push_back(Job { what, not_before });
        }
        self.ring(shared);
        Ok(())
    }

    /// The round is over, and may begin again.
    pub fn end_round(&self) {
        self.in_round.store(false, Ordering::Release);
    }
}

/// Takes in a command that asks for something.
pub fn submit(
    shared: &Arc<Shared>,
    envelope: Envelope,
    outbox: &Arc<dyn Outbox>,
    tag: u64,
) -> Result<(), Failure> {
    let room = Lane::of(&envelope.command).room();
    let asking = Asking {
        envelope,
        outbox: outbox.clone(),
        tag,
        extension: None,
    };
    let put = match &asking.envelope.command {
        Command::Permit(permit::Command::Extend(_)) => {
            return extend(shared, asking, None);
        }
        _ => shared.desk.put(shared, What::Command(asking), None, room),
    };
    put.map_err(|(_, failure)| failure)
}

/// The core has found a verdict out of date: the command is judged anew, with a newer picture.
pub fn again(shared: &Arc<Shared>, envelope: Envelope, outbox: Arc<dyn Outbox>, tag: u64) {
    let now = Instant::now();
    let asking = Asking {
        envelope,
        outbox,
        tag,
        extension: None,
    };
    if matches!(
        asking.envelope.command,
        Command::Permit(permit::Command::Extend(_) | permit::Command::JudgedExtend(_))
    ) {
        // The answer goes to the outbox in any case.
        let _ = extend(shared, asking, Some(now));
        return;
    }
    let room = usize::MAX; // It was let in before.
    if let Err((What::Command(asking), failure)) =
        shared
            .desk
            .put(shared, What::Command(asking), Some(now), room)
    {
        asking.refuse(failure);
    }
}

/// What policies are asked about a permit that wants more stands in the fleet's state.
fn extend(
    shared: &Arc<Shared>,
    asking: Asking,
    not_before: Option<Instant>,
) -> Result<(), Failure> {
    let wanted = match &asking.envelope.command {
        Command::Permit(permit::Command::Extend(extend)) => extend.clone(),
        Command::Permit(permit::Command::JudgedExtend(judged)) => judged.extend.clone(),
        _ => return Ok(()),
    };
    let again = shared.clone();
    let lost = (asking.outbox.clone(), asking.tag);
    let read = move |state: &State| -> Then {
        let request = read::extension(state, &wanted).map(Arc::new);
        Box::new(move |outcome| {
            let desk = &again.desk;
            let put = match (outcome, request) {
                (Err(failure), _) => return asking.refuse(failure),
                // It holds nothing: the core says so.
                (Ok(()), None) => {
                    let lane = Lane::of(&asking.envelope.command);
                    let work = Work::Command {
                        envelope: asking.envelope,
                        outbox: asking.outbox.clone(),
                        tag: asking.tag,
                    };
                    if let Err(failure) = again.inbox.push(lane, work) {
                        asking.outbox.answer(asking.tag, Err(failure));
                        asking.outbox.flush();
                    }
                    return;
                }
                (Ok(()), request) => {
                    let asking = Asking {
                        extension: request,
                        ..asking
                    };
                    desk.put(&again, What::Command(asking), not_before, usize::MAX)
                }
            };
            if let Err((What::Command(asking), failure)) = put {
                asking.refuse(failure);
            }
        })
    };
    let pushed = shared.inbox.push(Lane::Read, Work::Read(Box::new(read)));
    if not_before.is_some()
        && let Err(failure) = &pushed
    {
        let (outbox, tag) = lost;
        outbox.answer(tag, Err(failure.clone()));
        outbox.flush();
    }
    pushed
}

/// Uses the picture, made anew if it is not of now.
pub fn look(shared: &Arc<Shared>, look: Look) {
    let (now, room) = (Instant::now(), Lane::Read.room());
    if let Err((What::Look(look), failure)) =
        shared.desk.put(shared, What::Look(look), Some(now), room)
    {
        look(Err(failure));
    }
}

/// The state has moved: whether policies are asked, and whether permits wait to be judged anew.
pub fn tend(shared: &Arc<Shared>, state: &State) {
    let desk = &shared.desk;
    let changes = state.tool_changes();
    desk.tool_changes.store(changes, Ordering::Relaxed);
    let is_on = state.asks_in_front();
    if desk.is_on.load(Ordering::Relaxed) != is_on {
        desk.is_on.store(is_on, Ordering::Relaxed);
        if is_on {
            // Compiled before the first request comes.
            look(shared, Box::new(|_| ()));
        }
    }
    if state.has_unjudged() && !desk.in_round.swap(true, Ordering::AcqRel) {
        begin_round(shared);
    }
}

/// The writer was recovered: what was known of the state before means nothing.
pub fn forget(shared: &Arc<Shared>) {
    {
        let mut inner = shared.desk.lock();
        inner.sight = None;
        if inner.taken.take().is_some() {
            inner.is_taking = false;
        }
        let parked = std::mem::take(&mut inner.parked);
        inner.jobs.extend(parked);
    }
    shared.desk.ring(shared);
}

/// Judges those who wait anew, the first of them in one go.
fn begin_round(shared: &Arc<Shared>) {
    let to = shared.clone();
    let read = move |state: &State| -> Then {
        let unjudged = read::unjudged(state, ROUND_MAX);
        Box::new(move |outcome| {
            if outcome.is_err() || unjudged.is_empty() {
                return to.desk.end_round();
            }
            let now = Instant::now();
            let round = Arc::new(Round {
                left: AtomicUsize::new(unjudged.len()),
                moved: AtomicBool::new(false),
                shared: to.clone(),
            });
            for read::Unjudged { permit, asked } in unjudged {
                let what = What::Waiting {
                    permit,
                    asked,
                    round: round.clone(),
                };
                if to.desk.put(&to, what, Some(now), usize::MAX).is_err() {
                    round.one_done(false);
                }
            }
        })
    };
    if shared
        .inbox
        .push(Lane::Return, Work::Read(Box::new(read)))
        .is_err()
    {
        shared.desk.end_round();
    }
}

/// A round of waiting permits that are judged anew.
pub struct Round {
    left: AtomicUsize,
    /// Whether it brought anything.
    moved: AtomicBool,
    shared: Arc<Shared>,
}

impl Round {
    /// One of them was judged, or could not be.
    pub fn one_done(&self, moved: bool) {
        self.moved.fetch_or(moved, Ordering::Relaxed);
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        if self.moved.load(Ordering::Relaxed) {
            self.shared.desk.end_round();
            self.shared.inbox.nudge(); // The writer sees whether there are more.
        } else {
            self.shared.desk.pool.rest(self.shared.clone());
        }
    }
}

impl Outbox for Round {
    fn answer(&self, _: u64, answer: Result<Answer, Failure>) {
        self.one_done(matches!(answer, Ok(Ok(Reply::Done { .. }))));
    }
    fn signal(&self, _: Signal) {}
    fn flush(&self) {}
}

/// A waiting permit with its new verdict, on its way to the writer.
pub fn rejudged(shared: &Arc<Shared>, rejudged: Rejudged, round: Arc<Round>) {
    let envelope = Envelope {
        by: Actor::System,
        command: Command::Permit(permit::Command::Rejudge(Box::new(rejudged))),
    };
    let outbox: Arc<dyn Outbox> = round.clone();
    let tag = 0;
    let work = Work::Command {
        envelope,
        outbox,
        tag,
    };
    if shared.inbox.push(Lane::Return, work).is_err() {
        round.one_done(false);
    }
}

/// What a command asks for, as it was asked, and how often it was judged before.
pub fn asked(command: &Command) -> Option<(Arc<Request>, u8)> {
    match command {
        Command::Permit(permit::Command::Request(request)) => Some((request.clone(), 0)),
        Command::Permit(permit::Command::Judged(judged)) => {
            let original = judged.verdict.original.as_ref();
            let asked = original.unwrap_or(&judged.request).clone();
            Some((asked, judged.attempts + 1))
        }
        _ => None,
    }
}

/// The command with what policies said.
pub fn judged(command: &Command, judged: super::Judged, attempts: u8) -> Command {
    let super::Judged { request, verdict } = judged;
    let command = match command {
        Command::Permit(permit::Command::Extend(extend)) => {
            let extend = extend.clone();
            permit::Command::JudgedExtend(Box::new(JudgedExtend {
                extend,
                verdict,
                attempts,
            }))
        }
        Command::Permit(permit::Command::JudgedExtend(judged)) => {
            let extend = judged.extend.clone();
            let attempts = judged.attempts + 1;
            permit::Command::JudgedExtend(Box::new(JudgedExtend {
                extend,
                verdict,
                attempts,
            }))
        }
        _ => permit::Command::Judged(Box::new(Judged {
            request,
            verdict,
            attempts,
        })),
    };
    Command::Permit(command)
}
