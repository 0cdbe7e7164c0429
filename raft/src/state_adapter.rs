//! openraft's state machine over the store's inventory.
//!
//! The inventory lives on a thread of its own, because sled blocks. Entries that are ready together are applied in
//! one batch: the fewer batches, the less each entry costs. Readers are kept out only while a batch becomes visible,
//! so its length is bounded by number and not by time, which a busy machine stretches.

use crate::aside::aside;
use crate::content;
use crate::types::{Entry, LogId, Reply, Snapshot, SnapshotMeta, StoredMembership, Types, from_store};
use futures::{Stream, StreamExt};
use openraft::OptionalSend;
use openraft::storage::{ApplyResponder, EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::version::too_old;
use tallyman_model::{Damaged, explain, query};
use tallyman_store::files::{DiskPath, Open};
use tallyman_store::inventory::{AppliedState, BATCH_ENTRIES_MAX, Inventory, SnapshotBuilder, ToApply};
use tallyman_store::ledger::Seal;
use tallyman_store::snapshot::{IncomingSnapshot, SnapshotFile};
use tokio::sync::{mpsc, oneshot};

/// Requests that wait for the inventory's thread.
const REQUESTS_MAX: usize = 16;
/// Bytes of a snapshot that are copied at once.
const COPY_BYTES: usize = 1024 * 1024;

/// Called with the reason when the inventory cannot be written any more.
pub(crate) type OnUnwritten = Arc<dyn Fn(&str) + Send + Sync>;

type Answer<T> = oneshot::Sender<io::Result<T>>;

enum Request {
    Applied(Answer<AppliedState>),
    Apply(Vec<ToApply>, Answer<Vec<Reply>>),
    Builder(Answer<SnapshotBuilder>),
    Install(DiskPath, Answer<()>),
    Latest(Answer<Option<SnapshotFile>>),
    Missing(SnapshotFile, Answer<Vec<Seal>>),
    Segment(Seal, Vec<u8>, Answer<()>),
}

/// The thread that owns the inventory.
#[derive(Debug)]
pub(crate) struct InventoryThread(oneshot::Receiver<()>);

impl InventoryThread {
    /// Waits until the inventory is closed, which it is when no [`StateStore`] is left.
    pub(crate) async fn ended(self) {
        // The sender goes with the thread.
        let _ = self.0.await;
    }
}

/// Where a snapshot lies on this replica's disk.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotPath {
    /// The file.
    pub(crate) path: DiskPath,
    /// Its length in bytes.
    pub(crate) bytes: u64,
}

/// A handle to the inventory's thread; clones are the same inventory.
#[derive(Clone)]
pub(crate) struct StateStore {
    requests: mpsc::Sender<Request>,
    snapshot_bytes: Arc<std::sync::atomic::AtomicU64>,
    on_fatal: OnUnwritten,
    /// The highest version of the group that this build understands.
    understands: u32,
}

impl StateStore {
    /// Gives `inventory` its thread. `on_fatal` is called when it cannot be written any more, before anybody who waits
    /// is told.
    pub(crate) fn start(
        inventory: Inventory,
        understands: u32,
        on_fatal: OnUnwritten,
    ) -> io::Result<(Self, InventoryThread)> {
        let (requests, queue) = mpsc::channel(REQUESTS_MAX);
        let latest = inventory.latest_snapshot().map_err(io::Error::other)?;
        let bytes = latest.map_or(0, |snapshot| snapshot.bytes);
        let (running, ended) = oneshot::channel();
        let failed = Arc::clone(&on_fatal);
        std::thread::Builder::new().name("tallyman-inventory".to_owned()).spawn(move || {
            serve(inventory, queue, understands, &failed);
            drop(running);
        })?;
        let snapshot_bytes = Arc::new(bytes.into());
        Ok((Self { requests, snapshot_bytes, on_fatal, understands }, InventoryThread(ended)))
    }

