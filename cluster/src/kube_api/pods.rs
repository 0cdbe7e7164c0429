//! Reads of Pods, Events and Workloads, which say why something does not run.

use super::exchange::{Ask, exchange};
use super::list::decode;
use super::{KubeApi, path};
use crate::error::{CallError, RefusedKind};
use crate::limits::{EVENTS_READ_MAX, PODS_READ_MAX};
use serde::Deserialize;
use serde_json::Value;
use tallyman_model::rule::event::{Warning, warning};
use tallyman_model::rule::pod::{Examined, examine};
use tallyman_model::rule::workload::{Admission, admission as admission_of};

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(rename = "continue", default)]
    continue_token: Option<String>,
}

/// Those that ended well have nothing to say.
pub(super) async fn pods(
    api: &KubeApi,
    namespace: &str,
    selector: &str,
) -> Result<(Vec<Examined>, bool), CallError> {
    let selectors = [("labelSelector", selector), ("fieldSelector", "status.phase!=Succeeded")];
    let listed = list(api, CORE, namespace, "pods", &selectors, PODS_READ_MAX).await?;
    let is_cut = listed.metadata.continue_token.is_some_and(|token| !token.is_empty());
    Ok((listed.items.unwrap_or_default().iter().filter_map(examine).collect(), is_cut))
}

pub(super) async fn warnings(api: &KubeApi, namespace: &str, uid: &str) -> Result<Vec<Warning>, CallError> {
    let fields = format!("involvedObject.uid={uid},type=Warning");
    let selectors = [("fieldSelector", fields.as_str())];
    let listed = list(api, CORE, namespace, "events", &selectors, EVENTS_READ_MAX).await?;
    Ok(listed.items.unwrap_or_default().iter().filter_map(warning).collect())
}

/// Newer versions of Kueue serve the first, older ones the second; without Kueue there is none.
pub(super) async fn admission(
    api: &KubeApi,
    namespace: &str,
    uid: &str,
) -> Result<Option<Admission>, CallError> {
    let labels = format!("kueue.x-k8s.io/job-uid={uid}");
    let selectors = [("labelSelector", labels.as_str())];
    for root in ["/apis/kueue.x-k8s.io/v1beta2", "/apis/kueue.x-k8s.io/v1beta1"] {
        match list(api, root, namespace, "workloads", &selectors, 1).await {
            Ok(listed) => return Ok(listed.items.unwrap_or_default().first().and_then(admission_of)),
            Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

const CORE: &str = "/api/v1";

async fn list(
    api: &KubeApi,
    root: &str,
    namespace: &str,
    resource: &str,
    selectors: &[(&str, &str)],
    limit: u32,
) -> Result<Listed, CallError> {
    let mut path = path::within(root, namespace, resource);
    let limit = limit.to_string();
    path::query(&mut path, &[selectors, &[("limit", limit.as_str())]].concat());
    decode(&exchange(&api.watch, Ask::get(&path), api.timing.list).await?)
}
