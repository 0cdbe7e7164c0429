//! One kube write: the intent is committed, the call made once, the outcome committed. The writer asks for the permit
//! right before it sends.

use super::work::{Desk, conclude};
use super::{Site, outcome, proof};
use crate::limits::{GONE_READ_DELAY_MS, GONE_READS_MAX, RELEASE_ROUNDS_MAX};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tallyman_cluster::{CallError, ClusterApi, Deleted, Guarded, RefusedKind, words};
use tallyman_model::command::{Intend, Observation, Outcome};
use tallyman_model::limits::{self, FINALIZERS_MAX};
use tallyman_model::manifest::{Marks, marks, materialise};
use tallyman_model::record::{Action, Intent, Kind, Object, Record, Runnable};
use tallyman_model::{Command, GroupId, Reason, query, time};

/// A kube write whose intent is committed.
struct Job {
    run: Runnable,
    object: Object,
    intent: Intent,
    kind: Kind,
    namespace: String,
    group: GroupId,
}

/// True if the intent was committed.
pub(super) async fn write(site: &Site, desk: &Desk, position: u16, action: Action) -> bool {
    let Some(job) = intend(site, desk, position, action).await else { return false };
    let outcome = match site.writer() {
        None => Outcome::NotSent { message: "failed to send the request: there is no client".to_owned() },
        Some(writer) => match action {
            Action::Create => create(site, desk, &writer, &job).await,
            Action::Delete => delete(&writer, &job).await,
            Action::Release => release(&writer, desk, &job).await,
            Action::Relabel => relabel(&writer, desk, &job).await,
            Action::Stop => stop(&writer, &job).await,
        },
    };
    tell(site, &job, &outcome);
    conclude(site, job.run.head.ordinal, position, job.intent.index, outcome).await;
    true
}

/// `None`: not committed, or not known to be. Then nothing is sent.
async fn intend(site: &Site, desk: &Desk, position: u16, action: Action) -> Option<Job> {
    let permit = site.term.permit;
    let intend = Intend { run: desk.run.head.ordinal, object: position, action, permit };
    let done = site.term.propose(Command::Intend(intend)).await.ok()?;
    let Some(Record::Runnable(run)) = done.record.map(Arc::unwrap_or_clone) else { return None };
    let object = run.objects.get(usize::from(position))?.clone();
    let intent = object.pending.filter(|intent| intent.action == action && intent.permit == permit)?;
    let plan = run.plan(&object)?;
    let (kind, namespace) = (plan.kind.clone(), plan.namespace.clone());
    Some(Job { run, object, intent, kind, namespace, group: desk.group })
}

async fn create(site: &Site, desk: &Desk, writer: &Guarded, job: &Job) -> Outcome {
    let Some(body) = body(site, desk, job) else {
        tracing::error!(run = %job.run.head.ordinal, "the kept manifests are not what was accepted");
        return Outcome::NotSent { message: "the kept manifests are not what was accepted".to_owned() };
    };
    match writer.create(&job.kind, &job.namespace, &body).await {
        Ok(item) => Outcome::Done(Box::new(item)),
        Err(error) if error.refused_kind() == Some(RefusedKind::AlreadyExists) => {
            exists(writer, job, &error).await
        }
        Err(error) => outcome::of_create(&job.kind, &error),
    }
}

fn body(site: &Site, desk: &Desk, job: &Job) -> Option<Vec<u8>> {
    let manifests = site.term.look(|view| query::manifests(view, &job.run))?;
    let cluster_uid = desk.cluster.kube_system_uid.clone()?;
    let marks = Marks { group: job.group, cluster_uid, at_ms: job.intent.at_ms };
    materialise(&job.run, &job.object, &manifests, &marks)
}

/// The name is in use: by ourselves, from an earlier request, or by somebody else.
async fn exists(writer: &Guarded, job: &Job, refusal: &CallError) -> Outcome {
    match writer.get(&job.kind, &job.namespace, &job.object.name).await {
        Ok(Some(item)) if proof::is_exactly(&item, job.group, &job.run, &job.object) => {
            Outcome::Done(Box::new(item))
        }
        Ok(Some(item)) => Outcome::Taken { uid: item.uid },
        // It has just gone.
        Ok(None) => outcome::of_write(refusal),
        Err(error) => Outcome::Unknown { message: words(&error) },
    }
}

