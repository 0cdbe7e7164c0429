//! From when anybody may release our hold on an object: what its annotation says, which projections leave out.

use super::exchange::{Ask, exchange};
use super::served::{learn, place};
use super::{KubeApi, path};
use crate::error::{CallError, RefusedKind, Unknown};
use serde::Deserialize;
use std::collections::BTreeMap;
use tallyman_model::manifest::marks;
use tallyman_model::record::Kind;
use tallyman_model::time;

#[derive(Deserialize)]
struct Annotated {
    metadata: Meta,
}

#[derive(Deserialize)]
struct Meta {
    uid: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// ms since 1970; `None` if the object of this UID is gone or does not say.
pub(super) async fn until(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    name: &str,
    uid: &str,
) -> Result<Option<u64>, CallError> {
    let place = place(api, kind).await?;
    let path = path::object(&place, namespace, name);
    let answer = exchange(&api.write, Ask::get(&path).at(&place), api.timing.read).await;
    let body = match learn(api, kind, answer).await {
        Ok(body) => body,
        Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let read: Annotated =
        serde_json::from_slice(&body).map_err(|error| CallError::unknown(Unknown::Body, error))?;
    let annotations = &read.metadata.annotations;
    let until = annotations.get(marks::HOLD_UNTIL).filter(|_| read.metadata.uid == uid);
    Ok(until.and_then(|text| time::parse(text)))
}
