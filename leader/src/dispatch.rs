//! Rings for whoever has due work. The one task that is woken by every change; all others wait for their bell.

use crate::limits::{LOOK_MS_MAX, LOOK_MS_MIN};
use crate::term::Term;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_model::{Damaged, Key, Lane, Ordinal, View, query};
use tokio::sync::Notify;

/// Who waits for which lanes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bells {
    place: Arc<Notify>,
    expire: Arc<Notify>,
    fan_out: Arc<Notify>,
    sites: Arc<Mutex<BTreeMap<Ordinal, SiteBells>>>,
}

/// Those of one cluster.
#[derive(Clone, Debug, Default)]
struct SiteBells {
    work: Arc<Notify>,
    diagnoses: Arc<Notify>,
}

impl Bells {
    pub(crate) fn place(&self) -> Arc<Notify> {
        Arc::clone(&self.place)
    }

    pub(crate) fn expire(&self) -> Arc<Notify> {
        Arc::clone(&self.expire)
    }

    pub(crate) fn fan_out(&self) -> Arc<Notify> {
        Arc::clone(&self.fan_out)
    }

    /// The bell of a cluster's lanes of kube writes.
    pub(crate) fn of(&self, cluster: Ordinal) -> Arc<Notify> {
        self.site(cluster).work
    }

    /// The bell of a cluster's attempts that are to be looked into.
    pub(crate) fn diagnoses_of(&self, cluster: Ordinal) -> Arc<Notify> {
        self.site(cluster).diagnoses
    }

    fn site(&self, cluster: Ordinal) -> SiteBells {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.entry(cluster).or_default().clone()
    }

    pub(crate) fn forget(&self, cluster: Ordinal) {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner).remove(&cluster);
    }

    fn ring(&self, lane: Lane, cluster: Ordinal) {
        match lane {
            Lane::Place | Lane::Require => self.place.notify_one(),
            Lane::Expire => self.expire.notify_one(),
            Lane::FanOut => self.fan_out.notify_one(),
            Lane::Send | Lane::Resolve | Lane::Delete | Lane::Release | Lane::Preflight | Lane::Sync => {
                self.ring_site(cluster, |bells| &bells.work);
            }
            Lane::Diagnose => self.ring_site(cluster, |bells| &bells.diagnoses),
            // Whoever looks for the cluster looks at these.
            Lane::Loss | Lane::Return | Lane::GiveUp | Lane::Drain => {}
        }
    }

    fn ring_site(&self, cluster: Ordinal, bell: impl Fn(&SiteBells) -> &Arc<Notify>) {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bells) = sites.get(&cluster) {
            bell(bells).notify_one();
        }
    }
}

pub(crate) async fn run(term: Arc<Term>, bells: Bells) {
    let mut applied = term.log.applied();
    let mut ready = None;
    loop {
        applied.mark_unchanged();
        let ready_now = term.look(|view| Ok(query::meta(view)?.ready));
        if ready_now != std::mem::replace(&mut ready, ready_now) {
            // What waits for a deployable may go on.
            bells.place.notify_one();
        }
        let now_ms = term.now_ms();
        let mut sleep_ms = LOOK_MS_MAX;
        for (lane, cluster, due_ms) in term.look(heads).unwrap_or_default() {
            if due_ms <= now_ms {
                bells.ring(lane, cluster);
            } else {
                sleep_ms = sleep_ms.min(due_ms - now_ms);
            }
        }
        // Changes that come faster than this are looked at together.
        tokio::time::sleep(Duration::from_millis(LOOK_MS_MIN)).await;
        tokio::select! {
            changed = applied.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(Duration::from_millis(sleep_ms.saturating_sub(LOOK_MS_MIN))) => {}
        }
    }
}

/// What is due first of each lane and cluster that has any work.
fn heads(view: &dyn View) -> Result<Vec<(Lane, Ordinal, u64)>, Damaged> {
    let mut heads = Vec::new();
    for lane in Lane::ALL.into_iter().filter(is_timed) {
        let end = Key::lane(lane, Ordinal(CLUSTER_MASK), u64::MAX, Ordinal(u64::MAX));
        let mut from = Key::lane(lane, Ordinal(0), 0, Ordinal(0));
        while let Some((key, _)) = view.page(from, end, 1)?.first() {
            let cluster = Ordinal(key.a & CLUSTER_MASK);
            heads.push((lane, cluster, key.b));
            if cluster.0 == CLUSTER_MASK {
                break;
            }
            from = Key::lane(lane, cluster.next(), 0, Ordinal(0));
        }
    }
    Ok(heads)
}

/// False for lanes that are due by what becomes of their cluster, not at a time, and for what is in another one, too.
fn is_timed(lane: &Lane) -> bool {
    !matches!(lane, Lane::Loss | Lane::Return | Lane::GiveUp | Lane::Drain | Lane::Require)
}

/// Where a lane's key has the cluster.
const CLUSTER_MASK: u64 = (1 << 56) - 1;
