//! One leadership: its permit, and the work under it.

use crate::cursors::{self, Cursors};
use crate::dispatch::{self, Bells};
use crate::factory::ClusterFactory;
use crate::limits::{PROPOSE_DELAY_MS_MAX, PROPOSE_DELAY_MS_MIN, REST_MS, STATE_PAGE_MAX};
use crate::log::{Log, look};
use crate::options::Options;
use crate::{expire, fan_out, give_up, place, sites, spread};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::ListBudget;
use tallyman_cluster::driver::Tide;
use tallyman_model::record::{Cluster, Permit, Record};
use tallyman_model::rule::Rules;
use tallyman_model::{Command, Damaged, Done, Ordinal, RefusalKind, View, query};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// One leadership.
pub(crate) struct Term {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) options: Options,
    pub(crate) permit: Permit,
    /// The clusters as they were a moment ago; `None` before they were read.
    pub(crate) clusters: watch::Sender<Option<Arc<Vec<Cluster>>>>,
    /// How many listings are read at one time.
    pub(crate) lists: ListBudget,
    /// What all watches together are told.
    pub(crate) tide: Tide,
    /// How far watches have come, to be recorded together.
    pub(crate) cursors: Cursors,
    /// When it began: all watches count their beats from here.
    pub(crate) begun: Instant,
    /// The status rules that users have made, as they were a moment ago.
    pub(crate) rules: watch::Sender<Arc<Rules>>,
}

/// Why a proposal changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// The state has moved on: look again.
    Outdated,
    /// The log did not take it, or may not have: look again after a while.
    Untaken,
}

impl Term {
    pub(crate) fn new(log: Arc<dyn Log>, options: Options, permit: Permit) -> Self {
        Self {
            log,
            options,
            permit,
            clusters: watch::Sender::new(None),
            lists: ListBudget::default(),
            tide: Tide::default(),
            cursors: Cursors::default(),
            begun: Instant::now(),
            rules: watch::Sender::new(Arc::default()),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.options.env.now_ms()
    }

    /// Reads from the state; `None` if that cannot be read.
    pub(crate) fn look<T>(&self, f: impl FnOnce(&dyn View) -> Result<T, Damaged>) -> Option<T> {
        look(self.log.as_ref(), f)
    }

    /// True while the group goes on from a backup and nobody has confirmed what the clusters show.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        self.look(|view| Ok(query::meta(view)?.unconfirmed().is_some())).unwrap_or(true)
    }

    /// True while nothing is sent to any cluster.
    pub(crate) fn is_paused(&self) -> bool {
        let look = |view: &dyn View| {
            let meta = query::meta(view)?;
            Ok(meta.unconfirmed().is_some() || meta.paused.is_some())
        };
        self.look(look).unwrap_or(true)
    }

    /// The tenants for which nothing is sent.
    pub(crate) fn paused_tenants(&self) -> BTreeSet<String> {
        self.look(|view| Ok(query::meta(view)?.paused_tenants.into_keys().collect())).unwrap_or_default()
    }

    /// The records under `ordinals` that are there, read a few at a time.
    pub(crate) fn records(&self, ordinals: &[Ordinal]) -> Option<Vec<Record>> {
        let mut records = Vec::with_capacity(ordinals.len());
        for ordinals in ordinals.chunks(STATE_PAGE_MAX) {
            let page =
                |view: &dyn View| ordinals.iter().map(|ordinal| query::record(view, *ordinal)).collect();
            let page: Vec<Option<Record>> = self.look(page)?;
            records.extend(page.into_iter().flatten());
        }
        Some(records)
    }

    /// True while this process leads under this permit.
    pub(crate) fn leads(&self) -> bool {
        *self.log.leadership().borrow() == Some(self.permit)
    }

    /// Proposes once.
    pub(crate) async fn propose(&self, command: Command) -> Result<Done, Stuck> {
        let verb = command.verb();
        match self.log.propose(command).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(refusal)) if refusal.kind == RefusalKind::Outdated => {
                tracing::debug!(verb, why = refusal.message, "outdated");
                Err(Stuck::Outdated)
            }
            Ok(Err(refusal)) => {
                tracing::warn!(verb, why = refusal.message, "the leader's own command was refused");
                Err(Stuck::Outdated)
            }
            Err(error) => {
                tracing::debug!(verb, %error, "not proposed");
                Err(Stuck::Untaken)
            }
        }
    }

    /// Proposes until the log answers. For commands that may be applied twice: what came of something.
    pub(crate) async fn insist(&self, command: Command) -> Result<Done, Stuck> {
        let mut delay_ms = PROPOSE_DELAY_MS_MIN;
        loop {
            match self.propose(command.clone()).await {
                Err(Stuck::Untaken) => {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    delay_ms = (delay_ms * 2).min(PROPOSE_DELAY_MS_MAX);
                }
                answered => return answered,
            }
        }
    }
}

/// Works until it is dropped.
pub(crate) async fn run(term: Arc<Term>, clusters: Arc<dyn ClusterFactory>) {
    let bells = Bells::default();
    let mut work = JoinSet::new();
    loop {
        work.spawn(dispatch::run(Arc::clone(&term), bells.clone()));
        work.spawn(place::run(Arc::clone(&term), bells.place()));
        work.spawn(fan_out::run(Arc::clone(&term), bells.fan_out()));
        work.spawn(give_up::run(Arc::clone(&term)));
        work.spawn(spread::run(Arc::clone(&term)));
        work.spawn(expire::run(Arc::clone(&term), bells.expire()));
        work.spawn(cursors::run(Arc::clone(&term)));
        work.spawn(sites::run(Arc::clone(&term), Arc::clone(&clusters), bells.clone()));
        let ended = work.join_next().await;
        // None of them ends by itself while the log is there.
        tracing::error!(?ended, "a part of the leader's work stopped; all of it starts anew");
        work.shutdown().await;
        tokio::time::sleep(Duration::from_millis(REST_MS)).await;
    }
}
