//! Real control planes, and what tests do to them.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Output;
use tokio::process::Command;

/// Control planes that stop with the test, or with this process.
pub(crate) struct Control {
    dir: PathBuf,
    names: Vec<String>,
}

impl Control {
    /// One, called `real`.
    pub(crate) async fn up(dir: &Path) -> Self {
        Self::up_as(dir, &["real"]).await
    }

    /// One for each name.
    pub(crate) async fn up_as(dir: &Path, names: &[&str]) -> Self {
        let (owner, count) = (std::process::id().to_string(), names.len().to_string());
        let dir_text = dir.to_str().unwrap();
        let output = kit(&["up", dir_text, &count, "--names", &names.join(","), "--owner", &owner]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { dir: dir.to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// The first of them.
    pub(crate) fn first(&self) -> Cluster {
        self.cluster(&self.names[0])
    }

    pub(crate) fn cluster(&self, name: &str) -> Cluster {
        assert!(self.names.iter().any(|known| known == name), "there is no {name}");
        Cluster { dir: self.dir.clone(), name: name.to_owned() }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.first().kubeconfig()
    }

    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        self.first().kubectl(arguments).await
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        down(&self.dir);
    }
}

/// Stops whatever control planes are left in a directory.
pub(crate) fn down(dir: &Path) {
    let _ = std::process::Command::new(script()).arg("down").arg(dir).status();
}

fn is_by(line: &Value, agent: &str) -> bool {
    line["userAgent"].as_str().is_some_and(|known| known.starts_with(agent))
}

fn is_audit_log(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("audit") && name.ends_with(".jsonl"))
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/realkube/realkube")
}

async fn kit(arguments: &[&str]) -> Output {
    Command::new(script()).args(arguments).output().await.unwrap()
}

/// The program.
pub(crate) fn kubectl() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/realkube/bin/kubectl")
}

/// One control plane, seen with an admin's eyes.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    dir: PathBuf,
    pub(crate) name: String,
}

impl Cluster {
    fn home(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.home().join("kubeconfig")
    }

    /// What kubectl says; it must succeed.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).await.unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// What kubectl says, or what it says of its failure.
    pub(crate) async fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(kubectl());
        command.env("KUBECONFIG", self.kubeconfig()).arg("--request-timeout=20s").args(arguments);
        let output = command.kill_on_drop(true).output().await.unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    pub(crate) async fn namespace(&self, name: &str) {
        self.kubectl(&["create", "namespace", name]).await;
    }

