//! Starts a replica: opens its directory, listens, and goes on where it stopped.

use super::agree::Hashes;
use super::disk::Disk;
use super::distance::{self, Distance};
use super::inner::{Inner, Open};
use super::propose::IN_FLIGHT_UNIT_BYTES;
use super::version::Understood;
use super::who::{Fatal, Ids, Who};
use super::{bootstrap, disk, read, relay, scrub};
use crate::directory::Directory;
use crate::lag::Lag;
use crate::log_adapter::LogStore;
use crate::permit::SuspendClock;
use crate::state_adapter::{OnUnwritten, StateStore};
use crate::transport::Peers;
use crate::transport::incoming::Incoming;
use crate::transport::server::{self, Service};
use crate::transport::tls::Tls;
use crate::transport::wire::Process;
use crate::{GroupOptions, Published, Reader, StartError, Status};
use crate::{lineage, members};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::Uid;
use tallyman_store::identity::Identity;
use tallyman_store::inventory::{DiskCheck, Inventory, InventoryOptions};
use tallyman_store::log::{Log, LogOptions};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

fn io(what: &'static str) -> impl Fn(std::io::Error) -> StartError {
    move |source| StartError::Io { what, source }
}

/// See [`Group::start`](crate::Group::start).
pub(crate) async fn start(options: GroupOptions) -> Result<Arc<Inner>, StartError> {
    options.check()?;
    let tls = options.tls.as_ref().map(Tls::load).transpose()?;
    disk::wait_for_room(&options).await?;
    let fatal = Arc::new(Fatal::new(options.on_fatal.clone()));
    let (opening, failed) = (options.clone(), Arc::clone(&fatal));
    let opened = tokio::task::spawn_blocking(move || open(&opening, &failed)).await;
    let opened = opened.map_err(|error| io("its files cannot be opened")(std::io::Error::other(error)))??;
    let listen = options.peer_listen;
    let listener = TcpListener::bind(listen).await.map_err(|source| StartError::Listen { listen, source })?;
    let listening = listener.local_addr().map_err(|source| StartError::Listen { listen, source })?;
    let Opened { open, identity, directory, reader, disk_check } = opened;
    let ids = Ids { group: identity.group.map(Uid), replica: identity.replica };
    let (member, members) = watch::channel(None);
    let name = (options.dir.clone(), options.group.clone());
    let who = Arc::new(Who::new(
        name,
        directory.uid,
        Process { incarnation: identity.incarnation, number: options.env.number() },
        ids,
        open.log.clone(),
        members,
        Arc::clone(&fatal),
    ));
    let timing = options.timing;
    // Nobody knows yet how far the others are.
    let dial_deadline = Duration::from_millis(3 * timing.dial_ms_max);
    let peers = Peers::new(Arc::clone(&who) as Arc<_>, tls.clone(), dial_deadline);
    let (read_indexes, reads) = mpsc::channel(read::READS_WAITING_MAX);
    let in_flight = usize::try_from(timing.in_flight_bytes_max).unwrap_or(usize::MAX) / IN_FLIGHT_UNIT_BYTES;
    let inner = Arc::new(Inner {
        incoming: Incoming::new(options.dir.join("snapshots")),
        segment: std::sync::Mutex::default(),
        who,
        fatal,
        incarnation: identity.incarnation,
        listening,
        published: publish(&reader),
        hashes: Hashes::of(&reader),
        open: Some(open).into(),
        reader,
        member,
        becoming: tokio::sync::Mutex::default(),
        founding: tokio::sync::Mutex::default(),
        joining: tokio::sync::Mutex::default(),
        backup: Arc::default(),
        founded: false.into(),
        leadership: watch::Sender::new(None),
        handed_over_term: 0.into(),
        status: watch::Sender::new(Status::default()),
        clock: SuspendClock::default(),
        disk: Disk::default(),
        distance: Distance::new(&options.dir, identity.replica.is_some()),
        standing: Arc::default(),
        lag: Lag::default(),
        understood: Understood::default(),
        peers: Arc::new(peers),
        relays: Arc::default(),
        in_flight: Arc::new(Semaphore::new(in_flight.min(Semaphore::MAX_PERMITS))),
        skew_ms: 0.into(),
        read_indexes,
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        options,
    });
    inner.spawn(disk::watch_space(Arc::clone(&inner)));
    inner.spawn(disk::check_rows(Arc::clone(&inner), disk_check));
    run(&inner, listener, tls, reads, identity).await?;
    Ok(inner)
}

