//! The group on the node: what an operator does, with the commands that `deploy/README.md` names.

use crate::kube::{Kube, kubeconfig, root};
use crate::load::Outside;
use crate::role::role;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long Pods are given, as kubectl reads it.
const TIMEOUT: &str = "--timeout=180s";

const RUN: &str = r#"
apiVersion: tallyman.dev/v1
kind: Runnable
metadata: {name: real-work}
spec:
  placement: {clusters: [home]}
  manifests:
  - apiVersion: batch/v1
    kind: Job
    metadata: {name: real-work}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: "tallyman.dev/pause:1", args: ["2"]}]
"#;

pub(crate) struct Group {
    pub(crate) kube: Kube,
    secrets: PathBuf,
    volumes: usize,
    _temporary: tempfile::TempDir,
}

impl Group {
    /// Applies what the README says, in its order; nothing is waited for.
    pub(crate) async fn start(image: &dyn Fn(&Path) -> PathBuf) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let image = image(temporary.path());
        let kube = Kube::up(&["--node"]).await;
        kube.load(&image).await;
        let secrets = temporary.path().join("secrets");
        let output = Command::new(root().join("deploy/secrets")).arg(&secrets).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut group = Self { kube, secrets, volumes: 0, _temporary: temporary };
        for _ in 0..3 {
            group.add_volume().await;
        }
        let kube = &group.kube;
        kube.kubectl(&["apply", "--server-side", "-f", "deploy/kustomize/base/namespace.yaml"]).await;
        kube.kubectl(&["create", "namespace", "risk"]).await;
        let file = group.secrets.join("secrets.yaml");
        kube.kubectl(&["apply", "--server-side", "-f", file.to_str().unwrap()]).await;
        group.give_credentials().await;
        kube.kubectl(&["apply", "--server-side", "-k", "deploy/kustomize/base"]).await;
        group
    }

    /// The cluster that the group runs on is also the one that work goes to, by the address that Pods have for it.
    async fn give_credentials(&self) {
        self.kube.apply(&role(&["--namespace", "risk"]), &[]).await;
        let token = ["create", "token", "tallyman", "-n", "tallyman", "--duration", "2h"];
        let token = self.kube.kubectl(&token).await;
        let ca = std::fs::read_to_string(self.kube.path("certs/ca.crt")).unwrap();
        let config = kubeconfig("https://kubernetes.default.svc", "home-ca.crt", &token);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "tallyman-clusters", "namespace": "tallyman"},
            "stringData": {"home": config, "home-ca.crt": ca},
        });
        let input = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "input", "namespace": "tallyman"},
            "data": {"run.yaml": RUN},
        });
        self.kube.apply(&secret.to_string(), &[]).await;
        self.kube.apply(&input.to_string(), &[]).await;
    }

    /// A volume on the node's disk, for a claim of the StatefulSet.
    async fn add_volume(&mut self) {
        let name = format!("volume-{}", self.volumes);
        self.volumes += 1;
        let path = self.kube.path("node/volumes").join(&name);
        std::fs::create_dir_all(&path).unwrap();
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain", "local": {"path": path},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"]},
                ]}]}},
            },
        });
        self.kube.apply(&volume.to_string(), &[]).await;
    }

    pub(crate) async fn until_ready(&self) {
        self.kube.kubectl(&["rollout", "status", "statefulset/tallyman", "-n", "tallyman", TIMEOUT]).await;
        // A rollout that is over says nothing of a Pod that was killed.
        let ready = ["wait", "-n", "tallyman", "--for=jsonpath={.status.readyReplicas}=3", TIMEOUT];
        self.kube.kubectl(&[ready.as_slice(), &["statefulset/tallyman"]].concat()).await;
    }

    pub(crate) async fn outside(&self) -> Outside {
        let path = ["get", "service", "tallyman", "-n", "tallyman", "-o", "jsonpath={.spec.clusterIP}"];
        Outside::new(&self.kube.kubectl(&path).await, &self.secrets)
    }

    /// The founding Job once more, as after its time to live and another `apply`.
    pub(crate) async fn init_again(&self) {
        self.kube.kubectl(&["delete", "job", "-n", "tallyman", "tallyman-init"]).await;
        self.kube.kubectl(&["apply", "--server-side", "-k", "deploy/kustomize/base"]).await;
        let said = self.finished("tallyman-init").await;
        assert!(said.contains("the group is there already"), "{said}");
    }

    /// Runs the client in a Pod of our image, against the Service, and gives back what it printed.
    pub(crate) async fn client(&self, name: &str, arguments: &[&str]) -> String {
        let name = format!("client-{name}");
        self.kube.apply(&client_job(&name, arguments).to_string(), &[]).await;
        self.finished(&name).await
    }

    async fn finished(&self, job: &str) -> String {
        let object = format!("job/{job}");
        let wait = ["wait", "-n", "tallyman", "--for=condition=complete", &object, TIMEOUT];
        let output = self.kube.run(&wait, "").await;
        let said = self.kube.kubectl(&["logs", "-n", "tallyman", &object]).await;
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Kills the process in a Pod as nothing in Kubernetes does.
    pub(crate) async fn kill_container(&self, pod: &str) {
        let id = "jsonpath={.status.containerStatuses[0].containerID}";
        let id = self.kube.kubectl(&["get", "pod", "-n", "tallyman", pod, "-o", id]).await;
        let socket = self.kube.path("node/containerd.sock");
        let mut command = Command::new("ctr");
        command.arg("--address").arg(socket).args([
            "--namespace",
            "k8s.io",
            "tasks",
            "kill",
            "--signal",
            "KILL",
        ]);
        let output = command.arg(id.trim_start_matches("containerd://")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Which Pod it is, and how often it was started; `None` while there is none that runs.
    pub(crate) async fn incarnation(&self, pod: &str) -> Option<String> {
        let what = "jsonpath={.metadata.uid} {.status.containerStatuses[0].state.running.startedAt}";
        let output = self.kube.run(&["get", "pod", "-n", "tallyman", pod, "-o", what], "").await;
        let said = String::from_utf8(output.stdout).unwrap();
        said.split_once(' ').filter(|(_, started)| !started.is_empty())?;
        Some(said)
    }

    /// Takes claim, volume and Pod of a follower away, and gives the node an empty volume. Which Pod it was.
    pub(crate) async fn lose_a_volume(&mut self, outside: &Outside) -> String {
        let leader = outside.leader().await;
        let pod = ["tallyman-0", "tallyman-1"].into_iter().find(|pod| *pod != leader).unwrap();
        let claim = format!("data-{pod}");
        let path = "jsonpath={.spec.volumeName}";
        let volume = self.kube.kubectl(&["get", "pvc", "-n", "tallyman", &claim, "-o", path]).await;
        self.add_volume().await;
        self.kube.kubectl(&["delete", "pvc", "-n", "tallyman", &claim, "--wait=false"]).await;
        self.kube.kubectl(&["delete", "pod", "-n", "tallyman", pod]).await;
        self.kube.kubectl(&["delete", "pv", &volume]).await;
        pod.to_owned()
    }

    /// The ids of those who vote, in order.
    pub(crate) async fn ids(&self, outside: &Outside) -> Vec<String> {
        let replicas = outside.replicas().await;
        let voters = replicas.iter().filter(|one| one["status"]["voter"] == json!(true));
        voters.map(|one| one["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn client_job(name: &str, arguments: &[&str]) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "tallyman"},
        "spec": {"backoffLimit": 0, "template": {"spec": {
            "restartPolicy": "Never", "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "client", "image": concat!("tallyman.dev/tallyman:", env!("CARGO_PKG_VERSION")),
                "args": arguments,
                "env": [
                    {"name": "TALLYMAN_SERVER", "value": "https://tallyman.tallyman.svc:7001"},
                    {"name": "TALLYMAN_TOKEN_FILE", "value": "/etc/tallyman/admin/token"},
                    {"name": "TALLYMAN_CA_FILE", "value": "/etc/tallyman/admin/ca.crt"},
                ],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "admin", "mountPath": "/etc/tallyman/admin", "readOnly": true},
                    {"name": "input", "mountPath": "/run/input", "readOnly": true},
                ],
            }],
            "volumes": [
                {"name": "admin", "projected": {"defaultMode": 0o440, "sources": [
                    {"secret": {"name": "tallyman-admin"}},
                    {"secret": {"name": "tallyman-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                ]}},
                {"name": "input", "configMap": {"name": "input"}},
            ],
        }}},
    })
}
