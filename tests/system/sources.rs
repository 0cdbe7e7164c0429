//! Where clusters and their credentials come from: files and programs on the replicas, which change.

use crate::dev::{Answer, answer, path, runnable, until};
use crate::servers::Servers;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tallyman_chaos::{Fault, FaultId, Matching, Refuse, SimulatedCluster, SimulatedClusterOptions, Verb};
use tempfile::TempDir;

/// A cluster that knows one token.
pub(crate) struct Guarded {
    pub(crate) cluster: SimulatedCluster,
    refusing: Option<FaultId>,
}

impl Guarded {
    pub(crate) async fn start(name: &str, token: &str) -> Self {
        let cluster = SimulatedCluster::start(SimulatedClusterOptions::named(name)).await.unwrap();
        let mut guarded = Self { cluster, refusing: None };
        guarded.know(token);
        guarded
    }

    /// From now on only who bears this token is let in.
    pub(crate) fn know(&mut self, token: &str) {
        let faults = self.cluster.faults();
        let refuse = Fault::Refuse(Refuse::status(401));
        let next = faults.always(Matching::any().without_token(token), refuse);
        self.refusing.replace(next).into_iter().for_each(|before| faults.remove(before));
    }
}

/// Replicas, and the directory that they take credentials from.
pub(crate) struct Stage {
    pub(crate) servers: Servers,
    dir: TempDir,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\nprintf '{{\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\", \
             \"status\": {{\"token\": \"%s\"}}}}' \"$(cat {}/plugin-token)\"\n",
            dir.path().display()
        );
        fs::write(dir.path().join("plugin"), script).unwrap();
        fs::set_permissions(dir.path().join("plugin"), PermissionsExt::from_mode(0o755)).unwrap();
        let providers = json!({"providers": [{"name": "cloud", "execConfig":
            {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}]});
        fs::write(dir.path().join("providers.json"), providers.to_string()).unwrap();
        let settings = format!(
            "cluster_credentials_dir = {:?}\ncluster_provider_file = {:?}",
            dir.path(),
            dir.path().join("providers.json")
        );
        Self { servers: Servers::founded_with(&settings).await, dir }
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let (fresh, path) = (self.dir.path().join("fresh"), self.dir.path().join(name));
        fs::write(&fresh, text).unwrap();
        fs::rename(&fresh, &path).unwrap();
        path.display().to_string()
    }

    pub(crate) fn url(&self) -> String {
        self.servers.places[0].url.clone()
    }

    pub(crate) async fn post(&self, rest: &str, body: &Value) -> Answer {
        let url = format!("{}{}", self.url(), path(rest));
        until("somebody answers", async || {
            let answer = answer(reqwest::Client::new().post(&url).json(body)).await?;
            (answer.status < 500).then_some(answer)
        })
        .await
    }

    async fn add(&self, name: &str, server: Value) {
        let body = json!({"apiVersion": "tallyman.dev/v1", "kind": "Cluster", "metadata": {"name": name},
            "spec": {"server": server}});
        let added = self.post("clusters", &body).await;
        assert_eq!(added.status, 201, "{added:?}");
    }

    pub(crate) async fn cluster(&self, name: &str) -> Option<Value> {
        let answer = self.servers.get(0, &path(&format!("clusters/{name}"))).await?;
        (answer.status == 200).then_some(answer.body)
    }

    pub(crate) async fn until_reachable(&self, name: &str) -> Value {
        until(&format!("{name} is reached"), async || {
            let cluster = self.cluster(name).await?;
            (cluster["status"]["reachable"] == json!(true)).then_some(cluster)
        })
        .await
    }

    pub(crate) async fn until_says(&self, name: &str, words: &str) {
        until(&format!("{name} says {words:?}"), async || {
            let cluster = self.cluster(name).await?;
            cluster["status"]["message"].as_str()?.contains(words).then_some(())
        })
        .await;
    }

    async fn submit(&self, name: &str, cluster: &str) {
        let mut run = runnable(name, "100ms");
        run["spec"]["placement"] = json!({"clusters": [cluster]});
        let taken = self.post("namespaces/risk/runnables", &run).await;
        assert_eq!(taken.status, 201, "{taken:?}");
    }

    pub(crate) async fn until_all_succeed(&self, count: usize) {
        until("all runs have succeeded", async || {
            let query = path("namespaces/risk/runnables?fieldSelector=status.phase%3DSucceeded");
            let done = self.servers.get(0, &query).await?.body["items"].as_array()?.len();
            (done == count).then_some(())
        })
        .await;
    }
}

