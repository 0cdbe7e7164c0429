//! One kube write of what is kept in sync: the intent is committed, the calls made, the outcome committed. Each call
//! asks for the permit right before it is sent.

use super::{Desk, conclude, looking};
use crate::limits::{APPLY_ROUNDS_MAX, CONFLICT_AGAIN_MS};
use crate::site::Site;
use serde_json::json;
use tallyman_cluster::{Apply, CallError, ClusterApi, Deleted, Guarded, Look, NotSent, RefusedKind, words};
use tallyman_model::Command;
use tallyman_model::command::{IntendSync, Looked, SyncOutcome};
use tallyman_model::manifest::{marks, to_sync};
use tallyman_model::record::{Drift, ObjectState, OnConflict, Record, SyncAction, SyncIntent, Synced};

/// True if the intent was committed, or it was noted why there is none.
pub(super) async fn write(site: &Site, desk: &Desk, position: usize, action: SyncAction) -> bool {
    let permit = site.term.permit;
    let installation = desk.installation.ordinal;
    let Ok(object) = u16::try_from(position) else { return false };
    let intend = IntendSync { installation, object, action, permit };
    let Ok(done) = site.term.propose(Command::IntendSync(intend)).await else { return false };
    let Some(Record::Installation(now)) = done.record.as_deref() else { return true };
    let Some(planned) = desk.installation.objects.get(position) else { return false };
    let is_it = |one: &&Synced| {
        (&one.kind, &one.namespace, &one.name) == (&planned.kind, &planned.namespace, &planned.name)
    };
    let Some(object) = now.objects.iter().find(is_it) else { return true };
    let ours = |intent: &SyncIntent| intent.action == action && intent.permit == permit && !intent.unknown;
    let Some(intent) = object.pending.filter(ours) else { return true };
    let outcome = if intent.generation != desk.bundle.generation {
        // Another generation came in between: what is here is not what is wanted.
        SyncOutcome::NotSent { message: String::new() }
    } else {
        match site.writer() {
            None => {
                SyncOutcome::NotSent { message: "failed to send the request: there is no client".to_owned() }
            }
            Some(writer) => match action {
                SyncAction::Create => create(desk, &writer, object, intent).await,
                SyncAction::Apply => apply(desk, &writer, object, intent).await,
                SyncAction::Delete => delete(&writer, object).await,
                SyncAction::Release => release(&writer, object).await,
            },
        }
    };
    tell(site, object, action, &outcome);
    conclude(site, desk, object, intent.index, outcome).await;
    true
}

fn body(desk: &Desk, object: &Synced, intent: SyncIntent, at: Option<(&str, &str)>) -> Option<Vec<u8>> {
    let marks = desk.marks(intent.at_ms)?;
    let body = to_sync(&desk.bundle, desk.installation.uid, object, &desk.manifests, &marks, at);
    if body.is_none() {
        tracing::error!(bundle = %desk.bundle.ordinal, "the kept manifests are not what was accepted");
    }
    body
}

fn damaged() -> SyncOutcome {
    SyncOutcome::NotSent { message: "the kept manifests are not what was accepted".to_owned() }
}

async fn create(desk: &Desk, writer: &Guarded, object: &Synced, intent: SyncIntent) -> SyncOutcome {
    let Some(body) = body(desk, object, intent, None) else { return damaged() };
    match writer.create(&object.kind, &object.namespace, &body).await {
        Ok(item) => SyncOutcome::Done(Box::new(Looked {
            uid: item.uid,
            resource_version: item.resource_version,
            deleting: item.seen.is_deleting(),
            owned: None,
            changed_by: None,
            health: tallyman_model::record::Health::Progressing,
            health_message: String::new(),
            differences: None,
        })),
        Err(error) if error.refused_kind() == Some(RefusedKind::AlreadyExists) => {
            match writer.look(&object.kind, &object.namespace, &object.name).await {
                Ok(Some(look)) => whose(desk, object, &look),
                Ok(None) => of_error(&error),
                Err(error) => SyncOutcome::Unknown { message: words(&error) },
            }
        }
        Err(error) => of_error(&error),
    }
}

