//! Credentials that change while a client is there, against a simulated cluster that knows one token.

use crate::all_jobs;
use futures::StreamExt;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tallyman_chaos::{Fault, FaultId, Matching, Refuse, SimulatedCluster, SimulatedClusterOptions};
use tallyman_cluster::{
    Access, CallError, ClusterApi, ConnectError, ConnectOptions, KubeApi, NotSent, Plugins, WatchEvent, words,
};
use tallyman_model::Env;
use tallyman_model::record::{Credentials, Kind, Provider, Server, User};
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(30);

struct Stage {
    cluster: SimulatedCluster,
    dir: tempfile::TempDir,
    refusing: Option<FaultId>,
}

impl Stage {
    async fn knowing(token: &str) -> Self {
        let cluster = SimulatedCluster::start(SimulatedClusterOptions::named("east")).await.unwrap();
        let mut stage = Self { cluster, dir: tempfile::tempdir().unwrap(), refusing: None };
        stage.know(token);
        stage
    }

    /// From now on only who bears this token is let in.
    fn know(&mut self, token: &str) {
        let refuse = Fault::Refuse(Refuse::status(401));
        let faults = self.cluster.faults();
        let next = faults.always(Matching::any().without_token(token), refuse);
        if let Some(before) = self.refusing.replace(next) {
            faults.remove(before);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let fresh = self.path("fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, self.path(name)).unwrap();
        self.path(name).display().to_string()
    }

    fn options(&self, user: User) -> ConnectOptions {
        let server = Server { url: self.cluster.server(), user, ..Server::default() };
        let access = Access { dir: Some(self.dir.path().to_owned()), plugins: None };
        ConnectOptions { credentials: Credentials::server(server), access, ..ConnectOptions::new("") }
    }
}

async fn make(api: &KubeApi, name: &str) -> Result<(), CallError> {
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]});
    let spec = json!({"suspend": true, "template": {"spec": pod}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec});
    api.create(&Kind::Job, "risk", job.to_string().as_bytes()).await.map(drop)
}

/// As callers do: what is refused is asked again.
async fn until_made(api: &KubeApi, name: &str) -> u32 {
    let (deadline, mut refused) = (Instant::now() + PATIENCE, 0);
    while let Err(error) = make(api, name).await {
        assert_eq!(error.answer().map(|answer| answer.status), Some(401), "{error:?}");
        assert!(Instant::now() < deadline, "{error:?}");
        refused += 1;
        sleep(Duration::from_millis(20)).await;
    }
    refused
}

#[tokio::test]
async fn a_token_that_is_replaced_is_used_at_once_and_a_watch_goes_on() {
    let mut stage = Stage::knowing("first").await;
    let path = stage.write("token", "first\n");
    let api = KubeApi::connect(stage.options(User::TokenFile(path))).await.unwrap();
    make(&api, "one").await.unwrap();
    let from = api.newest(&all_jobs()).await.unwrap();
    let mut watch = api.watch(&all_jobs(), "", &from).await.unwrap();
    stage.write("token", "second\n");
    stage.know("second");
    assert!(until_made(&api, "two").await > 0, "the old one was refused");
    let mut seen = async || tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap();
    while !matches!(seen().await, WatchEvent::Seen(item) if item.name == "two") {}
}

