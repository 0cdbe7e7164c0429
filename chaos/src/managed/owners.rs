//! The entries of `metadata.managedFields`.

use super::fields::{self, Fields};
use crate::{clock, meta};
use serde_json::{Value, json};

/// What tells entries apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) manager: String,
    pub(super) is_apply: bool,
    pub(super) api_version: String,
    pub(super) subresource: String,
}

#[derive(Clone, Debug)]
struct Entry {
    owner: Owner,
    time: String,
    fields: Fields,
}

/// All entries of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners(Vec<Entry>);

impl Owner {
    fn operation(&self) -> &'static str {
        if self.is_apply { "Apply" } else { "Update" }
    }

    /// As conflicts name it.
    pub(super) fn said(&self, time: &str) -> String {
        let subresource = match self.subresource.as_str() {
            "" => String::new(),
            subresource => format!(" with subresource {subresource:?}"),
        };
        match self.is_apply {
            true => format!("{:?}{subresource}", self.manager),
            false => format!("{:?}{subresource} using {} at {time}", self.manager, self.api_version),
        }
    }
}

impl Owners {
    pub(super) fn read(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let entry = |value: &Value| {
            let owner = Owner {
                manager: meta::text(value, "/manager").to_owned(),
                is_apply: meta::text(value, "/operation") == "Apply",
                api_version: meta::text(value, "/apiVersion").to_owned(),
                subresource: meta::text(value, "/subresource").to_owned(),
            };
            let fields = fields::read(value.get("fieldsV1")?);
            Some(Entry { owner, time: meta::text(value, "/time").to_owned(), fields })
        };
        Self(entries.into_iter().flatten().filter_map(entry).collect())
    }

    /// True if a client says, by an empty entry, that nobody owns anything.
    pub(super) fn are_taken_off(object: &Value) -> bool {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        entries.is_some_and(|all| !all.is_empty() && all.iter().all(|entry| entry.get("fieldsV1").is_none()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, owner: &Owner) -> Fields {
        self.0
            .iter()
            .find(|entry| entry.owner == *owner)
            .map(|entry| entry.fields.clone())
            .unwrap_or_default()
    }

    /// Everybody but `owner`, with the time of their last change.
    pub(super) fn others(&self, owner: &Owner) -> impl Iterator<Item = (&Owner, &str, &Fields)> {
        let others = self.0.iter().filter(move |entry| entry.owner != *owner);
        others.map(|entry| (&entry.owner, entry.time.as_str(), &entry.fields))
    }

    pub(super) fn take_from_others(&mut self, owner: &Owner, taken: &Fields) {
        for entry in self.0.iter_mut().filter(|entry| entry.owner != *owner) {
            entry.fields.retain(|path| !taken.contains(path));
        }
    }

    pub(super) fn take_from_all(&mut self, taken: &Fields) {
        for entry in &mut self.0 {
            entry.fields.retain(|path| !taken.contains(path));
        }
    }

    pub(super) fn add(&mut self, owner: &Owner, mut more: Fields) {
        if !more.is_empty() {
            more.extend(self.of(owner));
            self.set(owner, more);
        }
    }

    pub(super) fn set(&mut self, owner: &Owner, fields: Fields) {
        match self.0.iter_mut().find(|entry| entry.owner == *owner) {
            Some(entry) => entry.fields = fields,
            None => self.0.push(Entry { owner: owner.clone(), time: String::new(), fields }),
        }
    }

    /// Writes the entries. One that has not changed keeps its time, so that nothing changes if nothing did.
    pub(super) fn write(mut self, before: &Value, after: &mut Value) {
        let old = Self::read(before);
        self.0.retain(|entry| !entry.fields.is_empty());
        for entry in &mut self.0 {
            let kept = old.0.iter().find(|kept| kept.owner == entry.owner && kept.fields == entry.fields);
            entry.time = kept.map_or_else(clock::now, |kept| kept.time.clone());
        }
        if self.is_empty() {
            meta::remove(after, &["metadata", "managedFields"]);
            return;
        }
        let entries: Vec<Value> = self.0.iter().map(Entry::written).collect();
        meta::set(after, &["metadata", "managedFields"], entries);
    }
}

impl Entry {
    fn written(&self) -> Value {
        let mut entry = json!({
            "manager": self.owner.manager,
            "operation": self.owner.operation(),
            "apiVersion": self.owner.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields::written(&self.fields),
        });
        if !self.owner.subresource.is_empty() {
            entry["subresource"] = self.owner.subresource.as_str().into();
        }
        entry
    }
}
