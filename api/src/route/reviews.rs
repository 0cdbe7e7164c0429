//! Who asks, and what they may do: `kubectl auth whoami` and `kubectl auth can-i`. Nothing is kept.

use crate::api::Shared;
use crate::ask::Ask;
use crate::discovery::actions;
use crate::identity;
use crate::noun::Noun;
use crate::proto::Message;
use crate::status::Failure;
use crate::{answer, body};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::{Value, json};

const AUTHENTICATION: &str = "authentication.k8s.io/v1";
const AUTHORIZATION: &str = "authorization.k8s.io/v1";
/// Paths that are no resources, and may be read.
const READABLE: [&str; 10] =
    ["/", "/api", "/api/*", "/apis", "/apis/*", "/livez", "/metrics", "/openapi/*", "/readyz", "/version"];
/// Paths that are for operators, and how they are asked.
const OPERATED: [(&str, &str); 11] = [
    ("get", "/operator/lineage"),
    ("get", "/operator/members"),
    ("get", "/operator/snapshot"),
    ("get", "/operator/status"),
    ("post", "/operator/confirm"),
    ("post", "/operator/confirm-stops"),
    ("post", "/operator/init"),
    ("post", "/operator/members/*"),
    ("post", "/operator/pause"),
    ("post", "/operator/resume"),
    ("post", "/operator/transfer-leader"),
];

/// `POST .../selfsubjectreviews`: who the server takes the client for.
pub(super) async fn whoami(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open_blank(&api, request)?;
    ask.bytes(body).await?;
    let user = json!({"userInfo": {"username": ask.by.user, "groups": ask.by.groups}});
    Ok(respond(&ask, AUTHENTICATION, "SelfSubjectReview", json!({}), user))
}

/// `POST .../selfsubjectaccessreviews`: whether the client may do one thing.
pub(super) async fn may(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open_blank(&api, request)?;
    let spec = spec(&ask, body, Asked::of_protobuf).await?;
    let asked = Asked::of_json(&spec);
    let status = match asked.refusal(identity::is_master(&ask.by)) {
        None => json!({"allowed": true}),
        Some(reason) => json!({"allowed": false, "reason": reason}),
    };
    Ok(respond(&ask, AUTHORIZATION, "SelfSubjectAccessReview", spec, status))
}

/// `POST .../selfsubjectrulesreviews`: all that the client may do in a namespace; it is the same in all.
pub(super) async fn rules(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (ask, body) = Ask::open_blank(&api, request)?;
    let namespace =
        |document: Message<'_>| Some(json!({"namespace": document.field(2)?.unwrap_or_default().text(1)?}));
    let spec = spec(&ask, body, namespace).await?;
    let mut resources = Vec::new();
    let rule = |verbs: &[&str], name: &str| json!({"verbs": verbs, "apiGroups": ["tallyman.dev"], "resources": [name]});
    for noun in Noun::ALL {
        resources.push(rule(noun.verbs(), noun.plural()));
        for action in actions(noun) {
            resources.push(rule(&["create"], &format!("{}/{action}", noun.plural())));
        }
    }
    let core = |verb: &str, name: &str| json!({"verbs": [verb], "apiGroups": [""], "resources": [name]});
    resources.extend([core("get", "namespaces"), core("list", "events")]);
    let mut others = vec![json!({"verbs": ["get"], "nonResourceURLs": READABLE})];
    if identity::is_master(&ask.by) {
        others.extend(OPERATED.map(|(verb, path)| json!({"verbs": [verb], "nonResourceURLs": [path]})));
    }
    let status = json!({"resourceRules": resources, "nonResourceRules": others, "incomplete": false});
    Ok(respond(&ask, AUTHORIZATION, "SelfSubjectRulesReview", spec, status))
}

