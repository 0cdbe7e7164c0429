//! Writes. Each is sent once.

use super::exchange::{Ask, exchange, object};
use super::served::{learn, place};
use super::{KubeApi, path};
use crate::error::{CallError, NotSent};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tallyman_model::command::Observation;
use tallyman_model::record::Kind;

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
) -> Result<(), CallError> {
    let place = place(api, kind).await?;
    let path = path::object(&place, namespace, name);
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": uid},
    });
    let body = Bytes::from(options.to_string());
    let ask = Ask::write(Method::DELETE, &path, JSON, body).at(&place);
    let answer = exchange(&api.write, ask, api.timing.write).await;
    learn(api, kind, answer).await.map(drop)
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
    fn a_patch_carries_its_preconditions_beside_what_it_changes() {
        let patch = json!({"metadata": {"finalizers": null}});
        let expected = json!({"metadata": {"finalizers": null, "uid": "u", "resourceVersion": "7"}});
        assert_eq!(guarded(&patch, "u", Some("7")), Some(expected));
        assert_eq!(guarded(&json!({}), "u", None), Some(json!({"metadata": {"uid": "u"}})));
        assert_eq!(guarded(&json!([]), "u", None), None);
    }
}
