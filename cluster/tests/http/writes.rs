use super::server::write_kubeconfig;
use super::*;
use tallyman_cluster::{CallError, ClusterApi, NotSent, RefusedKind, Unknown};
use tallyman_model::record::Kind;

async fn create(api: &KubeApi) -> Result<(), CallError> {
    api.create(&Kind::Job, "n", br#"{"kind":"Job"}"#).await.map(drop)
}

#[tokio::test]
async fn a_create_is_one_post_with_the_bytes_as_given() {
    let (server, api) = start([Say::json(201, &job("7").to_string())]).await;
    let made = api.create(&Kind::Job, "n", br#"{"kind":  "Job"}"#).await.unwrap();
    assert_eq!((made.uid.as_str(), made.resource_version.as_str()), ("u", "7"));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_lowercase();
    assert!(request.starts_with("post /apis/batch/v1/namespaces/n/jobs http/1.1"), "{request}");
    assert!(request.contains("user-agent: tallyman/") && request.contains("accept: application/json\r\n"));
    assert!(request.contains("authorization: bearer t0ken") && request.ends_with("{\"kind\":  \"job\"}"));
}

#[tokio::test]
async fn a_delete_names_the_uid_and_waits_for_what_is_owned() {
    let (server, api) = start([Say::json(200, &job("7").to_string())]).await;
    api.delete(&Kind::Job, "n", "a", "u").await.unwrap();
    let request = server.requests().remove(0);
    assert!(request.starts_with("DELETE /apis/batch/v1/namespaces/n/jobs/a HTTP/1.1"), "{request}");
    assert!(request.contains(r#""preconditions":{"uid":"u"}"#) && request.contains(r#""Foreground""#));
}

#[tokio::test]
async fn a_patch_is_a_merge_patch_with_its_preconditions() {
    let (server, api) = start([Say::json(200, &job("8").to_string())]).await;
    let patch = json!({"metadata": {"finalizers": null}});
    let patched = api.patch(&Kind::Job, "n", "a", "u", Some("7"), &patch).await.unwrap();
    assert_eq!(patched.resource_version, "8");
    let request = server.requests().remove(0);
    assert!(request.contains("content-type: application/merge-patch+json"));
    assert!(request.contains(r#""resourceVersion":"7""#) && request.contains(r#""uid":"u""#), "{request}");
}

#[tokio::test]
async fn nothing_is_repeated_whatever_is_answered() {
    for code in [429, 500, 502, 503, 504] {
        let (server, api) = start([Say::with(code, "retry-after: 1\r\n", "overloaded")]).await;
        let error = create(&api).await.unwrap_err();
        assert_eq!(error.retry_after_s(), Some(1), "{code}");
        assert_eq!(server.requests().len(), 1, "{code}");
        let certain = matches!(error, CallError::Refused(_));
        assert_eq!(certain, code == 429, "{code}: {error}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let exists = status(409, "AlreadyExists", json!({"kind": "jobs", "name": "a"}));
    let missing = status(404, "NotFound", json!({"kind": "namespaces", "name": "n"}));
    let (_server, api) = start([Say::json(409, &exists), Say::json(404, &missing)]).await;
    assert_eq!(create(&api).await.unwrap_err().refused_kind(), Some(RefusedKind::AlreadyExists));
    let error = create(&api).await.unwrap_err();
    assert_eq!(error.refused_kind(), Some(RefusedKind::NamespaceMissing));
    assert_eq!(error.to_string(), "the cluster answered 404 NotFound: words");
}

#[tokio::test]
async fn nobody_at_the_address_means_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    write_kubeconfig(&path, &format!("http://{free}"));
    let api = KubeApi::connect(ConnectOptions::new(&path)).await.unwrap();
    assert!(matches!(create(&api).await, Err(CallError::NotSent { why: NotSent::Connect, .. })));
}

#[tokio::test]
async fn a_handshake_that_fails_means_not_sent() {
    // The server reads the TLS hello as a request that never ends, or answers in plain text.
    let (server, _) = start([Say::json(200, "{}")]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    write_kubeconfig(&path, &server.url.replace("http://", "https://"));
    let timing = Timing { connect: Duration::from_millis(100), ..timing() };
    let api = KubeApi::connect(ConnectOptions { timing, ..ConnectOptions::new(&path) }).await.unwrap();
    let error = create(&api).await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { why: NotSent::Connect, .. }), "{error:?}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_lost_after_sending_is_unknown() {
    let cut = "HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"kind\"";
    let cases = [
        (Say::Hang(String::new()), Unknown::Deadline),
        (Say::Hang(cut.to_owned()), Unknown::Deadline),
        (Say::Close(String::new()), Unknown::Connection),
        (Say::Close(cut.to_owned()), Unknown::Body),
        (Say::json(201, "<html>"), Unknown::Body),
        (Say::json(200, "{}"), Unknown::Body),
    ];
    for (say, expected) in cases {
        let (server, api) = start([say.clone()]).await;
        match create(&api).await {
            Err(CallError::Unknown { why, .. }) => assert_eq!(why, expected, "{say:?}"),
            other => panic!("{say:?}: {other:?}"),
        }
        assert_eq!(server.requests().len(), 1, "{say:?}");
    }
}

#[tokio::test]
async fn a_connection_that_died_while_it_was_idle_costs_no_second_write() {
    let made = job("7").to_string();
    let Say::Bytes(whole) = Say::json(201, &made) else { panic!("not bytes") };
    let (server, api) = start([Say::Close(whole), Say::json(201, &made)]).await;
    create(&api).await.unwrap();
    // Whether or not the client has seen the close by now: the request reaches the server at most once.
    let second = create(&api).await;
    let posts = server.requests().len();
    assert!(
        posts == 2 || (posts == 1 && matches!(second, Err(CallError::Unknown { .. }))),
        "{posts}: {second:?}"
    );
}

#[tokio::test]
async fn a_token_file_that_is_gone_means_not_sent() {
    let (server, _) = start([]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    write_kubeconfig(&path, &server.url);
    let text = std::fs::read_to_string(&path).unwrap().replace("token: t0ken", "tokenFile: nowhere");
    std::fs::write(&path, text).unwrap();
    match KubeApi::connect(ConnectOptions::new(&path)).await {
        Err(error) => assert!(error.to_string().contains("token file"), "{error}"),
        Ok(api) => {
            let error = create(&api).await.unwrap_err();
            assert!(matches!(error, CallError::NotSent { why: NotSent::Credentials, .. }), "{error:?}");
        }
    }
    assert!(server.requests().is_empty());
}
