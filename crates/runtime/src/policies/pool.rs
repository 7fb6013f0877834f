//! The threads that evaluate policies, for all fleets of a server, and the one that watches them.
//!
//! They begin with the first fleet that has policies or tools. Bounds on an evaluation are the crates' `policy` and `schema`; one
//! that does not keep them (a comparison that never ends) is abandoned here: its module or schema is not asked again, its thread
//! is left to itself, and another takes its place, a few times.
use crate::clock::Clock;
use crate::handle::{Failure, Shared};
use crate::inbox::Lane;
use crate::policies::desk::{self, REST, Task, What};
use crate::policies::picture::Sight;
use crate::policies::tools::Tool;
use crate::writer::Work;
use fleet_policy::{Module, STACK_BYTES, compile, hash};
use fleet_types::policy::{Hash, Rejudged};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A fleet's turn on a thread, in time and in jobs.
const TURN: Duration = Duration::from_millis(1);
/// Threads at most: more only compete with the writers.
const THREADS_MAX: usize = 8;
/// An evaluation that takes so long keeps no bounds.
const STUCK: Duration = Duration::from_secs(5);
/// Threads that may be left to themselves; then those that are left must do.
const LOST_MAX: usize = 8;
/// How often the watcher looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a stop waits for what was taken in.
const PATIENCE: Duration = Duration::from_secs(5);
/// Modules that are kept compiled, of all fleets.
const MODULES_MAX: usize = 4_096;

/// The threads that evaluate policies.
pub struct Pool {
    clock: Arc<dyn Clock>,
    ring: Mutex<Ring>,
    filled: Condvar,
    modules: Modules,
    closed: AtomicBool,
    lost: AtomicUsize,
    watched: Mutex<Vec<Arc<Watched>>>,
    resting: Mutex<Vec<(Instant, Arc<Shared>)>>,
}

#[derive(Default)]
struct Ring {
    /// Fleets with work, each once.
    fleets: VecDeque<Arc<Shared>>,
    started: bool,
    working: usize,
}

/// A compiled module, or why it does not compile.
pub type Compiled = Result<Arc<Module>, Arc<str>>;

/// Compiled modules by the hash of their text.
#[derive(Default)]
pub struct Modules {
    by_hash: Mutex<HashMap<Hash, Compiled>>,
}

impl Modules {
    /// The module of a text, compiled if need be. A text that is not what was hashed is none.
    pub fn get(&self, of: &Hash, text: &str) -> Compiled {
        if let Some(known) = lock(&self.by_hash).get(of) {
            return known.clone();
        }
        let module = match hash(text) == *of {
            true => compile(text)
                .map(Arc::new)
                .map_err(|fault| Arc::from(fault.to_string())),
            false => Err("its text is not the one that was set".into()),
        };
        if let Err(why) = &module {
            tracing::error!(hash = %of, %why, "a policy does not compile in this build; whatever it looks at is denied");
        }
        let mut by_hash = lock(&self.by_hash);
        if by_hash.len() >= MODULES_MAX {
            by_hash.retain(|_, module| {
                module
                    .as_ref()
                    .is_ok_and(|module| Arc::strong_count(module) > 1 || module.is_abandoned())
            });
        }
        by_hash.insert(of.clone(), module.clone());
        module
    }
}

/// What an evaluation runs.
pub enum Running {
    /// A module.
    Policy(Arc<Module>),
    /// The schema of a tool's arguments.
    Tool(Arc<Tool>),
}

impl Running {
    /// It is not asked again until it is changed; what it is, in words.
    fn abandon(&self) -> String {
        match self {
            Running::Policy(module) => {
                module.abandon();
                "a policy".into()
            }
            Running::Tool(tool) => {
                tool.abandon();
                format!("the schema of the tool {}", tool.id())
            }
        }
    }
}

/// What a thread is at.
#[derive(Default)]
struct Watched {
    at: Mutex<Option<At>>,
}

