//! All fleets of a server over one journal, each opened when first asked for.
use crate::agenda::Agenda;
use crate::clock::{Clock, WallClock};
use crate::handle::{Failure, Handle, Shared};
use crate::heartbeats::Heartbeats;
use crate::inbox::Inbox;
use crate::policies::{Desk, Pool};
use crate::post::Post;
use crate::readers::Readers;
use crate::recall::Recall;
use crate::recall::keeper::Keeper;
use crate::recall::place::{Directory, InMemory, Place};
use crate::recall::shelf::Shelf;
use crate::recover::{Recovered, recover_into};
use crate::scribe::{Line, Scribe};
use crate::service::{End, Service, chain, watch_all};
use crate::snapshots::{retain, save, save_by_following};
use crate::tail::Tail;
use crate::writer::Writer;
use fleet_journal::{FleetKey, Journal, Reader, SnapshotSaver};
use fleet_types::{FleetId, Seq, TenantId};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How fleets are run.
#[derive(Clone)]
pub struct Options {
    /// A snapshot is made when this many events stand after the last one.
    pub snapshot_every: u64,
    /// How many events are kept before the last snapshot; absent: all.
    pub keep_events: Option<u64>,
    /// Answers to request ids kept in memory, for each fleet, about 100 bytes each; older ones are kept on disk.
    pub remembered_max: usize,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Told of every fleet that is opened, the directory aside: whoever does what is due outside begins there.
    pub opened: Option<Opened>,
}

/// Hears of a fleet that was opened.
pub type Opened = Arc<dyn Fn(&FleetKey, &Handle) + Send + Sync>;

impl Default for Options {
    fn default() -> Self {
        Options {
            snapshot_every: 250_000,
            keep_events: None,
            remembered_max: fleet_core::MEMORY_MAX,
            clock: Arc::new(WallClock),
            opened: None,
        }
    }
}

/// How often it is looked whether a snapshot is due.
const LOOK_FOR_SNAPSHOTS: Duration = Duration::from_secs(1);
/// How many times as long as a snapshot took its keeper rests, so that following a busy fleet costs little of a core.
const REST_AFTER_SNAPSHOT: u32 = 20;
/// Bytes of stored answers of a fleet whose journal is in memory: about ten million; past it, new ids are refused.
const IN_MEMORY_BYTES_MAX: usize = 1 << 30;
/// The journal's name of the fleet that holds tenants, fleets and keys.
const DIRECTORY: (&str, &str) = ("system", "directory");

/// All fleets of a server. Cheap to clone.
#[derive(Clone)]
pub struct Fleets {
    inner: Arc<Inner>,
}

struct Inner {
    scribe: Arc<Scribe>,
    readers: Arc<Readers>,
    options: Options,
    fleets: Mutex<HashMap<FleetKey, Open>>,
    directory: Handle,
    saver: Mutex<Box<dyn SnapshotSaver>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    fatal: watch::Sender<Option<String>>,
    stopping: watch::Sender<bool>,
    archive: Archive,
    pool: Arc<Pool>,
}

/// Where answers are kept that memory lets go.
struct Archive {
    /// The journal's directory; absent: in memory, as the journal is.
    dir: Option<PathBuf>,
    keeper: Arc<Keeper>,
}

struct Open {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    snapshot: Seq,
    shelf: Arc<Shelf>,
}

