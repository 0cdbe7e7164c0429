//! A replica in memory: the model over a `MemoryView`, with knobs for what goes wrong.

use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tallyman_api::backend::{Backend, LedgerEntry, ProposeError, StateHash};
use tallyman_model::command::{AddMember, Found, Principal, RaiseVersion};
use tallyman_model::{
    Command, Ctx, Digest, Entry, Env, GROUP_VERSION, Key, MemoryView, ReplicaId, Revision, Row, Uid, View,
    apply, query,
};
use tallyman_raft::{
    Backup, BackupError, Change, Committed, InitError, LedgerError, Proposal, ReadError, ReadMode, Role,
    Status, TooOld, TransferError,
};
use tokio::sync::watch;
use tokio::time::timeout;

/// A clock that stands still unless it is moved, and numbers that never repeat.
pub(crate) struct TestEnv {
    pub(crate) now_ms: AtomicU64,
    numbers: AtomicU64,
}

impl Env for TestEnv {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Relaxed)
    }

    fn random(&self, bytes: &mut [u8]) {
        let number = self.numbers.fetch_add(1, Relaxed);
        let digest = Digest::of(&number.to_be_bytes());
        bytes.iter_mut().zip(digest.0).for_each(|(byte, random)| *byte = random);
    }
}

/// One state and its past.
#[derive(Clone, Default)]
struct State {
    view: MemoryView,
    past: Vec<(Revision, MemoryView)>,
    changes: Vec<Change>,
    floor: Revision,
    ledger: Vec<LedgerEntry>,
    index: u64,
}

impl State {
    fn revision(&self) -> Revision {
        query::meta(&self.view).unwrap().revision
    }

    fn take(&mut self, entry: Entry) -> Result<tallyman_model::Done, tallyman_model::Refusal> {
        self.index += 1;
        let ctx = Ctx { index: self.index, term: 1, leader: ReplicaId(1) };
        let applied = apply(&self.view, &ctx, entry).unwrap();
        let record = |row: Option<Row>| match row {
            Some(Row::Record(record)) => Some(Arc::unwrap_or_clone(record)),
            _ => None,
        };
        let mut changes = Vec::new();
        for (key, write) in
            applied.writes.iter().filter(|(key, _)| key.is_row() && **key != Key::META && key.b == 0)
        {
            let before = record(self.view.get(*key).unwrap());
            changes.push(Change { revision: write.revision, before, after: record(write.row.clone()) });
        }
        changes.sort_by_key(|change| change.revision);
        self.changes.extend(changes);
        self.view.commit(applied.writes);
        self.past.push((self.revision(), self.view.clone()));
        if let Some(chained) = applied.ledger {
            self.ledger.push(LedgerEntry { seq: chained.seq, bytes: chained.bytes, hash: chained.hash });
        }
        applied.reply
    }
}

/// What goes wrong.
#[derive(Clone, Default)]
pub(crate) struct Knobs {
    pub(crate) no_quorum: bool,
    pub(crate) propose_fails: Option<ProposeError>,
    /// Takes effect, and the answer is lost.
    pub(crate) answer_lost: bool,
    /// Revisions that a recovery has dropped.
    pub(crate) gap: Option<(u64, u64)>,
}

pub(crate) struct Memory {
    pub(crate) env: Arc<TestEnv>,
    pub(crate) knobs: Mutex<Knobs>,
    leader: Mutex<State>,
    local: Mutex<State>,
    frozen: Mutex<bool>,
    published: watch::Sender<Revision>,
    status: Mutex<Status>,
    pub(crate) inits: Mutex<Vec<usize>>,
}

impl Memory {
    /// Of no group.
    pub(crate) fn blank() -> Arc<Self> {
        Self::blank_with(0)
    }

