//! What a cluster calls the kinds that are not known here: read from its discovery when it is first needed.

use super::KubeApi;
use super::exchange::{Ask, exchange};
use crate::error::{CallError, NotSent, Refused, RefusedKind};
use crate::limits::ABSENT_MS;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_model::record::Kind;
use tokio::time::Instant;

/// A kind, and what it is called in paths.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) kind: &'a Kind,
    pub(super) plural: Cow<'static, str>,
}

/// What was read of a cluster's discovery.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// By `apiVersion`. Whoever holds one reads it, and others who need it wait.
    read: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Option<Known>>>>>,
}

/// The kinds of one version of a group; none if the cluster does not have it.
#[derive(Debug)]
struct Known {
    at: Instant,
    kinds: BTreeMap<String, Resource>,
}

#[derive(Clone, Debug, Deserialize)]
struct Resource {
    name: String,
    namespaced: bool,
    kind: String,
}

#[derive(Deserialize)]
struct Listed {
    resources: Vec<Resource>,
}

/// Where the objects of `kind` are.
pub(super) async fn place<'a>(api: &KubeApi, kind: &'a Kind) -> Result<Place<'a>, CallError> {
    if let Some(plural) = kind.plural() {
        return Ok(Place { kind, plural: Cow::Borrowed(plural) });
    }
    let slot = api.served.slot(kind.api_version());
    let mut known = slot.lock().await;
    let fresh = Duration::from_millis(ABSENT_MS);
    if known
        .as_ref()
        .is_none_or(|known| !known.kinds.contains_key(kind.as_str()) && known.at.elapsed() >= fresh)
    {
        *known = Some(read(api, kind.api_version()).await?);
    }
    match known.as_ref().and_then(|known| known.kinds.get(kind.as_str())) {
        Some(resource) if resource.namespaced != kind.is_definition() => {
            Ok(Place { kind, plural: Cow::Owned(resource.name.clone()) })
        }
        Some(_) => Err(outside(kind)),
        None => Err(absent(kind)),
    }
}

/// Takes what a call at a place said: where the kind is not there any more, what it is called is asked anew.
pub(super) async fn learn<T>(
    api: &KubeApi,
    kind: &Kind,
    result: Result<T, CallError>,
) -> Result<T, CallError> {
    let missing = matches!(&result, Err(error) if error.refused_kind() == Some(RefusedKind::KindMissing));
    if missing && kind.is_other() {
        let slot = api.served.slot(kind.api_version());
        let mut known = slot.lock().await;
        // Not by each of many calls: a server that is starting says so for a while.
        if known.as_ref().is_some_and(|known| known.at.elapsed() >= Duration::from_millis(ABSENT_MS)) {
            *known = None;
        }
    }
    result
}

impl Catalog {
    fn slot(&self, api_version: &str) -> Arc<tokio::sync::Mutex<Option<Known>>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(read.entry(api_version.to_owned()).or_default())
    }
}

async fn read(api: &KubeApi, api_version: &str) -> Result<Known, CallError> {
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    let path = format!("{root}/{api_version}");
    let at = Instant::now();
    match exchange(&api.watch, Ask::get(&path), api.timing.read).await {
        Ok(body) => {
            let listed: Listed = serde_json::from_slice(&body).map_err(undiscovered)?;
            // Others are of subresources.
            let whole = listed.resources.into_iter().filter(|resource| is_plural(&resource.name));
            Ok(Known { at, kinds: whole.map(|resource| (resource.kind.clone(), resource)).collect() })
        }
        Err(error)
            if matches!(error.refused_kind(), Some(RefusedKind::KindMissing | RefusedKind::NotFound)) =>
        {
            Ok(Known { at, kinds: BTreeMap::new() })
        }
        // Of the call itself nothing was sent.
        Err(error @ CallError::Unknown { .. }) => Err(undiscovered(error)),
        Err(error) => Err(error),
    }
}

fn undiscovered(error: impl std::error::Error + Send + Sync + 'static) -> CallError {
    CallError::not_sent(NotSent::Discovery, error)
}

fn is_plural(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn outside(kind: &Kind) -> CallError {
    let message = format!(
        "{} {kind} is not in namespaces there, and objects are made in namespaces only",
        kind.api_version()
    );
    refused(422, "Invalid", message, RefusedKind::Invalid)
}

fn absent(kind: &Kind) -> CallError {
    let message = format!("{} {kind} is not served there", kind.api_version());
    refused(404, "NotFound", message, RefusedKind::KindMissing)
}

/// What its discovery says stands for the answer to the call.
fn refused(status: u16, reason: &str, message: String, kind: RefusedKind) -> CallError {
    let reason = reason.to_owned();
    CallError::Refused(Refused { status, reason, message, retry_after_s: None, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_resources_have_a_place() {
        for name in ["widgets", "widget-sets"] {
            assert!(is_plural(name), "{name}");
        }
        for name in ["", "widgets/status", "..", "a?b"] {
            assert!(!is_plural(name), "{name}");
        }
    }

    #[test]
    fn a_body_that_is_no_discovery_proves_nothing() {
        let error = serde_json::from_slice::<Listed>(b"<html>").map(drop).map_err(undiscovered);
        assert!(matches!(error, Err(CallError::NotSent { why: NotSent::Discovery, .. })));
    }
}
