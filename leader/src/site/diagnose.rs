//! Looks at the Pods and Events of attempts that do not run, or that failed, and records what is wrong.
//!
//! What is due is in a lane, like all work: of one cluster one attempt after the other, at a pace, with reads only. So
//! however many are stuck, a kube-apiserver is asked a few times a second, and nothing else waits for it.

use super::Site;
use crate::limits::{DIAGNOSES_PAGE_MAX, DIAGNOSIS_PACE_MS, DIAGNOSIS_REST_MS};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::{CallError, ClusterApi, Guarded, RefusedKind};
use tallyman_model::command::Diagnose;
use tallyman_model::manifest::marks;
use tallyman_model::record::{Condition, Object, Record, Runnable};
use tallyman_model::rule::diagnosis::{Evidence, find};
use tallyman_model::{Command, Key, Lane, Ordinal, query};
use tokio::sync::Notify;
use tokio::time::Instant;

pub(super) async fn run(site: &Site, bell: Arc<Notify>) {
    // Due, but it could not be looked at; tried again from then on.
    let mut resting: BTreeMap<Ordinal, Instant> = BTreeMap::new();
    loop {
        resting.retain(|_, until| *until > Instant::now());
        let due = if is_open(site) { due(site, &resting) } else { Vec::new() };
        if due.is_empty() {
            bell.notified().await;
        }
        for run in due {
            if !diagnose(site, run).await {
                resting.insert(run, Instant::now() + Duration::from_millis(DIAGNOSIS_REST_MS));
            }
            tokio::time::sleep(Duration::from_millis(DIAGNOSIS_PACE_MS)).await;
        }
    }
}

/// The cluster is the one that it was, and answers.
fn is_open(site: &Site) -> bool {
    *site.confirmed.borrow() && !site.breaker.is_open()
}

/// Runs to look at now, those that wait longest first.
fn due(site: &Site, resting: &BTreeMap<Ordinal, Instant>) -> Vec<Ordinal> {
    let now_ms = site.term.now_ms();
    let found = site.term.look(|view| {
        let from = Key::lane(Lane::Diagnose, site.cluster, 0, Ordinal(0));
        let to = Key::lane(Lane::Diagnose, site.cluster, now_ms.saturating_add(1), Ordinal(0));
        let keys = if query::meta(view)?.version >= Diagnose::SINCE {
            view.page(from, to, DIAGNOSES_PAGE_MAX)?
        } else {
            Vec::new()
        };
        Ok(keys.into_iter().map(|(key, _)| key.ordinal()).collect::<Vec<_>>())
    });
    let mut due = found.unwrap_or_default();
    due.retain(|run| !resting.contains_key(run));
    due.dedup();
    due
}

/// True if the log has what was found, or nothing was to be found.
async fn diagnose(site: &Site, ordinal: Ordinal) -> bool {
    let Some(run) = run_of(site, ordinal) else { return true };
    let now_ms = site.term.now_ms();
    let is_due = |object: &&Object| {
        object.cluster == site.cluster && run.diagnosis_due_ms(object).is_some_and(|due_ms| due_ms <= now_ms)
    };
    let Some(object) = run.objects.iter().find(is_due) else { return true };
    let (Some(plan), Some(uid), Some(reader)) = (run.plan(object), object.uid.clone(), site.reader()) else {
        return false;
    };
    let evidence = match gather(&reader, &run, object, &plan.namespace).await {
        Ok(evidence) => evidence,
        Err(error) => {
            tracing::debug!(cluster = site.name, run = %run.head.uid, %error, "its Pods were not read");
            return false;
        }
    };
    let finding = find(&format!("{} {}/{}", plan.kind, plan.namespace, object.name), evidence);
    let diagnose = Diagnose { run: ordinal, attempt: object.attempt, uid, finding };
    // Outdated: it runs by now.
    site.term.propose(Command::Diagnose(diagnose)).await.is_ok()
}

fn run_of(site: &Site, ordinal: Ordinal) -> Option<Runnable> {
    match site.term.look(|view| query::record(view, ordinal))?? {
        Record::Runnable(run) => Some(run),
        _ => None,
    }
}

/// The Pods, and the Events of what does not explain itself, or what Kueue says: two requests at most, with an older Kueue
/// three.
async fn gather(
    reader: &Guarded,
    run: &Runnable,
    object: &Object,
    namespace: &str,
) -> Result<Evidence, CallError> {
    let is_suspended = object.seen.as_ref().is_some_and(|seen| seen.condition == Some(Condition::Suspended));
    let mut evidence = Evidence { is_suspended, ..Evidence::default() };
    match reader.pods(namespace, &marks::pods(run.head.uid, object.attempt)).await {
        Ok((pods, is_cut)) => (evidence.pods, evidence.is_cut) = (pods, is_cut),
        Err(error) => return denied(evidence, error),
    }
    if is_suspended && evidence.pods.is_empty() {
        return match reader.admission(namespace, object.uid.as_deref().unwrap_or_default()).await {
            Ok(admission) => Ok(Evidence { admission, ..evidence }),
            Err(error) => denied(evidence, error),
        };
    }
    let subject = match (evidence.pods.is_empty(), evidence.in_question()) {
        (true, _) => object.uid.clone(),
        (_, pod) => pod.map(|one| one.uid.clone()),
    };
    let Some(subject) = subject else { return Ok(evidence) };
    match reader.warnings(namespace, &subject).await {
        Ok(warnings) => Ok(Evidence { warnings, ..evidence }),
        Err(error) => denied(evidence, error),
    }
}

/// What may not be read is said, and what is known without it.
fn denied(evidence: Evidence, error: CallError) -> Result<Evidence, CallError> {
    match error.refused_kind() {
        Some(RefusedKind::Forbidden | RefusedKind::Unauthorized) => {
            Ok(Evidence { denied: Some(error.to_string()), ..evidence })
        }
        _ => Err(error),
    }
}
