//! From an HTTP answer that is no success to what may be concluded from it.

use super::{CallError, Refused, RefusedKind, Unknown};
use crate::limits::RETRY_AFTER_S_MAX;
use serde::Deserialize;
use tallyman_model::limits::MESSAGE_BYTES_MAX;

/// The part of a Kubernetes `Status` that is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    kind: String,
    reason: String,
    message: String,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    kind: String,
    retry_after_seconds: Option<u32>,
    causes: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    reason: String,
    field: String,
}

/// The error of an answer with `status` outside 200 to 299. `header_s` is its Retry-After.
///
/// Below 500 the cluster did nothing. 408 and 499 are said by things between us and it, after the request was
/// forwarded, and 500 and above can follow a write that landed: these prove nothing. 503 does neither, but for one
/// that is marked as the refusal of an overloaded server.
pub(crate) fn classify(status: u16, header_s: Option<u32>, body: &[u8]) -> CallError {
    let answer = read(body);
    let details = answer.details.as_ref();
    let in_body_s = details.and_then(|details| details.retry_after_seconds).filter(|&seconds| seconds > 0);
    let retry_after_s = header_s.or(in_body_s).map(|seconds| seconds.min(RETRY_AFTER_S_MAX));
    let kind = kind(status, &answer);
    let refused = Refused { status, retry_after_s, kind, reason: answer.reason, message: answer.message };
    let certain = match status {
        408 | 499 => false,
        500.. => status == 503 && kind == RefusedKind::TooMany,
        _ => true,
    };
    if certain {
        return CallError::Refused(refused);
    }
    CallError::Unknown { why: Unknown::Status, answer: Some(Box::new(refused)), source: None }
}

/// A body that is no `Status` (the plain text of a proxy, or of an overloaded server) becomes a short message.
fn read(body: &[u8]) -> Status {
    let mut answer = serde_json::from_slice::<Status>(body).unwrap_or_default();
    if answer.kind != "Status" {
        let text = String::from_utf8_lossy(body.get(..body.len().min(256)).unwrap_or_default());
        let words = text.trim().chars().filter(|character| !character.is_control()).collect();
        answer = Status { message: words, ..Status::default() };
    }
    let end = (0..=MESSAGE_BYTES_MAX).rev().find(|&end| answer.message.is_char_boundary(end));
    answer.message.truncate(end.unwrap_or(0));
    answer
}

fn kind(status: u16, answer: &Status) -> RefusedKind {
    let details = answer.details.as_ref();
    let cause =
        |reason: &str| details.is_some_and(|details| details.causes.iter().any(|c| c.reason == reason));
    let field = |field: &str| details.is_some_and(|details| details.causes.iter().any(|c| c.field == field));
    let about_namespace = details.is_some_and(|details| details.kind == "namespaces");
    let named = details.is_some_and(|details| !details.kind.is_empty());
    match (status, answer.reason.as_str()) {
        (429, _) | (503, "TooManyRequests") => RefusedKind::TooMany,
        (_, "AlreadyExists") => RefusedKind::AlreadyExists,
        (410, _) => RefusedKind::Expired,
        (409, _) if cause("FieldManagerConflict") => RefusedKind::FieldConflict,
        (409, _) => RefusedKind::Conflict,
        (404, "NotFound") if about_namespace => RefusedKind::NamespaceMissing,
        (404, "NotFound") if named && !cause("UnexpectedServerResponse") => RefusedKind::NotFound,
        (404 | 405, _) => RefusedKind::KindMissing,
        (403, _) if cause("NamespaceTerminating") => RefusedKind::NamespaceTerminating,
        (403, _) if answer.message.contains("exceeded quota") => RefusedKind::Quota,
        (403, _) => RefusedKind::Forbidden,
        (401, _) => RefusedKind::Unauthorized,
        (413, _) => RefusedKind::TooLarge,
        // A patch that names another UID is told that UIDs do not change.
        (422, _) if field("metadata.uid") => RefusedKind::Conflict,
        (400 | 406 | 415 | 422, _) => RefusedKind::Invalid,
        _ => RefusedKind::Other,
    }
}

#[cfg(test)]
mod tests;
