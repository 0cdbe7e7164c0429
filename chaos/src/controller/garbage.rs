//! Owners and dependents: who goes before whom.

use crate::deletion::{DeleteOptions, delete};
use crate::kind::Kind;
use crate::meta::{self, FOREGROUND, ORPHAN};
use crate::refusal::Refusal;
use crate::state::State;
use serde_json::Value;

/// Deletes an object whose owners are all gone, and lets an owner go whose dependents are dealt with.
pub(super) fn look_at(state: &mut State, kind: &Kind, key: &str) -> Result<(), Refusal> {
    let Some(object) = state.get(kind, key).cloned() else { return Ok(()) };
    let is_orphaned = !object.owners.is_empty() && !object.owners.iter().any(|uid| state.has_uid(uid));
    if is_orphaned && !object.is_deleting {
        delete(state, kind, key, &DeleteOptions::background())?;
        return Ok(());
    }
    if !object.is_deleting {
        return Ok(());
    }
    let value = object.value();
    if meta::finalizers(&value).contains(&ORPHAN) {
        for dependent in state.dependents(&object.uid) {
            state.edit(&dependent.kind, &dependent.key, |value| disown(value, &object.uid))?;
        }
        state.edit(kind, key, |value| meta::remove_finalizer(value, ORPHAN))?;
    }
    if meta::finalizers(&value).contains(&FOREGROUND) {
        for dependent in state.dependents(&object.uid).iter().filter(|dependent| !dependent.is_deleting) {
            delete(state, &dependent.kind, &dependent.key, &DeleteOptions::background())?;
        }
        if state.dependents(&object.uid).is_empty() {
            state.edit(kind, key, |value| meta::remove_finalizer(value, FOREGROUND))?;
        }
    }
    Ok(())
}

fn disown(value: &mut Value, uid: &str) {
    let owners = value.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    let Some(owners) = owners else { return };
    owners.retain(|owner| meta::text(owner, "/uid") != uid);
    if owners.is_empty() {
        meta::remove(value, &["metadata", "ownerReferences"]);
    }
}
