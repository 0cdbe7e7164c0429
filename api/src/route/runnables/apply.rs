//! Server-side apply: makes the run, or sets the labels and annotations that are sent. Who set which field is not
//! recorded, so nothing is taken away because a later configuration does not name it; a warning says so.

use super::patch::{Shown, TRIES_MAX, command};
use super::respond;
use crate::answer;
use crate::ask::Ask;
use crate::metadata;
use crate::noun::Noun;
use crate::status::Failure;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};
use tallyman_model::record::Head;
use tallyman_model::{Cause, Command, manifest};

/// Applies the configuration `value` to the run of that name, which may not be there yet.
pub(super) async fn apply(
    ask: &Ask,
    namespace: &str,
    name: &str,
    bytes: &[u8],
    value: Value,
) -> Result<Response, Failure> {
    let configuration = configuration(namespace, name, value)?;
    let asked = ask.if_match()?;
    let mut tries = 0;
    loop {
        tries += 1;
        let last = tries >= TRIES_MAX;
        let Some(shown) = Shown::read(ask, namespace, name).await? else {
            if asked.is_some() || configuration.pointer("/metadata/uid").is_some() {
                return Err(Failure::not_found(Noun::Runnables, name));
            }
            let submit = manifest::accept(configuration.clone(), namespace, ask.api.options.env.uid())
                .map_err(|causes| Failure::faults(Noun::Runnables, name, causes))?;
            let manifests = submit.manifests.clone();
            match ask.propose(namespace, bytes, Command::Submit(Box::new(submit))).await {
                Ok(written) => {
                    return respond(ask, name, StatusCode::CREATED, &written, Some(&manifests)).await;
                }
                // Somebody else made it meanwhile.
                Err(failure) if failure.reason == "AlreadyExists" && !last => continue,
                Err(failure) => return Err(failure),
            }
        };
        if let Some(spec) = configuration.get("spec") {
            shown.same_spec(name, spec.clone())?;
        }
        let command = command(&configuration, Some(&shown), namespace, name, asked)?;
        match ask.propose(namespace, bytes, command).await {
            Ok(written) => {
                let mut response = respond(ask, name, StatusCode::OK, &written, None).await?;
                warn_of_kept(&mut response, &shown.run.head, &configuration);
                return Ok(response);
            }
            // It is another run by now, or none.
            Err(failure) if matches!(failure.reason, "Conflict" | "NotFound") && asked.is_none() && !last => {
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// What was sent, with its name, and without what only a server sets.
fn configuration(namespace: &str, name: &str, value: Value) -> Result<Value, Failure> {
    metadata::annotations_fit(Noun::Runnables, name, &value)?;
    let Value::Object(mut root) = value else {
        return Err(Failure::bad_request("an applied configuration is an object"));
    };
    root.remove("status");
    let mut causes = Vec::new();
    for (field, expected) in [("apiVersion", crate::render::API_VERSION), ("kind", Noun::Runnables.kind())] {
        if root.get(field).and_then(Value::as_str) != Some(expected) {
            causes.push(Cause { field: field.to_owned(), message: format!("must be {expected:?}") });
        }
    }
    let metadata = root.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        for (field, expected) in [("name", name), ("namespace", namespace)] {
            let sent = metadata.entry(field).or_insert_with(|| Value::String(expected.to_owned()));
            if sent != expected {
                let message = format!("must be {expected:?}, as in the path");
                causes.push(Cause { field: format!("metadata.{field}"), message });
            }
        }
        if metadata.contains_key("generateName") {
            let message = "is for create: what is applied has a name".to_owned();
            causes.push(Cause { field: "metadata.generateName".to_owned(), message });
        }
    }
    if causes.is_empty() {
        Ok(Value::Object(root))
    } else {
        Err(Failure::faults(Noun::Runnables, name, causes))
    }
}

/// What kubectl writes for itself.
const KUBECTL: &str = "kubectl.kubernetes.io/";

/// A part of a configuration takes nothing away by not naming it; a whole one would elsewhere.
fn warn_of_kept(response: &mut Response, head: &Head, configuration: &Value) {
    if configuration.get("spec").is_none() {
        return;
    }
    let unnamed = |field: &str, has: &std::collections::BTreeMap<String, String>| {
        let named = configuration.pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
        let is_unnamed = |key: &&String| !named.is_some_and(|named| named.contains_key(*key));
        let of_kubectl = |key: &&String| key.starts_with(KUBECTL);
        has.keys()
            .filter(is_unnamed)
            .filter(|key| !of_kubectl(key))
            .map(|key| format!("{field}.{key}"))
            .collect::<Vec<_>>()
    };
    let mut kept = unnamed("labels", &head.labels);
    kept.extend(unnamed("annotations", &head.annotations));
    if kept.is_empty() {
        return;
    }
    answer::warn(
        response.headers_mut(),
        &format!(
            "kept though the applied configuration does not name it: {}; field managers are not recorded, take it \
             away by name (kubectl label or annotate KEY-)",
            kept.join(", ")
        ),
    );
}
