//! The dependency graph of each fleet, kept up with its journal beside the writer: one follower for each open fleet.
//!
//! The view is saved now and then and when the server stops; a start reads what was saved and the records after it, or
//! all records if that does not fit. It folds in chunks, several times a second at most, so that the writer keeps its
//! core; whoever reads waits until the view has come to where the fleet was when it was asked.
use crate::door::Door;
use crate::problem::{Problem, Result};
use crate::reads;
use fleet_journal::{FleetKey, fs};
use fleet_runtime::{Failure, Follower, Handle};
use fleet_types::{Code, FleetId, Record, Seq, TenantId};
use fleet_views::Traffic;
use fleet_views::traffic::Bounds;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// How long records gather before they are folded, unless somebody waits for them.
const GATHER: Duration = Duration::from_millis(50);
/// Records folded while readers are kept out.
const CHUNK: usize = 2_048;
/// The view is saved after so many records: a start folds that many at most.
const SAVE_EVERY: u64 = 500_000;
/// How long a reader waits for the view to come up with the fleet.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after a failure the journal is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long the last saving may take when the server stops.
const LAST_SAVE: Duration = Duration::from_secs(10);

/// The graph of one fleet.
pub struct FleetGraph {
    traffic: RwLock<Traffic>,
    /// How far it is folded.
    reached: watch::Sender<Seq>,
    /// Somebody waits.
    hurry: Notify,
    /// What costs a second of a core is done one at a time.
    pub heavy: Arc<tokio::sync::Mutex<()>>,
}

/// The graphs of all open fleets.
pub struct Graphs {
    dir: Option<PathBuf>,
    open: Mutex<HashMap<(TenantId, FleetId), Open>>,
}

struct Open {
    graph: Arc<FleetGraph>,
    task: Option<JoinHandle<()>>,
}

impl Graphs {
    /// Graphs that are saved below this directory of the journal; `None`: not at all.
    #[must_use]
    pub fn new(dir: Option<&Path>) -> Self {
        Graphs {
            dir: dir.map(|dir| dir.join("views")),
            open: Mutex::default(),
        }
    }

    /// The graph of a fleet; begins to follow it if nobody does yet.
    pub fn of(
        &self,
        tenant: &TenantId,
        fleet: &FleetId,
        handle: &Handle,
        stopping: impl FnOnce() -> watch::Receiver<bool>,
    ) -> Arc<FleetGraph> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.get(&(tenant.clone(), fleet.clone())) {
            return open.graph.clone();
        }
        let graph = Arc::new(FleetGraph {
            traffic: RwLock::new(Traffic::new(Bounds::default())),
            reached: watch::Sender::new(Seq(0)),
            hurry: Notify::new(),
            heavy: Arc::default(),
        });
        let file = FleetKey::new(tenant.as_str(), fleet.as_str()).ok();
        let file = file.and_then(|key| Some(fs::fleet_dir(self.dir.as_ref()?, &key).join("graph")));
        let follow = follow(graph.clone(), handle.clone(), file, stopping());
        let task = Some(tokio::spawn(follow));
        let key = (tenant.clone(), fleet.clone());
        open.insert(
            key,
            Open {
                graph: graph.clone(),
                task,
            },
        );
        graph
    }

    /// Waits until those that were asked to stop are saved.
    pub async fn settled(&self) {
        let tasks: Vec<JoinHandle<()>> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.values_mut()
                .filter_map(|open| open.task.take())
                .collect()
        };
        let saved = async {
            for task in tasks {
                if task.await.is_err() {
                    tracing::error!("a follower of the graph had panicked");
                }
            }
        };
        if tokio::time::timeout(LAST_SAVE, saved).await.is_err() {
            tracing::warn!(
                "the graph was not saved in time; the next start builds it from more of the journal"
            );
        }
    }
}

