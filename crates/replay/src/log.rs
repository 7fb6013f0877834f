//! What the record says of permits: when they were granted, how they ended, how long an action typically takes.
use ahash::AHashMap;
use fleet_core::{State, read};
use fleet_types::permit::{Ending, ViewState};
use fleet_types::{ActionName, Event, Millis, PermitId, Record, Time};

/// What the record says, as of the record that was taken last.
#[derive(Clone, Default)]
pub struct Log {
    /// Those that hold: since when, for which action.
    held: AHashMap<PermitId, (Time, ActionName)>,
    typical: AHashMap<ActionName, Typical>,
}

/// How long an action took, over all that were completed so far.
#[derive(Clone, Default)]
struct Typical {
    count: u64,
    micros: u64,
}

impl Log {
    /// Of a fleet as it stands at the fork.
    pub fn at(state: &State) -> Log {
        let mut log = Log::default();
        each_permit(state, |view| {
            if let (ViewState::Granted | ViewState::Extending, Some(at)) =
                (view.state, view.granted_at)
            {
                log.held.insert(view.permit, (at, view.request.action));
            }
        });
        log
    }

    pub fn granted_at(&self, permit: PermitId) -> Option<Time> {
        self.held.get(&permit).map(|(at, _)| *at)
    }

    /// How long an action took so far, on average of those that were completed.
    pub fn typical(&self, action: &ActionName) -> Option<Millis> {
        let typical = self.typical.get(action)?;
        Some(Millis(typical.micros / typical.count / 1_000))
    }

    pub fn take(&mut self, record: &Record) {
        match &record.event {
            Event::PermitGranted(event) => {
                let of = (record.at, event.request.action.clone());
                self.held.insert(event.permit, of);
            }
            Event::PermitFinished(event) => {
                let Some((since, action)) = self.held.remove(&event.finish.permit) else {
                    return;
                };
                if event.finish.ending == Ending::Completed {
                    let typical = self.typical.entry(action).or_default();
                    typical.count += 1;
                    typical.micros += record.at.micros_since(since);
                }
            }
            _ => {
                // Also of permits that waited; they are not known here.
                for permit in ended(&record.event) {
                    self.held.remove(permit);
                }
            }
        }
    }
}

/// Permits that ended by an event without their holder's word.
pub fn ended(event: &Event) -> &[PermitId] {
    match event {
        Event::PermitExpired(event) => std::slice::from_ref(&event.permit),
        Event::HaltOrdered(event) => &event.revoked,
        Event::InstanceConnected(event) => &event.released,
        Event::InstanceDisconnected(event) | Event::InstanceFailed(event) => &event.released,
        _ => &[],
    }
}

/// Every live permit of a state.
pub fn each_permit(state: &State, mut each: impl FnMut(fleet_types::permit::View)) {
    let mut after = None;
    loop {
        let filter = read::PermitFilter::default();
        let page = read::permits(state, &filter, after.as_deref(), read::COUNT_MAX);
        page.items.into_iter().for_each(&mut each);
        after = page.next;
        if after.is_none() {
            return;
        }
    }
}
