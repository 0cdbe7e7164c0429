//! Server-side apply, and reading what became of it.

use super::exchange::{Ask, exchange};
use super::served::{learn, place};
use super::{KubeApi, path};
use crate::api::{Apply, Look};
use crate::error::{CallError, RefusedKind, Unknown};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use tallyman_model::manifest::marks;
use tallyman_model::record::Kind;
use tallyman_model::rule::Rules;

const APPLY_PATCH: &str = "application/apply-patch+yaml";

pub(super) async fn look(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    name: &str,
) -> Result<Option<Look>, CallError> {
    let place = place(api, kind).await?;
    let path = path::object(&place, namespace, name);
    let answer = exchange(&api.write, Ask::get(&path).at(&place), api.timing.read).await;
    match learn(api, kind, answer).await {
        Ok(body) => read(&api.rules(), kind, &body).map(Some),
        Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn apply(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    name: &str,
    body: &[u8],
    how: Apply,
) -> Result<Look, CallError> {
    let place = place(api, kind).await?;
    let mut path = path::object(&place, namespace, name);
    let force = if how.force { "true" } else { "" };
    let dry_run = if how.dry_run { "All" } else { "" };
    path::query(&mut path, &[("fieldManager", marks::MANAGER), ("force", force), ("dryRun", dry_run)]);
    let ask = Ask::write(Method::PATCH, &path, APPLY_PATCH, Bytes::copy_from_slice(body)).at(&place);
    let answer = exchange(&api.write, ask, api.timing.write).await;
    read(&api.rules(), kind, &learn(api, kind, answer).await?)
}

fn read(rules: &Rules, kind: &Kind, body: &[u8]) -> Result<Look, CallError> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| CallError::unknown(Unknown::Body, error))?;
    let item = rules.project(kind, &value).ok_or(CallError::lost(Unknown::Body))?;
    Ok(Look { item, owned: rules.owned(kind, &value), object: value })
}