/// What has the name: what we made of that very manifest, or something else.
fn whose(desk: &Desk, object: &Synced, look: &Look) -> SyncOutcome {
    let item = &look.item;
    let digest = desk.bundle.planned.get(usize::from(object.planned)).map(|plan| plan.digest.to_string());
    let ours = item.group == Some(desk.group)
        && item.submission == Some(desk.installation.uid)
        && (!object.wanted || item.digest == digest);
    match ours {
        true => SyncOutcome::Done(Box::new(looking::looked(look, None))),
        false => SyncOutcome::Taken { uid: item.uid.clone() },
    }
}

/// Read, then applied to just that: what somebody changes in between is read again.
async fn apply(desk: &Desk, writer: &Guarded, object: &Synced, intent: SyncIntent) -> SyncOutcome {
    let (kind, namespace, name) = (&object.kind, object.namespace.as_str(), object.name.as_str());
    let spec = &desk.bundle.spec;
    // What we applied and somebody changed is taken back as the policy says; fields that never were ours are not.
    let corrects =
        spec.drift == Drift::Correct && object.drift.is_some() && object.applied == Some(intent.generation);
    let how = Apply { force: corrects || spec.on_conflict == OnConflict::Force, dry_run: false };
    for _ in 0..APPLY_ROUNDS_MAX {
        let look = match writer.look(kind, namespace, name).await {
            Ok(Some(look)) if object.uid.as_ref() == Some(&look.item.uid) => look,
            Ok(_) => return SyncOutcome::Gone,
            Err(error) => return not_read(&error),
        };
        let (uid, version) = (look.item.uid.as_str(), look.item.resource_version.as_str());
        let answer = match &look.owned.disown {
            Some(patch) => {
                let patched = writer.patch(kind, namespace, name, uid, Some(version), patch).await;
                patched.map(|_| None)
            }
            None => {
                let Some(body) = body(desk, object, intent, Some((uid, version))) else { return damaged() };
                writer.apply(kind, namespace, name, &body, how).await.map(Some)
            }
        };
        match answer {
            Ok(Some(look)) => {
                let applied = desk.as_applied(object);
                return SyncOutcome::Done(Box::new(looking::looked(&look, applied.as_ref())));
            }
            Ok(None) => {}
            Err(error) if error.refused_kind() == Some(RefusedKind::Conflict) => {}
            Err(error) if error.refused_kind() == Some(RefusedKind::FieldConflict) => {
                let message = format!(
                    "{}: have them give the fields up, leave the fields out or in spec.ignore, or take them by \
                     spec.onConflict: Force",
                    words(&error)
                );
                return SyncOutcome::Refused { message, retry_after_ms: Some(CONFLICT_AGAIN_MS) };
            }
            Err(error) => return of_error(&error),
        }
    }
    SyncOutcome::NotSent { message: "others change it faster than it can be read and applied".to_owned() }
}

async fn delete(writer: &Guarded, object: &Synced) -> SyncOutcome {
    let Some(uid) = object.uid.as_deref() else { return SyncOutcome::Gone };
    let refused = match writer.delete(&object.kind, &object.namespace, &object.name, uid).await {
        Ok(Deleted::Gone) => return SyncOutcome::Gone,
        Ok(_) => None,
        Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => return SyncOutcome::Gone,
        // Another object has the name now, or a concurrent change won.
        Err(error) if error.refused_kind() == Some(RefusedKind::Conflict) => Some(error),
        Err(error) => return of_error(&error),
    };
    match (writer.look(&object.kind, &object.namespace, &object.name).await, refused) {
        (Ok(Some(look)), refused) if look.item.uid == uid => match refused {
            None => SyncOutcome::Done(Box::new(looking::looked(&look, None))),
            Some(refused) => of_error(&refused),
        },
        (Ok(_), _) => SyncOutcome::Gone,
        (Err(error), _) => SyncOutcome::Unknown { message: words(&error) },
    }
}

