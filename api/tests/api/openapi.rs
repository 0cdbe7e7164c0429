//! The description of the API: whole, true of what is served, and its examples are taken.

use crate::client::{Server, start};
use crate::deployables::{DEPLOYABLES, deployable, upgraded};
use crate::samples::{RUNNABLES, path};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tallyman_model::rule::Verdict;

const GROUP: &str = "apis/tallyman.dev/v1";

async fn document(server: &Server, part: &str) -> Value {
    let index = server.get("/openapi/v3").await.done(200);
    let url = index["paths"][part]["serverRelativeURL"].as_str().unwrap().to_owned();
    server.get(&url).await.done(200)
}

fn schema<'a>(document: &'a Value, kind: &str) -> &'a Value {
    &document["components"]["schemas"][format!("dev.tallyman.v1.{kind}")]
}

/// Follows `$ref` and `allOf`.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["allOf"][0]["$ref"].as_str().or(schema["$ref"].as_str()) {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap();
            document.pointer(pointer).unwrap_or_else(|| panic!("{reference} is not there"))
        }
        None => schema,
    }
}

/// What is wrong with `value`, as far as the schemas here say anything.
fn faults(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = resolved(document, schema);
    if let Some(either) = schema["oneOf"].as_array() {
        let fits = |one: &Value| {
            let mut inner = Vec::new();
            self::faults(document, one, value, at, &mut inner);
            inner.is_empty()
        };
        if either.iter().filter(|one| fits(one)).count() != 1 {
            faults.push(format!("{at}: fits not one"));
        }
        return;
    }
    let is_of = match schema["type"].as_str().unwrap_or_else(|| panic!("{at} has no type")) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("{other}"),
    };
    if !is_of {
        return faults.push(format!("{at}: {value} is no {}", schema["type"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        faults.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    for item in value.as_array().into_iter().flatten() {
        self::faults(document, &schema["items"], item, at, faults);
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            faults.push(format!("{at}: has no {name}"));
        }
    }
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, value) in value.as_object().unwrap_or(&Map::new()) {
        let inner = match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Null) => {
                faults.push(format!("{at}.{name} is not described"));
                continue;
            }
            (Value::Null, any) => any,
            (property, _) => property,
        };
        self::faults(document, inner, value, &format!("{at}.{name}"), faults);
    }
}

#[track_caller]
fn assert_fits(document: &Value, kind: &str, value: &Value) {
    let mut found = Vec::new();
    faults(document, schema(document, kind), value, kind, &mut found);
    assert_eq!(found, Vec::<String>::new(), "{value}");
}

/// Runs in many states, and what else there is.
async fn busy() -> Server {
    let server = upgraded().await;
    server.post(DEPLOYABLES, &deployable("info")).await.done(201);
    server.post(crate::pools::POOLS, &example(&server, "Pool").await).await.done(201);
    let asked = json!({"key": "a", "ttl": "1h"});
    server.post(&format!("{}/vlans/allocations", crate::pools::POOLS), &asked).await.done(201);
    server.post(crate::locks::LOCKS, &example(&server, "Lock").await).await.done(201);
    server.post(&format!("{}/leaf-7/acquire", crate::locks::LOCKS), &json!({"owner": "a"})).await.done(200);
    let memory = server.memory.clone();
    let east = memory.cluster("east");
    let hub = json!({"spec": {"hub": {"namespaces": ["fleet"]}}});
    server.merge("/apis/tallyman.dev/v1/clusters/east", &hub).await.done(200);
    memory.spoke(east);
    for (name, verdict) in [("good", Verdict::Succeeded), ("bad", Verdict::Failed)] {
        server.submit(name).await;
        memory.started(name, east);
        memory.observe(name, verdict, false);
    }
    server.submit("running").await;
    memory.started("running", east);
    server.submit("waiting").await;
    let mut full = example(&server, "Runnable").await;
    full["metadata"] = json!({"name": "full", "namespace": "risk", "annotations": {"a": "b"}});
    full["spec"]["placement"] = json!({"clusterSelector": {"matchLabels": {"zone": "a"}}});
    server.post(RUNNABLES, &full).await.done(201);
    full["metadata"]["name"] = json!("line");
    full["spec"]["placement"] = json!({"clusterSelector": "zone in (a,b)"});
    server.post(RUNNABLES, &full).await.done(201);
    server.send("DELETE", &path("running"), &[], "").await.done(200);
    let observe =
        json!([{"apiVersion": "batch/v1", "kind": "Job", "namespaces": ["risk"], "labelSelector": "team"}]);
    let patch = json!({"spec": {"observe": observe}});
    server.merge(&format!("{}/east", crate::samples::CLUSTERS), &patch).await.done(200);
    let ended =
        json!({"startTime": "2026-11-20T10:00:01Z", "conditions": [{"type": "Complete", "status": "True"}]});
    server.foreign(ended.clone(), false);
    server.foreign(ended, true);
    server
}

async fn example(server: &Server, kind: &str) -> Value {
    schema(&document(server, GROUP).await, kind)["example"].clone()
}

