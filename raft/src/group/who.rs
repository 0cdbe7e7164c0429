//! Who this replica is: what it says when it dials, and what it concludes from being refused.

use crate::group::inner::Member;
use crate::group::options::{Fate, OnFatal};
use crate::log_adapter::LogStore;
use crate::transport::peers::Identify;
use crate::transport::wire::{PROTOCOL, Process};
use crate::transport::{Hello, Lane, Refused, Welcome};
use crate::types::{LogId, Vote, matched};
use openraft::async_runtime::watch::WatchReceiver as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tallyman_model::Uid;
use tallyman_store::files::DiskPath;
use tallyman_store::identity;
use tokio::sync::watch;

/// The ids that a replica gets when it comes into a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub(crate) group: Option<Uid>,
    pub(crate) replica: Option<u64>,
}

/// What ends the replica; the first one counts.
pub(crate) struct Fatal {
    why: watch::Sender<Option<String>>,
    hook: Mutex<Option<OnFatal>>,
}

impl Fatal {
    pub(crate) fn new(hook: Option<OnFatal>) -> Self {
        Self { why: watch::Sender::new(None), hook: Mutex::new(hook) }
    }

    /// The replica is out of service from now on; its process does not end of that alone.
    pub(crate) fn say(&self, why: &str) {
        if self.is_first(why) {
            tracing::error!(why, "the replica cannot go on");
        }
    }

    /// The replica cannot go on: its process ends.
    pub(crate) fn set(&self, why: &str) {
        self.say(why);
        self.end(&Fate::Broken(why.to_owned()));
    }

    /// The replica is no longer of the group: its process ends.
    pub(crate) fn removed(&self, why: &str) {
        if self.is_first(why) {
            tracing::info!(why, "the replica is removed from the group");
        }
        self.end(&Fate::Removed(why.to_owned()));
    }

    fn end(&self, fate: &Fate) {
        if let Some(hook) = lock(&self.hook).take() {
            hook(fate);
        }
    }

    fn is_first(&self, why: &str) -> bool {
        self.why.send_if_modified(|slot| {
            let first = slot.is_none();
            slot.get_or_insert_with(|| why.to_owned());
            first
        })
    }

    /// Why it cannot, if so.
    pub(crate) fn get(&self) -> Option<String> {
        self.why.borrow().clone()
    }
}