async fn run(
    inner: &Arc<Inner>,
    listener: TcpListener,
    tls: Option<Tls>,
    reads: mpsc::Receiver<tokio::sync::oneshot::Sender<Result<u64, crate::ReadError>>>,
    identity: Identity,
) -> Result<(), StartError> {
    match identity.replica {
        Some(id) => {
            if let Err(error) = inner.settle_timing().await {
                inner.stop().await;
                return Err(error);
            }
            if let Err(source) = inner.become_member(id).await {
                inner.stop().await;
                return Err(io("log and inventory cannot be brought together")(source));
            }
        }
        None => inner.spawn(bootstrap::look_for_group(Arc::clone(inner))),
    }
    // Not before it can answer: a replica that knows its id and has no Raft yet would only refuse.
    let service: Arc<dyn Service> = Arc::clone(inner) as Arc<_>;
    inner.tasks.spawn(server::serve(listener, tls, service, inner.stop.clone()));
    inner.spawn(relay::look_after(Arc::clone(inner)));
    inner.spawn(scrub::scrub(Arc::clone(inner)));
    inner.spawn(distance::watch(Arc::clone(inner)));
    inner.spawn(read::read_indexes(Arc::clone(inner), reads));
    Ok(())
}

struct Opened {
    open: Open,
    identity: Identity,
    directory: Directory,
    reader: Reader,
    disk_check: DiskCheck,
}

/// Opens log and inventory. Blocks for as long as reading them takes.
fn open(options: &GroupOptions, fatal: &Arc<Fatal>) -> Result<Opened, StartError> {
    let home = lineage::open_home(&options.dir, io("what was restored cannot be taken over"))?;
    home.check_data()?;
    let is_used = home.identity().replica.is_some();
    let directory = Directory::open(&options.dir, options.name(), &*options.env, is_used)
        .map_err(io("its directory's number cannot be read"))?;
    if directory.group != options.group {
        let (dir, wanted) = (options.dir.to_path(), options.group.clone());
        return Err(StartError::OtherGroup { dir, found: directory.group, wanted });
    }
    if directory.address != options.advertise_peer {
        let (dir, wanted) = (options.dir.to_path(), options.advertise_peer.clone());
        return Err(StartError::OtherReplica { dir, found: directory.address, wanted });
    }
    let failed = Arc::clone(fatal);
    let log_options = LogOptions {
        flush_gate: options.flush_gate.clone(),
        on_fatal: Some(Arc::new(move |error| failed.set(&format!("the log cannot be written: {error}")))),
        ..LogOptions::default()
    };
    let log = Log::open(&options.dir, log_options)?;
    let log_purged = log.state().last_purged;
    let inventory = InventoryOptions { log_purged, ..options.inventory(&options.dir) };
    let inventory = Inventory::open(inventory)?;
    let reader = inventory.reader();
    let version = members::version(&reader);
    if version > options.understands {
        return Err(StartError::TooOld {
            dir: options.dir.to_path(),
            version,
            understands: options.understands,
        });
    }
    let identity = home.identity();
    let (log, log_closed) = LogStore::new(log);
    let disk_check = inventory.disk_check();
    let failed = Arc::clone(fatal);
    let on_unwritten: OnUnwritten = Arc::new(move |why| failed.set(why));
    let (state, inventory) = StateStore::start(inventory, options.understands, on_unwritten)
        .map_err(io("the inventory's thread cannot be started"))?;
    let open = Open { home, log, log_closed, state, inventory };
    Ok(Opened { open, identity, directory, reader, disk_check })
}

/// How far the readers see, as something that can be waited for.
fn publish(reader: &Reader) -> watch::Receiver<Published> {
    let now = Published { revision: reader.revision(), index: reader.applied_index() };
    let (publish, published) = watch::channel(now);
    reader.on_publish(Box::new(move |revision, index| {
        publish.send_replace(Published { revision, index });
    }));
    published
}