impl Fleets {
    /// Starts on a journal: the scribe, the directory, the keeper of snapshots. Other fleets open when asked for.
    ///
    /// # Errors
    /// When the journal cannot be read or the directory cannot be recovered, in words.
    pub fn start(mut journal: Box<dyn Journal>, options: Options) -> Result<Fleets, String> {
        let saver = journal.snapshot_saver().map_err(|error| chain(&error))?;
        let readers = Readers::open(journal.as_ref()).map_err(|error| chain(&error))?;
        let readers = Arc::new(readers);
        let scribe = Arc::new(Scribe::default());
        let fatal = watch::Sender::new(None);
        let stopping = watch::Sender::new(false);
        let (name, tenant) = (DIRECTORY.1, DIRECTORY.0);
        let key = FleetKey::new(tenant, name).map_err(|error| chain(&error))?;
        let archive = Archive {
            dir: journal.dir().map(Path::to_owned),
            keeper: Arc::default(),
        };
        let mut threads = archive.run(&fatal)?;
        let pool = Arc::new(Pool::new(options.clock.clone()));
        let (service, directory, snapshot) =
            prepare(&key, &scribe, &readers, &options, &archive, &pool)?;
        let scribe_thread = {
            let scribe = scribe.clone();
            let fatal = fatal.clone();
            spawn("scribe", move || {
                let _guard = Guard(fatal);
                scribe.run(journal.as_mut());
            })?
        };
        threads.push(scribe_thread);
        let inner = Arc::new(Inner {
            scribe,
            readers,
            options,
            fleets: Mutex::default(),
            directory: directory.clone(),
            saver: Mutex::new(saver),
            threads: Mutex::new(threads),
            fatal,
            stopping,
            archive,
            pool,
        });
        let fleets = Fleets { inner };
        fleets.run(key, service, directory, snapshot)?;
        fleets.keep_snapshots()?;
        Ok(fleets)
    }

    /// The directory: tenants, fleets, keys.
    #[must_use]
    pub fn directory(&self) -> Handle {
        self.inner.directory.clone()
    }