    /// Bytes of the newest snapshot; 0: there is none.
    pub(crate) fn snapshot_bytes(&self) -> u64 {
        self.snapshot_bytes.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The ledger's full segments that a peer's snapshot needs and that are not here, oldest first.
    pub(crate) async fn missing_segments(&self, snapshot: SnapshotFile) -> io::Result<Vec<Seal>> {
        self.ask(|answer| Request::Missing(snapshot, answer)).await
    }

    /// Takes over a full segment of the ledger.
    pub(crate) async fn install_segment(&self, seal: Seal, bytes: Vec<u8>) -> io::Result<()> {
        self.ask(|answer| Request::Segment(seal, bytes, answer)).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> io::Result<T> {
        let (answer, wait) = oneshot::channel();
        let gone = || io::Error::other("the inventory's thread has ended");
        self.requests.send(request(answer)).await.map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?
    }

    /// Applies what is ready, and answers.
    async fn apply_ready(&self, ready: Vec<(Entry, Option<ApplyResponder<Types>>)>) -> io::Result<()> {
        let mut batch = Vec::with_capacity(ready.len());
        let mut responders = Vec::with_capacity(ready.len());
        for (entry, responder) in ready {
            batch.push(content::to_apply(entry, self.understands)?);
            responders.push(responder);
        }
        let replies = self.ask(|answer| Request::Apply(batch, answer)).await?;
        if replies.len() != responders.len() {
            return Err(io::Error::other(
                "the inventory answered another number of entries than it was given",
            ));
        }
        for (responder, reply) in responders.into_iter().zip(replies) {
            if let Some(responder) = responder {
                responder.send(reply);
            }
        }
        Ok(())
    }
}

fn serve(
    mut inventory: Inventory,
    mut queue: mpsc::Receiver<Request>,
    understands: u32,
    on_fatal: &OnUnwritten,
) {
    // An answer that nobody waits for any more is dropped.
    while let Some(request) = queue.blocking_recv() {
        match request {
            Request::Applied(answer) => drop(answer.send(Ok(inventory.applied()))),
            Request::Apply(batch, answer) => {
                let applied = inventory.apply(batch).inspect_err(|error| on_fatal(&unwritten(error)));
                drop(answer.send(applied.map_err(io::Error::other)));
                if let Err(error) = inventory.settle() {
                    on_fatal(&unwritten(&error));
                }
            }
            Request::Builder(answer) => drop(answer.send(Ok(inventory.snapshot_builder()))),
            Request::Install(path, answer) => drop(answer.send(install(&mut inventory, path, understands))),
            Request::Latest(answer) => {
                drop(answer.send(inventory.latest_snapshot().map_err(io::Error::other)))
            }
            Request::Missing(snapshot, answer) => {
                drop(answer.send(Ok(inventory.missing_segments(&snapshot))))
            }
            Request::Segment(seal, bytes, answer) => {
                drop(answer.send(inventory.install_segment(&seal, &bytes).map_err(io::Error::other)));
            }
        }
    }
}

fn unwritten(error: &Damaged) -> String {
    format!("the inventory cannot be written: {}", error.what)
}

/// Installs the snapshot at `path`; one that lies elsewhere is copied to where the inventory's own are.
fn install(inventory: &mut Inventory, path: DiskPath, understands: u32) -> io::Result<()> {
    let dir = inventory.snapshots();
    let path = if path.parent().as_ref() == Some(&dir) {
        path
    } else {
        let (from, mut copy) =
            (path.open(Open::Reading)?, IncomingSnapshot::create(&dir).map_err(io::Error::other)?);
        let (bytes, mut piece) = (from.len()?, vec![0; COPY_BYTES]);
        while copy.len() < bytes {
            piece.truncate(usize::try_from(bytes - copy.len()).unwrap_or(COPY_BYTES));
            from.read_exact_at(&mut piece, copy.len())?;
            copy.piece(copy.len(), &piece).map_err(io::Error::other)?;
        }
        copy.finish().map_err(io::Error::other)?.path
    };
    inventory.install(&path).map_err(io::Error::other)?;
    let meta = inventory.reader().now(|view, _| query::meta(view)).map_err(io::Error::other)?;
    match meta.version > understands {
        true => Err(io::Error::new(io::ErrorKind::Unsupported, too_old(meta.version, understands))),
        false => Ok(()),
    }
}

fn stored_membership(
    membership: Option<(&tallyman_store::log::LogId, &[u8])>,
) -> io::Result<StoredMembership> {
    match membership {
        Some((id, json)) => {
            Ok(StoredMembership::new(Some(from_store(id)), content::decode_membership(json)?))
        }
        None => Ok(StoredMembership::default()),
    }
}

fn to_snapshot(file: SnapshotFile) -> io::Result<Snapshot> {
    let membership = file.contents.membership.as_ref().map(|(id, json)| (id, json.0.as_slice()));
    let meta = SnapshotMeta {
        last_log_id: file.contents.last.as_ref().map(from_store),
        last_membership: stored_membership(membership)?,
    };
    Ok(Snapshot { meta, snapshot: SnapshotPath { path: file.path, bytes: file.bytes } })
}

impl RaftStateMachine<Types> for StateStore {
    type SnapshotData = SnapshotPath;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let applied = self.ask(Request::Applied).await?;
        let membership = applied.membership.as_ref().map(|(id, json)| (id, json.as_slice()));
        Ok((applied.last.as_ref().map(from_store), stored_membership(membership)?))
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut entries = entries.fuse();
        while let Some(first) = entries.next().await {
            let mut ready = vec![first?];
            while ready.len() < BATCH_ENTRIES_MAX {
                // Only what is there already: nobody waits for company.
                match futures::FutureExt::now_or_never(entries.next()) {
                    Some(Some(entry)) => ready.push(entry?),
                    _ => break,
                }
            }
            self.apply_ready(ready).await?;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let inner = self.ask(Request::Builder).await;
        let (snapshot_bytes, on_fatal) = (Arc::clone(&self.snapshot_bytes), Arc::clone(&self.on_fatal));
        Builder { inner, snapshot_bytes, on_fatal }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotPath,
    ) -> Result<(), io::Error> {
        tracing::info!(path = %snapshot.path.display(), last = ?meta.last_log_id, "installing a snapshot");
        self.ask(|answer| Request::Install(snapshot.path, answer)).await?;
        self.snapshot_bytes.store(snapshot.bytes, std::sync::atomic::Ordering::Relaxed);
        let (applied, _) = self.applied_state().await?;
        if applied != meta.last_log_id {
            return Err(io::Error::other("the snapshot holds another state than its sender said"));
        }
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.ask(Request::Latest).await?.map(to_snapshot).transpose()
    }
}

/// Builds one snapshot beside the inventory's work.
pub(crate) struct Builder {
    inner: io::Result<SnapshotBuilder>,
    snapshot_bytes: Arc<std::sync::atomic::AtomicU64>,
    on_fatal: OnUnwritten,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = SnapshotPath;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let used = Err(io::Error::other("a builder builds one snapshot"));
        let builder = std::mem::replace(&mut self.inner, used)?;
        let on_fatal = Arc::clone(&self.on_fatal);
        let build = move || {
            let built = builder.build().inspect_err(|error| {
                on_fatal(&format!("no snapshot can be taken: {}", explain(error)));
            });
            built.map_err(io::Error::other)
        };
        let file = tokio::task::spawn_blocking(|| aside(build)?).await.map_err(io::Error::other)??;
        self.snapshot_bytes.store(file.bytes, std::sync::atomic::Ordering::Relaxed);
        tracing::info!(path = %file.path.display(), bytes = file.bytes, "took a snapshot");
        to_snapshot(file)
    }
}

/// How long the inventory's thread may take to close.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(10);
