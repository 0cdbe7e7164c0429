//! One cluster: contact, due work, watches and sweeps.

mod contact;
mod diagnose;
mod foreign;
mod hub;
mod ingest;
mod lanes;
mod loss;
mod outcome;
mod preflight;
mod proof;
mod resolve;
mod step;
mod sweep;
mod sync;
mod watching;
mod work;
mod write;

use crate::factory::ClusterFactory;
use crate::limits::SEND_WITHIN_MS;
use crate::term::Term;
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::driver::Turns;
use tallyman_cluster::{Breaker, ClusterApi, Denials, Guarded, Limiter, ListBudget};
use tallyman_model::Ordinal;
use tallyman_model::query::Extents;
use tallyman_model::record::Cluster;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// What the work for one cluster shares.
pub(crate) struct Site {
    term: Arc<Term>,
    cluster: Ordinal,
    name: String,
    /// The cluster's record, a moment old at most.
    record: watch::Receiver<Cluster>,
    /// What is looked at there, a moment old at most.
    tracked: watch::Receiver<Extents>,
    /// The client; none before credentials were read.
    client: watch::Sender<Option<Arc<dyn ClusterApi>>>,
    /// True after the cluster showed the identity of its record, until it shows another.
    confirmed: watch::Sender<bool>,
    limiter: Limiter,
    breaker: Breaker,
    denials: Denials,
    /// What it said when it was asked whether it would take a run.
    answers: preflight::Answers,
    lists: ListBudget,
    /// Whose watches are denied asks again in turn.
    turns: Turns,
    /// Due work.
    bell: Arc<Notify>,
    /// Contact is wanted now.
    contact_now: Notify,
    /// A sweep is wanted now.
    sweep_now: Notify,
    /// A look at what is kept in sync is wanted now.
    look_now: Notify,
}

impl Site {
    pub(crate) fn new(
        term: Arc<Term>,
        record: watch::Receiver<Cluster>,
        tracked: watch::Receiver<Extents>,
        bell: Arc<Notify>,
    ) -> Self {
        let (cluster, name) = {
            let record = record.borrow();
            (record.head.ordinal, record.head.name.clone())
        };
        let lists = term.lists.of_cluster();
        Self {
            term,
            cluster,
            name,
            record,
            tracked,
            client: watch::Sender::new(None),
            confirmed: watch::Sender::new(false),
            limiter: Limiter::default(),
            breaker: Breaker::default(),
            denials: Denials::default(),
            answers: preflight::Answers::default(),
            lists,
            turns: Turns::default(),
            bell,
            contact_now: Notify::new(),
            sweep_now: Notify::new(),
            look_now: Notify::new(),
        }
    }

    /// True while kube writes may be begun. The record is read from the state: what was just confirmed or paused
    /// counts at once.
    fn is_open(&self) -> bool {
        *self.confirmed.borrow()
            && !self.breaker.is_open()
            && !self.term.is_paused()
            && contact::current(self).is_some_and(|record| record.writable())
    }

    /// The cluster, for reads.
    fn reader(&self) -> Option<Guarded> {
        let client = self.client.borrow().clone()?;
        // Nothing is written through it.
        let guarded = Guarded::new(client, self.limiter.clone(), self.breaker.clone(), Arc::new(|| false));
        Some(guarded.telling(self.denials.clone()).within(self.lists.clone()))
    }

    /// The cluster, for one kube write whose intent has just been committed. It is not sent when the permit does not
    /// hold any more, or when so much time has passed since that the intent's deadline would say nothing.
    fn writer(&self) -> Option<Guarded> {
        let client = self.client.borrow().clone()?;
        let until = Instant::now() + Duration::from_millis(SEND_WITHIN_MS);
        let term = Arc::clone(&self.term);
        let fence = Arc::new(move || Instant::now() <= until && term.log.may_act(&term.permit));
        Some(Guarded::new(client, self.limiter.clone(), self.breaker.clone(), fence))
    }
}

/// Works until it is dropped.
pub(crate) async fn run(site: Arc<Site>, factory: Arc<dyn ClusterFactory>, diagnoses: Arc<Notify>) {
    tokio::join!(
        contact::run(&site, factory.as_ref()),
        lanes::run(&site),
        loss::run(&site),
        watching::run(&site),
        diagnose::run(&site, diagnoses),
        sync::look_after(&site),
        hub::run(&site, factory.as_ref())
    );
}
