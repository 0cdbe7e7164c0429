//! The log as a state in memory.

use crate::fuse::Fuse;
use futures::future::BoxFuture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tallyman_leader::{Log, ProposeFailed};
use tallyman_model::record::Permit;
use tallyman_model::{Command, Ctx, Done, Entry, Env, MemoryView, Principal, Refusal, Revision, View, apply};
use tallyman_raft::Published;
use tokio::sync::watch;
use tokio::time::Instant;

/// What outlives every leader: the state and its clock.
pub(crate) struct State {
    pub(crate) view: Mutex<(MemoryView, u64)>,
    pub(crate) term: Mutex<u64>,
    pub(crate) published: watch::Sender<Published>,
    pub(crate) env: Arc<Clock>,
    pub(crate) verbs: Mutex<Vec<String>>,
}

/// Wall time that follows tokio's clock, and entropy from a seed.
pub(crate) struct Clock {
    started: Instant,
    seed: Mutex<u64>,
}

impl Clock {
    pub(crate) fn new(seed: u64) -> Self {
        Self { started: Instant::now(), seed: Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1) }
    }
}

impl Env for Clock {
    fn now_ms(&self) -> u64 {
        1_800_000_000_000 + u64::try_from(self.started.elapsed().as_millis()).unwrap()
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut seed = self.seed.lock().unwrap();
        for byte in bytes {
            // xorshift64
            *seed ^= *seed << 13;
            *seed ^= *seed >> 7;
            *seed ^= *seed << 17;
            *byte = seed.to_be_bytes()[3];
        }
    }
}

impl State {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            view: Mutex::default(),
            term: Mutex::new(1),
            published: watch::Sender::new(Published::default()),
            env: Arc::new(Clock::new(seed)),
            verbs: Mutex::default(),
        })
    }

    pub(crate) fn commit(&self, by: Principal, command: Command) -> Result<Done, Refusal> {
        let mut view = self.view.lock().unwrap();
        let index = view.1 + 1;
        let term = *self.term.lock().unwrap();
        let ctx = Ctx { index, term, leader: tallyman_model::ReplicaId(term) };
        let verb = command.verb().to_owned();
        let entry = Entry { clock_ms: self.env.now_ms(), by, key: None, command };
        let applied = apply(&view.0, &ctx, entry).expect("the state is whole");
        self.verbs.lock().unwrap().push(format!("{verb}{}", if applied.reply.is_ok() { "" } else { "?" }));
        let revision = applied.reply.as_ref().map_or(Revision(0), |done| done.revision);
        view.0.commit(applied.writes);
        view.1 = index;
        drop(view);
        self.published.send_modify(|now| *now = Published { revision: now.revision.max(revision), index });
        applied.reply
    }

    pub(crate) fn look<T>(&self, f: impl FnOnce(&dyn View) -> T) -> T {
        f(&self.view.lock().unwrap().0)
    }
}

/// The log as one life of a leader sees it.
pub(crate) struct MemoryLog {
    pub(crate) state: Arc<State>,
    pub(crate) permit: Permit,
    pub(crate) leadership: watch::Sender<Option<Permit>>,
    pub(crate) holds: AtomicBool,
    pub(crate) fuse: Arc<Fuse>,
    /// The permit stops to hold right after the next intent.
    pub(crate) lost_after_intend: AtomicBool,
    /// Proposals that fail, one number each: 1 not sent, 2 unknown and committed, 3 unknown and not committed.
    pub(crate) failures: Mutex<Vec<u8>>,
}

impl MemoryLog {
    pub(crate) fn new(state: &Arc<State>, permit: Permit, fuse: Arc<Fuse>) -> Arc<Self> {
        *state.term.lock().unwrap() = permit.term;
        Arc::new(Self {
            state: Arc::clone(state),
            permit,
            leadership: watch::Sender::new(Some(permit)),
            holds: AtomicBool::new(true),
            fuse,
            lost_after_intend: AtomicBool::new(false),
            failures: Mutex::default(),
        })
    }

    fn leads(&self) -> bool {
        *self.state.term.lock().unwrap() == self.permit.term
    }
}

impl Log for MemoryLog {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Result<Done, Refusal>, ProposeFailed>> {
        Box::pin(async move {
            let verb = command.verb();
            self.fuse.pass(&format!("before {verb}")).await;
            // About what a group commit takes.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            let failure = self.failures.lock().unwrap().pop().unwrap_or(0);
            if !self.leads() || failure == 1 {
                return Err(ProposeFailed::NotSent("no leader".to_owned()));
            }
            if failure == 3 {
                return Err(ProposeFailed::Unknown("lost".to_owned()));
            }
            let reply = self.state.commit(Principal::leader(), command);
            if failure == 2 {
                return Err(ProposeFailed::Unknown("lost".to_owned()));
            }
            if verb == "intend" && self.lost_after_intend.load(Ordering::SeqCst) {
                self.holds.store(false, Ordering::SeqCst);
            }
            self.fuse.pass(&format!("after {verb}")).await;
            Ok(reply)
        })
    }

    fn read(&self, look: &mut dyn FnMut(&dyn View)) {
        self.state.look(|view| look(view));
    }

    fn applied(&self) -> watch::Receiver<Published> {
        self.state.published.subscribe()
    }

    fn leadership(&self) -> watch::Receiver<Option<Permit>> {
        self.leadership.subscribe()
    }

    fn may_act(&self, permit: &Permit) -> bool {
        *permit == self.permit && self.leads() && self.holds.load(Ordering::SeqCst)
    }
}
