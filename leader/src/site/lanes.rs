//! The lanes of one cluster: who has due work, and one worker for each such run.

use super::{Site, work};
use crate::limits::{LANE_PAGE_MAX, LANE_PAGES_MAX, REST_MS, RUNS_AT_ONCE_MAX, STATE_PAGE_MAX};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::brake::{self, Scope};
use tallyman_model::record::{Installation, Meta, Permit, Record, Runnable, Synced};
use tallyman_model::{Damaged, Key, Lane, Ordinal, View, query};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// In the order in which they are served.
const LANES: [Lane; 6] =
    [Lane::Resolve, Lane::Release, Lane::Delete, Lane::Send, Lane::Preflight, Lane::Sync];

/// Who is worked on now. One worker a run: no object ever has two kube writes under way.
#[derive(Default)]
struct Busy {
    runs: BTreeSet<Ordinal>,
    /// Due, but it could not be moved; looked at again from then on.
    resting: BTreeMap<Ordinal, Instant>,
    stops: Stops,
    /// Due, and held back.
    aside: BTreeSet<(Ordinal, bool)>,
}

/// What is held back, and for whom.
#[derive(Default, PartialEq)]
struct Stops {
    /// Tenants for which nothing is sent.
    paused: BTreeSet<String>,
    /// Engaged brakes.
    brakes: BTreeSet<Scope>,
}

impl Stops {
    fn of(meta: &Meta) -> Self {
        let brakes = meta.engaged().map(|(scope, _)| scope.clone()).collect();
        Self { paused: meta.paused_tenants.keys().cloned().collect(), brakes }
    }

    fn holds(&self, run: &Runnable, cluster: Ordinal, lane: Lane) -> bool {
        let tenant = &run.head.namespace;
        let is_held = || lane == Lane::Delete && self.are_braked(cluster, tenant) && brake::may_hold(run);
        self.paused.contains(tenant) || is_held()
    }

    /// What is under way is looked after all the same.
    fn hold_sync(&self, installation: &Installation) -> bool {
        let (cluster, tenant) = (installation.cluster, &installation.namespace);
        let reads = |object: &Synced| object.pending.is_some() || object.is_in_doubt();
        let is_paused = self.paused.contains(tenant) && !installation.objects.iter().any(reads);
        is_paused || self.are_braked(cluster, tenant) && brake::may_hold_sync(installation)
    }

    fn are_braked(&self, cluster: Ordinal, tenant: &str) -> bool {
        self.brakes.contains(&Scope::Cluster(cluster))
            || self.brakes.contains(&Scope::Tenant(tenant.to_owned()))
    }
}

impl Busy {
    fn is_free(&self, run: Ordinal) -> bool {
        !self.runs.contains(&run) && !self.resting.contains_key(&run)
    }

    /// Notes what is held back now.
    fn hold(&mut self, stops: Stops) {
        if self.stops != stops {
            self.stops = stops;
            self.aside.clear();
        }
    }
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
            for run in due(site, &mut busy, &mut inherits) {
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
fn due(site: &Site, busy: &mut Busy, inherits: &mut bool) -> Vec<Ordinal> {
    // As many as may write at once: what waits does so here, before its intent.
    let at_once = usize::try_from(site.limiter.limit()).unwrap_or(RUNS_AT_ONCE_MAX).min(RUNS_AT_ONCE_MAX);
    let room = at_once.saturating_sub(busy.runs.len());
    if room == 0 {
        return Vec::new();
    }
    let stops = site.term.look(|view| Ok(Stops::of(&query::meta(view)?)));
    busy.hold(stops.unwrap_or_default());
    let found = site.term.look(|view| {
        let mut search = Search { site, busy, room, runs: BTreeSet::new(), looked_at: 0 };
        for lane in LANES {
            search.lane(view, lane)?;
        }
        let left = *inherits && search.inherited(view)?;
        Ok((search.runs, search.looked_at, left))
    });
    let Some((runs, looked_at, left)) = found else { return Vec::new() };
    if looked_at >= STATE_PAGE_MAX {
        // There may be more behind them.
        site.bell.notify_one();
    }
    *inherits &= left;
    runs.into_iter().collect()
}

/// A search for runs that can be begun with.
struct Search<'a> {
    site: &'a Site,
    busy: &'a mut Busy,
    room: usize,
    runs: BTreeSet<Ordinal>,
    /// Runs that were read, to see whose they are.
    looked_at: usize,
}

impl Search<'_> {
    /// Takes what is due in a lane. What is set aside is passed over, so that it does not hold up what is behind it.
    fn lane(&mut self, view: &dyn View, lane: Lane) -> Result<(), Damaged> {
        let mut from = Key::lane(lane, self.site.cluster, 0, Ordinal(0));
        let to_ms = self.site.term.now_ms().saturating_add(1);
        for _ in 0..LANE_PAGES_MAX {
            let page =
                view.page(from, Key::lane(lane, self.site.cluster, to_ms, Ordinal(0)), LANE_PAGE_MAX)?;
            for (key, _) in &page {
                if self.runs.len() >= self.room || self.looked_at >= STATE_PAGE_MAX {
                    return Ok(());
                }
                let run = key.ordinal();
                if self.busy.is_free(run) && (lane == Lane::Resolve || !self.is_aside(view, run, lane)?) {
                    self.runs.insert(run);
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == LANE_PAGE_MAX => from = Key { c: last.c + 1, ..*last },
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// True if it is held back. What is in doubt is read all the same.
    fn is_aside(&mut self, view: &dyn View, run: Ordinal, lane: Lane) -> Result<bool, Damaged> {
        if self.busy.stops == Stops::default() {
            return Ok(false);
        }
        let entry = (run, lane == Lane::Delete);
        if self.busy.aside.contains(&entry) {
            return Ok(true);
        }
        self.looked_at += 1;
        let is_held = match query::record(view, run)? {
            Some(Record::Runnable(run)) => self.busy.stops.holds(&run, self.site.cluster, lane),
            Some(Record::Installation(installation)) => self.busy.stops.hold_sync(&installation),
            _ => return Ok(false),
        };
        if is_held {
            self.busy.aside.insert(entry);
        }
        Ok(is_held)
    }

    /// Takes what earlier leaderships left open, and tells whether there is any of it.
    fn inherited(&mut self, view: &dyn View) -> Result<bool, Damaged> {
        let mut left = false;
        for lane in [Lane::Resolve, Lane::Sync] {
            let lane = |due_ms| Key::lane(lane, self.site.cluster, due_ms, Ordinal(0));
            for (key, _) in view.page(lane(0), lane(u64::MAX), LANE_PAGE_MAX)? {
                let run = key.ordinal();
                if !self.busy.runs.contains(&run)
                    && !self.runs.contains(&run)
                    && is_inherited(view, run, &self.site.term.permit)?
                {
                    left = true;
                    if self.runs.len() < self.room && self.busy.is_free(run) {
                        self.runs.insert(run);
                    }
                }
            }
        }
        Ok(left)
    }
}

/// True if an earlier leadership left an intent without an outcome: that is due at once, not when it is overdue.
fn is_inherited(view: &dyn View, run: Ordinal, permit: &Permit) -> Result<bool, Damaged> {
    Ok(match query::record(view, run)? {
        Some(Record::Runnable(run)) => {
            run.objects.iter().any(|object| object.pending.is_some_and(|intent| intent.permit != *permit))
        }
        Some(Record::Installation(installation)) => {
            let mut objects = installation.objects.iter();
            objects.any(|object| object.pending.is_some_and(|intent| intent.permit != *permit))
        }
        _ => false,
    })
}