#[tokio::test]
async fn a_kubeconfig_for_another_address_ends_the_client_before_anything_is_sent_there() {
    let mut stage = Stage::knowing("first").await;
    let other = Stage::knowing("second").await;
    let kubeconfig = |stage: &Stage, token: &str| {
        let url = stage.cluster.server();
        format!(
            "{{current-context: c, contexts: [{{name: c, context: {{cluster: k, user: u}}}}], \
             clusters: [{{name: k, cluster: {{server: '{url}'}}}}], users: [{{name: u, user: {{token: {token}}}}}]}}"
        )
    };
    let path = stage.write("kubeconfig", &kubeconfig(&stage, "first"));
    let api = KubeApi::connect(ConnectOptions::new(&path)).await.unwrap();
    make(&api, "one").await.unwrap();
    stage.write("kubeconfig", &kubeconfig(&other, "second"));
    stage.know("third");
    let deadline = Instant::now() + PATIENCE;
    loop {
        match make(&api, "two").await {
            Err(CallError::NotSent { why: NotSent::Credentials, .. }) => break,
            Err(error) if error.answer().is_some() => assert!(Instant::now() < deadline, "{error:?}"),
            other => panic!("{other:?}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(other.cluster.requests().of_user_agent("tallyman"), 0);
}

async fn refused(options: ConnectOptions) -> String {
    words(&KubeApi::connect(options).await.err().unwrap())
}

#[tokio::test]
async fn files_are_read_only_where_the_operator_lets_them_be() {
    let stage = Stage::knowing("first").await;
    let outside = tempfile::NamedTempFile::new().unwrap();
    let link = stage.path("link");
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    for path in [outside.path().to_owned(), link, stage.path("../../../../../etc/passwd")] {
        let user = User::TokenFile(path.display().to_string());
        assert!(refused(stage.options(user)).await.contains("cluster_credentials_dir"), "{path:?}");
    }
    let path = stage.write("token", "first");
    let mut options = stage.options(User::TokenFile(path));
    options.access.dir = None;
    assert!(refused(options).await.contains("names no directory"));
    let missing = User::TokenFile(stage.path("missing").display().to_string());
    assert!(refused(stage.options(missing)).await.contains("failed to read the token file"));
    assert!(
        refused(stage.options(User::TokenFile("/dev/zero".to_owned())))
            .await
            .contains("cluster_credentials_dir")
    );
}

struct Clock;

impl Env for Clock {
    #[expect(clippy::disallowed_methods, reason = "programs say when what they give ends")]
    fn now_ms(&self) -> u64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
    }

    fn random(&self, bytes: &mut [u8]) {
        let now = self.now_ms().to_le_bytes();
        bytes.iter_mut().zip(now).for_each(|(byte, now)| *byte = now);
    }
}

/// A program that gives what is in a file, and notes each run.
fn plugin(stage: &Stage) -> Access {
    let script = format!(
        "#!/bin/sh\necho run >> {0}/runs\nprintf '{{\"apiVersion\": \"client.authentication.k8s.io/v1\", \
         \"kind\": \"ExecCredential\", \"status\": {{\"token\": \"%s\"}}}}' \"$(cat {0}/token)\"\n",
        stage.dir.path().display()
    );
    let command = stage.write("plugin", &script);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&command, mode).unwrap();
    let providers = json!({"providers": [{"name": "cloud", "execConfig":
        {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}]});
    let file = stage.write("providers.json", &providers.to_string());
    let inherited = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    Access { dir: None, plugins: Some(Arc::new(Plugins::new(file.into(), Arc::new(Clock), inherited))) }
}

fn runs(stage: &Stage) -> usize {
    std::fs::read_to_string(stage.path("runs")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_program_is_asked_once_for_all_and_again_when_what_it_gave_is_refused() {
    let mut stage = Stage::knowing("first").await;
    stage.write("token", "first");
    let access = plugin(&stage);
    let provider = Provider { name: "cloud".to_owned(), ..Provider::default() };
    let options = ConnectOptions { access, ..stage.options(User::Provider(provider)) };
    let (one, other) = tokio::join!(KubeApi::connect(options.clone()), KubeApi::connect(options.clone()));
    let (one, other) = (one.unwrap(), other.unwrap());
    make(&one, "one").await.unwrap();
    make(&other, "other").await.unwrap();
    assert_eq!(runs(&stage), 1);
    stage.write("token", "second");
    stage.know("second");
    assert!(until_made(&one, "two").await > 0);
    until_made(&other, "more").await;
    assert_eq!(runs(&stage), 2, "what one learnt does for the other");
}

#[tokio::test]
async fn a_program_that_gives_again_what_was_refused_is_asked_until_it_gives_something_else() {
    let mut stage = Stage::knowing("first").await;
    stage.write("token", "first");
    let access = plugin(&stage);
    let provider = Provider { name: "cloud".to_owned(), ..Provider::default() };
    let options = ConnectOptions { access, ..stage.options(User::Provider(provider)) };
    let api = KubeApi::connect(options).await.unwrap();
    stage.know("second");
    let deadline = Instant::now() + PATIENCE;
    while runs(&stage) < 2 {
        assert!(Instant::now() < deadline, "it is not asked again");
        assert!(make(&api, "early").await.is_err());
        sleep(Duration::from_millis(20)).await;
    }
    stage.write("token", "second");
    until_made(&api, "late").await;
}

#[tokio::test]
async fn without_a_provider_file_no_program_is_started() {
    let stage = Stage::knowing("first").await;
    let provider = User::Provider(Provider { name: "cloud".to_owned(), ..Provider::default() });
    let error = KubeApi::connect(stage.options(provider)).await.err().unwrap();
    assert!(matches!(error, ConnectError::NoProviders), "{error:?}");
    assert!(Path::new(&stage.path("runs")).metadata().is_err());
}
