//! Deletion: preconditions, propagation and finalizers.

use crate::definition;
use crate::kind::Kind;
use crate::meta::{self, FOREGROUND, ORPHAN};
use crate::object::Object;
use crate::refusal::Refusal;
use crate::state::State;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// What becomes of the objects that the deleted one owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Propagation {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// The body of a delete.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeleteOptions {
    pub(crate) preconditions: Preconditions,
    pub(crate) propagation_policy: Option<Propagation>,
    pub(crate) orphan_dependents: Option<bool>,
    pub(crate) dry_run: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Preconditions {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
}

impl DeleteOptions {
    pub(crate) fn background() -> Self {
        Self { propagation_policy: Some(Propagation::Background), ..Self::default() }
    }

    /// Without a wish what was asked for before goes on; else Jobs orphan their Pods: batch/v1 has always done so.
    fn propagation(&self, kind: &Kind, value: &Value) -> Propagation {
        let held = meta::finalizers(value);
        match (self.propagation_policy, self.orphan_dependents) {
            (Some(policy), _) => policy,
            (None, Some(true)) => Propagation::Orphan,
            (None, Some(false)) => Propagation::Background,
            (None, None) if held.contains(&ORPHAN) => Propagation::Orphan,
            (None, None) if held.contains(&FOREGROUND) => Propagation::Foreground,
            (None, None) if *kind == Kind::Job => Propagation::Orphan,
            (None, None) => Propagation::Background,
        }
    }

    fn check(&self, object: &Object) -> Result<(), Refusal> {
        if let Some(uid) = &self.preconditions.uid
            && *uid != object.uid
        {
            let why = format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have \
                 been deleted and then recreated",
                object.uid
            );
            return Err(Refusal::precondition(&object.kind, &object.name, &why));
        }
        if let Some(version) = &self.preconditions.resource_version
            && *version != object.version.to_string()
        {
            let why = format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record \
                 ({}). The object might have been modified",
                object.version
            );
            return Err(Refusal::precondition(&object.kind, &object.name, &why));
        }
        Ok(())
    }
}

/// What came of a delete.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// It is gone; this was its last state.
    Gone(Arc<Object>),
    /// It is marked, and something holds it.
    Pending(Arc<Object>),
}

/// Deletes an object, or marks it for deletion while a finalizer holds it.
///
/// # Errors
/// 404: it is not there. 409: a precondition does not hold. 403: it may not be deleted. 500: not kept.
pub(crate) fn delete(
    state: &mut State,
    kind: &Kind,
    key: &str,
    options: &DeleteOptions,
) -> Result<Deleted, Refusal> {
    let name = key.rsplit('/').next().unwrap_or(key);
    let object = state.get(kind, key).cloned().ok_or_else(|| Refusal::not_found(kind, name))?;
    options.check(&object)?;
    if *kind == Kind::Namespace && matches!(key, "default" | "kube-system") {
        return Err(Refusal::forbidden(kind, name, "this namespace may not be deleted"));
    }
    let mut value = object.value();
    let propagation = options.propagation(kind, &value);
    set_propagation(&mut value, propagation);
    if *kind == Kind::CustomResourceDefinition && !object.is_deleting {
        meta::add_finalizer(&mut value, definition::CLEANUP);
        let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
        definition::set_condition(&mut value, "Terminating", true, "InstanceDeletionPending", message);
    }
    let is_held = !meta::finalizers(&value).is_empty() || !meta::is_absent(&value, "/spec/finalizers/0");
    if !options.dry_run.is_empty() {
        return Ok(if is_held { Deleted::Pending(object) } else { Deleted::Gone(object) });
    }
    if !is_held {
        return state.remove(&object).map(Deleted::Gone);
    }
    if !object.is_deleting {
        meta::set(&mut value, &["metadata", "deletionTimestamp"], crate::clock::now());
        meta::set(&mut value, &["metadata", "deletionGracePeriodSeconds"], 0);
        if let Some(generation) = meta::number(&value, "/metadata/generation") {
            meta::set(&mut value, &["metadata", "generation"], generation + 1);
        }
    }
    if *kind == Kind::Namespace {
        meta::set(&mut value, &["status", "phase"], "Terminating");
    }
    state.settle(&object, value).map(Deleted::Pending)
}

fn set_propagation(value: &mut Value, propagation: Propagation) {
    for (finalizer, policy) in [(FOREGROUND, Propagation::Foreground), (ORPHAN, Propagation::Orphan)] {
        if propagation == policy {
            meta::add_finalizer(value, finalizer);
        } else {
            meta::remove_finalizer(value, finalizer);
        }
    }
}
