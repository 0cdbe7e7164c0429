//! What the unit tests share.

use crate::content::{EntryRef, Proposed};
use std::sync::atomic::{AtomicU64, Ordering};
use tallyman_model::command::RemoveMember;
use tallyman_model::{Command, Entry, Env, Principal, ReplicaId};

/// An [`Env`] from a seed.
pub(crate) struct TestEnv(AtomicU64);

impl TestEnv {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Env for TestEnv {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn random(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = |x: u64| {
                Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
            };
            let seed = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(0);
            *byte = (seed >> 56) as u8;
        }
    }
}

/// Some entry.
pub(crate) fn entry(id: u64) -> Entry {
    let command = Command::RemoveMember(RemoveMember { id: ReplicaId(id) });
    Entry { clock_ms: 7, by: Principal::leader(), key: None, command }
}

/// `entry`, as `leader` proposes it.
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(crate) fn proposed(leader: u64, entry: &Entry) -> Proposed {
    let Entry { clock_ms, by, key, command } = entry;
    Proposed::encode(leader, EntryRef { clock_ms: *clock_ms, by, key, command }).unwrap()
}
