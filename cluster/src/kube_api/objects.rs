//! All objects of a kind, whole: of those by which a hub tells of clusters.

use super::KubeApi;
use super::form::Form;
use super::list::{Listed, decode, read};
use crate::api::Objects;
use crate::error::{CallError, Unknown};
use crate::limits::{OBJECTS_MAX, OBJECTS_PAGE_MAX};
use serde_json::Value;
use tallyman_model::record::{Extent, Kind};

pub(super) async fn objects(api: &KubeApi, kind: &Kind, namespaces: &[String]) -> Result<Objects, CallError> {
    let (mut all, mut token) = (Objects::default(), None);
    let everywhere = Extent::everywhere(kind.clone());
    for _ in 0..OBJECTS_MAX.div_ceil(OBJECTS_PAGE_MAX) {
        let body = read(api, &everywhere, "", token.as_deref(), OBJECTS_PAGE_MAX, Form::Whole).await?;
        let listed: Listed<Value> = decode(&body)?;
        let is_wanted = |object: &Value| {
            let of = object.pointer("/metadata/namespace").and_then(Value::as_str);
            namespaces.iter().any(|namespace| of == Some(namespace))
        };
        all.items.extend(listed.items.unwrap_or_default().into_iter().filter(is_wanted));
        all.resource_version.clone_from(&listed.metadata.resource_version);
        token = listed.metadata.next();
        if token.is_none() {
            return Ok(all);
        }
    }
    // What is left out must not count as gone.
    Err(CallError::lost(Unknown::TooLong))
}
