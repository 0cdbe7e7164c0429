use super::*;
use tallyman_cluster::{CallError, ClusterApi, RefusedKind, Unknown};

#[tokio::test]
async fn only_the_word_of_the_cluster_about_this_object_proves_its_absence() {
    let said = status(404, "NotFound", json!({"kind": "jobs", "group": "batch", "name": "a"}));
    let (_server, api) = start([Say::json(404, &said), Say::json(404, "404 page not found")]).await;
    assert_eq!(api.get(&Kind::Job, "n", "a").await.unwrap(), None);
    let error = api.get(&Kind::Job, "n", "a").await.unwrap_err();
    assert_eq!(error.refused_kind(), Some(RefusedKind::KindMissing));
}

#[tokio::test]
async fn a_page_is_asked_for_by_selector_limit_and_token() {
    let body =
        json!({"metadata": {"resourceVersion": "9", "continue": "to+ken"}, "items": [job("7")]}).to_string();
    let (server, api) = start([Say::json(200, &body), Say::json(200, &body)]).await;
    let page = api.list(&all_jobs(), "tallyman.dev/group=g", None, 5).await.unwrap();
    assert_eq!((page.items.len(), page.resource_version.as_str()), (1, "9"));
    api.list(&all_jobs(), "", page.continue_token.as_deref(), 5).await.unwrap();
    let requests = server.requests();
    assert!(
        requests[0].starts_with("GET /apis/batch/v1/jobs?labelSelector=tallyman.dev%2Fgroup%3Dg&limit=5 ")
    );
    assert!(requests[1].starts_with("GET /apis/batch/v1/jobs?limit=5&continue=to%2Bken "), "{}", requests[1]);
}

#[tokio::test]
async fn a_large_page_is_read_and_one_that_is_too_large_is_said_to_be() {
    let padded = |bytes: usize| {
        let mut item = job("7");
        item["spec"] = "x".repeat(bytes).into();
        json!({"metadata": {"resourceVersion": "9"}, "items": [item]}).to_string()
    };
    let (_server, api) = start([Say::json(200, &padded(1 << 20)), Say::json(200, &padded(9 << 20))]).await;
    let slow = Timing { list: Duration::from_secs(20), ..timing() };
    drop(api);
    let options = ConnectOptions { timing: slow, ..ConnectOptions::new(_server.kubeconfig()) };
    let api = KubeApi::connect(options).await.unwrap();
    assert_eq!(api.list(&all_jobs(), "", None, 5).await.unwrap().items.len(), 1);
    let error = api.list(&all_jobs(), "", None, 5).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown { why: Unknown::TooLong, .. }), "{error:?}");
}

#[tokio::test]
async fn identity_is_the_uid_of_kube_system() {
    let version = json!({"major": "1", "gitVersion": "v1.36.0"}).to_string();
    let system = json!({"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "k-1"}}).to_string();
    let (_server, api) = start([Say::json(200, &version), Say::json(200, &system)]).await;
    let identity = api.identity().await.unwrap();
    assert_eq!((identity.kube_system_uid.as_str(), identity.version.as_str()), ("k-1", "v1.36.0"));
}

#[tokio::test]
async fn the_newest_version_costs_one_object() {
    let body = json!({"metadata": {"resourceVersion": "9"}, "items": []}).to_string();
    let (server, api) = start([Say::json(200, &body)]).await;
    assert_eq!(api.newest(&all_jobs()).await.unwrap(), "9");
    let request = server.requests().remove(0);
    assert!(request.starts_with("GET /apis/batch/v1/jobs?limit=1 ") && is_of_metadata(&request), "{request}");
}

#[tokio::test]
async fn no_body_reaches_a_message_or_a_debug_print() {
    let body = json!({"metadata": {"resourceVersion": "9"}, "items": 5, "secret": "s3cr3t"}).to_string();
    let (_server, api) = start([Say::json(200, &body), Say::json(200, "s3cr3t")]).await;
    for _ in 0..2 {
        let error = api.list(&all_jobs(), "", None, 5).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
    }
}

/// Whether a request asks for the metadata of objects alone.
fn is_of_metadata(request: &str) -> bool {
    request.to_lowercase().contains("accept: application/json;as=partialobjectmetadata")
}

#[tokio::test]
async fn where_no_rule_reads_the_rest_only_metadata_is_asked_for() {
    let list = json!({"metadata": {"resourceVersion": "9"}, "items": [job("7")]}).to_string();
    for (kind, expected) in [(Kind::Job, false), (Kind::ConfigMap, true)] {
        let (server, api) = start([Say::json(200, &list), Say::json(200, &job("7").to_string())]).await;
        // A server that sends whole objects all the same is understood.
        assert_eq!(api.list(&Extent::everywhere(kind.clone()), "", None, 5).await.unwrap().items.len(), 1);
        assert!(api.get(&kind, "n", "a").await.unwrap().is_some());
        let asked: Vec<bool> = server.requests().iter().map(|request| is_of_metadata(request)).collect();
        assert_eq!(asked, [expected; 2], "{kind}: {:?}", server.requests());
    }
}