    /// A fleet's handle; `None` if the directory does not know it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn get(&self, tenant: &TenantId, fleet: &FleetId) -> Result<Option<Handle>, Failure> {
        let Ok(key) = FleetKey::new(tenant.as_str(), fleet.as_str()) else {
            return Ok(None);
        };
        if key.tenant() == DIRECTORY.0 {
            return Ok(None);
        }
        if let Some(open) = self.lock().get(&key) {
            return Ok(Some(open.handle.clone()));
        }
        let (tenant, fleet) = (tenant.clone(), fleet.clone());
        let known = self.inner.directory.read(move |state| {
            let tenants = fleet_core::read::directory(state);
            tenants
                .iter()
                .any(|(id, fleets, _)| *id == tenant && fleets.contains(&fleet))
        });
        if !known.await? {
            return Ok(None);
        }
        let fleets = self.clone();
        let opened = tokio::task::spawn_blocking(move || fleets.open(key)).await;
        match opened {
            Ok(Ok(handle)) => Ok(Some(handle)),
            Ok(Err(why)) => {
                tracing::error!(%why, "failed to open a fleet");
                Err(Failure::Unavailable)
            }
            Err(_) => Err(Failure::Unavailable),
        }
    }

    /// Where the journal and all that goes with it is kept; `None` when it is kept in memory.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.inner.archive.dir.as_deref()
    }

    /// Waits until the server must stop because its journal cannot be trusted any more; says why.
    pub async fn fatal(&self) -> String {
        let mut fatal = self.inner.fatal.subscribe();
        match fatal.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// The open fleets that are read-only now, in order.
    #[must_use]
    pub fn read_only(&self) -> Vec<FleetKey> {
        let fleets = self.lock();
        let open = fleets.iter().filter(|(_, open)| open.handle.is_read_only());
        let mut keys: Vec<FleetKey> = open.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        keys
    }

    /// Whether the server must stop.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.inner.fatal.borrow().is_some()
    }

    /// Finishes what was taken, saves snapshots, then stops: nothing acknowledged is lost.
    pub async fn stop(&self) {
        let fleets = self.clone();
        if tokio::task::spawn_blocking(move || fleets.stop_now())
            .await
            .is_err()
        {
            tracing::error!("failed to stop in order");
        }
    }

    /// As [`Fleets::stop`], on this thread.
    pub fn stop_now(&self) {
        self.inner.stopping.send_replace(true);
        self.inner.pool.close();
        let threads: Vec<JoinHandle<()>> = {
            let mut fleets = self.lock();
            for open in fleets.values() {
                open.handle.shared.inbox.close();
            }
            fleets
                .values_mut()
                .filter_map(|open| open.thread.take())
                .collect()
        };
        join(threads);
        self.inner.archive.keeper.close();
        self.inner.scribe.close();
        let threads = std::mem::take(
            &mut *self
                .inner
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        join(threads);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<FleetKey, Open>> {
        self.inner
            .fleets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, key: FleetKey) -> Result<Handle, String> {
        let inner = &self.inner;
        let (service, handle, snapshot) = prepare(
            &key,
            &inner.scribe,
            &inner.readers,
            &inner.options,
            &inner.archive,
            &inner.pool,
        )?;
        self.run(key, service, handle, snapshot)
    }

    /// Starts a fleet's thread, unless somebody else has just done so.
    fn run(
        &self,
        key: FleetKey,
        service: Service,
        handle: Handle,
        snapshot: Seq,
    ) -> Result<Handle, String> {
        let mut fleets = self.lock();
        if let Some(open) = fleets.get(&key) {
            return Ok(open.handle.clone());
        }
        let shelf = service.writer.recall().shelf().clone();
        if *self.inner.stopping.borrow() {
            return Err("the server is stopping".into());
        }
        let (weak, name) = (Arc::downgrade(&self.inner), key.clone());
        let fatal = self.inner.fatal.clone();
        let thread = spawn(&format!("fleet {key}"), move || {
            let _guard = Guard(fatal.clone());
            match service.run() {
                End::Fatal(why) => {
                    tracing::error!(fleet = %name, %why, "fleet cannot go on");
                    fatal.send_replace(Some(why));
                }
                End::Closed(mut writer) => {
                    if let Some(inner) = weak.upgrade() {
                        inner.save_last(&name, &mut writer);
                    }
                }
            }
        })?;
        let open = Open {
            handle: handle.clone(),
            thread: Some(thread),
            snapshot,
            shelf,
        };
        if key.tenant() != DIRECTORY.0
            && let Some(opened) = &self.inner.options.opened
        {
            opened(&key, &handle);
        }
        fleets.insert(key, open);
        Ok(handle)
    }

    /// The thread that makes snapshots.
    fn keep_snapshots(&self) -> Result<(), String> {
        let weak = Arc::downgrade(&self.inner);
        let thread = spawn("snapshots", move || {
            let mut pause = LOOK_FOR_SNAPSHOTS;
            loop {
                std::thread::sleep(pause);
                let Some(inner) = weak.upgrade() else { return };
                if *inner.stopping.borrow() {
                    return;
                }
                let began = Instant::now();
                inner.save_due();
                pause = LOOK_FOR_SNAPSHOTS.max(began.elapsed() * REST_AFTER_SNAPSHOT);
            }
        })?;
        drop(thread); // Ends by itself; a stop need not wait for it.
        Ok(())
    }
}

impl Inner {
    fn save_due(&self) {
        let due: Vec<(FleetKey, Arc<Shelf>)> = {
            let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
            let every = self.options.snapshot_every;
            fleets
                .iter()
                .filter(|(_, open)| open.handle.durable().0 >= open.snapshot.0 + every)
                .map(|(key, open)| (key.clone(), open.shelf.clone()))
                .collect()
        };
        for (key, shelf) in due {
            let saved = {
                let mut saver = self.saver.lock().unwrap_or_else(PoisonError::into_inner);
                let remembered_max = self.options.remembered_max;
                let saver = saver.as_mut();
                let save = |reader: &mut dyn Reader| {
                    save_by_following(reader, saver, &shelf, remembered_max)
                };
                self.readers.lend(save)
            };
            match saved {
                Ok(seq) => {
                    let mut fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(open) = fleets.get_mut(&key) {
                        open.snapshot = seq;
                    }
                    retain(&self.scribe, &key, seq, self.options.keep_events);
                }
                Err(why) => tracing::error!(fleet = %key, %why, "failed to save a snapshot"),
            }
        }
    }

    /// A snapshot at the end of a graceful stop makes the next start short.
    fn save_last(&self, key: &FleetKey, writer: &mut Writer) {
        let snapshot = {
            let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
            fleets.get(key).map_or(Seq(0), |open| open.snapshot)
        };
        if writer.seq() == snapshot {
            return;
        }
        let mut saver = self.saver.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = writer
            .flush()
            .and_then(|()| save(saver.as_mut(), key, writer.state()));
        if let Err(why) = saved {
            tracing::warn!(fleet = %key, %why, "failed to save the last snapshot; the next start replays more");
        }
    }
}

/// Recovers a fleet and makes what its thread needs.
fn prepare(
    key: &FleetKey,
    scribe: &Arc<Scribe>,
    readers: &Arc<Readers>,
    options: &Options,
    archive: &Archive,
    pool: &Arc<Pool>,
) -> Result<(Service, Handle, Seq), String> {
    let mut recall = archive.open(key, options).map_err(|error| error.chain())?;
    let recovered = readers.lend(|reader| recover_into(reader, key, &mut recall));
    let recovered = recovered.map_err(|error| chain(&error))?;
    let Recovered {
        state,
        epoch,
        snapshot,
        replayed,
        .. // What is missing is said in the log: to serve without it is better than not at all.
    } = recovered;
    let shelf = recall.shelf();
    shelf
        .cut(state.seq(), state.now())
        .map_err(|error| error.chain())?;
    archive.keeper.add(shelf);
    tracing::info!(fleet = %key, seq = state.seq().0, replayed, "recovered");
    let shared = Arc::new(Shared {
        inbox: Inbox::default(),
        post: Post::default(),
        heartbeats: Heartbeats::default(),
        tail: Tail::new(key.clone(), state.seq(), readers.clone()),
        agenda: Agenda::default(),
        read_only: AtomicBool::default(),
        desk: Desk::new(pool.clone()),
    });
    let line = Arc::new(Line::new(key.clone(), shared.clone()));
    let writer = Writer::with_recall(state, epoch, recall);
    watch_all(&writer, &line);
    let clock = options.clock.clone();
    let service = Service::new(writer, line, scribe.clone(), clock, readers.clone());
    Ok((service, Handle { shared }, snapshot))
}

impl Archive {
    /// Starts the threads that store and merge.
    fn run(&self, fatal: &watch::Sender<Option<String>>) -> Result<Vec<JoinHandle<()>>, String> {
        let run = |name: &str, work: fn(&Keeper)| {
            let (keeper, fatal) = (self.keeper.clone(), fatal.clone());
            spawn(name, move || {
                let _guard = Guard(fatal);
                work(&keeper);
            })
        };
        Ok(vec![
            run("answers", Keeper::store)?,
            run("merge", Keeper::tidy)?,
        ])
    }

    fn open(&self, key: &FleetKey, options: &Options) -> Result<Recall, fleet_journal::Error> {
        let place: Box<dyn Place> = match &self.dir {
            Some(dir) => Box::new(Directory::open(dir, key)?),
            None => Box::new(InMemory::with_room(IN_MEMORY_BYTES_MAX)),
        };
        let shelf = Arc::new(Shelf::open(key.clone(), place)?);
        let keeper = Some(self.keeper.clone());
        Ok(Recall::new(shelf, keeper, options.remembered_max))
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.keeper.close();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder
        .spawn(run)
        .map_err(|error| format!("start thread {name}: {error}"))
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if thread.join().is_err() {
            tracing::error!(thread = name, "a thread had panicked");
        }
    }
}

/// Says that the server must stop when a thread dies of a broken invariant.
struct Guard(watch::Sender<Option<String>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .send_replace(Some("an invariant was broken; see the log above".into()));
        }
    }
}
