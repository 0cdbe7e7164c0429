//! Changes of objects: update (the whole object) and patch (parts of it).

use super::{is_dry_run, object_in};
use crate::body::{Body, written};
use crate::cluster::Shared;
use crate::kind::Kind;
use crate::meta;
use crate::object::Object;
use crate::patch::{self, PatchError};
use crate::refusal::{Cause, Refusal};
use crate::request::{Call, Resource, Verb};
use crate::{defaults, generation, managed, validate};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

const PATCH_TYPES: &str = "application/json-patch+json, application/merge-patch+json, \
     application/strategic-merge-patch+json, application/apply-patch+yaml";
/// A strategic merge patch needs types that custom kinds have not.
const CUSTOM_PATCH_TYPES: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// # Errors
/// 400, 404, 409 (the resourceVersion or the uid of an update is another one), 415, 422 (also the uid of a patch);
/// 500: it could not be kept.
pub(crate) fn change(
    shared: &Shared,
    call: &Call,
    resource: &Resource,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let is_dry_run = is_dry_run(&call.query)?;
    let kind = &resource.kind;
    let mut state = shared.store.lock();
    let old = state.get(kind, &resource.key()).cloned();
    let old = old.ok_or_else(|| Refusal::not_found(kind, &resource.name))?;
    let before = old.value();
    let mut after = if call.verb == Verb::Patch {
        patched(kind, &call.content_type, &before, body)?
    } else {
        object_in(&call.content_type, body)?
    };
    check_identity(call.verb, &old, &after)?;
    keep(resource, &before, &mut after);
    managed::note(&before, &mut after, &managed::manager(call), &resource.api_version(), resource.is_status);
    validate::change(kind, &before, &after)?;
    let object = if is_dry_run {
        Arc::new(Object::new(kind, after, old.version).map_err(Refusal::internal)?)
    } else {
        state.settle(&old, after)?
    };
    Ok(written(StatusCode::OK, object.rendered(&resource.api_version())))
}

fn patched(kind: &Kind, content_type: &str, before: &Value, body: &[u8]) -> Result<Value, Refusal> {
    let mut value = before.clone();
    match content_type {
        "application/json-patch+json" => patch::apply(&mut value, body).map_err(|error| match error {
            PatchError::Unreadable(message) => Refusal::bad_request(message),
            PatchError::Unfit(message) => unfit(&message),
        })?,
        "application/merge-patch+json" | STRATEGIC if !(kind.is_custom() && content_type == STRATEGIC) => {
            let changes: Value = serde_json::from_slice(body)
                .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
            if !changes.is_object() {
                return Err(Refusal::bad_request("error decoding patch: it is no object"));
            }
            patch::merge(&mut value, changes);
        }
        _ if kind.is_custom() => return Err(Refusal::unsupported_media_type(CUSTOM_PATCH_TYPES)),
        _ => return Err(Refusal::unsupported_media_type(PATCH_TYPES)),
    }
    Ok(value)
}

fn unfit(message: &str) -> Refusal {
    let mut refusal =
        Refusal::new(422, "Invalid", "the server rejected our request due to an error in our request");
    refusal.details = Some(json!({"causes": [{"message": message}]}));
    refusal
}

/// A version, uid or name that the client gives must be the one that is there.
pub(super) fn check_identity(verb: Verb, old: &Object, after: &Value) -> Result<(), Refusal> {
    let (kind, name) = (&old.kind, old.name.as_str());
    let said_name = meta::text(after, "/metadata/name");
    if said_name != name {
        let message =
            format!("the name of the object ({said_name}) does not match the name on the URL ({name})");
        return Err(Refusal::bad_request(message));
    }
    let uid = meta::text(after, "/metadata/uid");
    if !uid.is_empty() && uid != old.uid && verb == Verb::Update {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", old.uid);
        return Err(Refusal::conflict(kind, name, &why));
    }
    let version = meta::text(after, "/metadata/resourceVersion");
    let is_defined = kind.is_custom() || *kind == Kind::CustomResourceDefinition;
    if is_defined && matches!(version, "" | "0") && verb == Verb::Update {
        return Err(Refusal::invalid(kind, name, &[Cause::version_missing()]));
    }
    if !matches!(version, "" | "0") && version != old.version.to_string() {
        return Err(Refusal::modified(kind, name));
    }
    if !uid.is_empty() && uid != old.uid {
        return Err(Refusal::invalid(
            kind,
            name,
            &[Cause::invalid("metadata.uid", &uid.into(), "field is immutable")],
        ));
    }
    Ok(())
}

/// Puts back what this request may not change, and counts a change of the desired state.
pub(super) fn keep(resource: &Resource, before: &Value, after: &mut Value) {
    let kind = &resource.kind;
    for field in [
        "uid",
        "namespace",
        "generateName",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        meta::copy_metadata(before, after, field);
    }
    meta::remove(after, &["metadata", "selfLink"]);
    if resource.is_status && kind.is_custom() {
        // Of a custom object this changes nothing else.
        let status = std::mem::replace(after, before.clone());
        meta::copy_top(&status, after, "status");
    }
    if resource.is_status || *kind == Kind::Namespace {
        meta::copy_top(before, after, "spec");
    }
    if !resource.is_status && resource.has_status {
        meta::copy_top(before, after, "status");
    }
    defaults::spec(kind, after);
    generation::count(kind, resource.has_status, before, after);
}