    /// Makes or replaces objects.
    pub(crate) async fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), object.to_string()).unwrap();
        self.kubectl(&["apply", "-f", file.path().to_str().unwrap()]).await;
    }

    /// The objects of a resource in a namespace.
    pub(crate) async fn list(&self, namespace: &str, resource: &str) -> Vec<Value> {
        let json = self.kubectl(&["get", resource, "-n", namespace, "-o", "json"]).await;
        let list: Value = serde_json::from_str(&json).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// One object; `None` if it is not there.
    pub(crate) async fn find(&self, namespace: &str, resource: &str, name: &str) -> Option<Value> {
        let arguments = [
            "get",
            resource,
            name,
            "-n",
            namespace,
            "-o",
            "json",
            "--ignore-not-found",
            "--show-managed-fields",
        ];
        let json = self.kubectl(&arguments).await;
        (!json.trim().is_empty()).then(|| serde_json::from_str(&json).unwrap())
    }

    pub(crate) async fn merge(&self, namespace: &str, resource: &str, name: &str, patch: &Value) {
        let patch = patch.to_string();
        self.kubectl(&["patch", resource, name, "-n", namespace, "--type=merge", "-p", &patch]).await;
    }

    pub(crate) async fn kill(&self, process: &str, signal: &str) {
        self.kit(&["kill"], &[process, signal]).await;
    }

    /// Starts a process again and waits until it serves.
    pub(crate) async fn restart(&self, process: &str) {
        self.kit(&["restart"], &[process]).await;
    }

    /// Starts the API server again if it does not serve.
    pub(crate) async fn revive(&self) {
        if self.try_kubectl(&["get", "--raw", "/readyz"]).await.is_err() {
            self.restart("kube-apiserver").await;
        }
    }

    /// What the audit log has of Tallyman's own creates of Jobs in a namespace: how many took effect, by name.
    pub(crate) fn jobs_made(&self, namespace: &str) -> BTreeMap<String, usize> {
        let mut made = BTreeMap::new();
        let files = std::fs::read_dir(self.home()).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.file_name().is_some_and(is_audit_log)) {
            // A killed apiserver may leave half a line.
            let lines = std::fs::read_to_string(file).unwrap();
            for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                let of = &line["objectRef"];
                let by_us = line["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tallyman"));
                let made_one = line["verb"] == "create" && line["responseStatus"]["code"] == 201;
                if by_us && made_one && of["resource"] == "jobs" && of["namespace"] == namespace {
                    *made.entry(of["name"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
                }
            }
        }
        made
    }

    /// Requests of Tallyman for objects of a resource in a namespace, by verb, as the audit log has them.
    pub(crate) fn asked_for(&self, namespace: &str, resource: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        let files = std::fs::read_dir(self.home()).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.file_name().is_some_and(is_audit_log)) {
            let lines = std::fs::read_to_string(file).unwrap();
            for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                let by_us = line["userAgent"].as_str().is_some_and(|agent| agent.starts_with("tallyman"));
                let of = &line["objectRef"];
                if by_us && of["resource"] == resource && of["namespace"] == namespace {
                    *counts.entry(line["verb"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
                }
            }
        }
        counts
    }

    /// The process of one of its parts.
    pub(crate) fn pid(&self, process: &str) -> i32 {
        let text = std::fs::read_to_string(self.home().join(format!("{process}.pid"))).unwrap();
        text.trim().parse().unwrap()
    }

    /// Requests in the audit log of clients that call themselves so, by verb and resource.
    pub(crate) fn requests_by(&self, agent: &str) -> BTreeMap<String, u64> {
        self.audited(|line| is_by(line, agent))
    }

    /// The same of requests in one namespace.
    pub(crate) fn requests_in(&self, namespace: &str, agent: &str) -> BTreeMap<String, u64> {
        self.audited(|line| is_by(line, agent) && line["objectRef"]["namespace"] == namespace)
    }

    fn audited(&self, is_one: impl Fn(&Value) -> bool) -> BTreeMap<String, u64> {
        let (mut seen, mut counts) = (BTreeSet::new(), BTreeMap::new());
        let files = std::fs::read_dir(self.home()).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.file_name().is_some_and(is_audit_log)) {
            let lines = std::fs::read_to_string(file).unwrap();
            for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                // A watch has two lines.
                if is_one(&line) && seen.insert(line["auditID"].as_str().unwrap_or_default().to_owned()) {
                    let text = |value: &Value| value.as_str().unwrap_or("other").to_owned();
                    let what = format!("{} {}", text(&line["verb"]), text(&line["objectRef"]["resource"]));
                    *counts.entry(what).or_insert(0) += 1;
                }
            }
        }
        counts
    }

    /// Requests of Tallyman since the control plane was made.
    pub(crate) async fn requests(&self) -> u64 {
        self.kit(&["requests"], &["tallyman"]).await.trim().parse().unwrap()
    }

    async fn kit(&self, verb: &[&str], rest: &[&str]) -> String {
        let place = [self.dir.to_str().unwrap(), &self.name];
        let output = kit(&[verb, &place, rest].concat()).await;
        assert!(output.status.success(), "{verb:?} {rest:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A kubeconfig for a service account that may do what `tallyman cluster role` prints, and nothing else.
    pub(crate) async fn account(&self) -> PathBuf {
        self.allow_account("tallyman", &[]).await;
        let path = self.home().join("tallyman.kubeconfig");
        std::fs::write(&path, self.kubeconfig_with(&self.token("tallyman").await)).unwrap();
        path
    }

    /// Makes a service account, or has it be as it was made, that may do what `tallyman cluster role` prints with these
    /// options.
    pub(crate) async fn allow_account(&self, account: &str, options: &[&str]) {
        let role = ["cluster", "role", "--account-namespace", "kube-system", "--account", account];
        let printed = Command::new(crate::dev::binary()).args(role).args(options).output().await.unwrap();
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), printed.stdout).unwrap();
        self.kubectl(&["apply", "-f", file.path().to_str().unwrap()]).await;
    }

    /// A token of that account.
    pub(crate) async fn token(&self, account: &str) -> String {
        let token = self.kubectl(&["create", "token", account, "-n", "kube-system", "--duration=24h"]).await;
        token.trim().to_owned()
    }

    /// The admin's kubeconfig with another token.
    pub(crate) fn kubeconfig_with(&self, token: &str) -> String {
        let admin = std::fs::read_to_string(self.kubeconfig()).unwrap();
        let (head, _) = admin.rsplit_once("{token: ").unwrap();
        format!("{head}{{token: {token}}}\n")
    }

    /// What that account may do now.
    pub(crate) async fn rules(&self) -> Value {
        let role = self.find("kube-system", "clusterrole", "tallyman").await.unwrap();
        role["rules"].clone()
    }

    /// Gives that account these rights instead.
    pub(crate) async fn allow(&self, rules: &Value) {
        self.merge("kube-system", "clusterrole", "tallyman", &json!({ "rules": rules })).await;
    }

    /// Drops all of etcd's history before now.
    pub(crate) async fn compact(&self) {
        let ports = std::fs::read_to_string(self.home().join("ports")).unwrap();
        let etcd = ports.split_whitespace().next().unwrap();
        let ask = async |path: &str, body: Value| {
            let url = format!("http://127.0.0.1:{etcd}/v3/{path}");
            let answer = crate::dev::answer(crate::dev::client().post(url).json(&body)).await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body
        };
        let status = ask("maintenance/status", json!({})).await;
        let revision = status["header"]["revision"].clone();
        ask("kv/compaction", json!({"revision": revision, "physical": true})).await;
    }
}
