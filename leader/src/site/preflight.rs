//! Asks the cluster whether it would take a run, by a dry run of each create, before the run is placed there.
//!
//! Nothing is made by it, so it needs no intent; else it is sent as kube writes are: under the permit, within the limit,
//! and not to a cluster that is taken for dead. Runs with the same manifests are answered from what was said last.

use super::Site;
use super::work::Desk;
use crate::limits::{ANSWER_PASSED_MS, ANSWER_REFUSED_MS, ANSWERS_MAX};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tallyman_cluster::{CallError, ClusterApi, NotSent, RefusedKind, words};
use tallyman_model::command::Check;
use tallyman_model::manifest::{Marks, materialise};
use tallyman_model::record::{Object, PreflightVerdict, Runnable};
use tallyman_model::{Command, Digest, query};
use tokio::time::Instant;

/// What a cluster said, and its words.
type Answer = (PreflightVerdict, String);

/// What it said of late, by what it was asked.
#[derive(Default)]
pub(super) struct Answers {
    known: Mutex<BTreeMap<Digest, (Instant, Answer)>>,
}

impl Answers {
    fn get(&self, asked: Digest) -> Option<Answer> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (until, _)| *until > Instant::now());
        known.get(&asked).map(|(_, answer)| answer.clone())
    }

    fn put(&self, asked: Digest, answer: &Answer) {
        let counts_ms = match answer.0 {
            PreflightVerdict::Passed => ANSWER_PASSED_MS,
            PreflightVerdict::Refused => ANSWER_REFUSED_MS,
            PreflightVerdict::Unanswered => return,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < ANSWERS_MAX {
            known.insert(asked, (Instant::now() + Duration::from_millis(counts_ms), answer.clone()));
        }
    }
}

/// Asks, and records what was said; true if the log has it, or nobody waits for it.
pub(super) async fn ask(site: &Site, desk: &Desk) -> bool {
    let asked = digest(&desk.run);
    let (verdict, message) = match site.answers.get(asked) {
        Some(answer) => answer,
        None => {
            let answer = rehearse(site, desk).await;
            site.answers.put(asked, &answer);
            answer
        }
    };
    let check = Check { run: desk.run.head.ordinal, cluster: site.cluster, verdict, message };
    site.term.propose(Command::Check(check)).await.is_ok()
}

/// Of the manifests as they were written, so without names that were made for one run.
fn digest(run: &Runnable) -> Digest {
    let mut bytes = Vec::new();
    for plan in &run.planned {
        bytes.extend_from_slice(&plan.digest.0);
        bytes.extend_from_slice(plan.namespace.as_bytes());
        bytes.push(0);
    }
    Digest::of(&bytes)
}

async fn rehearse(site: &Site, desk: &Desk) -> Answer {
    for object in desk.run.objects_on(site.cluster) {
        match create(site, desk, &object).await {
            // Whether that is ours is decided when it is created.
            Ok(()) => {}
            Err(error) if error.refused_kind() == Some(RefusedKind::AlreadyExists) => {}
            Err(error) => return (verdict(&error), format!("{}: {}", name(desk, &object), words(&error))),
        }
    }
    (PreflightVerdict::Passed, String::new())
}

async fn create(site: &Site, desk: &Desk, object: &Object) -> Result<(), CallError> {
    let unsent = || CallError::NotSent { why: NotSent::Request, source: None };
    let writer = site.writer().ok_or_else(unsent)?;
    let plan = desk.run.plan(object).ok_or_else(unsent)?;
    let manifests = site.term.look(|view| query::manifests(view, &desk.run)).ok_or_else(unsent)?;
    let cluster_uid = desk.cluster.kube_system_uid.clone().unwrap_or_default();
    let marks = Marks { group: desk.group, cluster_uid, at_ms: site.term.now_ms() };
    let body = materialise(&desk.run, object, &manifests, &marks).ok_or_else(unsent)?;
    writer.rehearse(&plan.kind, &plan.namespace, &body).await
}

fn verdict(error: &CallError) -> PreflightVerdict {
    match error.refused_kind() {
        None | Some(RefusedKind::TooMany | RefusedKind::Other | RefusedKind::Conflict) => {
            PreflightVerdict::Unanswered
        }
        Some(_) => PreflightVerdict::Refused,
    }
}

fn name(desk: &Desk, object: &Object) -> String {
    let plan = desk.run.plan(object);
    plan.map_or_else(String::new, |plan| format!("{} {}/{}", plan.kind, plan.namespace, object.name))
}