impl FleetGraph {
    /// Looks at the view, which has come at least to where the fleet is now.
    ///
    /// # Errors
    /// When the fleet is not serving, or the view is still being built.
    pub async fn read<R>(&self, door: &Door, look: impl FnOnce(&Traffic) -> R) -> Result<R> {
        let wanted = door.read(reads::seq).await?;
        let mut reached = self.reached.subscribe();
        let came = async {
            while *reached.borrow_and_update() < wanted {
                self.hurry.notify_one();
                if reached.changed().await.is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(PATIENCE, came).await.is_err() {
            let at = *self.reached.borrow();
            let words = format!(
                "the graph is being built from the journal: it is at event {at} of {wanted}; try again"
            );
            return Err(Problem::new(Code::Unavailable, words).retry_after(1_000));
        }
        let traffic = self.traffic.read().unwrap_or_else(PoisonError::into_inner);
        Ok(look(&traffic))
    }

    /// Folds what comes next.
    pub fn fold(&self, batches: &[Arc<Vec<Record>>]) {
        let mut chunks = batches.iter().flat_map(|batch| batch.chunks(CHUNK));
        let mut rest = chunks.next();
        while let Some(first) = rest {
            let mut traffic = self.traffic.write().unwrap_or_else(PoisonError::into_inner);
            let mut count = first.len();
            traffic.fold(first);
            loop {
                rest = chunks.next();
                match rest {
                    Some(chunk) if count + chunk.len() <= CHUNK => {
                        count += chunk.len();
                        traffic.fold(chunk);
                    }
                    Some(_) | None => break,
                }
            }
        }
        self.tell();
    }

    fn tell(&self) {
        let traffic = self.traffic.read().unwrap_or_else(PoisonError::into_inner);
        self.reached.send_replace(traffic.seq());
    }

    fn replace(&self, traffic: Traffic) {
        *self.traffic.write().unwrap_or_else(PoisonError::into_inner) = traffic;
        self.tell();
    }

    /// How far it has come.
    #[must_use]
    pub fn seq(&self) -> Seq {
        *self.reached.borrow()
    }
}

/// Keeps a graph up with its fleet until the server stops.
async fn follow(
    graph: Arc<FleetGraph>,
    handle: Handle,
    file: Option<PathBuf>,
    mut stopping: watch::Receiver<bool>,
) {
    if let Some(file) = file.clone()
        && let Some(traffic) = load(file, &handle).await
    {
        graph.replace(traffic);
    }
    let mut follower = handle.follow(graph.seq());
    let mut saved = graph.seq();
    loop {
        let next = tokio::select! {
            next = follower.next() => next,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match next {
            Ok(batches) => {
                fold(&graph, batches).await;
                if let Some(file) = &file
                    && graph.seq().0 >= saved.0 + SAVE_EVERY
                {
                    saved = graph.seq();
                    save(&graph, file.clone()).await;
                }
                // A little gathers meanwhile, unless somebody waits for it.
                tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    () = graph.hurry.notified() => {}
                    _ = stopping.wait_for(|stop| *stop) => {}
                }
            }
            Err(Failure::Pruned(oldest)) => {
                if let Err(failure) = seed(&graph, &handle, &mut follower, oldest).await {
                    tracing::warn!(%failure, "failed to seed the graph; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
            Err(failure) => {
                tracing::warn!(%failure, "failed to follow the journal for the graph; trying again");
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    _ = stopping.wait_for(|stop| *stop) => break,
                }
            }
        }
    }
    if let Some(file) = file
        && graph.seq() > saved
    {
        save(&graph, file).await;
    }
}

/// Folds batches; many of them on a thread that may be kept busy.
async fn fold(graph: &Arc<FleetGraph>, batches: Vec<Arc<Vec<Record>>>) {
    let count: usize = batches.iter().map(|batch| batch.len()).sum();
    if count <= 64 {
        graph.fold(&batches);
        return;
    }
    let graph = graph.clone();
    let folded = tokio::task::spawn_blocking(move || graph.fold(&batches)).await;
    if folded.is_err() {
        tracing::error!("the graph could not be folded");
    }
}

/// Begins anew behind what retention has taken away: what was declared there is asked of the fleet.
async fn seed(
    graph: &FleetGraph,
    handle: &Handle,
    follower: &mut Follower,
    oldest: u64,
) -> std::result::Result<(), Failure> {
    let begin = Seq(oldest.saturating_sub(1));
    let (seeded, declared) = handle
        .read(|state| (reads::seq(state), reads::declared(state)))
        .await?;
    let mut agents = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let from = after.clone();
        let page = handle
            .read(move |state| {
                let all = reads::AgentFilter::default();
                reads::agents(state, &all, from.as_deref(), 1_000)
            })
            .await?;
        agents.extend(page.items.into_iter().map(|agent| agent.definition));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let mut traffic = Traffic::new(Bounds::default());
    traffic.seed(begin, seeded, declared, agents);
    graph.replace(traffic);
    follower.seek(begin);
    tracing::info!(%oldest, "the graph begins where retention has left the journal");
    Ok(())
}

/// What was saved, if it fits this journal.
async fn load(file: PathBuf, handle: &Handle) -> Option<Traffic> {
    let read = tokio::task::spawn_blocking(move || {
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "failed to read the saved graph; building it again");
                return None;
            }
        };
        match Traffic::from_snapshot(&bytes, Bounds::default()) {
            Ok(traffic) => Some(traffic),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "the saved graph does not fit; building it again");
                None
            }
        }
    });
    let traffic = read.await.ok()??;
    // A journal that was put back from a copy, or begun anew, has another record there, or none.
    let seq = traffic.seq();
    if seq > handle.durable() || seq.0 == 0 {
        tracing::warn!("the saved graph is not of this journal; building it again");
        return None;
    }
    let last = handle.records_after(Seq(seq.0 - 1), 1).await;
    match last {
        Ok(records) if records.first().map(|record| record.at) == Some(traffic.now()) => {
            Some(traffic)
        }
        // Then the rest is there too, or is missed when it is asked for.
        Err(Failure::Pruned(_)) => Some(traffic),
        Ok(_) | Err(_) => {
            tracing::warn!("the saved graph is not of this journal; building it again");
            None
        }
    }
}

async fn save(graph: &Arc<FleetGraph>, file: PathBuf) {
    let graph = graph.clone();
    let written = tokio::task::spawn_blocking(move || {
        let bytes = {
            let traffic = graph.traffic.read().unwrap_or_else(PoisonError::into_inner);
            traffic.to_snapshot()
        };
        let written = bytes.map_err(|error| error.to_string()).and_then(|bytes| {
            let write = |out: &mut dyn std::io::Write| out.write_all(&bytes);
            fs::replace(&file, write).map_err(|error| error.chain())
        });
        if let Err(why) = written {
            tracing::warn!(file = %file.display(), %why, "failed to save the graph; the next start builds it from more of the journal");
        }
    });
    if written.await.is_err() {
        tracing::error!("the graph could not be saved");
    }
}