fn respond(ask: &Ask, api_version: &str, kind: &str, spec: Value, status: Value) -> Response {
    let document = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"creationTimestamp": null}, "spec": spec, "status": status,
    });
    answer::json(StatusCode::CREATED, document.to_string().into_bytes(), ask.api.backend().revision(), 0)
}

/// The spec of a review, as JSON whatever it was sent as.
async fn spec(
    ask: &Ask,
    body: Body,
    of_protobuf: impl FnOnce(Message<'_>) -> Option<Value>,
) -> Result<Value, Failure> {
    let bytes = ask.bytes(body).await?;
    let content_type =
        ask.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type == "application/vnd.kubernetes.protobuf" {
        let wrong = || Failure::bad_request("the body is no review in Kubernetes' protobuf form; send JSON");
        return Message::document(&bytes).and_then(of_protobuf).ok_or_else(wrong);
    }
    let document = body::parse(&bytes, body::format(&ask.headers)?)?;
    Ok(document.get("spec").cloned().unwrap_or(json!({})))
}

/// One thing that may be allowed.
#[derive(Debug, Default)]
struct Asked<'a> {
    verb: &'a str,
    group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    path: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of_protobuf(document: Message<'_>) -> Option<Value> {
        let spec = document.field(2)?.unwrap_or_default();
        if let Some(other) = spec.field(2)? {
            return Some(json!({"nonResourceAttributes": {"path": other.text(1)?, "verb": other.text(2)?}}));
        }
        let resource = spec.field(1)?.unwrap_or_default();
        let fields = ["namespace", "verb", "group", "version", "resource", "subresource", "name"];
        let mut attributes = serde_json::Map::new();
        for (number, field) in (1..).zip(fields) {
            attributes.insert(field.to_owned(), json!(resource.text(number)?));
        }
        Some(json!({ "resourceAttributes": attributes }))
    }

    fn of_json(spec: &'a Value) -> Self {
        let text = |parent: &str, field: &str| {
            spec.get(parent).and_then(|parent| parent.get(field)?.as_str()).unwrap_or_default()
        };
        let (resource, other) = ("resourceAttributes", "nonResourceAttributes");
        if spec.get(other).is_some() {
            return Self { verb: text(other, "verb"), path: Some(text(other, "path")), ..Self::default() };
        }
        Self {
            verb: text(resource, "verb"),
            group: text(resource, "group"),
            resource: text(resource, "resource"),
            subresource: text(resource, "subresource"),
            path: None,
        }
    }

    /// Why it is not allowed; nothing if it is.
    fn refusal(&self, is_master: bool) -> Option<String> {
        if let Some(path) = self.path {
            let is = |known: &str| match known.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == known,
            };
            let operates = is_master && OPERATED.iter().any(|(verb, known)| self.verb == *verb && is(known));
            let allowed = operates || self.verb == "get" && READABLE.into_iter().any(is);
            return (!allowed).then(|| format!("{} of {path} is not served or not for this user", self.verb));
        }
        if matches!(
            (self.group, self.resource, self.verb),
            ("", "namespaces", "get") | ("", "events", "list")
        ) {
            return None;
        }
        let noun = Noun::ALL.into_iter().find(|noun| noun.plural() == self.resource);
        let Some(noun) = noun.filter(|_| self.group == "tallyman.dev") else {
            let dot = if self.group.is_empty() { "" } else { "." };
            return Some(format!("{}{dot}{} is not served here", self.resource, self.group));
        };
        let allowed = match self.subresource {
            "" => noun.verbs().contains(&self.verb),
            action => self.verb == "create" && actions(noun).contains(&action),
        };
        (!allowed).then(|| format!("{} is not served for {}", self.verb, noun.plural()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::ROUTES;

    #[test]
    fn all_that_operators_may_ask_is_told() {
        for route in ROUTES.iter().filter(|route| route.starts_with("/operator/")) {
            let known = route.replace("{verb}", "*");
            assert!(OPERATED.iter().any(|(_, path)| *path == known), "{route}");
        }
    }
}
