//! Lists: pages, selectors, versions.

use crate::world::{client, cluster, config_map, config_maps, create_config_maps, refusal};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, PartialObjectMeta, Patch, PatchParams, PostParams};
use kube::core::params::VersionMatch;
use serde_json::json;
use tallyman_chaos::Verb;

#[tokio::test]
async fn pages_of_one_list_show_one_version() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    create_config_maps(&api, 0..10).await;
    let first = api.list(&ListParams::default().limit(4)).await.unwrap();
    let version = first.metadata.resource_version.clone();
    api.delete("c005", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &config_map("c0055", "a")).await.unwrap();
    api.patch("c006", &PatchParams::default(), &Patch::Merge(json!({"data": {"k": "new"}}))).await.unwrap();
    let mut all = first.items.clone();
    let mut token = first.metadata.continue_.clone();
    while let Some(next) = token.filter(|token| !token.is_empty()) {
        let page = api.list(&ListParams::default().limit(4).continue_token(&next)).await.unwrap();
        assert_eq!(page.metadata.resource_version, version);
        all.extend(page.items);
        token = page.metadata.continue_;
    }
    let seen: Vec<String> = all.iter().map(|map| map.data.clone().unwrap()["k"].clone()).collect();
    let expected: Vec<String> = (0..10).map(|number| format!("c{number:03}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_page_after_a_compaction_is_expired() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    create_config_maps(&api, 0..4).await;
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    create_config_maps(&api, 4..5).await;
    cluster.compact();
    let next = api.list(&ListParams::default().limit(2).continue_token(&token)).await;
    assert_eq!(refusal(next), (410, "Expired".to_owned()));
}

#[tokio::test]
async fn selectors_narrow_a_list() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    for (name, tier) in [("one", "a"), ("two", "b"), ("three", "c")] {
        api.create(&PostParams::default(), &config_map(name, tier)).await.unwrap();
    }
    for (labels, fields, expected) in [
        ("tier in (a, b)", "", vec!["one", "two"]),
        ("tier notin (a),tier", "", vec!["three", "two"]),
        ("!tier", "", vec![]),
        ("", "metadata.name=two", vec!["two"]),
        ("tier!=b", "metadata.namespace=risk,metadata.name!=one", vec!["three"]),
    ] {
        let found = api.list(&ListParams::default().labels(labels).fields(fields)).await.unwrap();
        let names: Vec<_> = found.items.iter().map(|map| map.metadata.name.clone().unwrap()).collect();
        assert_eq!(names, expected, "{labels} {fields}");
    }
    assert_eq!(refusal(api.list(&ListParams::default().fields("data.k=1")).await).0, 400);
    assert_eq!(refusal(api.list(&ListParams::default().labels("a b")).await).0, 400);
}

#[tokio::test]
async fn a_version_can_be_asked_for() {
    let cluster = cluster().await;
    let api = config_maps(&cluster);
    create_config_maps(&api, 0..2).await;
    let now = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    create_config_maps(&api, 2..3).await;
    let at = |version: &str, matching| ListParams::default().at(version).matching(matching);
    assert_eq!(api.list(&at(&now, VersionMatch::Exact)).await.unwrap().items.len(), 2);
    assert_eq!(api.list(&at(&now, VersionMatch::NotOlderThan)).await.unwrap().items.len(), 3);
    assert_eq!(api.list(&at("0", VersionMatch::NotOlderThan)).await.unwrap().items.len(), 3);
    let future = api.list(&at("1000", VersionMatch::NotOlderThan)).await;
    let Err(kube::Error::Api(status)) = future else { panic!("{future:?}") };
    assert_eq!((status.code, status.reason.as_str()), (504, "Timeout"));
    assert!(status.message.contains("Too large resource version: 1000"), "{}", status.message);
    cluster.compact();
    assert_eq!(refusal(api.list(&at(&now, VersionMatch::Exact)).await).0, 410);
}

#[tokio::test]
async fn who_asks_for_metadata_gets_nothing_else_of_objects() {
    let cluster = cluster().await;
    create_config_maps(&config_maps(&cluster), 0..2).await;
    let api: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client(&cluster), "risk");
    let listed = api.list(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    let one = api.get("c000").await.unwrap();
    assert_eq!(one.metadata.name.as_deref(), Some("c000"));
    for accept in ["PartialObjectMetadata", "PartialObjectMetadataList"] {
        let path = if accept.ends_with("List") { "configmaps" } else { "configmaps/c000" };
        let accept = format!("application/json;as={accept};g=meta.k8s.io;v=v1,application/json");
        let request = hyper::Request::get(format!("/api/v1/namespaces/risk/{path}")).header("accept", accept);
        let text = client(&cluster).request_text(request.body(Vec::new()).unwrap()).await.unwrap();
        assert!(text.contains(r#""kind":"PartialObjectMetadata""#) && !text.contains(r#""data""#), "{text}");
    }
    assert_eq!(cluster.requests().by_form(Verb::List, "configmaps"), (0, 2));
}
