//! How much is under way at a time. What is more is refused early and cheaply, with 429 and when to come back, so
//! that what was let in is still answered in time, and an overload is over when the load is.
//!
//! Reads, lists, writes, watches and waits are counted apart: none keeps the others out. Health, metrics, discovery
//! and what operators ask are not counted at all.

mod admission;
mod gate;

pub(crate) use admission::Admission;

use crate::metrics::{Refused, RefusedFor};
use crate::status::Failure;
use gate::Gate;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much one replica does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Reads of one record that are being answered. One that waits for a revision does not count.
    pub reads_max: usize,
    /// Lists that are being put together.
    pub lists_max: usize,
    /// Writes that were read in full and are not committed yet.
    pub writes_max: usize,
    /// As above, for one namespace: the rest is left for others.
    pub writes_of_one_tenant_max: usize,
    /// How long a write may take while that many are let in. Where they take longer, fewer are: half as many where
    /// they take twice as long.
    pub write_goal: Duration,
    /// Writes that are let in however long they take.
    pub writes_min: usize,
    /// Open watches.
    pub watches_max: usize,
    /// Requests that wait for what becomes of a record, or for a revision.
    pub waits_max: usize,
    /// How long a request waits to be let in, of as many as may be let in.
    pub queue_max: Duration,
    /// Bytes of the bodies that are held, of all that are longer than 16 KiB.
    pub bodies_bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            reads_max: 1_024,
            lists_max: 64,
            writes_max: 1_024,
            writes_of_one_tenant_max: 768,
            write_goal: Duration::from_secs(2),
            writes_min: 64,
            watches_max: 8_000,
            waits_max: 4_096,
            queue_max: Duration::from_millis(500),
            bodies_bytes_max: 64 * 1024 * 1024,
        }
    }
}

/// Bodies up to this length are not counted: connections bound them.
pub(crate) const BODY_SMALL_BYTES: usize = 16 * 1024;
/// The unit in which longer ones are counted, in bytes.
const BODY_UNIT_BYTES: usize = 1024;
/// Those who are refused come back after 1 s to this many, not all at once.
const RETRY_AFTER_S_MAX: u32 = 3;
/// What metrics call open watches.
pub(crate) const WATCHES: &str = "watch";

/// What is under way on one replica.
pub(crate) struct Overload {
    bounds: Bounds,
    reads: Gate,
    lists: Gate,
    writes: Gate,
    /// How long writes took of late, in ms: each counts an eighth.
    write_ms: AtomicU64,
    tenants: Arc<Mutex<BTreeMap<String, usize>>>,
    watches: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    refused: Refused,
    turn: AtomicU32,
}