/// Who this replica is.
pub(crate) struct Who {
    dir: DiskPath,
    name: String,
    directory: Uid,
    process: Process,
    /// The latest process of each replica that was checked.
    checked: Mutex<BTreeMap<u64, Process>>,
    /// The lease that each replica grants, as it said when it was dialled last.
    leases: Mutex<BTreeMap<u64, Duration>>,
    ids: Mutex<Ids>,
    log: Mutex<Option<LogStore>>,
    member: watch::Receiver<Option<Member>>,
    /// The address of the last peer that refused to talk, and what it said.
    refusal: Mutex<Option<(String, String)>>,
    pub(crate) fatal: Arc<Fatal>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Who {
    pub(crate) fn new(
        (dir, name): (DiskPath, String),
        directory: Uid,
        process: Process,
        ids: Ids,
        log: LogStore,
        member: watch::Receiver<Option<Member>>,
        fatal: Arc<Fatal>,
    ) -> Self {
        let (ids, log) = (ids.into(), Some(log).into());
        let (checked, leases, refusal) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { dir, name, directory, process, checked, leases, ids, log, member, refusal, fatal }
    }

    /// The vote that is saved and the last entry that is on disk.
    pub(crate) fn durable(&self) -> (Option<Vote>, Option<LogId>) {
        lock(&self.log).as_ref().map_or((None, None), LogStore::durable)
    }

    /// Refuses a replica that has less than it confirmed to this leader: its log was cut or exchanged. It must not
    /// vote, and openraft as the leader does not survive a follower that goes back.
    ///
    /// Refuses also one of two processes that run as the same replica: they would vote twice.
    ///
    /// A log goes back only between two processes, so each is checked once, when it is heard of first. Later it may
    /// have confirmed more while what it says here was on its way.
    pub(crate) fn check_kept(
        &self,
        other: u64,
        process: Process,
        vote: Option<Vote>,
        last: Option<LogId>,
    ) -> Result<(), Refused> {
        let mut checked = lock(&self.checked);
        let known = checked.get(&other);
        if known == Some(&process) {
            return Ok(());
        }
        self.check_first(other, vote, last)?;
        if known.is_some_and(|known| known.incarnation >= process.incarnation) {
            return Err(Refused::Twice { replica: other });
        }
        checked.insert(other, process);
        Ok(())
    }

    fn check_first(&self, other: u64, vote: Option<Vote>, last: Option<LogId>) -> Result<(), Refused> {
        let Some(member) = self.member.borrow().clone() else { return Ok(()) };
        let metrics = member.raft.metrics();
        let metrics = metrics.borrow_watched();
        let Some(matched) = matched(&metrics, other) else { return Ok(()) };
        // What it confirmed in this term it keeps until it votes for a later one.
        let term = vote.map_or(0, |vote| vote.leader_id.term);
        if term > metrics.current_term || (term == metrics.current_term && last >= Some(matched)) {
            return Ok(());
        }
        let has = last.map_or_else(|| "nothing".to_owned(), |last| last.to_string());
        let had = format!("{matched} in term {}", metrics.current_term);
        Err(Refused::Lost { replica: other, had, has: format!("{has} in term {term}") })
    }

    /// The lease that the replica `id` grants, if it was ever dialled.
    pub(crate) fn lease_of(&self, id: u64) -> Option<Duration> {
        lock(&self.leases).get(&id).copied()
    }

    /// The group's name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number that the directory was made with.
    pub(crate) fn directory(&self) -> Uid {
        self.directory
    }

    /// This process.
    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// The ids, as far as there are any.
    pub(crate) fn ids(&self) -> Ids {
        *lock(&self.ids)
    }

    /// The replica has come into a group.
    pub(crate) fn set_ids(&self, ids: Ids) {
        *lock(&self.ids) = ids;
    }

    /// Lets go of the log.
    pub(crate) fn close(&self) {
        lock(&self.log).take();
    }

    /// What a peer said when it last refused to talk, if that may be a wrong configuration.
    pub(crate) fn last_refusal(&self) -> Option<String> {
        lock(&self.refusal).as_ref().map(|(_, why)| why.clone())
    }
}

impl Identify for Who {
    fn hello(&self, target: Option<u64>, lane: Lane) -> Hello {
        let Ids { group, replica } = self.ids();
        let (vote, last) = self.durable();
        let (protocol, name) = (PROTOCOL, self.name.clone());
        let (directory, process) = (self.directory, self.process);
        Hello { protocol, name, group, replica, directory, process, target, lane, vote, last }
    }

    fn accept(&self, address: &str, welcome: &Welcome) -> Result<(), Refused> {
        lock(&self.refusal).take_if(|(refusing, _)| refusing == address);
        match welcome.replica {
            Some(other) => {
                self.check_kept(other, welcome.process, welcome.vote, welcome.last)?;
                lock(&self.leases).insert(other, Duration::from_millis(welcome.lease_ms));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn refused(&self, address: &str, why: &Refused) {
        match why {
            Refused::Removed { replica } if Some(*replica) == self.ids().replica => {
                self.fatal.removed(&format!("{address} says: {why}"));
            }
            // Its directory is as it should be: it may be the other process that is wrong.
            Refused::Twice { replica } if Some(*replica) == self.ids().replica => {
                self.fatal.set(&format!("{address} does not talk to this replica: {why}"));
            }
            Refused::Lost { replica, .. } if Some(*replica) == self.ids().replica => {
                // The next leader may not know what this replica once had.
                if let Err(error) = identity::put_out_of_service(&self.dir, &why.to_string()) {
                    tracing::error!(%error, "the data directory is not marked as out of service");
                }
                self.fatal.set(&format!("{address} does not talk to this replica: {why}"));
            }
            // Another one took its place, or nobody has yet.
            Refused::OtherReplica { .. } => {}
            _ => {
                let new = (address.to_owned(), format!("{address} and this replica do not talk: {why}"));
                let mut last = lock(&self.refusal);
                if last.as_ref() != Some(&new) {
                    tracing::error!(address, %why, "a peer and this replica do not talk");
                    *last = Some(new);
                }
            }
        }
    }
}
