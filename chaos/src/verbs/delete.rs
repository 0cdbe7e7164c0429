//! Deletion of one object.

use super::is_dry_run;
use crate::body::{Body, json, written};
use crate::cluster::Shared;
use crate::deletion::{self, DeleteOptions, Deleted, Propagation};
use crate::kind::Kind;
use crate::refusal::Refusal;
use crate::request::{Call, Resource};
use hyper::header::{HeaderValue, WARNING};
use hyper::{Response, StatusCode};
use serde_json::json;

const ORPHANED_PODS: &str = "299 - \"child pods are preserved by default when jobs are deleted; set \
     propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning\"";

/// # Errors
/// 400, 403, 404, 409 (a precondition does not hold); 500: it could not be kept.
pub(crate) fn delete(
    shared: &Shared,
    call: &Call,
    resource: &Resource,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    if resource.is_status {
        return Err(Refusal::method_not_allowed());
    }
    let mut options = options(call, body)?;
    if is_dry_run(&call.query)? {
        options.dry_run.push("All".to_owned());
    }
    let kind = &resource.kind;
    let deleted = deletion::delete(&mut shared.store.lock(), kind, &resource.key(), &options)?;
    let mut response = match deleted {
        Deleted::Pending(object) => written(StatusCode::OK, object.rendered(&resource.api_version())),
        Deleted::Gone(object) if *kind == Kind::Pod => {
            written(StatusCode::OK, object.rendered(&resource.api_version()))
        }
        Deleted::Gone(object) => {
            let mut details = json!({"name": object.name, "kind": kind.plural(), "uid": object.uid});
            if !kind.group().is_empty() {
                details["group"] = kind.group().into();
            }
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
            });
            json(StatusCode::OK, &status)
        }
    };
    let is_unasked = options.propagation_policy.is_none() && options.orphan_dependents.is_none();
    if is_unasked && *kind == Kind::Job {
        response.headers_mut().insert(WARNING, HeaderValue::from_static(ORPHANED_PODS));
    }
    Ok(response)
}

fn options(call: &Call, body: &[u8]) -> Result<DeleteOptions, Refusal> {
    let mut options: DeleteOptions = if body.is_empty() {
        DeleteOptions::default()
    } else {
        let value = super::object_in(&call.content_type, body)?;
        serde_json::from_value(value)
            .map_err(|error| Refusal::bad_request(format!("DeleteOptions: {error}")))?
    };
    options.propagation_policy = match call.query.get("propagationPolicy") {
        "" => options.propagation_policy,
        "Background" => Some(Propagation::Background),
        "Foreground" => Some(Propagation::Foreground),
        "Orphan" => Some(Propagation::Orphan),
        other => {
            return Err(Refusal::bad_request(format!("propagationPolicy: Unsupported value: {other:?}")));
        }
    };
    Ok(options)
}
