//! A kind that comes with what is of it: a CustomResourceDefinition and an object of its kind in one deployable.

use crate::deployable::{send_to, synced, until_in};
use crate::stage::{on_east, within};
use serde_json::{Value, json};

const HERE: &str = "definition";

fn deployable() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}, "color": {"type": "string"}}},
    }}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": "settings"},
        "spec": {"placement": {"clusters": ["east"]}, "manifests": [
            {"apiVersion": "tests.tallyman.dev/v1", "kind": "Gadget", "metadata": {"name": "first"},
                "spec": {"color": "red"}},
            {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "gadgets.tests.tallyman.dev"},
                "spec": {"group": "tests.tallyman.dev", "scope": "Namespaced", "versions": [version],
                    "names": {"plural": "gadgets", "kind": "Gadget"}}},
        ]},
    })
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_definition_is_made_before_what_is_of_its_kind_where_the_role_has_it_and_is_never_deleted() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        send_to(stage, HERE, reqwest::Method::POST, "", &deployable()).await;
        let refused = until_in(stage, HERE, "the right is missing", |on| on["state"] == "Failing").await;
        let message = refused["status"]["clusters"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("cannot create resource \"customresourcedefinitions\""), "{message}");
        let mut rules = stage.east.rules().await;
        let verbs = json!(["create", "delete", "get", "list", "patch", "watch"]);
        for (group, resource) in
            [("apiextensions.k8s.io", "customresourcedefinitions"), ("tests.tallyman.dev", "gadgets")]
        {
            let rule = json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
            rules.as_array_mut().unwrap().push(rule);
        }
        stage.east.allow(&rules).await;
        let shown = until_in(stage, HERE, "both are there", synced(1)).await;
        let gadget = stage.east.find(HERE, "gadget", "first").await.unwrap();
        assert_eq!(gadget["spec"], json!({"color": "red", "size": 3}), "{shown:#}");
        assert_eq!(shown["status"]["clusters"][0]["health"], "Healthy");

        send_to(stage, HERE, reqwest::Method::DELETE, "/settings", &json!({})).await;
        within("what is of the kind is gone, and the definition is let go", async || {
            let definition = stage.east.find(HERE, "crd", "gadgets.tests.tallyman.dev").await?;
            let is_ours = definition["metadata"]["labels"]["tallyman.dev/group"].is_string();
            let gadget = stage.east.find(HERE, "gadget", "first").await;
            (gadget.is_none() && !is_ours).then_some(())
        })
        .await;
        stage.east.kubectl(&["delete", "crd", "gadgets.tests.tallyman.dev"]).await;
    });
}
