//! From an answer that is not 2xx to what a person reads and a script tests.

use super::answer::text;
use super::{Answer, Request};
use crate::environment;
use crate::exit::{Exit, Failure};
use serde_json::Value;

/// The failure that an answer stands for.
pub(super) fn failure(answer: &Answer, request: &Request) -> Failure {
    let exit = match answer.status {
        401 | 403 => Exit::Forbidden,
        404 if answer.is_not_found() => Exit::NotFound,
        404 => Exit::Unavailable,
        409 | 412 => Exit::Conflict,
        410 if answer.is_gone() => Exit::Conflict,
        429 | 500 | 502 | 503 | 507 => Exit::Unavailable,
        504 => Exit::Unknown,
        _ => Exit::Failed,
    };
    Failure::new(exit, message(answer), attempt(answer, request))
}

/// The runnable that a path is about, as `NS/NAME`.
fn reference(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("/namespaces/")?;
    let mut parts = rest.split('/');
    let (namespace, name) = (parts.next()?, parts.nth(1)?);
    Some(format!("{namespace}/{name}"))
}

fn message(answer: &Answer) -> String {
    let mut lines = vec![answer.words()];
    let causes = answer.body.pointer("/details/causes").and_then(Value::as_array);
    for cause in causes.into_iter().flatten() {
        let (field, why) = (text(cause, "/field"), text(cause, "/message"));
        // The summary often repeats a single cause.
        if !lines.iter().any(|line| line.contains(why) && line.contains(field)) {
            lines.push(if field.is_empty() { format!("  {why}") } else { format!("  {field}: {why}") });
        }
    }
    lines.join("\n")
}

fn attempt(answer: &Answer, request: &Request) -> String {
    match answer.status {
        400 | 413 | 422 => "correct what is named above and send it again; nothing was changed".to_owned(),
        401 => format!("name a file with a valid token in {}", environment::TOKEN_FILE),
        403 if request.path.ends_with("/approvals") => {
            "ask somebody who may: tallyman get NAME -o yaml shows the groups".to_owned()
        }
        403 => "use the token of somebody who may, or ask for the right".to_owned(),
        404 if request.path.contains("/clusters") => "tallyman cluster list".to_owned(),
        404 if request.path.contains("/runnables/") => "tallyman list -A".to_owned(),
        404 => super::NOT_SERVED_HINT.to_owned(),
        409 | 412 if request.path.ends_with("/approvals") => {
            "look at what it is now, and decide anew: tallyman approve NAME".to_owned()
        }
        409 | 412 if request.path.starts_with("/operator/") => "tallyman operator status".to_owned(),
        409 | 412 if request.path.contains("/clusters") => "tallyman cluster list".to_owned(),
        409 | 412 => match (reference(&request.path), request.path.ends_with("/runnables")) {
            (_, true) => "give it another name, or metadata.generateName; tallyman list".to_owned(),
            (Some(run), _) => format!("look how it is now: tallyman get {run}; tallyman history {run}"),
            _ => "read it again: it exists already or has changed".to_owned(),
        },
        410 if answer.is_gone() => "do it again under another --idempotency-key, or without one".to_owned(),
        410 => "list again from the start: that revision is no longer kept".to_owned(),
        504 => "repeat it, or read without a token".to_owned(),
        507 => "free space on the disks that are named, then repeat it; tallyman operator status".to_owned(),
        429 | 500 | 502 | 503 => "repeat it in a moment; tallyman operator status".to_owned(),
        _ => "tallyman --help".to_owned(),
    }
}
