//! A group goes on from a backup, or from what one of its replicas has: offline, on the directory of one replica, which
//! is on a disk of the machine.
//!
//! ```text
//!  backup, or snapshot and log of a stopped replica
//!    ─► DIR/lineage.unfinished: all of it applied, then BeginLineage and a membership of one; snapshot, vote, identity
//!    ─► DIR/lineage.ready       one rename: from here on it has happened
//!    ─► DIR                     what was there before is kept in DIR/before.N
//! ```
//! The replica gets a new id and the group's replicas a new lineage, so that nobody who was left behind ever meets it:
//! the others join with empty directories.

mod swap;

use crate::directory::Directory;
use crate::types::{Membership, from_store};
use crate::{GroupOptions, content, members};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use swap::{READY, UNFINISHED};
use tallyman_model::command::{AddMember, BeginLineage, ExpectMember};
use tallyman_model::record::{JoinAs, Origin};
use tallyman_model::version::too_old;
use tallyman_model::{Command, Principal, ReplicaId, Revision, Uid, query};
use tallyman_store::backup::{self, BackupError};
use tallyman_store::files::DiskPath;
use tallyman_store::identity::{Home, HomeError};
use tallyman_store::inventory::{self, Inventory, InventoryOptions, ToApply};
use tallyman_store::log::{Log, LogId, LogOptions, Vote};
use thiserror::Error;

