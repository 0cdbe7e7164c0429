//! One object.

use crate::body::{Body, written};
use crate::cluster::Shared;
use crate::form::Form;
use crate::refusal::Refusal;
use crate::request::Resource;
use hyper::{Response, StatusCode};

/// # Errors
/// 404: it is not there.
pub(crate) fn get(shared: &Shared, resource: &Resource, form: Form) -> Result<Response<Body>, Refusal> {
    let found = shared.store.lock().get(&resource.kind, &resource.key()).cloned();
    let object = found.ok_or_else(|| Refusal::not_found(&resource.kind, &resource.name))?;
    let mut out = Vec::new();
    form.render_into(&mut out, &object, &resource.api_version());
    Ok(written(StatusCode::OK, out))
}
