//! Reading a JSON object field by field: what is not taken is unknown, and every fault is kept with its path.

use crate::Cause;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Cause>);

/// Faults that one answer names.
const FAULTS_MAX: usize = 50;

impl Faults {
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(Cause { field: field.into(), message: message.into() });
        }
    }
}

/// An object whose fields are taken one by one.
pub(super) struct Fields<'a> {
    path: &'a str,
    map: Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The fields of `value`; none, with a fault, if it is not an object.
    pub(super) fn of(path: &'a str, value: Value, faults: &mut Faults) -> Self {
        Self { path, map: object(value, || path.to_owned(), faults) }
    }

    pub(super) fn path(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// True if the field is there.
    pub(super) fn has(&self, field: &str) -> bool {
        self.map.get(field).is_some_and(|value| !value.is_null())
    }

    /// The field's value; null counts as absent.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, field: &str, faults: &mut Faults) -> Option<String> {
        match self.take(field)? {
            Value::String(text) => Some(text),
            other => {
                faults.add(self.path(field), format!("must be a string, not {}", kind_of(&other)));
                None
            }
        }
    }

    /// True or false; false where nothing is said.
    pub(super) fn flag(&mut self, field: &str, faults: &mut Faults) -> bool {
        match self.take(field) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                faults.add(self.path(field), format!("must be true or false, not {other}"));
                false
            }
        }
    }

    pub(super) fn duration(&mut self, field: &str, faults: &mut Faults) -> Option<u64> {
        let text = self.text(field, faults)?;
        super::duration::parse(&text).map_err(|why| faults.add(self.path(field), why)).ok()
    }

    pub(super) fn list(&mut self, field: &str, faults: &mut Faults) -> Option<Vec<Value>> {
        match self.take(field)? {
            Value::Array(list) => Some(list),
            other => {
                faults.add(self.path(field), format!("must be a list, not {}", kind_of(&other)));
                None
            }
        }
    }

    pub(super) fn texts(&mut self, field: &str, faults: &mut Faults) -> Vec<String> {
        let list = self.list(field, faults).unwrap_or_default();
        let mut texts = Vec::new();
        for (i, value) in list.into_iter().enumerate() {
            match value {
                Value::String(text) => texts.push(text),
                other => faults.add(
                    format!("{}[{i}]", self.path(field)),
                    format!("must be a string, not {}", kind_of(&other)),
                ),
            }
        }
        texts
    }

    /// A map of strings, as labels and annotations are.
    pub(super) fn strings(&mut self, field: &str, faults: &mut Faults) -> BTreeMap<String, String> {
        let Some(value) = self.take(field) else { return BTreeMap::new() };
        let map = object(value, || self.path(field), faults);
        let mut strings = BTreeMap::new();
        for (key, value) in map {
            match value {
                Value::String(text) => {
                    strings.insert(key, text);
                }
                other => faults.add(
                    format!("{}.{key}", self.path(field)),
                    format!("must be a string, not {}; quote it", kind_of(&other)),
                ),
            }
        }
        strings
    }

    /// Fields that nobody took are unknown.
    pub(super) fn finish(self, faults: &mut Faults) {
        for field in self.map.keys() {
            faults.add(self.path(field), "unknown field");
        }
    }
}

/// The fields of `value`; none, with a fault at `path`, if it is not an object.
fn object(value: Value, path: impl FnOnce() -> String, faults: &mut Faults) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => {
            faults.add(path(), format!("must be an object, not {}", kind_of(&other)));
            Map::new()
        }
    }
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