async fn delete(writer: &Guarded, job: &Job) -> Outcome {
    let Some(uid) = job.object.uid.as_deref() else { return Outcome::Gone };
    match writer.delete(&job.kind, &job.namespace, &job.object.name, uid).await {
        Ok(Deleted::Gone) => Outcome::Gone,
        // A watch tells of the rest.
        Ok(Deleted::Going(item)) if job.kind.is_watched() => Outcome::Done(item),
        Ok(_) => after_delete(writer, job, uid).await,
        Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => Outcome::Gone,
        // Another object has the name now, or a concurrent change won.
        Err(error) if error.refused_kind() == Some(RefusedKind::Conflict) => {
            match read(writer, job, uid).await {
                Ok(Some(_)) => outcome::of_write(&error),
                Ok(None) => Outcome::Gone,
                Err(_) => Outcome::Unknown { message: words(&error) },
            }
        }
        Err(error) => outcome::of_write(&error),
    }
}

/// It is read, and what no watch follows until it is gone, for a short while.
async fn after_delete(writer: &Guarded, job: &Job, uid: &str) -> Outcome {
    let mut reads = if job.kind.is_watched() { 0 } else { GONE_READS_MAX };
    let mut delay = Duration::from_millis(GONE_READ_DELAY_MS);
    loop {
        match read(writer, job, uid).await {
            Ok(None) => return Outcome::Gone,
            Ok(Some(item)) if reads == 0 => return Outcome::Done(Box::new(item)),
            Ok(Some(_)) => {}
            Err(error) => return Outcome::Unknown { message: words(&error) },
        }
        reads -= 1;
        tokio::time::sleep(delay).await;
        delay *= 2;
    }
}

/// The object of that UID; `None` if there is none, or another one under its name.
async fn read(api: &Guarded, job: &Job, uid: &str) -> Result<Option<Observation>, CallError> {
    let item = api.get(&job.kind, &job.namespace, &job.object.name).await?;
    Ok(item.filter(|item| item.uid == uid))
}

/// Others may hold the object too, so the patch has their finalizers as they were at one resourceVersion, and holds only
/// for that one and this UID: what was observed last, or where it has changed since what is read then.
async fn release(writer: &Guarded, desk: &Desk, job: &Job) -> Outcome {
    let Some(uid) = job.object.uid.as_deref() else { return Outcome::Gone };
    let mut known = observed(desk, job);
    let mut rounds = 0;
    loop {
        rounds += 1;
        let (version, others) = match known.take() {
            Some(known) => known,
            None => match read(writer, job, uid).await {
                Ok(Some(item)) if item.held => (item.resource_version, item.seen.finalizers),
                Ok(Some(item)) => return Outcome::Done(Box::new(item)),
                Ok(None) => return Outcome::Gone,
                Err(error) => return outcome::of_read_before(&error),
            },
        };
        if others.len() >= FINALIZERS_MAX {
            let message =
                format!("it has {FINALIZERS_MAX} finalizers or more beside the hold: release it by hand");
            return Outcome::Refused {
                reason: Reason::NeedsOperator,
                message,
                permanent: false,
                retry_after_ms: None,
            };
        }
        let patch = json!({"metadata": {"finalizers": others}});
        let version = Some(version.as_str());
        match writer.patch(&job.kind, &job.namespace, &job.object.name, uid, version, &patch).await {
            Ok(item) => return Outcome::Done(Box::new(item)),
            Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => return Outcome::Gone,
            // Somebody changed it in between, and nothing was patched.
            Err(error)
                if error.refused_kind() == Some(RefusedKind::Conflict) && rounds < RELEASE_ROUNDS_MAX => {}
            Err(error) => return outcome::of_write(&error),
        }
    }
}