/// Bytes of the log that are applied at once.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// Why a group does not go on from there. Nothing in the directory has changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LineageError {
    /// The file system refused.
    #[error("failed to use {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory cannot be used: most likely its replica still runs.
    #[error("failed to open the data directory")]
    Home(#[from] HomeError),
    /// The directory has data in it.
    #[error("failed to restore into {}: it is the directory of r{replica}", dir.display())]
    Taken {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        replica: u64,
    },
    /// The directory is of no group.
    #[error("failed to recover {}: its replica never was a member of a group", dir.display())]
    Blank {
        /// The directory.
        dir: PathBuf,
    },
    /// The configuration names another group.
    #[error("failed to go on with the group {found:?}: the configuration says {wanted:?}")]
    OtherGroup {
        /// What the data is of.
        found: String,
        /// As configured.
        wanted: String,
    },
    /// The backup cannot be used.
    #[error("failed to read the backup")]
    Backup(#[from] BackupError),
    /// The replica's log cannot be used.
    #[error("failed to read the log")]
    Log(#[from] tallyman_store::log::OpenError),
    /// The log cannot be read or written.
    #[error("failed to use the log")]
    LogUse(#[from] tallyman_store::log::LogError),
    /// Its inventory cannot be made.
    #[error("failed to make the inventory")]
    Inventory(#[from] inventory::OpenError),
    /// The new snapshot cannot be made.
    #[error("failed to take a snapshot of what the lineage begins with")]
    Build(#[from] inventory::BuildError),
    /// What is there cannot be gone on with.
    #[error("failed to begin the lineage: {0}")]
    Refused(String),
}

/// What a group goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The lineage.
    pub lineage: Uid,
    /// Its one replica.
    pub replica: ReplicaId,
    /// The last revision that was kept.
    pub last_kept: Revision,
    /// The first revision after the gap.
    pub base: Revision,
    /// The last log entry that was kept.
    pub last: Option<LogId>,
    /// Where what was in the directory before is kept now, if anything was.
    pub before: Option<PathBuf>,
}

/// Makes the blank directory of `options` that of the one replica of a group that goes on from the backup at `path`.
/// Everything in the backup is verified first. Blocks for as long as reading it takes.
///
/// # Errors
/// A [`LineageError`]; the directory is as it was.
pub fn restore(options: &GroupOptions, path: &Path) -> Result<Begun, LineageError> {
    let dir = options.dir.path();
    let home = open_home(&options.dir, io_error(dir))?;
    if let Some(replica) = home.identity().replica {
        return Err(LineageError::Taken { dir: dir.to_owned(), replica });
    }
    let new = prepare(dir)?;
    let (backup, inventory) = backup::verify(path, options.inventory(&new.into()))?;
    let head = backup.head;
    if head.name != options.group {
        return Err(LineageError::OtherGroup { found: head.name, wanted: options.group.clone() });
    }
    let index = head.last.map_or(0, |last| last.index);
    let source = format!("a backup of r{} at log index {index}, taken at {} ms", head.replica, head.taken_ms);
    let term = head.last.map_or(0, |last| last.term);
    begin(options, &home, inventory, Origin::Restored, source, term)
}

/// Makes the stopped replica of `options` the one replica of its group, with all that it has: also what it does not
/// know to be committed, since it may have been acknowledged. For when a majority of the others is lost for good: a
/// group that still has a quorum somewhere goes on there, and the two never meet again.
///
/// # Errors
/// A [`LineageError`]; the directory is as it was.
pub fn recover(options: &GroupOptions) -> Result<Begun, LineageError> {
    let dir = options.dir.path();
    let home = open_home(&options.dir, io_error(dir))?;
    let Some(replica) = home.identity().replica else {
        return Err(LineageError::Blank { dir: dir.to_owned() });
    };
    let name =
        Directory::open(&options.dir, options.name(), &*options.env, true).map_err(io_error(dir))?.group;
    if name != options.group {
        return Err(LineageError::OtherGroup { found: name, wanted: options.group.clone() });
    }
    let new = prepare(dir)?;
    for part in ["snapshots", "ledger"] {
        copy_files(&dir.join(part), &new.join(part))?;
    }
    let log = Log::open(dir, LogOptions::default())?;
    let state = log.state();
    let kept = InventoryOptions { log_purged: state.last_purged, ..options.inventory(&new.into()) };
    let mut inventory = Inventory::open(kept)?;
    let mut next = inventory.applied().last.map_or(0, |last| last.index + 1);
    while state.last.is_some_and(|last| next <= last.index) {
        let entries = log.read(next, u64::MAX, READ_BYTES)?;
        let Some((last, _)) = entries.last() else {
            return Err(LineageError::Refused(format!("the log has no entry {next}")));
        };
        next = last.index + 1;
        for batch in entries.chunks(inventory::BATCH_ENTRIES_MAX) {
            let batch = batch
                .iter()
                .map(|(id, bytes)| entry(id, bytes, options.understands))
                .collect::<io::Result<Vec<_>>>();
            apply(&mut inventory, batch.map_err(io_error(dir))?)?;
        }
    }
    let index = state.last.map_or(0, |last| last.index);
    let term = state.vote.map_or(0, |vote| vote.term);
    let source = format!("the directory of r{replica} at log index {index}");
    begin(options, &home, inventory, Origin::Recovered, source, term)
}

/// Opens the data directory `dir`. What was begun in it before and has happened is taken over first.
pub(crate) fn open_home<E: From<HomeError>>(
    dir: &DiskPath,
    io: impl FnOnce(io::Error) -> E,
) -> Result<Home, E> {
    let home = Home::open(dir)?;
    if !dir.join(READY).exists() {
        return Ok(home);
    }
    swap::finish(dir.path()).map_err(io)?;
    // The identity is another one by now.
    drop(home);
    Ok(Home::open(dir)?)
}

fn prepare(dir: &Path) -> Result<PathBuf, LineageError> {
    let new = dir.join(UNFINISHED);
    if new.exists() {
        fs::remove_dir_all(&new).map_err(io_error(&new))?;
    }
    // Data without an identity is refused.
    drop(Home::open(&new)?);
    Ok(new)
}

fn entry(id: &LogId, bytes: &[u8], understands: u32) -> io::Result<ToApply> {
    content::to_apply(content::decode(from_store(id), bytes.to_vec())?, understands)
}

fn apply(inventory: &mut Inventory, batch: Vec<ToApply>) -> Result<Vec<inventory::Reply>, LineageError> {
    let replies = inventory.apply(batch).map_err(|error| LineageError::Refused(error.to_string()))?;
    inventory.settle().map_err(|error| LineageError::Refused(error.to_string()))?;
    Ok(replies)
}

/// Closes what was kept with the first entries of the lineage, and swaps it in.
fn begin(
    options: &GroupOptions,
    home: &Home,
    mut inventory: Inventory,
    origin: Origin,
    source: String,
    term: u64,
) -> Result<Begun, LineageError> {
    let dir = options.dir.path();
    let new = dir.join(UNFINISHED);
    let directory = Directory::open(&new.as_path().into(), options.name(), &*options.env, false)
        .map_err(io_error(&new))?;
    let member = AddMember {
        directory: directory.uid,
        datacenter: options.datacenter.clone(),
        peer_address: options.advertise_peer.clone(),
        api_url: options.advertise_api.clone(),
    };
    let (last, last_kept) = (inventory.applied().last, inventory.reader().revision());
    let version = members::version(&inventory.reader());
    if version > options.understands {
        return Err(LineageError::Refused(too_old(version, options.understands)));
    }
    let known = inventory.reader().now(|view, _| members::members(view));
    let known = known.map_err(|error| LineageError::Refused(error.to_string()))?;
    let highest = known.iter().map(|member| member.id.0).max().unwrap_or(0);
    // Its id is the index of this entry, and nobody has had it.
    let replica = last.map_or(0, |last| last.index).max(highest) + 1;
    let term = last.map_or(0, |last| last.term).max(term) + 1;
    let id = |index| LogId { term, leader: replica, index };
    let lineage = options.env.uid();
    let membership = membership(replica, &member)?;
    let mut commands = vec![Command::BeginLineage(BeginLineage { lineage, origin, source, member })];
    // The others join with empty directories, and vote.
    let others = options.sorted_peers().into_iter().filter(|peer| *peer != options.advertise_peer);
    let part = Some(JoinAs::Voter { replaces: None });
    commands.extend(others.map(|peer_address| Command::ExpectMember(ExpectMember { peer_address, part })));
    let entries = commands.into_iter().map(|command| {
        let by = Principal { user: "system:operator".to_owned(), ..Principal::default() };
        let entry = tallyman_model::Entry { clock_ms: options.env.now_ms(), by, key: None, command };
        inventory::Payload::Entry(Box::new(entry))
    });
    let payloads = entries.chain([inventory::Payload::Membership(membership)]);
    let batch: Vec<ToApply> =
        (replica..).zip(payloads).map(|(index, payload)| ToApply { id: id(index), payload }).collect();
    let begun_at = batch.last().map_or(id(replica), |last| last.id);
    if let Some(Err(refusal)) = apply(&mut inventory, batch)?.into_iter().flatten().next() {
        return Err(LineageError::Refused(refusal.message));
    }
    inventory.snapshot_builder().build()?;
    let meta = inventory.reader().now(|view, _| query::meta(view));
    let meta = meta.map_err(|error| LineageError::Refused(error.to_string()))?;
    let Some(begun) = meta.unconfirmed().copied() else {
        return Err(LineageError::Refused("it was not recorded".to_owned()));
    };
    drop(inventory);
    // What was before the gap is not served as what has changed since.
    let changes = new.join("changes");
    fs::remove_dir_all(&changes).and_then(|()| fs::create_dir(&changes)).map_err(io_error(&changes))?;
    let log = Log::open(&new, LogOptions::default())?;
    log.save_vote(Vote { term, voted_for: Some(replica), committed: false })?;
    log.purge(begun_at)?;
    log.sync()?;
    drop(log);
    let mut identity = Home::open(&new)?;
    identity.bind_group(lineage.0)?;
    identity.bind_replica(replica)?;
    drop(identity);
    swap::ready(home.dir().path()).map_err(io_error(&new))?;
    let before = swap::finish(home.dir().path()).map_err(io_error(dir))?;
    let replica = ReplicaId(replica);
    Ok(Begun { lineage, replica, last_kept, base: begun.base, last, before })
}

fn membership(replica: u64, member: &AddMember) -> Result<Vec<u8>, LineageError> {
    let nodes = BTreeMap::from([(replica, members::node_of(member))]);
    let membership = Membership::new(vec![BTreeSet::from([replica])], nodes)
        .map_err(|error| LineageError::Refused(error.to_string()))?;
    content::encode_membership(&membership).map_err(|error| LineageError::Refused(error.to_string()))
}

fn copy_files(from: &Path, to: &Path) -> Result<(), LineageError> {
    fs::create_dir_all(to).map_err(io_error(to))?;
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io_error(from))?,
    };
    for entry in entries {
        let path = entry.map_err(io_error(from))?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::copy(&path, to.join(name)).map_err(io_error(&path))?;
        }
    }
    Ok(())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> LineageError {
    let path = path.to_owned();
    move |source| LineageError::Io { path, source }
}