    /// As [`blank`](Self::blank), with randomness that begins at `number`.
    pub(crate) fn blank_with(number: u64) -> Arc<Self> {
        let env = TestEnv { now_ms: AtomicU64::new(1_795_000_000_000), numbers: AtomicU64::new(number) };
        Arc::new(Self {
            env: Arc::new(env),
            knobs: Mutex::default(),
            leader: Mutex::default(),
            local: Mutex::default(),
            frozen: Mutex::default(),
            published: watch::Sender::new(Revision(0)),
            status: Mutex::default(),
            inits: Mutex::default(),
        })
    }

    /// Founded, with three replicas, of which it is the second.
    pub(crate) fn founded() -> Arc<Self> {
        let memory = Self::blank();
        let member = |number: u8| AddMember {
            directory: Uid([number; 16]),
            datacenter: format!("dc{number}"),
            peer_address: format!("localhost:800{number}"),
            api_url: format!("http://localhost:700{number}"),
        };
        memory.run(Command::Found(Found { group: Uid([9; 16]), members: [1, 2, 3].map(member).to_vec() }));
        memory.set_status(Status {
            id: Some(ReplicaId(2)),
            role: Role::Follower,
            term: 1,
            leader: Some(ReplicaId(1)),
            voters: [1, 2, 3].map(ReplicaId).to_vec(),
            ..Status::default()
        });
        memory
    }

    /// All replicas understand what this build does.
    pub(crate) fn raise(&self) {
        let understood_by = [1, 2, 3].map(ReplicaId).to_vec();
        self.run(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
    }

    pub(crate) fn set_status(&self, status: Status) {
        *self.status.lock().unwrap() = status;
    }

    /// Applies a command of the leader's own and expects it to be done.
    pub(crate) fn run(&self, command: Command) -> tallyman_model::Done {
        self.enter(Proposal { by: Principal::leader(), key: None, command }).unwrap()
    }

    fn enter(&self, proposal: Proposal) -> Result<tallyman_model::Done, tallyman_model::Refusal> {
        let Proposal { by, key, command } = proposal;
        let entry = Entry { clock_ms: self.env.now_ms(), by, key, command };
        let reply = self.leader.lock().unwrap().take(entry);
        if !*self.frozen.lock().unwrap() {
            self.catch_up();
        }
        reply
    }

    /// Stops applying here, or goes on.
    pub(crate) fn freeze(&self, frozen: bool) {
        *self.frozen.lock().unwrap() = frozen;
        if !frozen {
            self.catch_up();
        }
    }

    fn catch_up(&self) {
        let leader = self.leader.lock().unwrap().clone();
        let revision = leader.revision();
        *self.local.lock().unwrap() = leader;
        self.published.send_replace(revision);
    }

    /// Forgets changes up to `floor`.
    pub(crate) fn compact(&self, floor: Revision) {
        for state in [&self.leader, &self.local] {
            let mut state = state.lock().unwrap();
            state.floor = floor;
            state.changes.retain(|change| change.revision > floor);
        }
    }

    /// Runs `f` on the state here.
    pub(crate) fn look<T>(&self, f: impl FnOnce(&dyn View) -> T) -> T {
        f(&self.local.lock().unwrap().view)
    }

    pub(crate) fn index(&self) -> u64 {
        self.leader.lock().unwrap().index
    }

    async fn until(&self, revision: Revision, wait: Duration) -> Result<(), ReadError> {
        let mut published = self.published.subscribe();
        let reached = timeout(wait, published.wait_for(|now| *now >= revision)).await;
        reached.map_or_else(|_| Err(ReadError::TooNew { current: self.revision() }), |_| Ok(()))
    }
}

impl Backend for Memory {
    fn propose(&self, proposal: Proposal) -> BoxFuture<'_, Result<Committed, ProposeError>> {
        async move {
            let knobs = self.knobs.lock().unwrap().clone();
            if let Some(error) = knobs.propose_fails {
                return Err(error);
            }
            let reply = self.enter(proposal);
            if knobs.answer_lost {
                return Err(ProposeError::Unknown {
                    why: "the connection to the leader was lost".to_owned(),
                });
            }
            Ok(Committed { index: self.index(), reply, led_by: ReplicaId(1), on_disk: 2, voters: 3 })
        }
        .boxed()
    }

