//! A `Cluster` as users write it.

mod credentials;

use crate::metadata;
use crate::noun::Noun;
use crate::status::Failure;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tallyman_model::limits::DATACENTER_BYTES_MAX;
use tallyman_model::manifest::names;
use tallyman_model::record::Credentials;
use tallyman_model::{Cause, Revision, limits, log_link};

/// Set by the server; a document that was read from it carries them.
const SERVER_FIELDS: [&str; 6] =
    ["uid", "generation", "creationTimestamp", "managedFields", "selfLink", "namespace"];
/// Bytes of a cluster's name: it stands in labels.
const NAME_BYTES_MAX: usize = 63;

/// What of a cluster users set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterBody {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) revision: Option<Revision>,
    pub(crate) credentials: Credentials,
    pub(crate) cordoned: bool,
    pub(crate) paused: bool,
    pub(crate) via: String,
    pub(crate) log_link: String,
}

impl ClusterBody {
    /// Reads a document, that of the cluster `name` if it exists already.
    ///
    /// # Errors
    /// Every fault, with its path. No value is quoted: a wrong field may hold credentials.
    pub(crate) fn read(value: Value, name: Option<&str>) -> Result<Self, Failure> {
        let named = value.pointer("/metadata/name").and_then(Value::as_str);
        metadata::annotations_fit(Noun::Clusters, name.or(named).unwrap_or_default(), &value)?;
        let Value::Object(mut root) = value else {
            return Err(Failure::bad_request("a cluster is an object"));
        };
        let mut faults = Faults::default();
        for (field, expected) in [("apiVersion", "tallyman.dev/v1"), ("kind", "Cluster")] {
            if root.remove(field).as_ref().and_then(Value::as_str) != Some(expected) {
                faults.add(field, format!("must be {expected:?}"));
            }
        }
        root.remove("status");
        let mut body = Self::default();
        body.metadata(faults.object(&mut root, "metadata", "metadata"), name, &mut faults);
        body.spec(faults.object(&mut root, "spec", "spec"), &mut faults);
        faults.rest("", &root);
        if faults.0.is_empty() {
            return Ok(body);
        }
        Err(Failure::faults(Noun::Clusters, name.unwrap_or(&body.name), faults.0))
    }

    fn metadata(&mut self, mut metadata: Map<String, Value>, name: Option<&str>, faults: &mut Faults) {
        for field in SERVER_FIELDS {
            metadata.remove(field);
        }
        match metadata.remove("name") {
            Some(Value::String(text)) => self.name = text,
            None if name.is_some() => self.name = name.unwrap_or_default().to_owned(),
            _ => faults.add("metadata.name", "must be there, as a string"),
        }
        match name {
            Some(name) if name != self.name => {
                faults.add("metadata.name", format!("must be {name:?}, as in the path"))
            }
            Some(_) => {}
            None => {
                if let Err(why) = names::subdomain(&self.name, NAME_BYTES_MAX) {
                    faults.add("metadata.name", why);
                }
            }
        }
        self.labels = faults.strings(&mut metadata, "metadata", "labels");
        self.annotations = faults.strings(&mut metadata, "metadata", "annotations");
        for (key, value) in &self.labels {
            metadata::check(&format!("metadata.labels.{key}"), key, Some(value), &mut faults.0);
        }
        for key in self.annotations.keys() {
            metadata::check(&format!("metadata.annotations.{key}"), key, None, &mut faults.0);
        }
        if self.labels.len() > limits::LABELS_MAX {
            faults.add("metadata.labels", format!("at most {}", limits::LABELS_MAX));
        }
        if let Some(value) = metadata.remove("resourceVersion") {
            match value.as_str().and_then(|text| text.parse().ok()) {
                Some(revision) => self.revision = Some(Revision(revision)),
                None => faults.add("metadata.resourceVersion", "is not a revision"),
            }
        }
        faults.rest("metadata.", &metadata);
    }

