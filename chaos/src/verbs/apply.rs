//! Server-side apply: makes an object, or changes the fields that its manager says.

use super::{change, create, is_dry_run};
use crate::body::{Body, written};
use crate::cluster::Shared;
use crate::object::Object;
use crate::refusal::{Cause, Refusal};
use crate::request::{Call, Resource, Verb};
use crate::{defaults, managed, meta, validate};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// What an apply is told from other patches by. JSON is YAML, and the only YAML that is read here.
pub(crate) const CONTENT_TYPE: &str = "application/apply-patch+yaml";

/// # Errors
/// 400, 404 (a namespace, or the status of nothing), 409 (another manager owns a field, or another uid or version is
/// there), 422; 500: it could not be kept.
pub(crate) fn apply(
    shared: &Shared,
    call: &Call,
    resource: &Resource,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let is_dry_run = is_dry_run(&call.query)?;
    if call.query.get("fieldManager").is_empty() {
        return Err(manager_missing());
    }
    let applied = read(resource, body)?;
    let mut state = shared.store.lock();
    let old = state.get(&resource.kind, &resource.key()).cloned();
    let (status, object) = match old {
        None => (StatusCode::CREATED, make(&mut state, call, resource, applied, is_dry_run)?),
        Some(old) => {
            let after = over(call, resource, &old, applied)?;
            let object = if is_dry_run {
                Arc::new(Object::new(&resource.kind, after, old.version).map_err(Refusal::internal)?)
            } else {
                state.settle(&old, after)?
            };
            (StatusCode::OK, object)
        }
    };
    Ok(written(status, object.rendered(&resource.api_version())))
}

fn manager_missing() -> Refusal {
    let cause = Cause::required("fieldManager", "is required for apply patch");
    let mut refusal = Refusal::invalid_options(&[cause]);
    refusal.message = refusal.message.replace("ListOptions", "PatchOptions");
    if let Some(details) = &mut refusal.details {
        details["kind"] = "PatchOptions".into();
    }
    refusal
}

/// The body, with the name and namespace of the path where it has none.
fn read(resource: &Resource, body: &[u8]) -> Result<Value, Refusal> {
    let mut applied: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("error decoding YAML: {error}")))?;
    let said = (meta::text(&applied, "/apiVersion"), meta::text(&applied, "/kind"));
    if said.0.is_empty() || said.1.is_empty() {
        let message = "invalid object type: apiVersion and kind must be set";
        return Err(Refusal::bad_request(message));
    }
    create::check_place(resource, &applied)?;
    if !meta::is_absent(&applied, "/metadata/managedFields") {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    meta::set_default(&mut applied, &["metadata", "name"], resource.name.as_str());
    Ok(applied)
}

fn make(
    state: &mut crate::state::State,
    call: &Call,
    resource: &Resource,
    mut applied: Value,
    is_dry_run: bool,
) -> Result<Arc<Object>, Refusal> {
    let kind = &resource.kind;
    if resource.is_status {
        return Err(Refusal::not_found(kind, &resource.name));
    }
    let uid = meta::text(&applied, "/metadata/uid");
    if !uid.is_empty() {
        let why = format!(
            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        );
        return Err(Refusal::conflict(kind, &resource.name, &why));
    }
    create::clean_metadata(resource, &mut applied)?;
    let manager = managed::manager(call);
    let mut value = managed::apply(resource, &Value::Null, applied, &manager, true)?;
    defaults::new_object(kind, resource.has_status, &mut value);
    create::add(state, resource, value, is_dry_run)
}

fn over(call: &Call, resource: &Resource, old: &Object, applied: Value) -> Result<Value, Refusal> {
    let before = old.value();
    // The identity of what is there is no field of anybody.
    let mut identity = json!({"metadata": {"name": old.name}});
    for field in ["uid", "resourceVersion"] {
        let of = if meta::is_absent(&applied, &format!("/metadata/{field}")) { &before } else { &applied };
        meta::copy_metadata(of, &mut identity, field);
    }
    let said = meta::text(&applied, "/metadata/name");
    if said != old.name {
        meta::set(&mut identity, &["metadata", "name"], said);
    }
    change::check_identity(Verb::Patch, old, &identity)?;
    let manager = managed::manager(call);
    let is_forced = call.query.is_set("force");
    let mut after = managed::apply(resource, &before, applied, &manager, is_forced)?;
    meta::copy_metadata(&before, &mut after, "resourceVersion");
    change::keep(resource, &before, &mut after);
    validate::change(&resource.kind, &before, &after)?;
    Ok(after)
}
