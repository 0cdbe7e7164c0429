//! Gives runs that wait for a cluster one.

pub(crate) mod choose;
mod fair;

use crate::limits::{ACTIVE_COUNTED_MAX, PLACE_AT_ONCE_MAX, PLACE_WINDOW_MAX, REST_MS};
use crate::sites;
use crate::term::{Stuck, Term};
use choose::{Candidate, Wish, choose, is_same_offer};
use futures::StreamExt;
use futures::stream;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::{Choice, Place};
use tallyman_model::query::Required;
use tallyman_model::record::{Cluster, Record, Runnable};
use tallyman_model::{Command, Damaged, Key, Lane, Ordinal, Reason, Revision, View, query};
use tokio::sync::Notify;

pub(crate) async fn run(term: Arc<Term>, bell: Arc<Notify>) {
    let mut clusters = term.clusters.subscribe();
    let mut offered: Option<Arc<Vec<Cluster>>> = None;
    let mut paused: BTreeSet<String> = BTreeSet::new();
    let mut ready: Option<Revision> = None;
    // From where on those of a lane are still to be looked at that wait and are not due.
    let mut waiting: BTreeMap<Lane, Key> = BTreeMap::new();
    loop {
        tokio::select! {
            () = bell.notified() => {}
            // The term holds its sender.
            _ = clusters.changed() => {}
        }
        let known = clusters.borrow_and_update().clone();
        if term.is_paused() {
            continue;
        }
        // Those of a tenant that was resumed wait, too.
        let paused_before = std::mem::replace(&mut paused, term.paused_tenants());
        let is_resumed = !paused_before.is_subset(&paused);
        if let Some(known) = known
            && (is_resumed || !offered.as_ref().is_some_and(|offered| is_same_offer(offered, &known)))
        {
            offered = Some(known);
            waiting.insert(Lane::Place, not_due(&term, Lane::Place));
        }
        let ready_now = term.look(|view| Ok(query::meta(view)?.ready));
        if ready_now != std::mem::replace(&mut ready, ready_now) {
            waiting.insert(Lane::Require, not_due(&term, Lane::Require));
        }
        loop {
            let mut decisions = decide(&term).unwrap_or_default();
            let page = waiting.first_key_value().and_then(|(lane, from)| offer(&term, *lane, *from));
            let next = page.map(|(lane, taken, next)| {
                decisions.extend(taken);
                (lane, next)
            });
            if decisions.is_empty() && next.is_none() {
                break;
            }
            let proposals = decisions.into_iter().map(|place| place_one(&term, place));
            let answers: Vec<_> = stream::iter(proposals).buffer_unordered(PLACE_AT_ONCE_MAX).collect().await;
            if !answers.is_empty() && answers.iter().all(Result::is_err) {
                tokio::time::sleep(Duration::from_millis(REST_MS)).await;
            }
            if let Some((lane, next)) = next
                && !answers.contains(&Err(Stuck::Untaken))
            {
                waiting.remove(&lane);
                waiting.extend(next.map(|from| (lane, from)));
            }
        }
    }
}

/// Where those of a lane begin that wait and are not due.
fn not_due(term: &Term, lane: Lane) -> Key {
    Key::lane(lane, Ordinal(0), term.now_ms() + 1, Ordinal(0))
}

async fn place_one(term: &Term, place: Place) -> Result<(), Stuck> {
    let run = place.run;
    let done = term.propose(Command::Place(place)).await?;
    if let Some(Record::Runnable(placed)) = done.record.as_deref() {
        let cluster = placed.attempt().map(|attempt| attempt.cluster_name.as_str()).unwrap_or_default();
        let (namespace, name) = (&placed.head.namespace, &placed.head.name);
        tracing::debug!(term = term.permit.term, %run, namespace, name, cluster, why = placed.message, "placed");
    }
    Ok(())
}

/// Decides on what is due.
fn decide(term: &Term) -> Option<Vec<Place>> {
    let now_ms = term.now_ms();
    let due = term.look(|view| query::due(view, Lane::Place, Ordinal(0), now_ms, PLACE_WINDOW_MAX))?;
    let runs = fair::by_tenant(runs(term, &due)?, PLACE_AT_ONCE_MAX);
    let known = term.clusters.borrow().clone();
    if let Some(known) = known {
        let decided = decide_on(term, &runs, &known)?;
        let is_somewhere = |place: &Place| matches!(place.choice, Choice::On(_) | Choice::Ask(_));
        if decided.iter().all(is_somewhere) {
            return Some(decided);
        }
    }
    // A cluster may have come, or come back, in the last moment.
    decide_on(term, &runs, &sites::clusters(term)?)
}

