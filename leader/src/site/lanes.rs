//! The lanes of one cluster: who has due work, and one worker for each such run.

use super::{Site, work};
use crate::limits::{LANE_PAGE_MAX, REST_MS, RUNS_AT_ONCE_MAX};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::record::{Permit, Record};
use tallyman_model::{Damaged, Key, Lane, Ordinal, View, query};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// In the order in which they are served.
const LANES: [Lane; 4] = [Lane::Resolve, Lane::Release, Lane::Delete, Lane::Send];

/// Who is worked on now. One worker a run: no object ever has two kube writes under way.
#[derive(Default)]
struct Busy {
    runs: BTreeSet<Ordinal>,
    /// Due, but it could not be moved; looked at again from then on.
    resting: BTreeMap<Ordinal, Instant>,
}

pub(super) async fn run(site: &Arc<Site>) {
    let mut busy = Busy::default();
    let mut workers: JoinSet<bool> = JoinSet::new();
    let mut runs: BTreeMap<tokio::task::Id, Ordinal> = BTreeMap::new();
    // What earlier leaderships left open is looked for until none of it is left.
    let mut inherits = true;
    loop {
        busy.resting.retain(|_, until| *until > Instant::now());
        if site.is_open() {
            for run in due(site, &busy, &mut inherits) {
                busy.runs.insert(run);
                let site = Arc::clone(site);
                let worker = workers.spawn(async move { work::work(&site, run).await });
                runs.insert(worker.id(), run);
            }
        }
        let wake = busy.resting.values().min().copied();
        tokio::select! {
            () = site.bell.notified() => {}
            Some(ended) = workers.join_next_with_id(), if !workers.is_empty() => {
                let (id, moved) = match ended {
                    Ok(ended) => ended,
                    Err(error) => {
                        tracing::error!(cluster = site.name, %error, "a worker failed");
                        (error.id(), false)
                    }
                };
                if let Some(run) = runs.remove(&id) {
                    busy.runs.remove(&run);
                    if !moved {
                        busy.resting.insert(run, Instant::now() + Duration::from_millis(REST_MS));
                    }
                }
            }
            () = sleep_until(wake) => {}
        }
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Runs to begin with now.
fn due(site: &Site, busy: &Busy, inherits: &mut bool) -> Vec<Ordinal> {
    // As many as may write at once: what waits does so here, before its intent.
    let at_once = usize::try_from(site.limiter.limit()).unwrap_or(RUNS_AT_ONCE_MAX).min(RUNS_AT_ONCE_MAX);
    let room = at_once.saturating_sub(busy.runs.len());
    if room == 0 {
        return Vec::new();
    }
    let now_ms = site.term.now_ms();
    let is_free = |run: &Ordinal| !busy.runs.contains(run) && !busy.resting.contains_key(run);
    let found = site.term.look(|view| {
        let mut runs = BTreeSet::new();
        for lane in LANES {
            for key in page(view, lane, site.cluster, now_ms)? {
                if runs.len() < room && is_free(&key.ordinal()) {
                    runs.insert(key.ordinal());
                }
            }
        }
        let mut left = false;
        if *inherits {
            for key in page(view, Lane::Resolve, site.cluster, u64::MAX)? {
                let run = key.ordinal();
                if !busy.runs.contains(&run)
                    && !runs.contains(&run)
                    && is_inherited(view, run, &site.term.permit)?
                {
                    left = true;
                    if runs.len() < room && is_free(&run) {
                        runs.insert(run);
                    }
                }
            }
        }
        Ok((runs, left))
    });
    let Some((runs, left)) = found else { return Vec::new() };
    *inherits &= left;
    runs.into_iter().collect()
}

fn page(view: &dyn View, lane: Lane, cluster: Ordinal, until_ms: u64) -> Result<Vec<Key>, Damaged> {
    let from = Key::lane(lane, cluster, 0, Ordinal(0));
    let to = Key::lane(lane, cluster, until_ms.saturating_add(1), Ordinal(0));
    Ok(view.page(from, to, LANE_PAGE_MAX)?.into_iter().map(|(key, _)| key).collect())
}

/// True if an earlier leadership left an intent without an outcome: that is due at once, not when it is overdue.
fn is_inherited(view: &dyn View, run: Ordinal, permit: &Permit) -> Result<bool, Damaged> {
    let Some(Record::Runnable(run)) = query::record(view, run)? else { return Ok(false) };
    Ok(run.objects.iter().any(|object| object.pending.is_some_and(|intent| intent.permit != *permit)))
}
