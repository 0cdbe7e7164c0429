//! All objects of a kind, whole: of those by which a hub tells of clusters.

use super::exchange::{Ask, exchange};
use super::list::decode;
use super::served::{learn, place};
use super::{KubeApi, path};
use crate::api::Objects;
use crate::error::{CallError, Unknown};
use crate::limits::{OBJECTS_MAX, OBJECTS_PAGE_MAX};
use serde::Deserialize;
use serde_json::Value;
use tallyman_model::record::Kind;

#[derive(Deserialize)]
struct Listed {
    metadata: Meta,
    items: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_version: String,
    #[serde(default, rename = "continue")]
    continue_token: Option<String>,
}

pub(super) async fn objects(api: &KubeApi, kind: &Kind, namespaces: &[String]) -> Result<Objects, CallError> {
    let mut all = Objects::default();
    let mut token = None;
    for _ in 0..OBJECTS_MAX.div_ceil(OBJECTS_PAGE_MAX) {
        let place = place(api, kind).await?;
        let mut path = path::collection(&place, None);
        let limit = OBJECTS_PAGE_MAX.to_string();
        path::query(&mut path, &[("limit", &limit), ("continue", token.as_deref().unwrap_or_default())]);
        let answer = exchange(&api.watch, Ask::get(&path).at(&place), api.timing.list).await;
        let listed: Listed = decode(&learn(api, kind, answer).await?)?;
        let is_wanted = |object: &Value| {
            let of = object.pointer("/metadata/namespace").and_then(Value::as_str);
            namespaces.iter().any(|namespace| of == Some(namespace))
        };
        all.items.extend(listed.items.unwrap_or_default().into_iter().filter(is_wanted));
        all.resource_version = listed.metadata.resource_version;
        token = listed.metadata.continue_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
    // What is left out must not count as gone.
    Err(CallError::lost(Unknown::TooLong))
}