struct At {
    since: Instant,
    running: Option<Running>,
    shared: Arc<Shared>,
    what: Option<What>,
}

impl Watched {
    fn begin(&self, shared: &Arc<Shared>, what: Option<What>) {
        *lock(&self.at) = Some(At {
            since: Instant::now(),
            running: None,
            shared: shared.clone(),
            what,
        });
    }

    fn began(&self, running: Running) {
        if let Some(at) = &mut *lock(&self.at) {
            at.since = Instant::now();
            at.running = Some(running);
        }
    }

    /// What it was at, unless it was left to itself.
    fn end(&self) -> Option<At> {
        lock(&self.at).take()
    }
}

impl Pool {
    /// A pool whose threads begin when there is work.
    pub fn new(clock: Arc<dyn Clock>) -> Pool {
        Pool {
            clock,
            ring: Mutex::default(),
            filled: Condvar::new(),
            modules: Modules::default(),
            closed: AtomicBool::new(false),
            lost: AtomicUsize::new(0),
            watched: Mutex::default(),
            resting: Mutex::default(),
        }
    }

    /// What tells the time of evaluations.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// A fleet has work, and is not in the ring.
    pub fn push(self: &Arc<Self>, shared: Arc<Shared>) {
        let mut ring = lock(&self.ring);
        ring.fleets.push_back(shared);
        let start = !std::mem::replace(&mut ring.started, true);
        drop(ring);
        if start {
            self.start();
        }
        self.filled.notify_one();
    }

    /// A round that brought nothing begins again in a while.
    pub fn rest(&self, shared: Arc<Shared>) {
        lock(&self.resting).push((Instant::now() + REST, shared));
    }

