//! A real Kubernetes that stops with the test, and the kubectl that was built with it.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

pub(crate) const NAME: &str = "real";

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) struct Kube {
    dir: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Kube {
    /// A control plane whose one node is played; with `--node` the node is this machine.
    pub(crate) async fn up(options: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("kube");
        let owner = std::process::id().to_string();
        let mut arguments = vec!["up", dir.to_str().unwrap(), "1", "--names", NAME, "--owner", &owner];
        arguments.extend(options);
        let output = kit(&arguments).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { dir, _temporary: temporary }
    }

    pub(crate) fn path(&self, rest: &str) -> PathBuf {
        self.dir.join(NAME).join(rest)
    }

    pub(crate) async fn load(&self, image: &Path) {
        let output = kit(&["load", self.dir.to_str().unwrap(), NAME, image.to_str().unwrap()]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What kubectl said; it must have succeeded.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "").await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(&[arguments, &["-o", "json"]].concat()).await).unwrap()
    }

    /// Applies manifests as the server's own field manager does it, and gives back what kubectl warned of.
    pub(crate) async fn apply(&self, manifests: &str, options: &[&str]) -> String {
        let output = self.run(&[&["apply", "--server-side", "-f", "-"], options].concat(), manifests).await;
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{warnings}");
        warnings
    }

    pub(crate) async fn run(&self, arguments: &[&str], input: &str) -> Output {
        let kubectl = root().join("tests/realkube/bin/kubectl");
        let mut command = Command::new(kubectl);
        command.current_dir(root()).env("KUBECONFIG", self.path("kubeconfig")).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).await.unwrap();
        drop(stdin);
        child.wait_with_output().await.unwrap()
    }

    /// How many requests of a user the audit log has, and how many of them were forbidden.
    pub(crate) fn requests_of(&self, user: &str) -> (usize, Vec<String>) {
        let log = std::fs::read_to_string(self.path("audit.jsonl")).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let theirs: Vec<Value> = lines.filter(|line| line["user"]["username"] == user).collect();
        let forbidden = theirs.iter().filter(|line| line["responseStatus"]["code"] == 403);
        let forbidden =
            forbidden.map(|line| format!("{} {}", line["verb"], line["requestURI"])).collect::<Vec<_>>();
        (theirs.len(), forbidden)
    }

    /// The address of the kube-apiserver on this machine.
    pub(crate) async fn server(&self) -> String {
        let path = "jsonpath={.clusters[0].cluster.server}";
        self.kubectl(&["config", "view", "--minify", "-o", path]).await
    }
}

impl Drop for Kube {
    fn drop(&mut self) {
        let script = root().join("tests/realkube/realkube");
        let _ = std::process::Command::new(script).arg("down").arg(&self.dir).status();
    }
}

async fn kit(arguments: &[&str]) -> Output {
    Command::new(root().join("tests/realkube/realkube")).args(arguments).output().await.unwrap()
}

/// A kubeconfig for a token, at this address of a kube-apiserver whose authority is in the file `ca`.
pub(crate) fn kubeconfig(server: &str, ca: &str, token: &str) -> String {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": NAME,
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "clusters": [{"name": NAME, "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": NAME, "user": {"token": token.trim()}}],
    })
    .to_string()
}

/// The documents of a text in YAML.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

/// The one document of this kind.
pub(crate) fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Option<&'a Value> {
    documents.iter().find(|document| document["kind"] == kind)
}
