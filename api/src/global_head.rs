//! What documents of resources that are in no namespace have before their spec.

use crate::metadata;
use crate::noun::Noun;
use crate::status::Failure;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tallyman_model::manifest::names;
use tallyman_model::{Cause, Revision, limits};

/// Set by the server; a document that was read from it carries them.
const SERVER_FIELDS: [&str; 6] =
    ["uid", "generation", "creationTimestamp", "managedFields", "selfLink", "namespace"];
/// Bytes of a name: it stands in labels.
const NAME_BYTES_MAX: usize = 63;

/// What of the metadata users set.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct GlobalHead {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) revision: Option<Revision>,
}

impl GlobalHead {
    /// Reads a document of `noun`, that of `name` if it exists already. Gives back what is left of it; a status is
    /// dropped.
    ///
    /// # Errors
    /// If it is no object, or its annotations are too long. What else is wrong is added to the faults.
    pub(crate) fn read(
        noun: Noun,
        value: Value,
        name: Option<&str>,
        faults: &mut Faults,
    ) -> Result<(Self, Map<String, Value>), Failure> {
        let named = value.pointer("/metadata/name").and_then(Value::as_str);
        metadata::annotations_fit(noun, name.or(named).unwrap_or_default(), &value)?;
        let Value::Object(mut root) = value else {
            return Err(Failure::bad_request(format!("a {} is an object", noun.singular())));
        };
        for (field, expected) in [("apiVersion", "tallyman.dev/v1"), ("kind", noun.kind())] {
            if root.remove(field).as_ref().and_then(Value::as_str) != Some(expected) {
                faults.add(field, format!("must be {expected:?}"));
            }
        }
        root.remove("status");
        let metadata = faults.object(&mut root, "metadata", "metadata");
        Ok((Self::of(metadata, name, faults), root))
    }

    fn of(mut metadata: Map<String, Value>, name: Option<&str>, faults: &mut Faults) -> Self {
        let mut head = Self::default();
        for field in SERVER_FIELDS {
            metadata.remove(field);
        }
        match metadata.remove("name") {
            Some(Value::String(text)) => head.name = text,
            None if name.is_some() => head.name = name.unwrap_or_default().to_owned(),
            _ => faults.add("metadata.name", "must be there, as a string"),
        }
        match name {
            Some(name) if name != head.name => {
                faults.add("metadata.name", format!("must be {name:?}, as in the path"))
            }
            Some(_) => {}
            None => {
                if let Err(why) = names::subdomain(&head.name, NAME_BYTES_MAX) {
                    faults.add("metadata.name", why);
                }
            }
        }
        head.labels = faults.strings(&mut metadata, "metadata", "labels");
        head.annotations = faults.strings(&mut metadata, "metadata", "annotations");
        for (key, value) in &head.labels {
            metadata::check(&format!("metadata.labels.{key}"), key, Some(value), &mut faults.0);
        }
        for key in head.annotations.keys() {
            metadata::check(&format!("metadata.annotations.{key}"), key, None, &mut faults.0);
        }
        if head.labels.len() > limits::LABELS_MAX {
            faults.add("metadata.labels", format!("at most {}", limits::LABELS_MAX));
        }
        if let Some(value) = metadata.remove("resourceVersion") {
            match value.as_str().and_then(|text| text.parse().ok()) {
                Some(revision) => head.revision = Some(Revision(revision)),
                None => faults.add("metadata.resourceVersion", "is not a revision"),
            }
        }
        faults.rest("metadata.", &metadata);
        head
    }
}

/// The revision that a merge patch names.
pub(crate) fn revision(patch: &Value) -> Result<Option<Revision>, Failure> {
    let Some(value) = patch.pointer("/metadata/resourceVersion") else { return Ok(None) };
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    let wrong = || Failure::bad_request("metadata.resourceVersion is not a revision");
    parsed.map(|revision| Some(Revision(revision))).ok_or_else(wrong)
}

/// What is wrong with a document.
#[derive(Default)]
pub(crate) struct Faults(pub(crate) Vec<Cause>);

impl Faults {
    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Cause { field: field.into(), message: message.into() });
    }

    pub(crate) fn object(
        &mut self,
        map: &mut Map<String, Value>,
        path: &str,
        field: &str,
    ) -> Map<String, Value> {
        match map.remove(field) {
            Some(Value::Object(inner)) => inner,
            _ => {
                self.add(path, "must be there, as an object");
                Map::new()
            }
        }
    }

    pub(crate) fn strings(
        &mut self,
        map: &mut Map<String, Value>,
        path: &str,
        field: &str,
    ) -> BTreeMap<String, String> {
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

    pub(crate) fn rest(&mut self, path: &str, map: &Map<String, Value>) {
        for field in map.keys() {
            self.add(format!("{path}{field}"), "unknown field");
        }
    }
}
