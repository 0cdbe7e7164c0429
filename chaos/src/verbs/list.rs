//! Lists, whole or by pages.

use crate::body::{Body, written};
use crate::cluster::Shared;
use crate::form::Form;
use crate::query::Query;
use crate::refusal::{Cause, Refusal};
use crate::request::{Call, Resource};
use crate::selector::Selector;
use crate::state::{Asked, Page};
use hyper::{Response, StatusCode};
use serde_json::json;

const CONTINUE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You \
     must start a new list without the continue parameter.";
const LIST_EXPIRED: &str = "The resourceVersion for the provided list is too old.";

/// Where a list is to be read.
enum At {
    /// The present.
    Latest,
    /// The present, which must have reached this version.
    NotOlderThan(u64),
    Exactly(u64),
    /// A later page: the version of the first one, and the last key of the one before.
    After(u64, String),
}

/// # Errors
/// 400, 410 (the version is no longer known), 422 (parameters that do not go together), 504 (a version that the
/// cluster has not reached).
pub(crate) fn list(shared: &Shared, call: &Call, resource: &Resource) -> Result<Response<Body>, Refusal> {
    let query = &call.query;
    let selector = Selector::read(&resource.kind, query)?;
    let at = at(query)?;
    let limit = number(query, "limit")?.unwrap_or_default();
    let prefix = resource.prefix();
    let state = shared.store.lock();
    let (version, after, expired) = match &at {
        At::Latest | At::NotOlderThan(_) => (state.version(), "", LIST_EXPIRED),
        At::Exactly(version) => (*version, "", LIST_EXPIRED),
        At::After(version, key) => (*version, key.as_str(), CONTINUE_EXPIRED),
    };
    if let At::NotOlderThan(asked) | At::Exactly(asked) = at
        && asked > state.version()
    {
        return Err(Refusal::version_too_large(asked, state.version()));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let asked = Asked { kind: &resource.kind, prefix: &prefix, after, limit, selector: &selector };
    let page = state.page(version, &asked).map_err(|_compacted| Refusal::expired(expired))?;
    drop(state);
    Ok(written(StatusCode::OK, rendered(resource, call.form, version, &page)))
}

fn at(query: &Query) -> Result<At, Refusal> {
    check_options(query)?;
    let version = number(query, "resourceVersion")?;
    if query.has("continue") && !query.get("continue").is_empty() {
        if version.is_some_and(|version| version != 0) {
            return Err(Refusal::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let (version, key) = read_token(query.get("continue"))
            .ok_or_else(|| Refusal::bad_request("continue key is not valid: incorrect encoding"))?;
        return Ok(At::After(version, key));
    }
    Ok(match (version, query.get("resourceVersionMatch"), query.get("limit")) {
        (None, ..) => At::Latest,
        (Some(version), "Exact", _) => At::Exactly(version),
        (Some(0), ..) => At::Latest,
        (Some(version), "NotOlderThan", _) | (Some(version), _, "" | "0") => At::NotOlderThan(version),
        // As Kubernetes has always done it.
        (Some(version), ..) => At::Exactly(version),
    })
}

fn check_options(query: &Query) -> Result<(), Refusal> {
    let wanted = query.get("resourceVersionMatch");
    let mut causes = Vec::new();
    if !wanted.is_empty() && query.get("resourceVersion").is_empty() {
        let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if !wanted.is_empty() && !query.get("continue").is_empty() {
        let detail = "resourceVersionMatch is forbidden when continue is provided";
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if !matches!(wanted, "" | "Exact" | "NotOlderThan") {
        causes.push(Cause::unsupported("resourceVersionMatch", wanted, r#""Exact", "NotOlderThan", """#));
    }
    if wanted == "Exact" && query.get("resourceVersion") == "0" {
        let detail = r#"resourceVersionMatch "exact" is forbidden for resourceVersion "0""#;
        causes.push(Cause::forbidden("resourceVersionMatch", detail));
    }
    if query.has("sendInitialEvents") {
        causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if causes.is_empty() { Ok(()) } else { Err(Refusal::invalid_options(&causes)) }
}

/// A parameter that is a number, if it is there.
///
/// # Errors
/// 400: it is no number.
pub(super) fn number(query: &Query, name: &str) -> Result<Option<u64>, Refusal> {
    match query.get(name) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            Refusal::bad_request(format!(
                "{name}: Invalid value: {text:?}: strconv.ParseUint: invalid syntax"
            ))
        }),
    }
}

fn rendered(resource: &Resource, form: Form, version: u64, page: &Page) -> Vec<u8> {
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some(key) = &page.next_after {
        metadata["continue"] = token(version, key).into();
    }
    let bytes: usize = page.objects.iter().map(|object| object.body.len() + 1).sum();
    let mut out = Vec::with_capacity(bytes + 256);
    let (api_version, kind) = form.list(&resource.api_version(), resource.kind.name());
    let head = format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#);
    out.extend_from_slice(head.as_bytes());
    for (number, object) in page.objects.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        form.render_item_into(&mut out, object);
    }
    out.extend_from_slice(b"]}");
    out
}

/// A continue token: opaque to clients, version and key in hexadecimal.
fn token(version: u64, key: &str) -> String {
    let plain = format!("{version}:{key}");
    plain.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn read_token(text: &str) -> Option<(u64, String)> {
    let pairs = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2));
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect::<Option<Vec<u8>>>()?;
    let plain = String::from_utf8(bytes).ok()?;
    let (version, key) = plain.split_once(':')?;
    Some((version.parse().ok()?, key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continue_token_is_read_back_and_a_bad_one_refused() {
        assert_eq!(read_token(&token(7, "n/a")), Some((7, "n/a".to_owned())));
        for bad in ["", "1", "zz", "é", "61"] {
            assert_eq!(read_token(bad), None, "{bad}");
        }
    }
}