/// True if a file below `dir` holds `secret`.
fn holds(dir: &Path, secret: &str) -> bool {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).any(|path| {
        match path.is_dir() {
            true => holds(&path, secret),
            false => {
                let bytes = fs::read(&path).unwrap_or_default();
                bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_file_is_replaced_under_load_without_a_lost_watch_and_is_nowhere_but_in_its_file() {
    let stage = Stage::start().await;
    let mut east = Guarded::start("east", "s3cr3t-east").await;
    let token = stage.write("east.token", "s3cr3t-east\n");
    stage.add("east", json!({"url": east.cluster.server(), "tokenFile": token})).await;
    let shown = stage.until_reachable("east").await;
    assert_eq!(shown["spec"]["server"]["tokenFile"], json!(token), "{shown:#}");
    stage.submit("first", "east").await;
    stage.until_all_succeed(1).await;
    let listed = east.cluster.requests().of(Verb::List, "jobs");
    rotate(&stage, &mut east).await;
    let swept = east.cluster.requests().of(Verb::List, "jobs") - listed;
    assert!(swept <= 10, "{swept} listings: watches began anew");
    assert!(!holds(stage.servers.dir(), "s3cr3t"), "a token is in what the servers wrote");
    assert!(holds(stage.dir.path(), "s3cr3t"));
}

/// Submits, and has the token replaced before each five.
async fn rotate(stage: &Stage, east: &mut Guarded) {
    for round in 0..4 {
        let token = format!("s3cr3t-east-{round}");
        stage.write("east.token", &token);
        east.know(&token);
        for i in 0..5 {
            stage.submit(&format!("east-{round}-{i}"), "east").await;
        }
        stage.until_all_succeed(1 + 5 * (round + 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_of_the_provider_file_gives_credentials_and_what_is_wrong_is_said() {
    let stage = Stage::start().await;
    let mut west = Guarded::start("west", "s3cr3t-1").await;
    stage.write("plugin-token", "s3cr3t-1");
    let server = |provider: &str| json!({"url": west.cluster.server(), "provider": {"name": provider}});
    stage.add("west", server("cloud")).await;
    stage.add("typo", server("clowd")).await;
    stage.until_reachable("west").await;
    stage.until_says("typo", "failed to find provider \"clowd\"").await;
    stage.add("greedy", json!({"url": west.cluster.server(), "tokenFile": "/etc/passwd"})).await;
    stage.until_says("greedy", "is not in").await;
    stage.write("plugin-token", "s3cr3t-2");
    west.know("s3cr3t-2");
    stage.submit("after", "west").await;
    stage.until_all_succeed(1).await;
    assert!(!holds(stage.servers.dir(), "s3cr3t"), "a token is in what the servers wrote");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kubeconfig_is_imported_without_the_token_in_it_and_the_same_cluster_only_once() {
    let stage = Stage::start().await;
    let east = Guarded::start("east", "s3cr3t-east").await;
    let kubeconfig = format!(
        "{{current-context: east, contexts: [{{name: east, context: {{cluster: k, user: u}}}}], clusters: [{{name: k, \
         cluster: {{server: '{}'}}}}], users: [{{name: u, user: {{token: s3cr3t-east}}}}]}}",
        east.cluster.server()
    );
    let file = stage.write("kubeconfig", &kubeconfig);
    let import = ["cluster", "import", "--kubeconfig", &file];
    let refused = stage.servers.client(&import).await;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(words.contains("--credentials-dir") && !words.contains("s3cr3t"), "{words}");
    let dir = stage.dir.path().display().to_string();
    let taken = stage.servers.client(&[&import[..], &["--credentials-dir", &dir]].concat()).await;
    assert!(taken.status.success(), "{taken:?}");
    stage.until_reachable("east").await;
    let mode = fs::metadata(stage.dir.path().join("east.token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = stage.servers.client(&[&import[..], &["other", "--credentials-dir", &dir]].concat()).await;
    assert!(again.status.success(), "{again:?}");
    stage.until_says("other", "it is the same cluster as \"east\"").await;
    assert!(!holds(stage.servers.dir(), "s3cr3t"), "a token is in what the servers wrote");
}
