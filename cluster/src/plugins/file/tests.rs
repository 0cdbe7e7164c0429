#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

async fn providers(text: &str) -> Result<Providers, PluginError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("providers.json");
    std::fs::write(&path, text).unwrap();
    Providers::read(&path).await
}

fn file(policies: &str) -> String {
    format!(
        r#"{{"providers": [
            {{"name": "first", "execConfig": {{"apiVersion": "client.authentication.k8s.io/v1", "command": "bin/get",
              "args": ["--own"], "env": [{{"name": "OWN", "value": "1"}}], "provideClusterInfo": true,
              "installHint": "?"}}{policies}}},
            {{"name": "second", "execConfig": {{"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "get"}}}}
        ]}}"#
    )
}

fn profile(name: &str) -> Provider {
    Provider {
        name: name.to_owned(),
        config: Some(r#"{"audience":"east"}"#.to_owned()),
        args: vec!["--sourced".to_owned()],
        envs: [("OWN", "2"), ("SOURCED", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}

fn server() -> Server {
    Server {
        url: "https://east".to_owned(),
        tls_name: Some("east.internal".to_owned()),
        authority_data: Some("Y2E=".to_owned()),
        ..Server::default()
    }
}

fn pairs(envs: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    envs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[tokio::test]
async fn whoever_writes_a_profile_says_nothing_of_how_a_program_is_run_unless_the_operator_lets_them() {
    let prepared = providers(&file("")).await.unwrap().prepare(&server(), &profile("first")).unwrap();
    assert_eq!(prepared.args, ["--own"]);
    assert_eq!(pairs(&prepared.envs), [("OWN", "1")]);
    assert!(prepared.command.ends_with("bin/get") && prepared.command.is_absolute());
    let info: Value = serde_json::from_str(&prepared.info).unwrap();
    let cluster = json!({"server": "https://east", "tls-server-name": "east.internal",
        "certificate-authority-data": "Y2E=", "config": {"audience": "east"}});
    assert_eq!(info["spec"], json!({"interactive": false, "cluster": cluster}));
}

#[tokio::test]
async fn what_a_profile_adds_stays_with_its_own_cluster() {
    let policies =
        r#", "profileSourcedCLIArgsPolicy": "Append", "profileSourcedEnvVarsPolicy": "AppendIfNotExists""#;
    let providers_read = providers(&file(policies)).await.unwrap();
    for _ in 0..2 {
        let prepared = providers_read.prepare(&server(), &profile("first")).unwrap();
        assert_eq!(prepared.args, ["--own", "--sourced"]);
        assert_eq!(pairs(&prepared.envs), [("OWN", "1"), ("SOURCED", "2")]);
    }
    let plain = Provider { name: "first".to_owned(), ..Provider::default() };
    let next = providers_read.prepare(&server(), &plain).unwrap();
    assert_eq!((next.args, pairs(&next.envs)), (vec!["--own".to_owned()], vec![("OWN", "1")]));
    let replace = file(r#", "profileSourcedEnvVarsPolicy": "Replace""#);
    let replaced = providers(&replace).await.unwrap().prepare(&server(), &profile("first")).unwrap();
    assert_eq!(pairs(&replaced.envs), [("OWN", "2"), ("SOURCED", "2")]);
}

#[tokio::test]
async fn the_order_of_the_file_decides_and_the_cluster_is_told_only_where_that_is_asked_for() {
    let read = providers(&file("")).await.unwrap();
    assert_eq!(read.first_of(&["second", "first"]), Some("first"));
    assert_eq!(read.first_of(&["third"]), None);
    let second = read.prepare(&server(), &profile("second")).unwrap();
    assert!(!second.info.contains("east"), "{}", second.info);
    assert_eq!(second.command, Path::new("get"), "looked for in PATH");
}

#[tokio::test]
async fn a_file_that_is_none_is_told_of_without_being_quoted() {
    let error = providers(r#"{"providers": [{"name": "a", "execConfig": "s3cr3t"}]}"#)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("at line 1") && !error.contains("s3cr3t"), "{error}");
    let error =
        providers(&file("")).await.unwrap().prepare(&server(), &profile("none")).err().unwrap().to_string();
    assert!(error.contains("first, second"), "{error}");
}
