//! New objects.

use super::{is_dry_run, object_in};
use crate::body::{Body, written};
use crate::cluster::Shared;
use crate::object::Object;
use crate::refusal::Refusal;
use crate::request::{Call, Resource};
use crate::state::State;
use crate::{clock, defaults, entropy, managed, meta, validate};
use hyper::{Response, StatusCode};
use serde_json::Value;
use std::sync::Arc;

/// How often another generated name is tried when one is taken.
const NAMES_TRIED_MAX: usize = 8;
/// Room for what is put behind generateName.
const NAME_STEM_LETTERS_MAX: usize = 58;

/// # Errors
/// 400, 403, 404 (the namespace), 409 (the name is taken), 415, 422; 500: it could not be kept.
pub(crate) fn create(
    shared: &Shared,
    call: &Call,
    resource: &Resource,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let is_dry_run = is_dry_run(&call.query)?;
    let mut value = object_in(&call.content_type, body)?;
    check_place(resource, &value)?;
    clean_metadata(resource, &mut value)?;
    let stem: String =
        meta::text(&value, "/metadata/generateName").chars().take(NAME_STEM_LETTERS_MAX).collect();
    let tries = if is_named(&value) || stem.is_empty() { 1 } else { NAMES_TRIED_MAX };
    for tried in 1..=tries {
        let mut named = value.clone();
        if tries > 1 {
            let suffix = entropy::name_suffix().map_err(Refusal::internal)?;
            meta::set(&mut named, &["metadata", "name"], format!("{stem}{suffix}"));
        }
        match store(shared, call, resource, named, is_dry_run) {
            Err(refusal) if refusal.reason == "AlreadyExists" && tried < tries => {}
            answer => {
                return answer
                    .map(|object| written(StatusCode::CREATED, object.rendered(&resource.api_version())));
            }
        }
    }
    Err(Refusal::internal("no generated name was free"))
}

fn is_named(value: &Value) -> bool {
    !meta::text(value, "/metadata/name").is_empty()
}

pub(super) fn check_place(resource: &Resource, value: &Value) -> Result<(), Refusal> {
    let kind = &resource.kind;
    if kind.is_namespaced() && resource.namespace.is_empty() {
        return Err(Refusal::method_not_allowed());
    }
    let (said_version, said_kind) = (meta::text(value, "/apiVersion"), meta::text(value, "/kind"));
    if !matches!(said_kind, "" | "Status") && said_kind != kind.name()
        || !said_version.is_empty() && said_version != resource.api_version()
    {
        let message =
            format!("{said_kind} in version {said_version:?} cannot be handled as a {}", kind.name());
        return Err(Refusal::bad_request(message));
    }
    let said = meta::text(value, "/metadata/namespace");
    if kind.is_namespaced() && !said.is_empty() && said != resource.namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::bad_request(message));
    }
    Ok(())
}

/// Leaves of the metadata only what a client decides, and adds what the server does.
pub(super) fn clean_metadata(resource: &Resource, value: &mut Value) -> Result<(), Refusal> {
    if !meta::text(value, "/metadata/resourceVersion").is_empty() {
        return Err(Refusal::bad_request("resourceVersion should not be set on objects to be created"));
    }
    for field in
        ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields"]
    {
        meta::remove(value, &["metadata", field]);
    }
    if resource.kind.is_namespaced() {
        meta::set(value, &["metadata", "namespace"], resource.namespace.as_str());
    }
    meta::set(value, &["metadata", "uid"], entropy::uid().map_err(Refusal::internal)?);
    meta::set(value, &["metadata", "creationTimestamp"], clock::now());
    Ok(())
}

fn store(
    shared: &Shared,
    call: &Call,
    resource: &Resource,
    mut value: Value,
    is_dry_run: bool,
) -> Result<Arc<Object>, Refusal> {
    defaults::new_object(&resource.kind, resource.has_status, &mut value);
    let status = meta::remove(&mut value, &["status"]);
    managed::note(&Value::Null, &mut value, &managed::manager(call), &resource.api_version(), false);
    if let Some(status) = status {
        meta::set(&mut value, &["status"], status);
    }
    add(&mut shared.store.lock(), resource, value, is_dry_run)
}

/// Adds an object that is complete.
///
/// # Errors
/// As of [`create`].
pub(super) fn add(
    state: &mut State,
    resource: &Resource,
    value: Value,
    is_dry_run: bool,
) -> Result<Arc<Object>, Refusal> {
    let kind = &resource.kind;
    let name = meta::text(&value, "/metadata/name").to_owned();
    validate::new_object(kind, &value)?;
    if state.served(kind, &resource.version)?.is_terminating {
        return Err(Refusal::definition_terminating(kind));
    }
    if kind.is_namespaced() {
        state.check_admission(kind, &resource.namespace, &name)?;
    }
    if state.get(kind, &kind.key(&resource.namespace, &name)).is_some() {
        return Err(Refusal::already_exists(kind, &name));
    }
    if is_dry_run {
        return Object::new(kind, value, 0).map(Into::into).map_err(Refusal::internal);
    }
    if kind.is_namespaced() {
        state.admit(kind, &resource.namespace, &name)?;
    }
    state.insert(kind, value)
}
