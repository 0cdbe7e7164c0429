//! One stored object: its JSON as it is served, and the few fields that every request looks at.

use crate::kind::Kind;
use crate::meta;
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;

/// An object at one resourceVersion; never changed, only replaced.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) key: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) labels: BTreeMap<String, String>,
    /// The uids of the objects that own this one.
    pub(crate) owners: Vec<String>,
    pub(crate) is_deleting: bool,
    /// The JSON without apiVersion and kind, which list items do not carry either.
    pub(crate) body: Bytes,
}

impl Object {
    /// The object that `value` describes, at `version`.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub(crate) fn new(kind: &Kind, mut value: Value, version: u64) -> Result<Self, serde_json::Error> {
        meta::remove(&mut value, &["apiVersion"]);
        meta::remove(&mut value, &["kind"]);
        meta::set(&mut value, &["metadata", "resourceVersion"], version.to_string());
        let body = Bytes::from(serde_json::to_vec(&value)?);
        Ok(Self::of(kind, &value, version, body))
    }

    /// The object that was written as `body`.
    ///
    /// # Errors
    /// The body is not JSON.
    pub(crate) fn from_body(kind: &Kind, body: Bytes) -> Result<Self, serde_json::Error> {
        let value: Value = serde_json::from_slice(&body)?;
        let version = meta::text(&value, "/metadata/resourceVersion").parse().unwrap_or_default();
        Ok(Self::of(kind, &value, version, body))
    }

    fn of(kind: &Kind, value: &Value, version: u64, body: Bytes) -> Self {
        let namespace = meta::text(value, "/metadata/namespace").to_owned();
        let name = meta::text(value, "/metadata/name").to_owned();
        let owners = value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        Self {
            kind: kind.clone(),
            key: kind.key(&namespace, &name),
            namespace,
            name,
            uid: meta::text(value, "/metadata/uid").to_owned(),
            version,
            labels: labels(value),
            owners: owners
                .map(|all| all.iter().map(|owner| meta::text(owner, "/uid").to_owned()).collect())
                .unwrap_or_default(),
            is_deleting: meta::is_deleting(value),
            body,
        }
    }

    /// The object as JSON, without apiVersion and kind.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The object as it is answered, with apiVersion and kind.
    pub(crate) fn rendered(&self, api_version: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 48);
        self.render_into(&mut out, api_version);
        out
    }

    pub(crate) fn render_into(&self, out: &mut Vec<u8>, api_version: &str) {
        let head = format!(r#"{{"apiVersion":"{api_version}","kind":"{}","#, self.kind.name());
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(self.body.get(1..).unwrap_or_default());
    }
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let Some(all) = value.pointer("/metadata/labels").and_then(Value::as_object) else {
        return BTreeMap::new();
    };
    all.iter().filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rendered_object_names_its_kind_and_version() {
        let value = json!({"kind": "x", "metadata": {"name": "a", "namespace": "n", "labels": {"k": "v"}}});
        let object = Object::new(&Kind::Job, value, 7).unwrap();
        let rendered: Value = serde_json::from_slice(&object.rendered("batch/v1")).unwrap();
        assert_eq!(rendered["kind"], "Job");
        assert_eq!(rendered["apiVersion"], "batch/v1");
        assert_eq!(rendered["metadata"]["resourceVersion"], "7");
        assert_eq!((object.key.as_str(), object.labels["k"].as_str()), ("n/a", "v"));
    }
}