/// An open watch.
pub(crate) struct Watching(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

/// A request that waits.
pub(crate) struct Waiting(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Overload {
    pub(crate) fn new(bounds: Bounds, refused: Refused) -> Self {
        Self {
            bounds,
            reads: Gate::new("read", bounds.reads_max, bounds.queue_max),
            lists: Gate::new("list", bounds.lists_max, bounds.queue_max),
            writes: Gate::new("write", bounds.writes_max, bounds.queue_max),
            write_ms: AtomicU64::new(0),
            tenants: Arc::default(),
            watches: Arc::new(Semaphore::new(bounds.watches_max)),
            waits: Arc::new(Semaphore::new(bounds.waits_max)),
            bodies: Arc::new(Semaphore::new(bounds.bodies_bytes_max / BODY_UNIT_BYTES)),
            refused,
            turn: AtomicU32::new(0),
        }
    }

    /// Lets a watch in.
    pub(crate) fn watch(&self) -> Result<Watching, Failure> {
        let permit = Arc::clone(&self.watches).try_acquire_owned();
        permit.map(Watching).map_err(|_| {
            let max = self.bounds.watches_max;
            self.refuse(WATCHES, "full", &format!("{max} watches are open on this replica"))
        })
    }

    /// Lets a request wait; `None`: too many do.
    pub(crate) fn wait(&self) -> Option<Waiting> {
        Arc::clone(&self.waits).try_acquire_owned().ok().map(Waiting)
    }

    /// As [`wait`](Self::wait), where there is nothing else that could be done.
    pub(crate) fn must_wait(&self) -> Result<Waiting, Failure> {
        self.wait().ok_or_else(|| {
            let max = self.bounds.waits_max;
            self.refuse("wait", "full", &format!("{max} requests wait on this replica"))
        })
    }

    /// How many of each class are under way.
    pub(crate) fn under_way(&self) -> [(&'static str, usize); 5] {
        let taken = |max: usize, slots: &Semaphore| max.saturating_sub(slots.available_permits());
        [
            (self.reads.class, self.reads.taken()),
            (self.lists.class, self.lists.taken()),
            (self.writes.class, self.writes.taken()),
            (WATCHES, taken(self.bounds.watches_max, &self.watches)),
            ("wait", taken(self.bounds.waits_max, &self.waits)),
        ]
    }

    /// Bytes of large bodies that are held.
    pub(crate) fn bodies_bytes(&self) -> usize {
        let units = self.bounds.bodies_bytes_max / BODY_UNIT_BYTES;
        units.saturating_sub(self.bodies.available_permits()) * BODY_UNIT_BYTES
    }

    async fn enter(&self, gate: &Gate) -> Result<OwnedSemaphorePermit, Failure> {
        gate.enter().await.map_err(|reason| {
            let (max, class) = (gate.max, gate.class);
            self.refuse(class, reason, &format!("{max} {class}s are under way on this replica"))
        })
    }

    /// How many writes are let in at the pace of late.
    fn writes_now_max(&self) -> usize {
        let goal_ms = u64::try_from(self.bounds.write_goal.as_millis()).unwrap_or(u64::MAX);
        let write_ms = self.write_ms.load(Relaxed);
        if write_ms <= goal_ms {
            return self.bounds.writes_max;
        }
        let max = self.bounds.writes_max as u64;
        let fewer = usize::try_from(max.saturating_mul(goal_ms) / write_ms).unwrap_or(usize::MAX);
        fewer.max(self.bounds.writes_min).min(self.bounds.writes_max)
    }

    /// A write took so long.
    pub(crate) fn wrote(&self, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX / 8);
        let write_ms = self.write_ms.load(Relaxed);
        // One of two at the same moment may be lost: it is an average.
        self.write_ms.store((write_ms * 7 + took_ms) / 8, Relaxed);
    }

    /// Counts a write of `tenant` for as long as the guard lives.
    fn enter_tenant(&self, tenant: &str) -> Result<TenantSlot, Failure> {
        let now_max = self.writes_now_max();
        if self.writes.taken() >= now_max && now_max < self.writes.max {
            let message = format!("{now_max} writes are under way on this replica, and they take long");
            return Err(self.refuse(self.writes.class, "slow", &message));
        }
        let of_one_max = self.bounds.writes_of_one_tenant_max * now_max / self.writes.max.max(1);
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tenants.entry(tenant.to_owned()).or_default();
        if *count >= of_one_max.max(1) {
            let message = format!("{count} writes of namespace {tenant:?} are under way on this replica");
            return Err(self.refuse(self.writes.class, "tenant", &message));
        }
        *count += 1;
        Ok(TenantSlot { tenant: tenant.to_owned(), tenants: Arc::clone(&self.tenants) })
    }

    fn refuse(&self, class: &'static str, reason: &'static str, why: &str) -> Failure {
        self.refused.get_or_create(&RefusedFor { class, reason }).inc();
        let seconds = 1 + self.turn.fetch_add(1, Relaxed) % RETRY_AFTER_S_MAX;
        let message = format!("too much at once: {why}, the most there may be; nothing was done, try again");
        Failure::too_many(message, seconds)
    }
}

/// A write that counts for its tenant.
struct TenantSlot {
    tenant: String,
    tenants: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Drop for TenantSlot {
    fn drop(&mut self) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = tenants.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                tenants.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_longer_writes_take_the_fewer_are_let_in_and_it_is_over_when_they_are_fast_again() {
        let overload = Overload::new(Bounds::default(), Refused::default());
        assert_eq!(overload.writes_now_max(), 1_024);
        let pace = |seconds| (0..100).for_each(|_| overload.wrote(Duration::from_secs(seconds)));
        pace(4);
        assert!((512..530).contains(&overload.writes_now_max()), "{}", overload.writes_now_max());
        pace(10_000);
        assert_eq!(overload.writes_now_max(), 64);
        pace(0);
        assert_eq!(overload.writes_now_max(), 1_024);
    }

    #[test]
    fn one_tenant_does_not_take_all_places() {
        let bounds = Bounds { writes_of_one_tenant_max: 2, ..Bounds::default() };
        let overload = Overload::new(bounds, Refused::default());
        let first = overload.enter_tenant("a").unwrap();
        let _second = overload.enter_tenant("a").unwrap();
        assert_eq!(overload.enter_tenant("a").err().unwrap().code.as_u16(), 429);
        assert!(overload.enter_tenant("b").is_ok());
        drop(first);
        assert!(overload.enter_tenant("a").is_ok());
    }
}
