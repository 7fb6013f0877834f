//! Who is connected here, and the delivery of signals to them.
use crate::handle::Outbox;
use fleet_core::signal::{Signal, To};
use fleet_types::Epoch;
use fleet_types::instance::InstanceKey;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SendError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Signals handed out by whoever brings them; more are left to a courier.
const AT_ONCE_MAX: usize = 64;
/// A courier pauses, hands out so many, and pauses again, so that ten thousand who are told the same do not keep the answers of
/// others waiting: a halt reaches all of them within 100 ms, and whoever ordered it hears at once that it stands.
const PER_ROUND: usize = 128;
const PAUSE: Duration = Duration::from_millis(1);
/// Rounds that may wait for the courier; whoever brings more waits.
const ROUNDS_MAX: usize = 4_096;

/// Outboxes of the connected instances.
#[derive(Default)]
pub struct Post {
    boxes: Mutex<HashMap<InstanceKey, Attached>>,
    /// None where the system gives us no thread.
    courier: OnceLock<Option<Courier>>,
}

/// A thread that hands out what is for many; ends with the post.
struct Courier {
    rounds: SyncSender<Vec<Letter>>,
    /// Rounds that are not at their end. While there are some, whatever is new goes behind them: signals keep their order.
    open: Arc<AtomicUsize>,
}

type Letter = (Arc<dyn Outbox>, Signal);

struct Attached {
    epoch: Epoch,
    outbox: Arc<dyn Outbox>,
}

impl Courier {
    fn start() -> Option<Courier> {
        let (rounds, taken) = mpsc::sync_channel::<Vec<Letter>>(ROUNDS_MAX);
        let open = Arc::new(AtomicUsize::new(0));
        let done = open.clone();
        let walk = move || {
            for round in taken {
                let many = round.len() > AT_ONCE_MAX;
                for letters in round.chunks(PER_ROUND) {
                    if many {
                        std::thread::sleep(PAUSE);
                    }
                    hand_out(letters);
                }
                done.fetch_sub(1, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new().name("courier".into());
        thread.spawn(walk).ok()?;
        Some(Courier { rounds, open })
    }

    fn is_busy(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    fn take(&self, round: Vec<Letter>) {
        self.open.fetch_add(1, Ordering::Acquire);
        if let Err(SendError(round)) = self.rounds.send(round) {
            hand_out(&round); // It listens as long as nothing that it hands out panics.
        }
    }
}

fn hand_out(letters: &[Letter]) {
    for (outbox, signal) in letters {
        outbox.signal(signal.clone());
    }
    for (outbox, _) in letters {
        outbox.flush();
    }
}

impl Post {
    /// Signals go to `outbox` from now on. Whoever received them before is told that its session has ended.
    pub fn attach(&self, key: &InstanceKey, epoch: Epoch, outbox: &Arc<dyn Outbox>) {
        let attached = Attached {
            epoch,
            outbox: outbox.clone(),
        };
        let before = self.lock().insert(key.clone(), attached);
        if let Some(before) = before
            && !Arc::ptr_eq(&before.outbox, outbox)
        {
            let epoch = before.epoch;
            before.outbox.signal(Signal::Ended { epoch });
            before.outbox.flush();
        }
    }

    /// This outbox receives nothing more; one that has taken its place stays.
    pub fn detach(&self, key: &InstanceKey, outbox: &Arc<dyn Outbox>) {
        let mut boxes = self.lock();
        let attached = boxes.get(key);
        if attached.is_some_and(|attached| Arc::ptr_eq(&attached.outbox, outbox)) {
            boxes.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceKey, Attached>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out signals in order. Whoever is not connected learns the same when it comes back.
    pub fn deliver(&self, signals: Vec<(To, Signal)>) {
        if signals.is_empty() {
            return;
        }
        let mut letters: Vec<Letter> = Vec::new();
        {
            let boxes = self.lock();
            for (to, signal) in signals {
                match to {
                    To::One(key) => {
                        let attached = boxes.get(&key);
                        letters.extend(attached.map(|to| (to.outbox.clone(), signal)));
                    }
                    To::Everybody => {
                        let all = boxes.values();
                        letters.extend(all.map(|to| (to.outbox.clone(), signal.clone())));
                    }
                }
            }
        }
        if letters.is_empty() {
            return; // Nobody of them is connected here.
        }
        let courier = match letters.len() > AT_ONCE_MAX {
            true => self.courier.get_or_init(Courier::start).as_ref(),
            false => self.courier.get().and_then(Option::as_ref),
        };
        let courier = courier.filter(|courier| letters.len() > AT_ONCE_MAX || courier.is_busy());
        match courier {
            Some(courier) => courier.take(letters),
            None => hand_out(&letters),
        }
    }
}