    fn spec(&mut self, mut spec: Map<String, Value>, faults: &mut Faults) {
        self.credentials = credentials::read(&mut spec, faults);
        for (field, slot) in [("cordoned", &mut self.cordoned), ("paused", &mut self.paused)] {
            match spec.remove(field) {
                None | Some(Value::Null) => {}
                Some(Value::Bool(value)) => *slot = value,
                Some(_) => faults.add(format!("spec.{field}"), "must be true or false"),
            }
        }
        match spec.remove("via") {
            None | Some(Value::Null) => {}
            Some(Value::String(datacenter)) if datacenter.len() <= DATACENTER_BYTES_MAX => {
                self.via = datacenter
            }
            Some(_) => faults.add(
                "spec.via",
                format!("must be a datacenter's name, as a string of at most {DATACENTER_BYTES_MAX} bytes"),
            ),
        }
        match spec.remove("logLink") {
            None | Some(Value::Null) => {}
            Some(Value::String(template)) if template.is_empty() => {}
            Some(Value::String(template)) => match log_link::check(&template) {
                Ok(()) => self.log_link = template,
                Err(why) => faults.add("spec.logLink", why),
            },
            Some(_) => faults.add("spec.logLink", "must be a URL with places for names, as a string"),
        }
        faults.rest("spec.", &spec);
    }
}

/// The revision that a merge patch names.
pub(crate) fn revision(patch: &Value) -> Result<Option<Revision>, Failure> {
    let Some(value) = patch.pointer("/metadata/resourceVersion") else { return Ok(None) };
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    let wrong = || Failure::bad_request("metadata.resourceVersion is not a revision");
    parsed.map(|revision| Some(Revision(revision))).ok_or_else(wrong)
}

#[derive(Default)]
struct Faults(Vec<Cause>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Cause { field: field.into(), message: message.into() });
    }

    fn object(&mut self, map: &mut Map<String, Value>, path: &str, field: &str) -> Map<String, Value> {
        match map.remove(field) {
            Some(Value::Object(inner)) => inner,
            _ => {
                self.add(path, "must be there, as an object");
                Map::new()
            }
        }
    }

    fn strings(&mut self, map: &mut Map<String, Value>, path: &str, field: &str) -> BTreeMap<String, String> {
        let mut strings = BTreeMap::new();
        match map.remove(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(inner)) => {
                for (key, value) in inner {
                    match value {
                        Value::String(text) => {
                            strings.insert(key, text);
                        }
                        _ => self.add(format!("{path}.{field}.{key}"), "must be a string; quote it"),
                    }
                }
            }
            Some(_) => self.add(format!("{path}.{field}"), "must be an object of strings"),
        }
        strings
    }

    fn rest(&mut self, path: &str, map: &Map<String, Value>) {
        for field in map.keys() {
            self.add(format!("{path}{field}"), "unknown field");
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cluster_is_read_and_every_fault_is_named() {
        let good = json!({
            "apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": "east", "labels": {"a": "b"}},
            "spec": {"kubeconfig": {"path": "/etc/east", "context": "admin"}, "cordoned": true,
                "logLink": "https://logs.example.com/{cluster}/{pod}"},
        });
        let body = ClusterBody::read(good, None).unwrap();
        assert_eq!(body.log_link, "https://logs.example.com/{cluster}/{pod}");
        assert_eq!((body.name.as_str(), body.cordoned, body.paused), ("east", true, false));
        assert_eq!(body.credentials.context.as_deref(), Some("admin"));
        let bad = json!({
            "apiVersion": "v1", "kind": "Cluster", "metadata": {"name": "East", "labels": {"a": 1}}, "extra": 1,
            "spec": {"kubeconfig": {"path": "relative", "token": "hunter2"}, "paused": "yes", "password": "hunter2",
                "logLink": "javascript:hunter2"},
        });
        let failure = ClusterBody::read(bad, None).unwrap_err();
        let fields: Vec<_> = failure.causes.iter().map(|(_, cause)| cause.field.as_str()).collect();
        for field in [
            "apiVersion",
            "metadata.name",
            "metadata.labels.a",
            "extra",
            "spec.kubeconfig.path",
            "spec.kubeconfig.token",
            "spec.paused",
            "spec.password",
            "spec.logLink",
        ] {
            assert!(fields.contains(&field), "{field} of {fields:?}");
        }
        assert!(!failure.message.contains("hunter2"));
    }
}