    /// Whether nothing more is taken in.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Takes nothing in any more, and waits until what was taken in is done.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        loop {
            let ring = lock(&self.ring);
            if ring.fleets.is_empty() && ring.working == 0 || begun.elapsed() > PATIENCE {
                break;
            }
            drop(ring);
            std::thread::sleep(Duration::from_millis(1));
        }
        self.filled.notify_all();
    }

    fn start(self: &Arc<Self>) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads.min(THREADS_MAX) {
            self.spawn();
        }
        let pool = self.clone();
        let watch = std::thread::Builder::new().name("policies-watch".into());
        if let Err(error) = watch.spawn(move || pool.watch()) {
            tracing::error!(%error, "failed to start the thread that watches policies");
        }
    }

    fn spawn(self: &Arc<Self>) {
        let pool = self.clone();
        let thread = std::thread::Builder::new()
            .name("policies".into())
            .stack_size(STACK_BYTES);
        if let Err(error) = thread.spawn(move || pool.work()) {
            tracing::error!(%error, "failed to start a thread for policies");
        }
    }

    fn work(self: &Arc<Self>) {
        let watched = Arc::new(Watched::default());
        lock(&self.watched).push(watched.clone());
        loop {
            let shared = {
                let ring = lock(&self.ring);
                let empty = |ring: &mut Ring| ring.fleets.is_empty() && !self.is_closed();
                let ring = self.filled.wait_while(ring, empty);
                let mut ring = ring.unwrap_or_else(PoisonError::into_inner);
                let Some(shared) = ring.fleets.pop_front() else {
                    break;
                };
                ring.working += 1;
                shared
            };
            shared.desk.visited();
            let is_lost = !self.turn(&shared, &watched);
            lock(&self.ring).working -= 1;
            if is_lost {
                return; // Another thread has taken its place, and does its work.
            }
        }
        lock(&self.watched).retain(|other| !Arc::ptr_eq(other, &watched));
    }

    /// Works for one fleet for a while. False when it took so long that it was left to itself.
    fn turn(self: &Arc<Self>, shared: &Arc<Shared>, watched: &Watched) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < TURN {
            let Some(task) = shared.desk.take(shared) else {
                return true;
            };
            match task {
                Task::Build(picture, at, before) => {
                    let sight = Sight::build(picture, at, before.as_deref(), &self.modules);
                    shared.desk.built(shared, sight);
                }
                Task::Do(what, sight) => {
                    if !self.one(shared, what, &sight, watched) {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn one(&self, shared: &Arc<Shared>, what: What, sight: &Arc<Sight>, watched: &Watched) -> bool {
        let now = self.clock.now();
        let (request, extends) = match &what {
            What::Look(_) => {
                watched.begin(shared, None);
                if let What::Look(look) = what {
                    look(Ok((sight, &mut |running| watched.began(running))));
                }
                return watched.end().is_some();
            }
            What::Waiting { asked, .. } => (asked.clone(), false),
            What::Command(asking) => {
                let request = desk::asked(&asking.envelope.command).map(|(request, _)| request);
                match request.or_else(|| asking.extension.clone()) {
                    Some(request) => (request, asking.extension.is_some()),
                    None => {
                        if let What::Command(asking) = what {
                            asking.refuse(Failure::Unavailable);
                        }
                        return true;
                    }
                }
            }
        };
        watched.begin(shared, Some(what));
        let judged = sight.judge(&request, now, extends, &mut |running| {
            watched.began(running)
        });
        let Some(At {
            what: Some(what), ..
        }) = watched.end()
        else {
            return false;
        };
        match what {
            What::Command(asking) => {
                let command = &asking.envelope.command;
                let attempts = desk::asked(command).map_or(0, |(_, attempts)| attempts);
                let mut envelope = asking.envelope.clone();
                envelope.command = desk::judged(command, judged, attempts);
                let lane = Lane::of(&envelope.command);
                let work = Work::Command {
                    envelope,
                    outbox: asking.outbox.clone(),
                    tag: asking.tag,
                };
                if let Err(failure) = shared.inbox.push(lane, work) {
                    asking.refuse(failure);
                }
            }
            What::Waiting { permit, round, .. } => {
                let rejudged = Rejudged {
                    permit,
                    request: judged.request,
                    verdict: judged.verdict,
                };
                desk::rejudged(shared, rejudged, round);
            }
            What::Look(_) => {}
        }
        true
    }

    /// Abandons what keeps no bounds, and lets rounds begin again.
    fn watch(self: &Arc<Self>) {
        while !self.is_closed() {
            std::thread::sleep(LOOK_EVERY);
            let threads = lock(&self.watched).clone();
            for watched in threads {
                let mut at = lock(&watched.at);
                let is_stuck = |at: &mut At| at.since.elapsed() > STUCK;
                let Some(at) = at.take_if(is_stuck) else {
                    continue;
                };
                lock(&self.watched).retain(|other| !Arc::ptr_eq(other, &watched));
                self.abandon(at);
            }
            let due: Vec<Arc<Shared>> = {
                let mut resting = lock(&self.resting);
                let now = Instant::now();
                let due = resting.extract_if(.., |(until, _)| *until <= now);
                due.map(|(_, shared)| shared).collect()
            };
            for shared in due {
                shared.desk.end_round();
                shared.inbox.nudge();
            }
        }
    }

    fn abandon(self: &Arc<Self>, at: At) {
        match at.running {
            Some(running) => {
                let what = running.abandon();
                tracing::error!(
                    %what,
                    "it kept no bounds and was abandoned; what it looks at is denied until it is changed"
                );
                if let Some(what) = at.what {
                    at.shared.desk.put_back(&at.shared, what);
                }
            }
            // It would take as long again.
            None => {
                tracing::error!(
                    "what is asked in front of the queue took so long that it was abandoned"
                );
                if let Some(what) = at.what {
                    what.fail(Failure::Unavailable);
                }
            }
        }
        if self.lost.fetch_add(1, Ordering::Relaxed) < LOST_MAX {
            self.spawn();
        } else {
            tracing::error!(
                "too many threads were lost to policies and tools; restart the server when these are changed"
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