#[tokio::test]
async fn everything_that_is_answered_is_described() {
    let server = busy().await;
    let document = document(&server, GROUP).await;
    for (kind, plural) in [
        ("Runnable", "runnables"),
        ("Deployable", "deployables"),
        ("Pool", "pools"),
        ("Allocation", "allocations"),
        ("Lock", "locks"),
        ("Cluster", "clusters"),
        ("Replica", "replicas"),
        ("AuditRecord", "auditrecords"),
    ] {
        let list = server.get(&format!("/apis/tallyman.dev/v1/{plural}")).await.done(200);
        assert!(!list["items"].as_array().unwrap().is_empty());
        assert_fits(&document, &format!("{kind}List"), &list);
        for item in list["items"].as_array().unwrap() {
            assert_fits(&document, kind, item);
        }
    }
}

#[tokio::test]
async fn every_example_fits_its_schema_and_is_taken() {
    let server = upgraded().await;
    server.post(crate::pools::POOLS, &example(&server, "Pool").await).await.done(201);
    server.post(crate::locks::LOCKS, &example(&server, "Lock").await).await.done(201);
    let document = document(&server, GROUP).await;
    for kind in ["Runnable", "Deployable", "Pool", "Allocation", "Lock", "Cluster", "Replica", "AuditRecord"]
    {
        assert_fits(&document, kind, &schema(&document, kind)["example"]);
    }
    server.memory.cluster("west");
    server.post("/apis/tallyman.dev/v1/clusters", &schema(&document, "Cluster")["example"]).await.done(201);
    server.post(RUNNABLES, &schema(&document, "Runnable")["example"]).await.done(201);
}

#[tokio::test]
async fn every_field_that_users_set_is_described_as_it_is_taken() {
    let server = upgraded().await;
    server.post(crate::pools::POOLS, &example(&server, "Pool").await).await.done(201);
    server.post(crate::locks::LOCKS, &example(&server, "Lock").await).await.done(201);
    server.memory.cluster("east");
    server.memory.cluster("west");
    let document = document(&server, GROUP).await;
    // The example has every field of the spec, so that none is described that is not taken.
    let example = &schema(&document, "Runnable")["example"];
    let described: BTreeSet<&String> = schema(&document, "Runnable")["properties"]["spec"]["properties"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    let shown: BTreeSet<&String> = example["spec"].as_object().unwrap().keys().collect();
    assert_eq!(described, shown);
    server.post(RUNNABLES, example).await.done(201);
}

#[tokio::test]
async fn every_kind_and_field_says_what_it_is_for() {
    fn look(schema: &Value, at: &str) {
        let says = schema["description"].as_str().unwrap_or_default();
        assert!(says.ends_with('.'), "{at}: {says:?}");
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            look(property, &format!("{at}.{name}"));
        }
        if schema["items"].is_object() && schema["items"]["properties"].is_object() {
            look(&schema["items"], &format!("{at}[]"));
        }
    }
    let server = start().await;
    let document = document(&server, GROUP).await;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        look(schema, name);
    }
}

#[tokio::test]
async fn every_route_is_described_and_every_reference_leads_somewhere() {
    let server = start().await;
    let index = server.get("/openapi/v3").await.done(200);
    let (mut described, mut operations) = (BTreeSet::new(), BTreeSet::new());
    for part in index["paths"].as_object().unwrap().keys() {
        let document = document(&server, part).await;
        for (path, methods) in document["paths"].as_object().unwrap() {
            assert!(described.insert(path.clone()), "{path} twice");
            for (method, operation) in
                methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
            {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                assert!(operations.insert(id.clone()), "{id} twice");
                assert!(operation["description"].as_str().unwrap().ends_with('.'), "{method} {path}");
            }
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(document.pointer(reference).is_some(), "{part}: {reference}");
        }
    }
    let routes: BTreeSet<String> =
        tallyman_api::ROUTES.iter().map(|route| route.replace("{*", "{")).collect();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn kubectl_finds_the_parameters_that_it_asks_for() {
    let server = start().await;
    let document = document(&server, GROUP).await;
    for path in ["namespaces/{namespace}/runnables/{name}", "clusters/{name}"] {
        let patch = &document["paths"][format!("/{GROUP}/{path}")]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["group"], "tallyman.dev");
        let names: Vec<_> =
            patch["parameters"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        for name in ["fieldValidation", "dryRun", "fieldManager", "force"] {
            assert!(names.contains(&name), "{name} of {names:?}");
        }
    }
}

#[tokio::test]
async fn a_document_is_kept_under_its_hash_and_asked_about_otherwise() {
    let server = start().await;
    let index = server.get("/openapi/v3").await.done(200);
    let url = index["paths"][GROUP]["serverRelativeURL"].as_str().unwrap();
    let reply = server.get(url).await;
    assert!(reply.header("cache-control").contains("immutable"), "{url}");
    let plain = format!("/openapi/v3/{GROUP}");
    assert_eq!(server.get(&plain).await.header("cache-control"), "no-cache");
    let etag = reply.header("etag").to_owned();
    let known = server.send("GET", &plain, &[("if-none-match", &etag)], "").await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    server.get("/openapi/v3/apis/apps/v1").await.refused(404, "NotFound");
}
