//! What a run would do, as what has changed since the last run of that name that succeeded.

use crate::client::{Client, Request, request, text};
use crate::exit::Failure;
use crate::output::yaml;
use crate::runnable;
use crate::screen::Screen;
use serde_json::{Value, json};
use similar::TextDiff;
use tallyman_model::Uid;
use tallyman_model::manifest::generated;

/// Runs of one page.
const PAGE_MAX: usize = 500;
/// Pages that are looked through for an earlier run.
const PAGES_MAX: usize = 20;
/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;

/// What has changed since the last run of that name that succeeded, as a unified diff; all of it if there is none.
///
/// # Errors
/// No answer.
pub(super) async fn since_last(client: &Client, run: &Value, screen: Screen) -> Result<String, Failure> {
    let now = content(run)?;
    let last = match last_succeeded(client, run).await? {
        Some(name) => {
            runnable::read(client, text(run, "/metadata/namespace"), &name).await.ok().filter(|last| {
                // It may have been removed, and the name used again, since it was listed.
                text(last, "/status/phase") == "Succeeded"
            })
        }
        None => None,
    };
    let Some(last) = last else {
        return Ok(format!("{}\n{now}", screen.dim("no earlier run of that name has succeeded; all of it:")));
    };
    let (before, old) = (content(&last)?, runnable::reference(&last));
    if before == now {
        return Ok(format!("nothing has changed since {old}, which succeeded\n"));
    }
    let diff = TextDiff::from_lines(&before, &now);
    let new = runnable::reference(run);
    let unified = diff.unified_diff().context_radius(CONTEXT_LINES).header(&old, &new).to_string();
    Ok(unified.lines().map(|line| painted(line, screen)).collect())
}

fn painted(line: &str, screen: Screen) -> String {
    let line = match line.chars().next() {
        Some('+') => screen.green(line),
        Some('-') => screen.red(line),
        Some('@') => screen.dim(line),
        _ => line.to_owned(),
    };
    format!("{line}\n")
}

/// What the digest is of, as YAML: where it may go, and the manifests.
fn content(run: &Value) -> Result<String, Failure> {
    let mut content = json!({});
    if let Some(placement) = run.pointer("/spec/placement") {
        content["placement"] = placement.clone();
    }
    content["manifests"] = as_submitted(run);
    yaml(&content)
}

/// The manifests as they were submitted: without the names that were made for them.
pub(super) fn as_submitted(run: &Value) -> Value {
    let mut manifests = run.pointer("/spec/manifests").cloned().unwrap_or_default();
    let Some(uid) = Uid::parse(text(run, "/metadata/uid")) else { return manifests };
    for (i, one) in manifests.as_array_mut().into_iter().flatten().enumerate() {
        let prefix = generated::prefix_of_manifest(text(one, "/metadata/name"), uid, i).map(str::to_owned);
        if let (Some(prefix), Some(metadata)) =
            (prefix, one.get_mut("metadata").and_then(Value::as_object_mut))
        {
            metadata.remove("name");
            metadata.insert("generateName".to_owned(), Value::String(prefix));
        }
    }
    manifests
}

/// The name of the last run before this one that was made from the same generateName and succeeded. Only names are
/// fetched: manifests may be long.
async fn last_succeeded(client: &Client, run: &Value) -> Result<Option<String>, Failure> {
    let (namespace, name) = (text(run, "/metadata/namespace"), text(run, "/metadata/name"));
    let Some(stem) = stem(run) else { return Ok(None) };
    let (mut found, mut next) = (None, String::new());
    for _ in 0..PAGES_MAX {
        let page = client.read(&earlier(namespace, &next)).await?.body;
        // In the order in which they were submitted.
        for row in page.get("rows").and_then(Value::as_array).into_iter().flatten() {
            let Some(other) = row.get("object") else { continue };
            if text(other, "/metadata/name") != name && self::stem(other) == Some(stem) {
                found = Some(text(other, "/metadata/name").to_owned());
            }
        }
        next = text(&page, "/metadata/continue").to_owned();
        if next.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// A page of what has succeeded: rows only.
pub(super) fn earlier(namespace: &str, next: &str) -> Request {
    let mut list = Request::get(request::runnables(Some(namespace)))
        .query("fieldSelector", "status.phase=Succeeded")
        .query("limit", PAGE_MAX)
        .query_some("continue", Some(next).filter(|next| !next.is_empty()));
    list.headers.retain(|(header, _)| *header != "accept");
    list.header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io".to_owned())
}

/// The generateName that a run's name was made from.
fn stem(run: &Value) -> Option<&str> {
    let uid = Uid::parse(text(run, "/metadata/uid"))?;
    generated::prefix_of_submission(text(run, "/metadata/name"), uid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_generated_name_is_no_change_and_a_written_one_is() {
        let run = |seed: u8, name: fn(Uid) -> String| {
            let uid = Uid::from_random([seed; 16]);
            json!({"metadata": {"uid": uid.to_string()}, "spec": {"manifests": [
                {"kind": "Job", "metadata": {"name": name(uid)}}]}})
        };
        let made = |uid| generated::of_manifest("r-", uid, 0);
        assert_eq!(content(&run(1, made)).unwrap(), content(&run(2, made)).unwrap());
        assert!(content(&run(1, made)).unwrap().contains("generateName: r-"));
        assert_ne!(
            content(&run(1, |_| "a".to_owned())).unwrap(),
            content(&run(1, |_| "b".to_owned())).unwrap()
        );
    }
}