/// What is decided on the next runs of a lane, from `from` on, that wait and are not due, where a cluster takes them now;
/// and where to go on. Those that still none takes cost nothing.
fn offer(term: &Term, lane: Lane, from: Key) -> Option<(Lane, Vec<Place>, Option<Key>)> {
    let to = Key::lane(lane, Ordinal(0), u64::MAX, Ordinal(u64::MAX));
    let keys = term.look(|view| view.page(from, to, PLACE_WINDOW_MAX))?;
    let next = keys.last().map(|(key, _)| Key::lane(lane, Ordinal(0), key.b, key.ordinal().next()));
    let ordinals: Vec<_> = keys.iter().map(|(key, _)| key.ordinal()).collect();
    let mut runs = runs(term, &ordinals)?;
    let paused = term.paused_tenants();
    runs.retain(|run| !paused.contains(&run.head.namespace));
    let mut runs = fair::by_tenant(runs, PLACE_WINDOW_MAX);
    // One that is being asked will say. Who waits for a lock or a name is not helped by a cluster: it is looked at when that
    // is free, and each further look would put it behind where this walk is, so that it never ended.
    runs.retain(|run| run.asking.is_none() && !matches!(run.reason, Reason::LockHeld | Reason::NameHeld));
    let decided = decide_on(term, &runs, &sites::clusters(term)?)?;
    let is_news = |(run, place): &(&Runnable, Place)| match place.choice {
        Choice::On(_) | Choice::Ask(_) => true,
        // That it waits for something else is said.
        Choice::Await { .. } => run.reason != Reason::AwaitingDeployable,
        Choice::Nowhere(_) => false,
    };
    let decided = runs.iter().zip(decided).filter(is_news).map(|(_, place)| place).collect();
    Some((lane, decided, next))
}

fn runs(term: &Term, ordinals: &[Ordinal]) -> Option<Vec<Runnable>> {
    let run = |record| match record {
        Record::Runnable(run) => Some(run),
        _ => None,
    };
    Some(term.records(ordinals)?.into_iter().filter_map(run).collect())
}

/// Runs that are given a cluster count there for those after them.
fn decide_on(term: &Term, runs: &[Runnable], clusters: &[Cluster]) -> Option<Vec<Place>> {
    if runs.is_empty() {
        return Some(Vec::new());
    }
    // Before it is looked at what is ready: what becomes so meanwhile is noticed.
    let ready = term.look(|view| Ok(query::meta(view)?.ready))?;
    let mut candidates = term.look(|view| candidates(view, clusters))?;
    let mut required = Required::default();
    let now_ms = term.now_ms();
    let decide = |run: &Runnable| {
        let lacking = match run.spec.requires.is_empty() {
            true => BTreeMap::new(),
            false => term.look(|view| lacking(view, run, &candidates, &mut required))?,
        };
        let wish = Wish::of(run, lacking, now_ms);
        let mut chosen = choose(&wish, &candidates);
        if let Choice::Nowhere(message) = &chosen.choice
            && candidates.iter().any(|candidate| wish.awaits(&candidate.cluster))
        {
            chosen.choice = Choice::Await { message: message.clone(), ready };
        }
        if let Choice::On(ordinal) = chosen.choice
            && !run.is_checked(ordinal, now_ms)
        {
            chosen.choice = Choice::Ask(ordinal);
        }
        if let Choice::On(ordinal) | Choice::Ask(ordinal) = &chosen.choice {
            let found = candidates.iter_mut().find(|candidate| candidate.cluster.head.ordinal == *ordinal);
            found.into_iter().for_each(|candidate| candidate.active += 1);
        }
        let attempt = u32::try_from(run.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
        Some(Place { run: run.head.ordinal, attempt, choice: chosen.choice, why: chosen.why })
    };
    runs.iter().map(decide).collect()
}

/// The clusters of a run's placement that lack what it requires.
fn lacking(
    view: &dyn View,
    run: &Runnable,
    candidates: &[Candidate],
    required: &mut Required,
) -> Result<BTreeMap<Ordinal, String>, Damaged> {
    let mut lacking = BTreeMap::new();
    let clusters = candidates.iter().map(|candidate| &candidate.cluster);
    for cluster in clusters.filter(|cluster| run.spec.placement.allows(cluster)) {
        let lacks = required.lacks(view, run, cluster)?;
        lacking.extend(lacks.map(|words| (cluster.head.ordinal, words)));
    }
    Ok(lacking)
}

fn candidates(view: &dyn View, clusters: &[Cluster]) -> Result<Vec<Candidate>, Damaged> {
    let mut candidates = Vec::with_capacity(clusters.len());
    for cluster in clusters {
        let active = query::active(view, cluster.head.ordinal, ACTIVE_COUNTED_MAX)?;
        candidates.push(Candidate { cluster: cluster.clone(), active });
    }
    Ok(candidates)
}
