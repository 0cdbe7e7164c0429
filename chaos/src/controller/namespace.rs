//! Namespaces that are being deleted.

use crate::deletion::{DeleteOptions, delete};
use crate::kind::Kind;
use crate::meta;
use crate::refusal::Refusal;
use crate::state::State;

/// Deletes what is in a namespace that is being deleted, then the namespace.
pub(super) fn look_at(state: &mut State, name: &str) -> Result<(), Refusal> {
    let Some(namespace) = state.get(&Kind::Namespace, name).cloned() else { return Ok(()) };
    if !namespace.is_deleting {
        return Ok(());
    }
    let prefix = format!("{name}/");
    for kind in state.catalog().kinds().iter().filter(|kind| kind.is_namespaced()) {
        for object in state.with_prefix(kind, &prefix).iter().filter(|object| !object.is_deleting) {
            delete(state, kind, &object.key, &DeleteOptions::background())?;
        }
    }
    if state.population(name) > 0 {
        return Ok(());
    }
    state.edit(&Kind::Namespace, name, |value| {
        meta::set(value, &["spec"], serde_json::json!({}));
    })
}
