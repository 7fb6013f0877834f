//! The one thread that writes a store: it takes the turns of all fleets that wait, appends them in one
//! transaction, and after the sync releases what each turn held back, in order (I3).
//!
//! While one transaction syncs, writers fill the next: that is the group commit; nothing waits for a timer.
use crate::handle::{Failure, Shared};
use crate::policies;
use crate::turn::Turn;
use fleet_journal::{Batch, FleetKey, Journal, Outcome};
use fleet_types::{Epoch, Seq};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Turns of one fleet in the scribe's hands: one that syncs and one that is ready. More would only make the
/// transactions smaller and the answers later.
const IN_FLIGHT_MAX: u32 = 2;
/// Records put into one transaction at most, so that the first of them is not kept waiting for the last.
const RECORDS_PER_APPEND_MAX: usize = 16_384;

/// A fleet's line to the scribe: how many turns are under way, and whether one went wrong.
pub struct Line {
    pub key: FleetKey,
    pub shared: Arc<Shared>,
    state: Mutex<LineState>,
    moved: Condvar,
}

#[derive(Default)]
struct LineState {
    in_flight: u32,
    /// The epoch whose append went wrong, and how.
    broken: Option<(Epoch, Failure)>,
}

impl Line {
    pub fn new(key: FleetKey, shared: Arc<Shared>) -> Self {
        Line {
            key,
            shared,
            state: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the writer of this epoch came to grief, if it did.
    pub fn broken(&self, epoch: Epoch) -> Option<Failure> {
        let state = self.lock();
        let broken = state.broken.as_ref();
        broken
            .filter(|(broken, _)| *broken == epoch)
            .map(|(_, failure)| failure.clone())
    }

    /// Waits until nothing is under way.
    pub fn settle(&self) {
        let idle = |state: &mut LineState| state.in_flight > 0;
        let state = self.moved.wait_while(self.lock(), idle);
        drop(state.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.lock().in_flight == 0
    }

    fn board(&self) -> bool {
        let full = |state: &mut LineState| state.in_flight >= IN_FLIGHT_MAX;
        let state = self.moved.wait_while(self.lock(), full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let alone = state.in_flight == 0;
        state.in_flight += 1;
        alone
    }

    fn leave(&self) {
        self.lock().in_flight -= 1;
        self.moved.notify_all();
    }
}

/// Something for the scribe to do.
enum Order {
    Append(Written),
    Prune { fleet: FleetKey, upto: Seq },
}

#[derive(Default)]
struct Desk {
    orders: VecDeque<Order>,
    asleep: bool,
    closed: bool,
}

/// The writers' end. Bounded by [`IN_FLIGHT_MAX`] turns a fleet.
#[derive(Default)]
pub struct Scribe {
    desk: Mutex<Desk>,
    filled: Condvar,
}

impl Scribe {
    /// Hands a turn over; waits while the fleet has too many under way. It is encoded here, by the writer's thread,
    /// while the scribe syncs the one before.
    /// What needs no write and follows nothing unwritten is released at once.
    pub fn append(&self, line: &Arc<Line>, epoch: Epoch, turn: Turn) {
        let batches = turn.batches(&line.key, epoch);
        let alone = line.board();
        if alone && turn.records.is_empty() {
            // What it tells may follow from a turn that was under way a moment ago, and failed.
            let broken = line.broken(epoch);
            let went_wrong = broken.is_some();
            release(line, turn, broken);
            line.leave();
            if went_wrong {
                line.shared.inbox.nudge();
            }
            return;
        }
        let line = line.clone();
        self.put(Order::Append(Written {
            line,
            epoch,
            turn,
            batches,
        }));
    }

    /// Asks for old batches to be pruned.
    pub fn prune(&self, fleet: FleetKey, upto: Seq) {
        self.put(Order::Prune { fleet, upto });
    }

    fn put(&self, order: Order) {
        let mut desk = self.lock();
        desk.orders.push_back(order);
        let asleep = std::mem::replace(&mut desk.asleep, false);
        drop(desk);
        if asleep {
            self.filled.notify_one();
        }
    }

    /// Lets the thread end when everything is written.
    pub fn close(&self) {
        let mut desk = self.lock();
        desk.closed = true;
        desk.asleep = false;
        drop(desk);
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's work: returns when closed and empty.
    pub fn run(&self, journal: &mut dyn Journal) {
        loop {
            let orders = self.take(journal);
            if orders.is_empty() {
                return;
            }
            for order in group(orders) {
                match order {
                    Group::Append(turns) => append(journal, turns),
                    Group::Prune(fleet, upto) => match journal.prune(&fleet, upto.0) {
                        Ok(pruned) => {
                            tracing::info!(%fleet, batches = pruned.batches, "pruned the journal");
                        }
                        Err(error) => {
                            tracing::error!(%fleet, %error, "failed to prune the journal");
                        }
                    },
                }
            }
        }
    }

    fn take(&self, journal: &mut dyn Journal) -> VecDeque<Order> {
        let mut desk = self.lock();
        if desk.orders.is_empty() && !desk.closed {
            drop(desk);
            if let Err(error) = journal.tend() {
                tracing::warn!(%error, "failed to tend the journal");
            }
            desk = self.lock();
        }
        if desk.orders.is_empty() && !desk.closed {
            desk.asleep = true;
            let asleep = |desk: &mut Desk| desk.asleep;
            let woken = self.filled.wait_while(desk, asleep);
            desk = woken.unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut desk.orders)
    }
}

/// A turn, with its records as they go to the journal.
struct Written {
    line: Arc<Line>,
    epoch: Epoch,
    turn: Turn,
    batches: Vec<Batch>,
}

enum Group {
    Append(Vec<Written>),
    Prune(FleetKey, Seq),
}

/// Puts neighbouring turns into one transaction.
fn group(orders: VecDeque<Order>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut records = 0;
    for order in orders {
        match order {
            Order::Append(written) => {
                records += written.turn.records.len();
                match groups.last_mut() {
                    Some(Group::Append(turns)) if records <= RECORDS_PER_APPEND_MAX => {
                        turns.push(written);
                    }
                    _ => {
                        records = written.turn.records.len();
                        groups.push(Group::Append(vec![written]));
                    }
                }
            }
            Order::Prune { fleet, upto } => groups.push(Group::Prune(fleet, upto)),
        }
    }
    groups
}

fn append(journal: &mut dyn Journal, mut turns: Vec<Written>) {
    let sound = turns
        .iter_mut()
        .filter(|w| w.line.broken(w.epoch).is_none());
    let batches: Vec<Batch> = sound
        .flat_map(|written| std::mem::take(&mut written.batches))
        .collect();
    let outcome = if batches.is_empty() {
        Outcome::Committed
    } else {
        journal.append(&batches)
    };
    let failure = match outcome {
        Outcome::Committed => None,
        Outcome::Failed(error) => {
            tracing::error!(
                error = error.chain(),
                "failed to append; nothing was written"
            );
            Some(Failure::ReadOnly(error.chain()))
        }
        Outcome::Unknown(error) => {
            tracing::error!(
                error = error.chain(),
                "failed to learn whether the append was written"
            );
            Some(Failure::Unknown)
        }
    };
    for Written {
        line, epoch, turn, ..
    } in turns
    {
        if let Some(failure) = &failure
            && !turn.records.is_empty()
        {
            line.lock().broken = Some((epoch, failure.clone()));
        }
        let broken = line.broken(epoch);
        let went_wrong = broken.is_some();
        release(&line, turn, broken);
        line.leave();
        if went_wrong {
            line.shared.inbox.nudge();
        }
    }
}

/// Lets go what a turn held back: answers, then signals, then the stream of records.
fn release(line: &Line, mut turn: Turn, broken: Option<Failure>) {
    let shared = &line.shared;
    if broken.is_none() {
        for record in &turn.records {
            shared.heartbeats.follow(record);
        }
        shared.agenda.follow(&turn.records);
    }
    turn.answer(broken.as_ref(), |envelope, outbox, tag| {
        policies::again(shared, envelope, outbox, tag);
    });
    if broken.is_none() {
        shared.post.deliver(turn.signals);
        shared.tail.push(turn.records);
    }
}
