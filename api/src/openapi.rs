//! `/openapi/v3`: the API described, for programs and for `kubectl explain`. One document for each group and version,
//! and one for what is not Kubernetes-shaped. Documents are made once; their URLs carry their hash, so that clients
//! keep them for good.

mod auditrecord;
mod cluster;
mod deployable;
mod field;
mod lock;
mod meta;
mod operation;
mod pool;
mod replica;
mod runnable;
mod statusrule;

use crate::api::Shared;
use crate::ask::Ask;
use crate::noun::Noun;
use crate::render;
use crate::status::Failure;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use field::Field;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tallyman_model::Digest;

/// Names of schemas that all documents have.
const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
/// The document of what is outside all API groups.
const REST: &str = "tallyman";
const PARTS: [&str; 5] =
    ["api/v1", "apis/authentication.k8s.io/v1", "apis/authorization.k8s.io/v1", "apis/tallyman.dev/v1", REST];

/// A document and its hash.
struct Part {
    bytes: Vec<u8>,
    hash: String,
}

static DOCUMENTS: LazyLock<BTreeMap<&str, Part>> =
    LazyLock::new(|| PARTS.map(|part| (part, Part::of(part))).into());

/// `GET /openapi/v3`: the documents and their URLs.
pub(crate) async fn index(State(api): State<Shared>, request: Request) -> Result<Response, Failure> {
    let (_ask, _body) = Ask::open_blank(&api, request)?;
    let url = |(part, document): (&&str, &Part)| {
        let url = format!("/openapi/v3/{part}?hash={}", document.hash);
        ((*part).to_owned(), json!({ "serverRelativeURL": url }))
    };
    let paths: Map<String, Value> = DOCUMENTS.iter().map(url).collect();
    Ok(respond(json!({ "paths": paths }).to_string().into_bytes(), "no-cache"))
}

/// `GET /openapi/v3/PART`: one document.
pub(crate) async fn part(
    State(api): State<Shared>,
    Path(part): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let (ask, _) = Ask::open_blank(&api, request)?;
    let missing = || Failure::no_such_path(&format!("/openapi/v3/{part}"));
    let document = DOCUMENTS.get(part.as_str()).ok_or_else(missing)?;
    let etag = format!("\"{}\"", document.hash);
    // Under its hash it never changes.
    let is_named = ask.params.get("hash") == Some(document.hash.as_str());
    let caching = if is_named { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = ask.headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = respond(if known { Vec::new() } else { document.bytes.clone() }, caching);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}

fn respond(bytes: Vec<u8>, caching: &'static str) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

impl Part {
    fn of(part: &str) -> Self {
        let mut schemas = Map::new();
        schemas.insert(
            STATUS.to_owned(),
            field::schema("What is answered where there is no object.", meta::STATUS),
        );
        if part == "apis/tallyman.dev/v1" {
            schemas.insert(METADATA.to_owned(), field::schema("What every object has.", meta::METADATA));
            schemas
                .insert(LIST_METADATA.to_owned(), field::schema("What every list has.", meta::LIST_METADATA));
            for noun in Noun::ALL {
                schemas.insert(name(noun, ""), one(noun));
                schemas.insert(name(noun, "List"), list(noun));
            }
        }
        let document = json!({
            "openapi": "3.0.0",
            "info": {
                "title": "Tallyman", "version": env!("CARGO_PKG_VERSION"),
                "description": "Takes work for many Kubernetes clusters, gets it there exactly once, and keeps the books.",
            },
            "paths": operation::paths(part),
            "components": {"schemas": schemas},
        });
        let bytes = document.to_string().into_bytes();
        let hash = Digest::of(&bytes).to_string().replace("sha256:", "").to_ascii_uppercase();
        Self { bytes, hash }
    }
}

/// The name of a resource's schema.
fn name(noun: Noun, suffix: &str) -> String {
    format!("dev.tallyman.v1.{}{suffix}", noun.kind())
}

fn described(noun: Noun) -> (&'static str, &'static [Field], &'static str) {
    match noun {
        Noun::Runnables => (runnable::SAYS, runnable::FIELDS, runnable::EXAMPLE),
        Noun::Deployables => (deployable::SAYS, deployable::FIELDS, deployable::EXAMPLE),
        Noun::Pools => (pool::SAYS, pool::FIELDS, pool::EXAMPLE),
        Noun::Allocations => (pool::ALLOCATION_SAYS, pool::ALLOCATION_FIELDS, pool::ALLOCATION_EXAMPLE),
        Noun::Locks => (lock::SAYS, lock::FIELDS, lock::EXAMPLE),
        Noun::Clusters => (cluster::SAYS, cluster::FIELDS, cluster::EXAMPLE),
        Noun::StatusRules => (statusrule::SAYS, statusrule::FIELDS, statusrule::EXAMPLE),
        Noun::Replicas => (replica::SAYS, replica::FIELDS, replica::EXAMPLE),
        Noun::AuditRecords => (auditrecord::SAYS, auditrecord::FIELDS, auditrecord::EXAMPLE),
    }
}

fn group_version_kind(kind: &str) -> Value {
    json!({"group": "tallyman.dev", "version": "v1", "kind": kind})
}

fn one(noun: Noun) -> Value {
    let (says, fields, example) = described(noun);
    let mut schema = field::schema(says, fields);
    schema["x-kubernetes-group-version-kind"] = json!([group_version_kind(noun.kind())]);
    schema["example"] = serde_json::from_str(example).unwrap_or_default();
    schema
}

fn list(noun: Noun) -> Value {
    let kind = format!("{}List", noun.kind());
    let reference = |schema: &str| json!({"$ref": format!("#/components/schemas/{schema}")});
    json!({
        "type": "object", "required": ["items"],
        "description": format!("{kind} is {} at one revision.", noun.plural()),
        "properties": {
            "apiVersion": {"type": "string", "description": format!("{}.", render::API_VERSION)},
            "kind": {"type": "string", "description": format!("{kind}.")},
            "metadata": {"description": "The revision of the list, and where it goes on.", "allOf": [reference(LIST_METADATA)]},
            "items": {"type": "array", "description": "The objects.", "items": reference(&name(noun, ""))},
        },
        "x-kubernetes-group-version-kind": [group_version_kind(&kind)],
    })
}
