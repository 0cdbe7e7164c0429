//! Writes. Each is sent once.

use super::exchange::{Ask, exchange, object};
use super::served::{learn, place};
use super::{KubeApi, path};
use crate::api::Deleted;
use crate::error::{CallError, NotSent};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tallyman_model::command::Observation;
use tallyman_model::record::Kind;
use tallyman_model::rule::Rules;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

pub(super) async fn create(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    body: &[u8],
) -> Result<Observation, CallError> {
    let place = place(api, kind).await?;
    let path = path::collection(&place, Some(namespace));
    let ask = Ask::write(Method::POST, &path, JSON, Bytes::copy_from_slice(body)).at(&place);
    let answer = exchange(&api.write, ask, api.timing.write).await;
    object(&api.rules(), kind, &learn(api, kind, answer).await?)
}

pub(super) async fn rehearse(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    body: &[u8],
) -> Result<(), CallError> {
    let place = place(api, kind).await?;
    let mut path = path::collection(&place, Some(namespace));
    path::query(&mut path, &[("dryRun", "All")]);
    let ask = Ask::write(Method::POST, &path, JSON, Bytes::copy_from_slice(body)).at(&place);
    let answer = exchange(&api.write, ask, api.timing.write).await;
    learn(api, kind, answer).await.map(drop)
}

pub(super) async fn delete(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    name: &str,
    uid: &str,
) -> Result<Deleted, CallError> {
    let place = place(api, kind).await?;
    let path = path::object(&place, namespace, name);
    // In the foreground an object waits for the garbage collector, which costs two requests of its own, also where it
    // owns nothing.
    let policy = if kind.is_watched() { "Foreground" } else { "Background" };
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": policy,
        "preconditions": {"uid": uid},
    });
    let body = Bytes::from(options.to_string());
    let ask = Ask::write(Method::DELETE, &path, JSON, body).at(&place);
    let answer = exchange(&api.write, ask, api.timing.write).await;
    Ok(deleted(&api.rules(), kind, uid, &learn(api, kind, answer).await?))
}

/// A kube-apiserver names by UID what it has removed from its store, and shows what it has not.
fn deleted(rules: &Rules, kind: &Kind, uid: &str, answer: &[u8]) -> Deleted {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return Deleted::Unsaid };
    if answer["kind"] == "Status" {
        let is_gone = answer["status"] == "Success" && answer["details"]["uid"] == uid;
        return if is_gone { Deleted::Gone } else { Deleted::Unsaid };
    }
    match rules.project(kind, &answer) {
        Some(item) if item.uid == uid && item.seen.is_deleting() => Deleted::Going(Box::new(item)),
        _ => Deleted::Unsaid,
    }
}

pub(super) async fn patch(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    name: &str,
    uid: &str,
    resource_version: Option<&str>,
    patch: &Value,
) -> Result<Observation, CallError> {
    let body = guarded(patch, uid, resource_version).ok_or(CallError::unsent(NotSent::Request))?;
    let place = place(api, kind).await?;
    let path = path::object(&place, namespace, name);
    let ask = Ask::write(Method::PATCH, &path, MERGE_PATCH, Bytes::from(body.to_string())).at(&place);
    let answer = exchange(&api.write, ask, api.timing.write).await;
    object(&api.rules(), kind, &learn(api, kind, answer).await?)
}

/// The patch with its preconditions: a kube-apiserver answers 409 to a patch that would change a UID or names an
/// old resourceVersion. `None` if the patch is no JSON object.
fn guarded(patch: &Value, uid: &str, resource_version: Option<&str>) -> Option<Value> {
    let mut patch = patch.clone();
    let metadata = patch.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    let metadata = metadata.as_object_mut()?;
    metadata.insert("uid".to_owned(), uid.into());
    if let Some(version) = resource_version {
        metadata.insert("resourceVersion".to_owned(), version.into());
    }
    Some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delete_is_done_only_by_what_the_answer_says_of_this_uid() {
        let said = |answer: Value| deleted(&Rules::default(), &Kind::Job, "u", answer.to_string().as_bytes());
        let status = |details: Value| json!({"kind": "Status", "status": "Success", "details": details});
        assert_eq!(said(status(json!({"name": "a", "kind": "jobs", "uid": "u"}))), Deleted::Gone);
        assert_eq!(said(status(json!({"name": "a", "kind": "jobs"}))), Deleted::Unsaid);
        assert_eq!(said(status(json!({"uid": "another"}))), Deleted::Unsaid);
        let mut job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"namespace": "n", "name": "a", "uid": "u", "resourceVersion": "7"},
        });
        assert_eq!(said(job.clone()), Deleted::Unsaid);
        job["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
        assert!(matches!(said(job), Deleted::Going(item) if item.uid == "u" && item.seen.is_deleting()));
    }

    #[test]
    fn a_patch_carries_its_preconditions_beside_what_it_changes() {
        let patch = json!({"metadata": {"finalizers": null}});
        let expected = json!({"metadata": {"finalizers": null, "uid": "u", "resourceVersion": "7"}});
        assert_eq!(guarded(&patch, "u", Some("7")), Some(expected));
        assert_eq!(guarded(&json!({}), "u", None), Some(json!({"metadata": {"uid": "u"}})));
        assert_eq!(guarded(&json!([]), "u", None), None);
    }
}
