//! `kubectl auth whoami` and `kubectl auth can-i`.

use crate::client::{Server, start};
use serde_json::{Value, json};

const MAY: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const PROTOBUF: [(&str, &str); 2] = [
    ("content-type", "application/vnd.kubernetes.protobuf"),
    ("accept", "application/vnd.kubernetes.protobuf,application/json"),
];

#[tokio::test]
async fn a_client_learns_who_it_is_taken_for() {
    let server = start().await;
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let me = server.send("POST", path, &PROTOBUF, "k8s\0").await.done(201);
    assert_eq!(me["status"]["userInfo"], json!({"username": "dev", "groups": ["system:masters"]}));
    let ann =
        [("impersonate-user", "ann"), ("impersonate-group", "risk"), ("content-type", "application/json")];
    let ann = server.send("POST", path, &ann, "{}").await.done(201);
    assert_eq!(ann["status"]["userInfo"], json!({"username": "ann", "groups": ["risk"]}));
}

async fn may(server: &Server, spec: Value) -> bool {
    let review = server.post(MAY, &json!({ "spec": spec })).await.done(201);
    let allowed = review["status"]["allowed"].as_bool().unwrap();
    assert_eq!(review["status"]["reason"].is_string(), !allowed, "{review}");
    allowed
}

#[tokio::test]
async fn a_client_learns_what_it_may_do() {
    let server = start().await;
    for (verb, group, resource, subresource, allowed) in [
        ("create", "tallyman.dev", "runnables", "", true),
        ("update", "tallyman.dev", "runnables", "", false),
        ("create", "tallyman.dev", "runnables", "cancel", true),
        ("get", "tallyman.dev", "runnables", "logs", false),
        ("update", "tallyman.dev", "clusters", "", true),
        ("delete", "tallyman.dev", "replicas", "", false),
        ("get", "", "pods", "", false),
    ] {
        let attributes =
            json!({"verb": verb, "group": group, "resource": resource, "subresource": subresource});
        assert_eq!(may(&server, json!({ "resourceAttributes": attributes })).await, allowed, "{attributes}");
    }
    for (path, verb, allowed) in [
        ("/livez", "get", true),
        ("/apis/tallyman.dev", "get", true),
        ("/operator/init", "post", true),
        ("/x", "get", false),
    ] {
        let spec = json!({"nonResourceAttributes": {"path": path, "verb": verb}});
        assert_eq!(may(&server, spec).await, allowed, "{path}");
    }
    let rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let rules = server.post(rules, &json!({"spec": {"namespace": "risk"}})).await.done(201);
    assert_eq!(rules["status"]["resourceRules"][0]["resources"], json!(["runnables"]));
}

#[tokio::test]
async fn the_question_is_read_as_protobuf_too() {
    let server = start().await;
    let text = |field: u8, text: &str| [&[field << 3 | 2, text.len() as u8], text.as_bytes()].concat();
    let wrap = |field: u8, bytes: &[u8]| [&[field << 3 | 2, bytes.len() as u8], bytes].concat();
    let attributes = [text(2, "create"), text(3, "tallyman.dev"), text(5, "runnables")].concat();
    let review = wrap(2, &wrap(1, &attributes));
    let body = [b"k8s\0".to_vec(), wrap(1, &text(1, "v1")), wrap(2, &review)].concat();
    let answer = server.send("POST", MAY, &PROTOBUF, body.clone()).await.done(201);
    assert_eq!(answer["status"]["allowed"], true, "{answer}");
    assert_eq!(answer["spec"]["resourceAttributes"]["resource"], "runnables");
    let cut = body[..body.len() - 3].to_vec();
    server.send("POST", MAY, &PROTOBUF, cut).await.refused(400, "BadRequest");
}