/// The version at which the held object was observed last, and the finalizers of others at that; `None` if that is of an
/// earlier timeline, in which the same version may have been another state.
fn observed(desk: &Desk, job: &Job) -> Option<(String, Vec<String>)> {
    let seen = job.object.seen.as_ref().filter(|_| job.object.held)?;
    let is_known = seen.timeline == desk.cluster.timeline && !seen.resource_version.is_empty();
    is_known.then(|| (seen.resource_version.clone(), seen.finalizers.clone()))
}

/// Its controller lets what runs end, and then says so.
async fn stop(writer: &Guarded, job: &Job) -> Outcome {
    let Some(uid) = job.object.uid.as_deref() else { return Outcome::Gone };
    let patch = json!({"spec": {"shutdown": "Stop"}});
    match writer.patch(&job.kind, &job.namespace, &job.object.name, uid, None, &patch).await {
        Ok(item) => Outcome::Done(Box::new(item)),
        Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => Outcome::Gone,
        Err(error) => outcome::of_write(&error),
    }
}

/// Puts back what was taken off: labels, annotations, and the hold of a main object whose end is not known yet.
/// Others may hold the object too, so it is read first, and the patch holds only for what was read.
async fn relabel(writer: &Guarded, desk: &Desk, job: &Job) -> Outcome {
    let Some(uid) = job.object.uid.as_deref() else { return Outcome::Gone };
    let item = match read(writer, job, uid).await {
        Ok(Some(item)) => item,
        Ok(None) => return Outcome::Gone,
        Err(error) => return outcome::of_read_before(&error),
    };
    let patch = json!({"metadata": marks_of(desk, job, &item)});
    let version = Some(item.resource_version.as_str());
    match writer.patch(&job.kind, &job.namespace, &job.object.name, uid, version, &patch).await {
        Ok(item) => Outcome::Done(Box::new(item)),
        Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => Outcome::Gone,
        Err(error) => outcome::of_write(&error),
    }
}

fn marks_of(desk: &Desk, job: &Job, item: &Observation) -> Value {
    let main = job.run.is_main(&job.object);
    // A shared member keeps the name of whose it is.
    let owner = item.submission.filter(|_| !main).unwrap_or(job.run.head.uid);
    let digest = job.run.plan(&job.object).map(|plan| plan.digest.to_string());
    let mut metadata = json!({
        "labels": {marks::GROUP: job.group.to_string(), marks::SUBMISSION_UID: owner.to_string()},
        "annotations": {marks::DIGEST: digest, marks::CLUSTER_UID: desk.cluster.kube_system_uid},
    });
    if main {
        let until = time::format(job.intent.at_ms + limits::HOLD_MS);
        metadata["annotations"][marks::ATTEMPT] = json!(job.object.attempt.to_string());
        metadata["annotations"][marks::HOLD_UNTIL] = json!(until);
        if !item.held && !item.seen.is_deleting() && !job.run.has_ended(&job.object) {
            let others = item.seen.finalizers.iter().map(String::as_str);
            metadata["finalizers"] = json!(others.chain([marks::HOLD]).collect::<Vec<_>>());
        }
    }
    metadata
}

/// What an operator would tell a colleague is told; the rest is for whoever looks closely.
fn tell(site: &Site, job: &Job, outcome: &Outcome) {
    let (term, cluster, name) = (job.intent.permit.term, site.name.as_str(), job.object.name.as_str());
    let (run, attempt, action) = (job.run.head.uid, job.object.attempt, job.intent.action);
    let (kind, namespace) = (&job.kind, job.namespace.as_str());
    match outcome {
        Outcome::Done(_) | Outcome::Gone | Outcome::Absent => {
            tracing::debug!(term, cluster, %run, attempt, ?action, %kind, namespace, name, "kube write done");
        }
        Outcome::Taken { uid } => {
            tracing::warn!(term, cluster, %run, attempt, %kind, namespace, name, uid, "the name is somebody else's");
        }
        Outcome::NotSent { message } | Outcome::Refused { message, .. } => {
            tracing::info!(term, cluster, %run, attempt, ?action, %kind, namespace, name, message, "kube write not done");
        }
        Outcome::Unknown { message } => {
            tracing::warn!(term, cluster, %run, attempt, ?action, %kind, namespace, name, message, "outcome unknown");
            site.contact_now.notify_one();
        }
    }
}