/// It stays, and nothing on it says any more that it is ours.
async fn release(writer: &Guarded, object: &Synced) -> SyncOutcome {
    let Some(uid) = object.uid.as_deref() else { return SyncOutcome::Gone };
    let patch = json!({"metadata": {
        "labels": {marks::GROUP: null, marks::SUBMISSION_UID: null},
        "annotations": {marks::DIGEST: null, marks::CLUSTER_UID: null},
    }});
    match writer.patch(&object.kind, &object.namespace, &object.name, uid, None, &patch).await {
        Ok(_) => SyncOutcome::Released,
        Err(error) if matches!(error.refused_kind(), Some(RefusedKind::NotFound | RefusedKind::Conflict)) => {
            SyncOutcome::Gone
        }
        Err(error) => of_error(&error),
    }
}

/// What came of an intent whose outcome is not known, or `None` for a create in doubt. `None`: the create is to be sent
/// again.
pub(super) async fn resolved(
    site: &Site,
    desk: &Desk,
    object: &Synced,
    intent: Option<SyncIntent>,
) -> Option<SyncOutcome> {
    if intent.is_some_and(|intent| intent.action != SyncAction::Create) {
        // Each of them may be made again: by UID, and an apply to just what was read.
        return Some(SyncOutcome::NotSent { message: String::new() });
    }
    let Some(reader) = site.reader() else {
        return Some(SyncOutcome::Unknown { message: "there is no client".to_owned() });
    };
    match reader.look(&object.kind, &object.namespace, &object.name).await {
        Err(error) => Some(SyncOutcome::Unknown { message: words(&error) }),
        Ok(None) if intent.is_some() && object.wanted && object.state != ObjectState::Live => None,
        Ok(None) => Some(SyncOutcome::Absent),
        // A read from an old cache: a UID that is known to be gone does not come back.
        Ok(Some(look))
            if object.state == ObjectState::Gone && object.uid.as_ref() == Some(&look.item.uid) =>
        {
            Some(SyncOutcome::Unknown { message: "what is gone was read".to_owned() })
        }
        Ok(Some(look)) => Some(whose(desk, object, &look)),
    }
}

fn of_error(error: &CallError) -> SyncOutcome {
    let message = words(error);
    match error {
        CallError::NotSent { why: NotSent::Fenced | NotSent::Busy, .. } => {
            SyncOutcome::NotSent { message: String::new() }
        }
        CallError::NotSent { .. } => SyncOutcome::NotSent { message },
        CallError::Unknown { .. } => SyncOutcome::Unknown { message },
        CallError::Refused(refused) => {
            let retry_after_ms = refused.retry_after_s.map(|seconds| u64::from(seconds) * 1_000);
            SyncOutcome::Refused { message, retry_after_ms }
        }
    }
}

/// Nothing was written.
fn not_read(error: &CallError) -> SyncOutcome {
    match of_error(error) {
        SyncOutcome::Unknown { message } => SyncOutcome::NotSent { message },
        other => other,
    }
}

/// What an operator would tell a colleague is told; the rest is for whoever looks closely.
fn tell(site: &Site, object: &Synced, action: SyncAction, outcome: &SyncOutcome) {
    let (cluster, kind) = (site.name.as_str(), &object.kind);
    let (namespace, name) = (object.namespace.as_str(), object.name.as_str());
    match outcome {
        SyncOutcome::Done(_) | SyncOutcome::Gone | SyncOutcome::Released | SyncOutcome::Absent => {
            tracing::debug!(cluster, ?action, %kind, namespace, name, "kube write done");
        }
        SyncOutcome::Taken { uid } => {
            tracing::warn!(cluster, %kind, namespace, name, uid, "the name is somebody else's");
        }
        SyncOutcome::NotSent { message } | SyncOutcome::Refused { message, .. } => {
            tracing::info!(cluster, ?action, %kind, namespace, name, message, "kube write not done");
        }
        SyncOutcome::Unknown { message } => {
            tracing::warn!(cluster, ?action, %kind, namespace, name, message, "outcome unknown");
            site.contact_now.notify_one();
        }
    }
}