    fn read(&self, mode: ReadMode, wait: Duration) -> BoxFuture<'_, Result<(), ReadError>> {
        async move {
            let knobs = self.knobs.lock().unwrap().clone();
            match mode {
                ReadMode::Stale => Ok(()),
                ReadMode::Linearizable if knobs.no_quorum => Err(ReadError::NoQuorum),
                ReadMode::Linearizable => {
                    let newest = self.leader.lock().unwrap().revision();
                    self.until(newest, wait).await
                }
                ReadMode::Token(revision) => match knobs.gap {
                    Some((from, to)) if (from..to).contains(&revision.0) => {
                        let (last_kept, base) = (Revision(from - 1), Revision(to));
                        Err(ReadError::Gap { token: revision, last_kept, base })
                    }
                    _ => self.until(revision, wait).await,
                },
            }
        }
        .boxed()
    }

    fn now(&self, f: &mut dyn FnMut(&dyn View, Revision)) -> Result<(), TooOld> {
        let state = self.local.lock().unwrap();
        f(&state.view, state.revision());
        Ok(())
    }

    fn at(&self, revision: Revision, f: &mut dyn FnMut(&dyn View)) -> Result<(), TooOld> {
        let state = self.local.lock().unwrap();
        if revision < state.floor || revision > state.revision() {
            return Err(TooOld { floor: state.floor });
        }
        let past = state.past.iter().rev().find(|(of, _)| *of <= revision);
        f(&past.ok_or(TooOld { floor: state.floor })?.1);
        Ok(())
    }

    fn revision(&self) -> Revision {
        self.local.lock().unwrap().revision()
    }

    fn beyond(&self, revision: Revision) -> BoxFuture<'_, ()> {
        let mut published = self.published.subscribe();
        async move {
            let _ = published.wait_for(|now| *now > revision).await;
        }
        .boxed()
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, TooOld> {
        let state = self.local.lock().unwrap();
        if after < state.floor {
            return Err(TooOld { floor: state.floor });
        }
        Ok(state.changes.iter().filter(|change| change.revision > after).take(limit).cloned().collect())
    }

    fn ledger(&self, from: u64, limit: usize) -> Result<Vec<LedgerEntry>, LedgerError> {
        let state = self.local.lock().unwrap();
        Ok(state.ledger.iter().filter(|entry| entry.seq >= from).take(limit).cloned().collect())
    }

    fn ledger_head(&self) -> (u64, Digest) {
        let state = self.local.lock().unwrap();
        state.ledger.last().map_or((0, Digest::default()), |last| (last.seq, last.hash))
    }

    fn state_hash(&self) -> StateHash {
        let state = self.local.lock().unwrap();
        StateHash { index: state.index, revision: state.revision(), hash: "0123".to_owned() }
    }

    fn status(&self) -> Status {
        self.status.lock().unwrap().clone()
    }

    fn lag_ms(&self) -> Option<u64> {
        Some(4)
    }

    fn has_quorum(&self) -> bool {
        !self.knobs.lock().unwrap().no_quorum && self.status().leader.is_some()
    }

    fn init(&self, expect: usize) -> BoxFuture<'_, Result<Vec<ReplicaId>, InitError>> {
        self.inits.lock().unwrap().push(expect);
        async move {
            if expect != 3 {
                return Err(InitError::Expected { expected: expect, configured: 3 });
            }
            Ok([1, 2, 3].map(ReplicaId).to_vec())
        }
        .boxed()
    }

    fn backup(&self) -> BoxFuture<'_, Result<Backup, BackupError>> {
        async move { Err(BackupError::Busy) }.boxed()
    }

    fn transfer_leader(&self, to: Option<ReplicaId>) -> BoxFuture<'_, Result<ReplicaId, TransferError>> {
        async move { Ok(to.unwrap_or(ReplicaId(3))) }.boxed()
    }
}
