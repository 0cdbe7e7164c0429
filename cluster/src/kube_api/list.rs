//! Reads: identity, one object, one page.

use super::exchange::{Ask, exchange, object_in};
use super::form::Form;
use super::served::{learn, place};
use super::{KubeApi, path};
use crate::api::{Identity, Page};
use crate::error::{CallError, RefusedKind, Unknown};
use crate::limits::INLINE_DECODE_BYTES_MAX;
use crate::rights::{IDENTITY_NAMESPACE, VERSION_PATH};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tallyman_model::command::Observation;
use tallyman_model::record::{Extent, Kind};
use tallyman_model::rule::Rules;

/// A page, with its objects as `I`.
#[derive(Deserialize)]
pub(super) struct Listed<I> {
    pub(super) metadata: ListMeta,
    pub(super) items: Option<Vec<I>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    pub(super) resource_version: String,
    #[serde(rename = "continue", default)]
    continue_token: Option<String>,
}

impl ListMeta {
    /// Where the next page starts, if there is one.
    pub(super) fn next(self) -> Option<String> {
        self.continue_token.filter(|token| !token.is_empty())
    }
}

#[derive(Deserialize)]
struct Named {
    metadata: NamedMeta,
}

#[derive(Deserialize)]
struct NamedMeta {
    uid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

pub(super) async fn identity(api: &KubeApi) -> Result<Identity, CallError> {
    let deadline = api.timing.read;
    let version = exchange(&api.write, Ask::get(VERSION_PATH), deadline).await?;
    let path = format!("/api/v1/namespaces/{IDENTITY_NAMESPACE}");
    let system = exchange(&api.write, Ask::get(&path), deadline).await?;
    let version: Version = decode(&version)?;
    let system: Named = decode(&system)?;
    if system.metadata.uid.is_empty() {
        return Err(CallError::lost(Unknown::Body));
    }
    Ok(Identity { kube_system_uid: system.metadata.uid, version: version.git_version })
}

pub(super) async fn get(
    api: &KubeApi,
    kind: &Kind,
    namespace: &str,
    name: &str,
) -> Result<Option<Observation>, CallError> {
    let place = place(api, kind).await?;
    let path = path::object(&place, namespace, name);
    let rules = api.rules();
    let form = Form::of(&rules, kind);
    let ask = Ask::get(&path).at(&place).accepting(form.accept());
    let answer = exchange(&api.write, ask, api.timing.read).await;
    match learn(api, kind, answer).await {
        Ok(body) => object_in(form, &rules, kind, &body).map(Some),
        Err(error) if error.refused_kind() == Some(RefusedKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn page(
    api: &KubeApi,
    extent: &Extent,
    selector: &str,
    continue_token: Option<&str>,
    limit: u32,
) -> Result<Page, CallError> {
    let rules = api.rules();
    let form = Form::of(&rules, &extent.kind);
    let body = read(api, extent, selector, continue_token, limit, form).await?;
    if body.len() <= INLINE_DECODE_BYTES_MAX {
        return decode_page(form, &rules, &extent.kind, &body);
    }
    let kind = extent.kind.clone();
    let decoded = tokio::task::spawn_blocking(move || decode_page(form, &rules, &kind, &body)).await;
    decoded.map_err(|error| CallError::unknown(Unknown::Body, error))?
}

/// Of the one object nothing is wanted.
pub(super) async fn newest(api: &KubeApi, extent: &Extent) -> Result<String, CallError> {
    let body = read(api, extent, "", None, 1, Form::Metadata).await?;
    Ok(decode::<Listed<IgnoredAny>>(&body)?.metadata.resource_version)
}

/// The body of a page.
pub(super) async fn read(
    api: &KubeApi,
    extent: &Extent,
    selector: &str,
    continue_token: Option<&str>,
    limit: u32,
    form: Form,
) -> Result<Bytes, CallError> {
    let place = place(api, &extent.kind).await?;
    let mut path = path::collection(&place, extent.namespace());
    let limit = limit.to_string();
    let pairs =
        [("labelSelector", selector), ("limit", &limit), ("continue", continue_token.unwrap_or_default())];
    path::query(&mut path, &pairs);
    let ask = Ask::get(&path).at(&place).accepting(form.accept_list());
    let answer = exchange(&api.watch, ask, api.timing.list).await;
    learn(api, &extent.kind, answer).await
}

/// One object at a time is held as a tree.
fn decode_page(form: Form, rules: &Rules, kind: &Kind, body: &[u8]) -> Result<Page, CallError> {
    let listed: Listed<&RawValue> = decode(body)?;
    let raw = listed.items.unwrap_or_default();
    let project = |raw: &&RawValue| form.project(rules, kind, &serde_json::from_str(raw.get()).ok()?);
    let items: Vec<Observation> = raw.iter().filter_map(project).collect();
    Ok(Page {
        skipped: raw.len() - items.len(),
        bytes: body.len(),
        items,
        resource_version: listed.metadata.resource_version.clone(),
        continue_token: listed.metadata.next(),
    })
}

pub(super) fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| CallError::unknown(Unknown::Body, error))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_object_that_cannot_be_read_does_not_hide_the_others() {
        let good = json!({"metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7"}});
        let body = json!({
            "metadata": {"resourceVersion": "9", "continue": ""},
            "items": [good, {"metadata": {}}, 5],
        });
        let page =
            decode_page(Form::Whole, &Rules::default(), &Kind::Job, body.to_string().as_bytes()).unwrap();
        assert_eq!((page.items.len(), page.skipped, page.continue_token), (1, 2, None));
    }

    #[test]
    fn an_empty_page_may_say_null() {
        let page = decode_page(
            Form::Whole,
            &Rules::default(),
            &Kind::Job,
            br#"{"metadata":{"resourceVersion":"9"},"items":null}"#,
        )
        .unwrap();
        assert_eq!((page.items.len(), page.resource_version.as_str()), (0, "9"));
    }

    #[test]
    fn a_page_that_is_none_is_not_an_empty_one() {
        for body in ["", "{}", "<html>", r#"{"metadata":{}}"#] {
            assert!(
                decode_page(Form::Whole, &Rules::default(), &Kind::Job, body.as_bytes()).is_err(),
                "{body}"
            );
        }
    }
}
