#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn text(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}, {{name: d, context: {{cluster: nowhere}}}}]\n\
         clusters: [{{name: k, cluster: {{{cluster}}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n"
    )
}

async fn load(path: &Path, context: Option<&str>) -> Result<Config, ConnectError> {
    config(&Origin::Kubeconfig(path.to_owned()), super::read(path, context)?).await
}

async fn read(text: &str, context: Option<&str>) -> Result<Config, ConnectError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    load(&path, context).await
}

#[tokio::test]
async fn a_plain_kubeconfig_is_taken_without_proxy_and_without_repetition() {
    let config = read(&text("server: 'https://k.example:6443'", "token: t0ken"), None).await.unwrap();
    assert_eq!(config.cluster_url.to_string(), "https://k.example:6443/");
    assert!(config.proxy_url.is_none() && !config.default_retry && !config.accept_invalid_certs);
}

#[tokio::test]
async fn what_a_server_does_not_do_is_refused_by_the_name_of_the_field() {
    let server = "server: 'https://k'";
    let cases = [
        (text(&format!("{server}, insecure-skip-tls-verify: true"), ""), "cluster.insecure-skip-tls-verify"),
        (text(&format!("{server}, proxy-url: 'http://p'"), ""), "cluster.proxy-url"),
        (text("server: 'http://k.example'", ""), "cluster.server"),
        (text("server: 'ftp://127.0.0.1'", ""), "cluster.server"),
        (text(server, "exec: {command: rm, apiVersion: v1}"), "user.exec"),
        (text(server, "auth-provider: {name: gcp}"), "user.auth-provider"),
        (text(server, "username: a, password: b"), "user.username"),
        (text(server, "token: t, as: root"), "user.as"),
        (text(server, "token: t, as-groups: ['system:masters']"), "user.as"),
    ];
    for (text, expected) in cases {
        match read(&text, None).await {
            Err(ConnectError::Refused { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn http_is_taken_to_loopback_only() {
    for host in ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.8.9.1"] {
        assert!(read(&text(&format!("server: 'http://{host}'"), ""), None).await.is_ok(), "{host}");
    }
    for host in ["127.0.0.1.example", "localhost.example", "10.0.0.1"] {
        assert!(read(&text(&format!("server: 'http://{host}'"), ""), None).await.is_err(), "{host}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let good = text("server: 'https://k'", "");
    let missing = |error: Result<Config, ConnectError>| match error {
        Err(ConnectError::Missing { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing(read(&good, Some("x")).await), "context x");
    assert_eq!(missing(read(&good, Some("d")).await), "cluster nowhere");
    assert_eq!(missing(read("", None).await), "current-context");
    assert_eq!(missing(read(&text("", ""), None).await), "cluster.server");
}

#[tokio::test]
async fn an_error_never_quotes_the_file() {
    let secret = "s3cr3t-t0ken";
    let broken = format!("users: [{{name: u, user: {{token: {secret}\nclusters: 5\n");
    let error = read(&broken, None).await.unwrap_err();
    assert!(matches!(error, ConnectError::Parse { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains(secret));
    let wrong = text("server: 'https://k'", &format!("token: [{secret}]"));
    assert!(!format!("{:?}", read(&wrong, None).await.unwrap_err()).contains(secret));
}

#[tokio::test]
async fn a_file_that_is_none_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(load(dir.path(), None).await, Err(ConnectError::NoFile { .. })));
    assert!(matches!(load(&dir.path().join("x"), None).await, Err(ConnectError::Read { .. })));
    assert!(matches!(load(Path::new("/dev/zero"), None).await, Err(ConnectError::NoFile { .. })));
}
