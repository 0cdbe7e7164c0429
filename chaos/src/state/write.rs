//! Changes of objects: the only ways into [`State`].

use super::State;
use crate::history::Change;
use crate::kind::Kind;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::{clock, entropy, meta};
use serde_json::{Value, json};
use std::sync::Arc;

impl State {
    /// Adds an object whose name is free; uid and creationTimestamp are filled in where they are missing.
    ///
    /// # Errors
    /// 500: it could not be kept; nothing changed.
    pub(crate) fn insert(&mut self, kind: &Kind, mut value: Value) -> Result<Arc<Object>, Refusal> {
        if meta::is_absent(&value, "/metadata/uid") {
            meta::set(&mut value, &["metadata", "uid"], entropy::uid().map_err(Refusal::internal)?);
        }
        meta::set_default(&mut value, &["metadata", "creationTimestamp"], clock::now());
        self.write(kind, Change::Added, value)
    }

    /// Replaces an object by `new`, unless nothing differs. One that is being deleted and that no finalizer
    /// holds any more goes away.
    ///
    /// # Errors
    /// 500: it could not be kept; nothing changed.
    pub(crate) fn settle(&mut self, old: &Arc<Object>, mut new: Value) -> Result<Arc<Object>, Refusal> {
        let before = old.value();
        meta::copy_metadata(&before, &mut new, "resourceVersion");
        meta::remove(&mut new, &["apiVersion"]);
        meta::remove(&mut new, &["kind"]);
        if meta::is_deleting(&new)
            && meta::finalizers(&new).is_empty()
            && meta::is_absent(&new, "/spec/finalizers/0")
        {
            return self.write(&old.kind, Change::Deleted, new);
        }
        if new == before {
            return Ok(Arc::clone(old));
        }
        self.write(&old.kind, Change::Modified, new)
    }

    /// Changes an object as `change` says; what is not there is left alone.
    ///
    /// # Errors
    /// 500: it could not be kept; nothing changed.
    pub(crate) fn edit(
        &mut self,
        kind: &Kind,
        key: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Refusal> {
        let Some(old) = self.get(kind, key).cloned() else { return Ok(()) };
        let mut value = old.value();
        change(&mut value);
        self.settle(&old, value).map(drop)
    }

    /// Removes an object, whatever holds it.
    ///
    /// # Errors
    /// 500: it could not be kept; nothing changed.
    pub(crate) fn remove(&mut self, old: &Arc<Object>) -> Result<Arc<Object>, Refusal> {
        self.write(&old.kind, Change::Deleted, old.value())
    }

    /// Checks that new objects may be put into a namespace; one that is missing is made if that is the rule here.
    ///
    /// # Errors
    /// 404: it is missing. 403: it is being deleted.
    pub(crate) fn admit(&mut self, kind: &Kind, namespace: &str, name: &str) -> Result<(), Refusal> {
        match self.get(&Kind::Namespace, namespace) {
            Some(found) if found.is_deleting => Err(Refusal::namespace_terminating(kind, name, namespace)),
            Some(_) => Ok(()),
            None if self.makes_namespaces => {
                self.insert(&Kind::Namespace, new_namespace(namespace)).map(drop)
            }
            None => Err(Refusal::not_found(&Kind::Namespace, namespace)),
        }
    }

    /// Whether [`Self::admit`] would let an object in; changes nothing.
    ///
    /// # Errors
    /// As of [`Self::admit`].
    pub(crate) fn check_admission(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), Refusal> {
        match self.get(&Kind::Namespace, namespace) {
            Some(found) if found.is_deleting => Err(Refusal::namespace_terminating(kind, name, namespace)),
            None if !self.makes_namespaces => Err(Refusal::not_found(&Kind::Namespace, namespace)),
            _ => Ok(()),
        }
    }

    fn write(&mut self, kind: &Kind, change: Change, value: Value) -> Result<Arc<Object>, Refusal> {
        let object = Object::new(kind, value, self.version + 1).map_err(Refusal::internal)?;
        self.commit(change, object).map_err(Refusal::internal)
    }
}

/// A namespace as the server makes one.
pub(crate) fn new_namespace(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}
